use holdfast_certificate::{Address, Namespace, PublicKey, StatementDigest};
use holdfast_erasure::BlobId;

use crate::{disk::OverBudget, pen, quota::OverQuota, store, workers::Unfinished};

/// Why a member does not sign. The variants stand in the order of the checks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The call and the statement's payload digest do not go together.
    #[error("{call} takes only blobs whose payload digest is {expected}")]
    WrongDispersal {
        /// `StoreShard` or `StorePayload`.
        call: &'static str,
        /// `zero` or `not zero`.
        expected: &'static str,
    },
    /// The clock is behind L1, so that times ahead could be over.
    #[error("this member's clock ({now}) is behind a final block of L1 ({l1}), so it signs nothing")]
    Clock {
        /// The clock, unix seconds.
        now: u64,
        /// The block's time.
        l1: u64,
    },
    /// The clock is off from those of most other members.
    #[error(
        "this member's clock ({now}) is {} s {} those of most other members, so it signs nothing",
        ahead.unsigned_abs(),
        if *ahead > 0 { "ahead of" } else { "behind" }
    )]
    PeersClock {
        /// The clock, unix seconds.
        now: u64,
        /// By how many seconds it is ahead; below zero where it is behind.
        ahead: i64,
    },
    /// A field that breaks a rule of format, or another code than the epoch's.
    #[error("statement: {0}")]
    Format(#[source] holdfast_certificate::Error),
    /// Another epoch than the active one.
    #[error("epoch {got} is not active, the active epoch is {active}")]
    WrongEpoch {
        /// The active epoch.
        active: u64,
        /// The statement's.
        got: u64,
    },
    /// No epoch is active.
    #[error("epoch {got} is not active, no epoch is active at {now}")]
    NoActiveEpoch {
        /// The statement's.
        got: u64,
        /// This member's clock, unix seconds.
        now: u64,
    },
    /// This member has no slot in the epoch.
    #[error("this member ({key}) has no slot in epoch {epoch}")]
    NoSlot {
        /// The member's key.
        key: Box<PublicKey>,
        /// The epoch.
        epoch: u64,
    },
    /// Another shard than the one of this member's slot.
    #[error("this member's slot {slot} holds shard {expected} of blob {id}, got shard {got}")]
    WrongShard {
        /// The blob.
        id: BlobId,
        /// The member's slot.
        slot: u16,
        /// The shard it holds.
        expected: u16,
        /// The shard that was sent.
        got: u32,
    },
    /// The registry has no such namespace.
    #[error("unknown namespace {0}")]
    UnknownNamespace(Namespace),
    /// Too many ask for namespaces that this member has never stored anything for.
    #[error("busy: too many ask for namespaces that have nothing here, such as {namespace}")]
    TooManyStrangers {
        /// The namespace asked for.
        namespace: Namespace,
    },
    /// No key can be recovered from the disperser's signature.
    #[error("disperser signature: {0}")]
    DisperserSignature(#[source] holdfast_certificate::Error),
    /// The member's operator serves other namespaces.
    #[error("namespace {0} is not among those that this member serves")]
    NotServed(Namespace),
    /// The signature is by a key that may not disperse for this namespace, or is over another statement.
    #[error(
        "the signature over this statement, whose digest is {digest}, is by {got}, \
         which is not a disperser of namespace {namespace}"
    )]
    NotAllowed {
        /// What must have been signed.
        digest: StatementDigest,
        /// The address recovered.
        got: Address,
        /// The namespace.
        namespace: Namespace,
    },
    /// A time that is over.
    #[error("{field} must be after now ({now}), got {got}")]
    Past {
        /// `retain_until` or `whole_until`.
        field: &'static str,
        /// This member's clock, unix seconds.
        now: u64,
        /// The time asked for.
        got: u64,
    },
    /// A time further ahead than this member promises.
    #[error("{field} must be at most {most} by this member's policy, got {got}")]
    TooLong {
        /// `retain_until` or `whole_until`.
        field: &'static str,
        /// The latest time it promises now.
        most: u64,
        /// The time asked for.
        got: u64,
    },
    /// L1 would refuse the certificate: less than the namespace's minimum retention.
    #[error("retain_until must be at least {least} (now and the namespace's minimum retention), got {got}")]
    TooShort {
        /// The earliest time that L1 accepts now.
        least: u64,
        /// The time asked for.
        got: u64,
    },
    /// The namespace has used up what it may.
    #[error(transparent)]
    OverQuota(#[from] OverQuota),
    /// The member keeps as much as it may.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// The shard, or what commits to it, is not what the statement says.
    #[error(transparent)]
    NotAccepted(#[from] holdfast_erasure::Error),
    /// The payload is not the blob's.
    #[error("the payload makes blob {got}, expected {expected}: {differs}")]
    WrongBlob {
        /// The statement's blob.
        expected: BlobId,
        /// What the payload makes.
        got: BlobId,
        /// The first field in which they differ, with both values.
        differs: String,
    },
    /// As many checkpoints as are looked up at once are being looked up.
    #[error("busy: {most} checkpoints are being looked up")]
    TooManyCheckpoints {
        /// How many are at once.
        most: usize,
    },
    /// A certificate that does not verify.
    #[error("certificate: {0}")]
    Certificate(#[source] holdfast_certificate::Error),
    /// The key is elsewhere, and there is no signature from there.
    #[error(transparent)]
    Pen(#[from] pen::Error),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The registry cannot be read.
    #[error("registry: {0}")]
    Registry(#[source] holdfast_registry::Error),
    /// Work did not finish.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}
