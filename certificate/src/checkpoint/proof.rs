//! That a blob is in a checkpoint: the audit path of RFC 6962 from its id to the checkpoint's root.
//!
//! ```text
//! c1 | namespace 32 | epoch 8 | blobsRoot 32 | count 4 | retainUntil 8 | index 4 | path 32 each, from the leaf up
//! ```

use holdfast_erasure::{BlobId, Digest, merkle};

use super::{Checkpoint, check_ids, leaves};
use crate::error::Error;
use crate::malformed::Malformed;

/// Bytes of the index.
const INDEX_BYTES: usize = 4;
/// Bytes of one hash of the path.
const HASH_BYTES: usize = 32;

/// The way from one blob's id to the root of a checkpoint. It proves nothing of who signed the checkpoint: L1 knows that by the
/// checkpoint's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointProof {
    checkpoint: Checkpoint,
    index: u32,
    path: Vec<Digest>,
}

impl CheckpointProof {
    /// Proves that `blob` is in a checkpoint, given all its blob ids in ascending order.
    ///
    /// # Errors
    ///
    /// [`Error::CheckpointCount`], [`Error::BlobOrder`]; [`Error::BlobsRoot`] if the ids are not those of the checkpoint;
    /// [`Error::BlobAbsent`] if the blob is not among them.
    pub fn build(checkpoint: Checkpoint, ids: &[BlobId], blob: &BlobId) -> Result<Self, Error> {
        checkpoint.check()?;
        let count = check_ids(ids)?;
        let hashes = leaves(ids);
        let got = merkle::root(hashes.as_slice());
        if count != checkpoint.count || got != checkpoint.blobs_root {
            return Err(Error::BlobsRoot { expected: checkpoint.blobs_root, got });
        }
        let at = ids.binary_search(blob).map_err(|_| Error::BlobAbsent { blob: *blob })?;
        let index = u32::try_from(at).map_err(|_| Error::BlobAbsent { blob: *blob })?;
        Ok(Self { checkpoint, index, path: merkle::path(&hashes, at) })
    }

    /// Checks that `blob` is at this place of the checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::NotIncluded`].
    pub fn verify(&self, blob: &BlobId) -> Result<(), Error> {
        let Checkpoint { blobs_root: root, count, .. } = self.checkpoint;
        let (index, count) = (self.index as usize, count as usize);
        if merkle::verify(&root, merkle::leaf_hash(blob.as_bytes()), index, count, &self.path) {
            Ok(())
        } else {
            Err(Error::NotIncluded { blob: *blob, root, index: self.index })
        }
    }

    /// The checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The blob's place among the ids.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The hashes beside the way to the root, lowest first.
    #[must_use]
    pub fn path(&self) -> &[Digest] {
        &self.path
    }

    /// The bytes that the registry contract takes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Checkpoint::HEAD_BYTES + INDEX_BYTES + self.path.len() * HASH_BYTES);
        self.checkpoint.append_head(&mut bytes);
        bytes.extend_from_slice(&self.index.to_be_bytes());
        for hash in &self.path {
            bytes.extend_from_slice(hash.as_bytes());
        }
        bytes
    }

    /// Decodes. Strict: a checkpoint that passes [`Checkpoint::check`], an index that it has, exactly the length of a path from
    /// there. Says nothing of where the path leads.
    ///
    /// # Errors
    ///
    /// [`Malformed::Version`], [`Malformed::Length`], [`Error::CheckpointCount`], [`Error::OffGrid`] or [`Error::BlobIndex`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (checkpoint, rest) = Checkpoint::split_head(bytes)?;
        let length = |expected| Malformed::Length { what: "checkpoint proof", expected, got: bytes.len() };
        let fixed = Checkpoint::HEAD_BYTES + INDEX_BYTES;
        let (index, path) = rest.split_first_chunk::<INDEX_BYTES>().ok_or_else(|| length(fixed))?;
        let index = u32::from_be_bytes(*index);
        let count = checkpoint.count;
        let hashes =
            merkle::path_length(index as usize, count as usize).ok_or(Error::BlobIndex { count, got: index })?;
        if path.len() != hashes * HASH_BYTES {
            return Err(length(fixed + hashes * HASH_BYTES).into());
        }
        let (path, _) = path.as_chunks::<HASH_BYTES>();
        Ok(Self { checkpoint, index, path: path.iter().map(|hash| Digest::from(*hash)).collect() })
    }
}
