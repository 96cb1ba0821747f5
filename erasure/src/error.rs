//! What can be wrong with parameters, payloads, commitments, shards and openings.

use crate::{digest::BlobId, digest::Digest};

/// A refusal, with what was expected and what was there.
///
/// All of these are the fault of whoever made the input; none is worth retrying with the same input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The numbers of shards are outside `1 <= original < total <= 126`.
    #[error(
        "expected 1 <= original shards < total shards <= {max}, got {original_shards} of {total_shards}",
        max = crate::parameters::MAX_TOTAL_SHARDS
    )]
    Parameters {
        /// Original shards asked for.
        original_shards: u16,
        /// Total shards asked for.
        total_shards: u16,
    },
    /// A shard index that the parameters do not have.
    #[error("expected a shard index below {expected_below}, got {got}")]
    ShardIndex {
        /// The number of shards.
        expected_below: u16,
        /// The index that was given.
        got: u16,
    },
    /// The payload is empty; a blob has at least one byte.
    #[error("expected a payload of at least 1 byte, got 0")]
    EmptyPayload,
    /// The payload is longer than a `uint32` can say.
    #[error("expected a payload of at most {max} bytes, got {got}", max = u32::MAX)]
    PayloadTooLong {
        /// Length of the payload in bytes.
        got: usize,
    },
    /// The commitment has another number of shard roots than the blob has shards.
    #[error("expected {expected} shard roots, got {got}")]
    ShardRootCount {
        /// The blob's total shards.
        expected: usize,
        /// How many roots came.
        got: usize,
    },
    /// The shard roots do not have the blob's shards root.
    #[error("expected shards root {expected}, got {got}")]
    ShardsRoot {
        /// The root in the blob.
        expected: Digest,
        /// The root of the shard roots that came.
        got: Digest,
    },
    /// The fingerprints are too long or too short.
    #[error("expected {expected} bytes of fingerprints, got {got}")]
    FingerprintsLength {
        /// 256 bytes for each original shard.
        expected: usize,
        /// How many bytes came.
        got: usize,
    },
    /// The fingerprints do not have the blob's hash.
    #[error("expected fingerprints with hash {expected}, got {got}")]
    FingerprintsHash {
        /// The hash in the blob.
        expected: Digest,
        /// The hash of the fingerprints that came.
        got: Digest,
    },
    /// A shard is too long or too short.
    #[error("expected shard {index} to have {expected} bytes, got {got}")]
    ShardLength {
        /// The shard's index.
        index: u16,
        /// The blob's shard length in bytes.
        expected: usize,
        /// How many bytes came; of a stream, up to the chunk that was too much.
        got: usize,
    },
    /// A shard's Merkle root is not the committed one.
    #[error("expected shard {index} with root {expected}, got {got}")]
    ShardRoot {
        /// The shard's index.
        index: u16,
        /// The committed root.
        expected: Digest,
        /// The root of the bytes that came.
        got: Digest,
    },
    /// A shard has the committed root and is not part of the committed codeword: the disperser lied.
    #[error("expected shard {index} with a fingerprint that hashes to {expected}, got {got}")]
    Fingerprint {
        /// The shard's index.
        index: u16,
        /// SHA-256 of the shard's two fingerprints, as the commitment's fingerprints give them.
        expected: Digest,
        /// SHA-256 of the two fingerprints of the bytes that came.
        got: Digest,
    },
    /// Too few distinct shards to rebuild anything.
    #[error("expected {expected} distinct shards, got {got}")]
    TooFewShards {
        /// The blob's original shards.
        expected: usize,
        /// How many distinct ones came.
        got: usize,
    },
    /// A shard that was accepted for another blob.
    #[error("expected a shard of blob {expected}, got one of {got}")]
    ForeignShard {
        /// The blob being read.
        expected: BlobId,
        /// The blob the shard was accepted for.
        got: BlobId,
    },
    /// A leaf number that a shard of this blob does not have.
    #[error("expected a leaf number below {expected_below}, got {got}")]
    LeafNumber {
        /// Leaves in a shard.
        expected_below: usize,
        /// The number that was given.
        got: u32,
    },
    /// A leaf is too long or too short.
    #[error("expected a leaf of {expected} bytes, got {got}")]
    LeafLength {
        /// 4096, or what remains for a shard's last leaf.
        expected: usize,
        /// How many bytes came.
        got: usize,
    },
    /// An opening does not lead to the blob's shards root.
    #[error("expected an opening under shards root {expected}, got a path that does not lead there")]
    Opening {
        /// The root in the blob.
        expected: Digest,
    },
}
