//! The blob: what a commitment binds, and its id.

use serde::{Deserialize, Serialize};

use crate::{digest::BlobId, digest::Digest, digest::keccak256, error::Error, parameters::Parameters};

/// Everything that a blob id binds, as the EIP-712 struct [`Blob::TYPE`].
///
/// The fields are as received: nothing in a `Blob` is checked until a [`Commitment`](crate::Commitment) is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob {
    /// Bytes in the payload, at least 1.
    pub payload_length: u32,
    /// Keccak-256 of the payload when it was dispersed by payload, zero when by shard.
    pub payload_digest: Digest,
    /// How many shards rebuild the payload.
    pub original_shards: u16,
    /// How many shards there are.
    pub total_shards: u16,
    /// Merkle root over the shards' roots.
    pub shards_root: Digest,
    /// SHA-256 of the original shards' fingerprints.
    pub fingerprints_hash: Digest,
}

/// The way a payload reaches the members, which decides whether its blob carries a payload digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dispersal {
    /// Each member receives its own shard; the payload digest is zero.
    ByShard,
    /// Each member receives the whole payload and hashes it; the payload digest is its Keccak-256.
    ByPayload,
}

impl Blob {
    /// The EIP-712 `encodeType` of this struct.
    pub const TYPE: &'static str = "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,\
         bytes32 shardsRoot,bytes32 fingerprintsHash)";

    /// The blob id: the EIP-712 `hashStruct`, `keccak256(keccak256(TYPE) | each field as 32 bytes)`.
    pub fn id(&self) -> BlobId {
        let mut words = [0; 7 * 32];
        let mut word =
            |at: usize, bytes: &[u8]| words[(at + 1) * 32 - bytes.len()..(at + 1) * 32].copy_from_slice(bytes);
        word(0, keccak256(Self::TYPE.as_bytes()).as_bytes());
        word(1, &self.payload_length.to_be_bytes());
        word(2, self.payload_digest.as_bytes());
        word(3, &self.original_shards.to_be_bytes());
        word(4, &self.total_shards.to_be_bytes());
        word(5, self.shards_root.as_bytes());
        word(6, self.fingerprints_hash.as_bytes());
        keccak256(&words).into()
    }

    /// The code's parameters.
    ///
    /// # Errors
    /// [`Error::Parameters`] when the numbers of shards are out of bounds.
    pub const fn parameters(&self) -> Result<Parameters, Error> {
        Parameters::new(self.original_shards, self.total_shards)
    }

    /// Bytes in each shard.
    ///
    /// # Errors
    /// [`Error::Parameters`] when the numbers of shards are out of bounds.
    pub fn shard_length(&self) -> Result<usize, Error> {
        Ok(self.parameters()?.shard_length(self.payload_length))
    }

    /// Whether the blob was dispersed by payload, which a payload digest other than zero says.
    pub fn is_by_payload(&self) -> bool {
        self.payload_digest != Digest::ZERO
    }

    /// The first field in which another blob differs from this one, in words with both values; none where they are equal.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let text = |blob: &Self| {
            [
                ("payload length", blob.payload_length.to_string()),
                ("payload digest", blob.payload_digest.to_string()),
                ("original shards", blob.original_shards.to_string()),
                ("total shards", blob.total_shards.to_string()),
                ("shards root", blob.shards_root.to_string()),
                ("fingerprints hash", blob.fingerprints_hash.to_string()),
            ]
        };
        let pairs = text(self).into_iter().zip(text(other));
        let (field, expected, got) =
            pairs.map(|((field, ours), (_, theirs))| (field, ours, theirs)).find(|(_, ours, theirs)| ours != theirs)?;
        Some(format!("its {field} is {got}, expected {expected}"))
    }

    /// The way the blob was dispersed.
    pub fn dispersal(&self) -> Dispersal {
        if self.is_by_payload() { Dispersal::ByPayload } else { Dispersal::ByShard }
    }
}
