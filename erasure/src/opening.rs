//! One leaf of a shard, with the paths that tie it to the blob.

use bytes::Bytes;

use crate::{
    blob::Blob, commitment::AcceptedShard, commitment::Commitment, digest::Digest, error::Error, merkle,
    parameters::LEAF_BYTES, parameters::ShardIndex,
};

/// One leaf with its paths to the blob's shards root.
///
/// # What an opening proves
/// Only that these bytes were *committed* at this place. A disperser can commit roots at positions that it never serves, so
/// the leaf counts as payload only when the whole shard was accepted, or in a by-payload certificate, whose signers have
/// recomputed every root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The shard.
    pub index: ShardIndex,
    /// The leaf's number in the shard, from 0.
    pub leaf_number: u32,
    /// The leaf's bytes.
    pub leaf: Bytes,
    /// From the leaf to the shard's root, lowest first.
    pub leaf_path: Vec<Digest>,
    /// From the shard's root to the shards root, lowest first.
    pub shard_path: Vec<Digest>,
}

impl Opening {
    /// Checks that the leaf was committed at this place of the blob.
    ///
    /// # Errors
    /// [`Error::Parameters`], [`Error::ShardIndex`], [`Error::LeafNumber`], [`Error::LeafLength`], [`Error::Opening`].
    pub fn verify(&self, blob: &Blob) -> Result<(), Error> {
        let parameters = blob.parameters()?;
        parameters.index(self.index.get())?;
        let shard_length = parameters.shard_length(blob.payload_length);
        let (number, count) = leaf_number(self.leaf_number, shard_length)?;
        let expected = LEAF_BYTES.min(shard_length - number * LEAF_BYTES);
        if self.leaf.len() != expected {
            return Err(Error::LeafLength { expected, got: self.leaf.len() });
        }
        let refused = Error::Opening { expected: blob.shards_root };
        let shard_root = merkle::climb(merkle::leaf_hash(&self.leaf), number, count, &self.leaf_path)
            .ok_or_else(|| refused.clone())?;
        let shard = merkle::leaf_hash(shard_root.as_bytes());
        let total = usize::from(parameters.total_shards());
        match merkle::climb(shard, self.index.as_usize(), total, &self.shard_path) {
            Some(root) if root == blob.shards_root => Ok(()),
            _ => Err(refused),
        }
    }
}

impl Commitment {
    /// Opens one leaf of an accepted shard.
    ///
    /// # Errors
    /// [`Error::ForeignShard`] when the shard is another blob's, [`Error::LeafNumber`] when it has no such leaf.
    pub fn open(&self, shard: &AcceptedShard, leaf_number: u32) -> Result<Opening, Error> {
        if shard.blob_id() != self.id() {
            return Err(Error::ForeignShard { expected: self.id(), got: shard.blob_id() });
        }
        let bytes = shard.bytes();
        let (number, _) = self::leaf_number(leaf_number, bytes.len())?;
        let from = number * LEAF_BYTES;
        Ok(Opening {
            index: shard.index(),
            leaf_number,
            leaf: bytes.slice(from..bytes.len().min(from + LEAF_BYTES)),
            leaf_path: merkle::path(&merkle::leaf_hashes(bytes), number),
            shard_path: merkle::path(&merkle::hashes_of(self.shard_roots()), shard.index().as_usize()),
        })
    }
}

/// The leaf number as an index, and the count of leaves.
fn leaf_number(leaf_number: u32, shard_length: usize) -> Result<(usize, usize), Error> {
    let count = shard_length.div_ceil(LEAF_BYTES);
    match usize::try_from(leaf_number) {
        Ok(number) if number < count => Ok((number, count)),
        _ => Err(Error::LeafNumber { expected_below: count, got: leaf_number }),
    }
}
