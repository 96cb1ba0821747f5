//! Which slots have signed.

use holdfast_erasure::MAX_TOTAL_SHARDS;

use crate::error::Error;
use crate::malformed::Malformed;

/// The bits of the largest committee, and one more for shifts, fit the integer that holds them.
const _: () = assert!(MAX_TOTAL_SHARDS < 128);

/// A set of slots of a committee of `n` members. Slot `i` is bit `i mod 8` of byte `i div 8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignerBitmap {
    bits: u128,
    members: u16,
}

impl SignerBitmap {
    /// Nobody, of `members`.
    ///
    /// # Errors
    ///
    /// [`Error::Slot`] if there are more members than a committee can have.
    pub fn new(members: u16) -> Result<Self, Error> {
        if members > MAX_TOTAL_SHARDS {
            return Err(Error::Slot { members: MAX_TOTAL_SHARDS, got: members - 1 });
        }
        Ok(Self { bits: 0, members })
    }

    /// Adds a slot. True if it was not there before.
    ///
    /// # Errors
    ///
    /// [`Error::Slot`] if the committee has no such slot.
    pub fn insert(&mut self, slot: u16) -> Result<bool, Error> {
        if slot >= self.members {
            return Err(Error::Slot { members: self.members, got: slot });
        }
        let bit = 1u128 << slot;
        let added = self.bits & bit == 0;
        self.bits |= bit;
        Ok(added)
    }

    /// True if the slot is in the set.
    #[must_use]
    pub fn contains(&self, slot: u16) -> bool {
        slot < self.members && self.bits >> slot & 1 == 1
    }

    /// Number of slots in the set.
    #[must_use]
    pub fn count(&self) -> u16 {
        // At most 126.
        u16::try_from(self.bits.count_ones()).unwrap_or(u16::MAX)
    }

    /// Number of members of the committee, `n`.
    #[must_use]
    pub fn members(&self) -> u16 {
        self.members
    }

    /// The slots in the set, ascending.
    pub fn slots(&self) -> impl Iterator<Item = u16> + use<> {
        let set = *self;
        (0..set.members).filter(move |slot| set.contains(*slot))
    }

    /// The slots that are not in the set, ascending.
    pub fn missing(&self) -> impl Iterator<Item = u16> + use<> {
        let set = *self;
        (0..set.members).filter(move |slot| !set.contains(*slot))
    }

    /// Bytes of the compact form for `members`: `ceil(n / 8)`.
    #[must_use]
    pub fn compact_length(members: u16) -> usize {
        usize::from(members).div_ceil(8)
    }

    /// The compact form, `ceil(n / 8)` bytes.
    #[must_use]
    pub fn to_compact(&self) -> Vec<u8> {
        self.bits.to_le_bytes()[..Self::compact_length(self.members)].to_vec()
    }

    /// Decodes the compact form.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`], or [`Error::BitmapRange`] if a bit is set at or past `members`.
    pub fn from_compact(members: u16, bytes: &[u8]) -> Result<Self, Error> {
        Self::new(members)?;
        let expected = Self::compact_length(members);
        if bytes.len() != expected {
            return Err(Malformed::Length { what: "signer bitmap", expected, got: bytes.len() }.into());
        }
        let mut wide = [0; 16];
        wide[..expected].copy_from_slice(bytes);
        Self::from_bits(members, u128::from_le_bytes(wide))
    }

    /// The form on L1: a big-endian `uint256`, slot `i` is bit `i`.
    #[must_use]
    pub fn to_word(&self) -> [u8; 32] {
        let mut word = [0; 32];
        word[16..].copy_from_slice(&self.bits.to_be_bytes());
        word
    }

    /// Decodes the form on L1.
    ///
    /// # Errors
    ///
    /// [`Error::BitmapRange`] if a bit is set at or past `members`.
    pub fn from_word(members: u16, word: &[u8; 32]) -> Result<Self, Error> {
        Self::new(members)?;
        let (high, low) = word.split_at(16);
        let high = u128::from_be_bytes(high.try_into().expect("half of 32 bytes"));
        let low = u128::from_be_bytes(low.try_into().expect("half of 32 bytes"));
        let set = Self::from_bits(members, low)?;
        if high != 0 {
            return Err(Error::BitmapRange { members, got: 128 + lowest(high) });
        }
        Ok(set)
    }

    fn from_bits(members: u16, bits: u128) -> Result<Self, Error> {
        // `members` is below 128, so the shift is in range.
        let beyond = bits >> members;
        if beyond != 0 {
            return Err(Error::BitmapRange { members, got: members + lowest(beyond) });
        }
        Ok(Self { bits, members })
    }
}

fn lowest(bits: u128) -> u16 {
    // At most 128.
    u16::try_from(bits.trailing_zeros()).unwrap_or(u16::MAX)
}
