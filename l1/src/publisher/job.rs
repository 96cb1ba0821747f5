//! What a publisher is asked to do, and how far it has come.

use holdfast_erasure::Digest;

use super::error::Error;

/// One call of the registry, to be carried out once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its identity: a job that is submitted again under the same id is not done again, unless it failed. For a
    /// certificate and a checkpoint, the EIP-712 digest of what was signed.
    pub id: Digest,
    /// The encoded call: selector and arguments.
    pub call: Vec<u8>,
}

/// How far a job has come. A reorganisation takes it from mined back to sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Nothing is signed yet.
    Built,
    /// A nonce belongs to it, and transactions with that nonce may be out.
    Sent,
    /// It stands in a block that is not final.
    Mined,
    /// It stands in a final block.
    Finalized,
    /// The contract refuses it, for good.
    Failed,
}

/// A job as it is now.
#[derive(Debug, Clone)]
pub struct JobStatus {
    /// Its identity.
    pub id: Digest,
    /// The contract function.
    pub what: &'static str,
    /// How far it has come.
    pub state: JobState,
    /// Its nonce, from when one belongs to it until it is finished.
    pub nonce: Option<u64>,
    /// The hashes of the transactions of that nonce, the newest last; at most one of them is ever mined.
    pub transactions: Vec<Digest>,
    /// Where it stands, once it does.
    pub receipt: Option<PublishReceipt>,
    /// What it waits for, if not simply the next block.
    pub waits_for: Option<String>,
    /// Why it failed, or, while its block is not final, why it was reverted there.
    pub refusal: Option<Error>,
}

/// How far to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// For a block, which a reorganisation can still undo.
    Mined,
    /// For a final block.
    Finalized,
}

impl JobStatus {
    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.state, JobState::Finalized | JobState::Failed)
    }
}

/// A transaction that was mined and succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishReceipt {
    /// The transaction's hash.
    pub tx_hash: Digest,
    /// Gas that the whole transaction used, with its 21,000 and its calldata.
    pub gas_used: u64,
    /// The number of the block it stands in; not final yet.
    pub block: u64,
}
