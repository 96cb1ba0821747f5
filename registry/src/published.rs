//! What was published on L1: the events of the registry, in L1's order.

use holdfast_certificate::{Address, Namespace, StatementDigest};
use holdfast_erasure::{BlobId, Digest};

/// A certificate that was published: the registry judged it good in the block of this event. The event names the statement by
/// its digest, and does not hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where the event stands.
    pub position: Position,
    /// The blob.
    pub blob_id: BlobId,
    /// The namespace that it is certified for.
    pub namespace: Namespace,
    /// keccak256 of the payload; zero if it was dispersed by shard.
    pub payload_digest: Digest,
    /// Who called the registry: anybody may.
    pub publisher: Address,
    /// What the members signed.
    pub statement: StatementDigest,
    /// The committee's epoch.
    pub epoch: u64,
    /// Unix second until which the signers hold the blob.
    pub retain_until: u64,
}

/// A place on L1. Places are ordered by block, then by log index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The number of the block.
    pub block: u64,
    /// The event's index among all of the block.
    pub log_index: u64,
    /// The block's hash.
    pub block_hash: Digest,
    /// The hash of the transaction.
    pub transaction: Digest,
}

/// Where the reading of publications begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// With this block.
    Block(u64),
    /// With the first block of this unix second or later, which is searched for.
    Time(u64),
}

/// Some of what was published, in L1's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publications {
    /// Every publication asked for from the first block on and before `next`.
    pub events: Vec<Publication>,
    /// The first block that was not looked at.
    pub next: u64,
    /// The finalized block: where `next` is past it, nothing is left.
    pub finalized: u64,
}

impl Publications {
    /// Whether final blocks are left that were not looked at.
    #[must_use]
    pub fn is_more(&self) -> bool {
        self.next <= self.finalized
    }
}
