//! How many shards, how long, and who holds which.

use crate::{digest::Digest, error::Error};

/// Bytes in a leaf of a shard's Merkle tree; a shard's last leaf may be shorter.
pub const LEAF_BYTES: usize = 4096;

/// Bytes in a fingerprint at one point.
pub const FINGERPRINT_BYTES: usize = 128;

/// Bytes in a group, the unit in which shards are fingerprinted; a shard is a whole number of groups.
pub const GROUP_BYTES: usize = 128;

/// The most shards a blob has.
pub const MAX_TOTAL_SHARDS: u16 = 126;

/// The shape of a code: `original_shards` of `total_shards` suffice.
///
/// Holds `1 <= original_shards < total_shards <= 126`, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parameters {
    original_shards: u16,
    total_shards: u16,
}

/// Which shard of a blob: `0..original_shards` are the payload itself, the others are recovery shards.
///
/// Made by [`Parameters::index`] only, so it is in range for the parameters that made it. What takes an index checks it
/// again against its own parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIndex(u16);

impl Parameters {
    /// A code of `total_shards` shards of which any `original_shards` rebuild the payload.
    ///
    /// # Errors
    /// [`Error::Parameters`] unless `1 <= original_shards < total_shards <= 126`.
    pub const fn new(original_shards: u16, total_shards: u16) -> Result<Self, Error> {
        if original_shards == 0 || original_shards >= total_shards || total_shards > MAX_TOTAL_SHARDS {
            return Err(Error::Parameters { original_shards, total_shards });
        }
        Ok(Self { original_shards, total_shards })
    }

    /// How many shards rebuild the payload, `k`.
    pub const fn original_shards(&self) -> u16 {
        self.original_shards
    }

    /// How many shards there are, `n`: one for each member of the committee.
    pub const fn total_shards(&self) -> u16 {
        self.total_shards
    }

    /// How many shards may be lost, `n - k`.
    pub const fn recovery_shards(&self) -> u16 {
        self.total_shards - self.original_shards
    }

    /// Bytes in each shard of a payload of `payload_length` bytes: its `k`-th part, rounded up to whole groups of 128.
    pub const fn shard_length(&self, payload_length: u32) -> usize {
        // Lossless: lib.rs refuses to build where usize has fewer than 64 bits.
        (payload_length as usize).div_ceil(self.original_shards as usize).next_multiple_of(GROUP_BYTES)
    }

    /// The index `index`, when there is such a shard.
    ///
    /// # Errors
    /// [`Error::ShardIndex`] when `index` is not below [`total_shards`](Self::total_shards).
    pub const fn index(&self, index: u16) -> Result<ShardIndex, Error> {
        if index >= self.total_shards {
            return Err(Error::ShardIndex { expected_below: self.total_shards, got: index });
        }
        Ok(ShardIndex(index))
    }

    /// All indices, in order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = ShardIndex> + ExactSizeIterator + use<> {
        (0..self.total_shards).map(ShardIndex)
    }

    /// Which shard the member in `slot` holds: the blob's shards root turns the map, so that reads, which prefer original
    /// shards, fall on all members alike. `slot` counts modulo [`total_shards`](Self::total_shards).
    pub const fn shard_of_slot(&self, slot: u16, shards_root: &Digest) -> ShardIndex {
        let n = self.total_shards;
        ShardIndex((slot % n + self.offset(shards_root)) % n)
    }

    /// Which slot's member holds shard `index`: the inverse of [`shard_of_slot`](Self::shard_of_slot).
    pub const fn slot_of_shard(&self, index: ShardIndex, shards_root: &Digest) -> u16 {
        let n = self.total_shards;
        (index.0 % n + n - self.offset(shards_root)) % n
    }

    const fn offset(&self, shards_root: &Digest) -> u16 {
        let bytes = shards_root.as_bytes();
        u16::from_be_bytes([bytes[0], bytes[1]]) % self.total_shards
    }
}

impl ShardIndex {
    /// The number, from 0.
    pub const fn get(self) -> u16 {
        self.0
    }

    pub(crate) const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for ShardIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
