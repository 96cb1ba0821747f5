//! Checkpoints: one statement over many blobs of a namespace.

mod certificate;
mod proof;

use std::sync::LazyLock;

use holdfast_erasure::{BlobId, Digest, keccak256, merkle};
use serde::{Deserialize, Serialize};

use crate::address::Namespace;
use crate::domain::{Domain, word_of};
use crate::error::Error;
use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::statement::{HOUR, StatementDigest};

pub use certificate::{CheckpointCertificate, VerifiedCheckpoint};
pub use proof::CheckpointProof;

const TYPE: &str = "Checkpoint(bytes32 namespace,uint64 epoch,bytes32 blobsRoot,uint32 count,uint64 retainUntil)";

static TYPE_HASH: LazyLock<Digest> = LazyLock::new(|| keccak256(TYPE.as_bytes()));

/// First byte of every encoding: no version of a certificate has it.
const VERSION: u8 = 0xc1;

/// That many blobs of a namespace are available: the EIP-712 struct `Checkpoint` of protocol section 4. Its signers have
/// signed for each of the blobs before, in the same epoch and until `retain_until` at least.
///
/// # One form
///
/// What is decoded passes [`Checkpoint::check`], and what [`Checkpoint::over`] makes does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// The rollup that the blobs belong to.
    pub namespace: Namespace,
    /// The epoch in which the signers have signed for the blobs, and sign this.
    pub epoch: u64,
    /// Root of the tree (RFC 6962, SHA-256) over the blob ids, strictly ascending, as leaves.
    pub blobs_root: Digest,
    /// Number of blobs.
    pub count: u32,
    /// Until when each signer keeps its shard of each blob, unix seconds.
    pub retain_until: u64,
}

impl Checkpoint {
    /// The most blobs that one checkpoint takes.
    pub const MAX_BLOBS: u32 = 4096;

    /// Bytes of the head that every encoding begins with.
    pub const HEAD_BYTES: usize = 1 + 32 + 8 + 32 + 4 + 8;

    /// The checkpoint over blobs in strictly ascending order of their ids.
    ///
    /// # Errors
    ///
    /// [`Error::CheckpointCount`], [`Error::BlobOrder`] (also for an id that is there twice) or [`Error::OffGrid`].
    pub fn over(namespace: Namespace, epoch: u64, ids: &[BlobId], retain_until: u64) -> Result<Self, Error> {
        let count = Self::check_parts(ids, retain_until)?;
        Ok(Self { namespace, epoch, blobs_root: root_of(ids), count, retain_until })
    }

    /// Checks what [`Checkpoint::over`] checks, and builds no tree, which for 4096 ids costs 8191 hashes. Gives their number.
    ///
    /// # Errors
    ///
    /// [`Error::CheckpointCount`], [`Error::BlobOrder`] (also for an id that is there twice) or [`Error::OffGrid`].
    pub fn check_parts(ids: &[BlobId], retain_until: u64) -> Result<u32, Error> {
        let count = check_ids(ids)?;
        check_grid(retain_until)?;
        Ok(count)
    }

    /// Checks the rules of format: from 1 to 4096 blobs, a time on the grid.
    ///
    /// # Errors
    ///
    /// [`Error::CheckpointCount`] or [`Error::OffGrid`].
    pub fn check(&self) -> Result<(), Error> {
        if !(1..=Self::MAX_BLOBS).contains(&self.count) {
            return Err(count_refused(usize::try_from(self.count).unwrap_or(usize::MAX)));
        }
        check_grid(self.retain_until)
    }

    /// The EIP-712 digest for `domain`: what is signed, and the **checkpoint id**.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> StatementDigest {
        StatementDigest::of(domain, &self.hash_struct())
    }

    /// The checkpoint that an encoding of any kind (compact, on L1, a proof) begins with. It says nothing of the rest, and serves
    /// to find the epoch whose committee the rest needs.
    ///
    /// # Errors
    ///
    /// [`Malformed::Version`], [`Malformed::Length`] for fewer than [`Self::HEAD_BYTES`], and the errors of [`Self::check`].
    pub fn peek(bytes: &[u8]) -> Result<Self, Error> {
        Self::split_head(bytes).map(|(checkpoint, _)| checkpoint)
    }

    fn split_head(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        if let Some(version) = bytes.first()
            && *version != VERSION
        {
            return Err(
                Malformed::Version { what: "checkpoint", expected: VERSION.into(), got: u64::from(*version) }.into()
            );
        }
        let Some((head, rest)) = bytes.split_at_checked(Self::HEAD_BYTES) else {
            return Err(
                Malformed::Length { what: "checkpoint head", expected: Self::HEAD_BYTES, got: bytes.len() }.into()
            );
        };
        let mut fields = Fields(&head[1..]);
        let checkpoint = Self {
            namespace: Namespace::from(fields.take::<32>()),
            epoch: u64::from_be_bytes(fields.take()),
            blobs_root: Digest::from(fields.take::<32>()),
            count: u32::from_be_bytes(fields.take()),
            retain_until: u64::from_be_bytes(fields.take()),
        };
        checkpoint.check()?;
        Ok((checkpoint, rest))
    }

    fn append_head(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        bytes.extend_from_slice(self.namespace.as_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(self.blobs_root.as_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.retain_until.to_be_bytes());
    }

    /// EIP-712 `hashStruct`.
    fn hash_struct(&self) -> Digest {
        let mut encoded = [0; 6 * 32];
        for (word, value) in encoded.chunks_exact_mut(32).zip([
            *TYPE_HASH.as_bytes(),
            self.namespace.to_bytes(),
            word_of(self.epoch),
            *self.blobs_root.as_bytes(),
            word_of(self.count.into()),
            word_of(self.retain_until),
        ]) {
            word.copy_from_slice(&value);
        }
        keccak256(&encoded)
    }
}

/// Number and order of the ids.
fn check_ids(ids: &[BlobId]) -> Result<u32, Error> {
    let count = match u32::try_from(ids.len()) {
        Ok(count) if (1..=Checkpoint::MAX_BLOBS).contains(&count) => count,
        _ => return Err(count_refused(ids.len())),
    };
    match ids.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(at) => Err(Error::BlobOrder { position: at + 1, before: ids[at], got: ids[at + 1] }),
        None => Ok(count),
    }
}

fn check_grid(retain_until: u64) -> Result<(), Error> {
    if retain_until.is_multiple_of(HOUR) {
        return Ok(());
    }
    Err(Error::OffGrid { field: "retain_until", got: retain_until })
}

fn count_refused(got: usize) -> Error {
    Error::CheckpointCount { most: Checkpoint::MAX_BLOBS, got }
}

fn root_of(ids: &[BlobId]) -> Digest {
    merkle::root(leaves(ids))
}

/// Hash of each blob id as a leaf.
fn leaves(ids: &[BlobId]) -> Vec<Digest> {
    ids.iter().map(|id| merkle::leaf_hash(id.as_bytes())).collect()
}
