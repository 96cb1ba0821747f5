//! The commitment: what a blob id binds, spelled out, and the check of one shard against it.

use std::sync::Arc;

use bytes::Bytes;

use crate::code::Code;
use crate::combine::combine;
use crate::fingerprint::{Points, ROW_BYTES};
use crate::{
    blob::Blob, digest::BlobId, digest::Digest, digest::sha256, error::Error, merkle, parameters::Parameters,
    parameters::ShardIndex,
};

/// A blob with its shard roots and fingerprints, all of which agree with its id. Cheap to clone.
///
/// # What it binds
///
/// The fingerprints of the original shards, fixed by the blob id, fix those of all `n` shards, and so one codeword. A shard
/// that has both its committed root and its committed fingerprints is *accepted*; all accepted shards belong to that one
/// codeword, whoever made the commitment. A root alone says nothing of the kind.
#[derive(Clone, Debug)]
pub struct Commitment {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    blob: Blob,
    id: BlobId,
    parameters: Parameters,
    shard_roots: Vec<Digest>,
    fingerprints: Bytes,
    /// Fingerprints of the recovery shards, encoded from those of the original shards.
    recovery_fingerprints: Vec<u8>,
    points: Points,
}

/// A shard that was checked against a commitment: its length, its root and its fingerprints. Cheap to clone.
///
/// Only accepted shards are part of a blob. There is no other way to make one than [`Commitment::accept`], rebuilding from
/// others, and encoding the payload oneself.
#[derive(Clone, Debug)]
pub struct AcceptedShard {
    blob_id: BlobId,
    index: ShardIndex,
    bytes: Bytes,
}

impl Commitment {
    /// Checks that shard roots and fingerprints are the ones that the blob binds.
    ///
    /// # Errors
    /// The numbers of shards out of bounds, an empty payload, a wrong number of roots or of bytes, or a root or hash other
    /// than the blob's.
    pub fn new(blob: Blob, shard_roots: Vec<Digest>, fingerprints: Bytes) -> Result<Self, Error> {
        let parameters = blob.parameters()?;
        if blob.payload_length == 0 {
            return Err(Error::EmptyPayload);
        }
        let expected = usize::from(parameters.total_shards());
        if shard_roots.len() != expected {
            return Err(Error::ShardRootCount { expected, got: shard_roots.len() });
        }
        let expected = usize::from(parameters.original_shards()) * ROW_BYTES;
        if fingerprints.len() != expected {
            return Err(Error::FingerprintsLength { expected, got: fingerprints.len() });
        }
        let got = merkle::root_of(&shard_roots);
        if got != blob.shards_root {
            return Err(Error::ShardsRoot { expected: blob.shards_root, got });
        }
        let got = sha256(&fingerprints);
        if got != blob.fingerprints_hash {
            return Err(Error::FingerprintsHash { expected: blob.fingerprints_hash, got });
        }
        let points = Points::of(parameters, blob.payload_length, &blob.shards_root);
        Ok(Self::agreed(blob, parameters, shard_roots, fingerprints, points))
    }

    /// A commitment whose parts are known to agree: checked above, or just made of a payload.
    pub(crate) fn agreed(
        blob: Blob,
        parameters: Parameters,
        shard_roots: Vec<Digest>,
        fingerprints: Bytes,
        points: Points,
    ) -> Self {
        let mut recovery_fingerprints = vec![0; usize::from(parameters.recovery_shards()) * ROW_BYTES];
        let originals: Vec<&[u8]> = fingerprints.chunks_exact(ROW_BYTES).collect();
        let mut recovery: Vec<&mut [u8]> = recovery_fingerprints.chunks_exact_mut(ROW_BYTES).collect();
        combine(Code::of(parameters).recovery_rows(), &originals, &mut recovery);
        let id = blob.id();
        let inner = Inner { blob, id, parameters, shard_roots, fingerprints, recovery_fingerprints, points };
        Self { inner: Arc::new(inner) }
    }

    /// The blob.
    pub fn blob(&self) -> &Blob {
        &self.inner.blob
    }

    /// The blob's id.
    pub fn id(&self) -> BlobId {
        self.inner.id
    }

    /// The code's parameters.
    pub fn parameters(&self) -> Parameters {
        self.inner.parameters
    }

    /// Bytes in each shard.
    pub fn shard_length(&self) -> usize {
        self.inner.parameters.shard_length(self.inner.blob.payload_length)
    }

    /// Merkle roots of all the shards, in order.
    pub fn shard_roots(&self) -> &[Digest] {
        &self.inner.shard_roots
    }

    /// The original shards' fingerprints: for each in order, 128 bytes at the first point and 128 at the second.
    pub fn fingerprints(&self) -> &Bytes {
        &self.inner.fingerprints
    }

    /// The two points at which the shards are fingerprinted, as POLYVAL keys.
    pub fn points(&self) -> &[[u8; 16]; 2] {
        self.inner.points.as_bytes()
    }

    /// A shard known to be at `index` of this commitment.
    pub(crate) fn accepted(&self, index: ShardIndex, bytes: Bytes) -> AcceptedShard {
        AcceptedShard { blob_id: self.inner.id, index, bytes }
    }

    pub(crate) fn check_index(&self, index: ShardIndex) -> Result<(), Error> {
        self.inner.parameters.index(index.get()).map(|_| ())
    }

    pub(crate) fn points_of_shards(&self) -> &Points {
        &self.inner.points
    }

    /// The fingerprints that the shard at `index` must have.
    pub(crate) fn fingerprints_at(&self, index: ShardIndex) -> &[u8] {
        let at = index.as_usize() * ROW_BYTES;
        match at.checked_sub(self.inner.fingerprints.len()) {
            None => &self.inner.fingerprints[at..at + ROW_BYTES],
            Some(at) => &self.inner.recovery_fingerprints[at..at + ROW_BYTES],
        }
    }
}

impl AcceptedShard {
    /// The blob that the shard is part of.
    pub fn blob_id(&self) -> BlobId {
        self.blob_id
    }

    /// Its position.
    pub fn index(&self) -> ShardIndex {
        self.index
    }

    /// Its bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its bytes, by value.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}
