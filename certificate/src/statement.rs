//! What members sign.

use std::sync::LazyLock;

use holdfast_erasure::{Blob, Digest, keccak256};
use serde::{Deserialize, Serialize};

use crate::address::Namespace;
use crate::domain::{Domain, word_of};
use crate::error::Error;
use crate::malformed::Malformed;
use crate::parameters::CommitteeParameters;
use crate::text::{fixed, hex_text};

/// The grid of times in statements, in seconds: a dispersal that is tried again within the hour is the same statement.
pub const HOUR: u64 = 3600;

/// A unix time rounded up to the hourly grid of statements; the last hour that there is where that would overflow.
#[must_use]
pub fn hour_at_or_after(time: u64) -> u64 {
    time.checked_next_multiple_of(HOUR).unwrap_or(u64::MAX - u64::MAX % HOUR)
}

/// The statement's own part of its EIP-712 type; the type of the blob follows it.
const TYPE: &str = "Availability(bytes32 namespace,uint64 epoch,Blob blob,uint64 wholeUntil,uint64 retainUntil)";

static TYPE_HASH: LazyLock<Digest> = LazyLock::new(|| keccak256(format!("{TYPE}{}", Blob::TYPE).as_bytes()));

/// That a blob is available: the EIP-712 struct `Availability` of protocol section 4. Times are unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// The rollup that the blob belongs to.
    pub namespace: Namespace,
    /// The committee's epoch.
    pub epoch: u64,
    /// The blob.
    pub blob: Blob,
    /// Until when each signer keeps the payload whole; zero for a blob dispersed by shard.
    pub whole_until: u64,
    /// Until when each signer keeps its shard.
    pub retain_until: u64,
}

impl Statement {
    /// The EIP-712 digest for `domain`: what is signed, and the statement's identity.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> StatementDigest {
        StatementDigest::of(domain, &self.hash_struct())
    }

    /// Checks the rules of format that need no clock, no registry and no data, in protocol section 4's order: numbers of
    /// shards are the epoch's, payload length in bounds, times on the grid, `whole_until` as the dispersal wants it.
    ///
    /// # Errors
    ///
    /// [`Error::WrongCode`], [`Error::PayloadLength`], [`Error::OffGrid`], [`Error::WholeByShard`] or [`Error::WholeUntil`].
    pub fn check(&self, parameters: &CommitteeParameters) -> Result<(), Error> {
        let blob = &self.blob;
        if (blob.original_shards, blob.total_shards) != (parameters.original_shards(), parameters.total_shards()) {
            return Err(Error::WrongCode {
                expected_original: parameters.original_shards(),
                expected_total: parameters.total_shards(),
                got_original: blob.original_shards,
                got_total: blob.total_shards,
            });
        }
        if !(1..=parameters.max_payload()).contains(&blob.payload_length) {
            return Err(Error::PayloadLength { most: parameters.max_payload(), got: blob.payload_length });
        }
        for (field, got) in [("retain_until", self.retain_until), ("whole_until", self.whole_until)] {
            if got % HOUR != 0 {
                return Err(Error::OffGrid { field, got });
            }
        }
        if !blob.is_by_payload() {
            if self.whole_until != 0 {
                return Err(Error::WholeByShard { got: self.whole_until });
            }
        } else if self.whole_until == 0 || self.whole_until > self.retain_until {
            return Err(Error::WholeUntil { retain_until: self.retain_until, got: self.whole_until });
        }
        Ok(())
    }

    /// EIP-712 `hashStruct`.
    fn hash_struct(&self) -> Digest {
        let mut encoded = [0; 6 * 32];
        for (word, value) in encoded.chunks_exact_mut(32).zip([
            *TYPE_HASH.as_bytes(),
            self.namespace.to_bytes(),
            word_of(self.epoch),
            *self.blob.id().as_bytes(),
            word_of(self.whole_until),
            word_of(self.retain_until),
        ]) {
            word.copy_from_slice(&value);
        }
        keccak256(&encoded)
    }
}

/// The EIP-712 digest of what members sign, a [`Statement`] or a [`crate::Checkpoint`], in one domain. The two have different
/// EIP-712 types, so no digest is of both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementDigest(Digest);

impl StatementDigest {
    /// Bytes of a digest.
    pub const BYTES: usize = 32;

    /// The digest of a struct with this `hashStruct`.
    pub(crate) fn of(domain: &Domain, hash_struct: &Digest) -> Self {
        let mut message = Vec::with_capacity(2 + 32 + 32);
        message.extend_from_slice(b"\x19\x01");
        message.extend_from_slice(domain.separator().as_bytes());
        message.extend_from_slice(hash_struct.as_bytes());
        Self(keccak256(&message))
    }

    /// Takes 32 bytes, as a store or the wire keeps them.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`] for any other number of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        fixed::<32>("statement digest", bytes).map(|bytes| Self(Digest::from(bytes)))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        *self.0.as_bytes()
    }

    /// The 32 bytes, borrowed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

hex_text!(StatementDigest, StatementDigest::BYTES, "statement digest");
