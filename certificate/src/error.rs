//! What can be wrong with a key, a committee, a statement or a certificate.

use holdfast_erasure::{BlobId, Digest};

use crate::{
    address::{Address, Namespace},
    endpoint::BadEndpoint,
    keys::PublicKey,
    malformed::Malformed,
};

/// Everything this crate refuses, other than keystores ([`crate::keystore::Error`]).
///
/// All of them are the fault of whoever made the value, none is retryable, and none says anything about this process.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes or the text of one value are no such value.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The proof of possession is not by the holder of this key, or for another registration of it.
    #[error("proof of possession does not verify for public key {public_key}")]
    NotPossessed {
        /// The key that is not proven.
        public_key: Box<PublicKey>,
    },
    /// The endorsement of a TLS key is not by this key, or for another TLS key, registry or time.
    #[error("the endorsement is not by {public_key} for this TLS key in this registry")]
    NotEndorsed {
        /// The key that should have endorsed it.
        public_key: Box<PublicKey>,
    },
    /// The endorsement of a TLS key is not good yet, or not any more.
    #[error("the endorsement is good from {not_before} until {not_after}, and it is {now}")]
    EndorsementTime {
        /// From when on, unix seconds.
        not_before: u64,
        /// Until before when.
        not_after: u64,
        /// When it was checked.
        now: u64,
    },
    /// The numbers of shards are impossible.
    #[error(transparent)]
    Code(#[from] holdfast_erasure::Error),
    /// The threshold is not `k <= t <= n` with `t > n/2`.
    #[error(
        "threshold must be at least {least} (original shards, and more than half the members) and at most {most} (members), got {got}"
    )]
    Threshold {
        /// Least threshold these shards allow.
        least: u16,
        /// Number of members.
        most: u16,
        /// Threshold given.
        got: u16,
    },
    /// The largest payload of an epoch is out of bounds.
    #[error("max payload must be from 1 to {most} bytes, got {got}")]
    MaxPayload {
        /// Largest value allowed.
        most: u32,
        /// Value given.
        got: u32,
    },
    /// A committee has another number of keys than its parameters say.
    #[error("committee must have {expected} members, got {got}")]
    MemberCount {
        /// `n` of the parameters.
        expected: u16,
        /// Keys given.
        got: usize,
    },
    /// Two slots hold one key.
    #[error("slots {first} and {second} have the same public key {public_key}")]
    DuplicateKey {
        /// Lower slot.
        first: u16,
        /// Higher slot.
        second: u16,
        /// The key in both.
        public_key: Box<PublicKey>,
    },
    /// The keys of a committee add up to the identity, so they were made to cancel.
    #[error("the committee's public keys add up to the identity")]
    IdentityAggregate,
    /// A slot that the committee does not have.
    #[error("slot must be below {members}, got {got}")]
    Slot {
        /// `n`.
        members: u16,
        /// Slot given.
        got: u16,
    },
    /// A time off the hourly grid.
    #[error("{field} must be a multiple of {} seconds, got {got}", crate::statement::HOUR)]
    OffGrid {
        /// Name of the field.
        field: &'static str,
        /// Unix seconds given.
        got: u64,
    },
    /// A payload length that this epoch does not allow.
    #[error("payload must be from 1 to {most} bytes, got {got}")]
    PayloadLength {
        /// `maxPayload` of the epoch.
        most: u32,
        /// Length in the statement.
        got: u32,
    },
    /// A blob coded for other numbers of shards than the epoch's.
    #[error(
        "blob must have {expected_original} original of {expected_total} shards (the epoch's), got {got_original} of {got_total}"
    )]
    WrongCode {
        /// `k` of the epoch.
        expected_original: u16,
        /// `n` of the epoch.
        expected_total: u16,
        /// `k` of the blob.
        got_original: u16,
        /// `n` of the blob.
        got_total: u16,
    },
    /// `wholeUntil` set although nobody but the disperser has seen the payload whole.
    #[error("whole_until must be 0 for a blob dispersed by shard, got {got}")]
    WholeByShard {
        /// Unix seconds given.
        got: u64,
    },
    /// `wholeUntil` absent, or later than `retainUntil`, for a blob dispersed by payload.
    #[error(
        "whole_until must be after 0 and at most retain_until {retain_until} for a blob dispersed by payload, got {got}"
    )]
    WholeUntil {
        /// Until when shards are kept, unix seconds.
        retain_until: u64,
        /// Unix seconds given.
        got: u64,
    },
    /// A statement of another epoch than the committee's.
    #[error("epoch must be {expected}, got {got}")]
    WrongEpoch {
        /// The committee's epoch.
        expected: u64,
        /// The statement's epoch.
        got: u64,
    },
    /// Too few distinct members have signed.
    #[error("certificate needs {threshold} signers, got {got}")]
    BelowThreshold {
        /// `t` of the epoch.
        threshold: u16,
        /// Distinct slots that signed.
        got: u16,
    },
    /// One attestation does not verify.
    #[error("attestation of slot {slot} does not verify")]
    BadAttestation {
        /// The slot it claims.
        slot: u16,
    },
    /// The attestations to aggregate do not all verify.
    #[error("attestations of slots {slots:?} do not verify")]
    BadAttestations {
        /// The slots whose attestations are bad, ascending.
        slots: Vec<u16>,
    },
    /// The aggregate signature does not verify.
    #[error("aggregate signature of slots {slots:?} does not verify for this committee, statement and domain")]
    BadSignature {
        /// The slots that the certificate says have signed.
        slots: Vec<u16>,
    },
    /// A signer bitmap has a bit for a slot that does not exist.
    #[error("signer bitmap must have no bit at or past {members}, got one at {got}")]
    BitmapRange {
        /// `n`.
        members: u16,
        /// Lowest bit that is out of range.
        got: u16,
    },
    /// A checkpoint over no blob, or over too many.
    #[error("checkpoint must have from 1 to {most} blobs, got {got}")]
    CheckpointCount {
        /// The most that one checkpoint takes.
        most: u32,
        /// Blobs it has.
        got: usize,
    },
    /// The blobs of a checkpoint are not in the one order that it takes, or one is there twice.
    #[error("blob ids must be strictly ascending, the one at position {position} is {got}, after {before}")]
    BlobOrder {
        /// Position of the later of the two, from zero.
        position: usize,
        /// The id before it.
        before: BlobId,
        /// The id there.
        got: BlobId,
    },
    /// Blob ids that are not those of the checkpoint.
    #[error("blob ids must have the checkpoint's root {expected}, got {got}")]
    BlobsRoot {
        /// The root in the checkpoint.
        expected: Digest,
        /// The root of the ids given.
        got: Digest,
    },
    /// A place that a checkpoint does not have.
    #[error("blob index must be below {count} (the checkpoint's count), got {got}")]
    BlobIndex {
        /// Blobs in the checkpoint.
        count: u32,
        /// Index given.
        got: u32,
    },
    /// A blob that is not among the blobs of the checkpoint.
    #[error("blob {blob} is not among those of the checkpoint")]
    BlobAbsent {
        /// The blob.
        blob: BlobId,
    },
    /// A blob that is not in the checkpoint, or not where the proof says.
    #[error("blob {blob} is not in the checkpoint with root {root} at index {index}")]
    NotIncluded {
        /// The blob.
        blob: BlobId,
        /// The checkpoint's root.
        root: Digest,
        /// Where it would be.
        index: u32,
    },
    /// A disperser's signature that cannot be one, or from which no key can be recovered.
    #[error("disperser signature {problem}")]
    DisperserSignature {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A committee file that is not the JSON it must be.
    #[error("committee file: {0}")]
    FileSyntax(#[source] serde_json::Error),
    /// A field of one member of a committee file is wrong.
    #[error("committee file, slot {slot}: {source}")]
    FileMember {
        /// The member's slot.
        slot: u16,
        /// What is wrong with it.
        #[source]
        source: Box<Self>,
    },
    /// The members of a committee file are not in slot order from zero.
    #[error("committee file: member at position {position} must have slot {position}, got {got}")]
    FileSlotOrder {
        /// Position in the list, from zero.
        position: usize,
        /// Slot written there.
        got: u16,
    },
    /// A member of a committee file cannot be reached.
    #[error("endpoint {got:?} cannot be used: {reason}")]
    Endpoint {
        /// Text given.
        got: String,
        /// What is wrong with it.
        reason: BadEndpoint,
    },
    /// A committee file without L1 names another contract address than its content gives.
    #[error(
        "committee file: registry must be {expected} (derived from the file, as chainId is 0) or absent, got {got}"
    )]
    FileRegistry {
        /// Address derived from the canonical bytes.
        expected: Address,
        /// Address written.
        got: Address,
    },
    /// A committee file of a chain does not name the registry contract.
    #[error("committee file: registry must be given, as chainId is {chain_id}")]
    FileRegistryMissing {
        /// The chain.
        chain_id: u64,
    },
    /// A member of a committee file names no account though the committee is on a chain, or one though it is not.
    #[error("account must be given exactly if chainId is not 0, and chainId is {chain_id}")]
    FileAccount {
        /// The chain; 0 for none.
        chain_id: u64,
    },
    /// A committee file lists a namespace twice.
    #[error("committee file: namespaces {first} and {second} have the same id {id}")]
    FileDuplicateNamespace {
        /// Position of the first, from zero.
        first: usize,
        /// Position of the second.
        second: usize,
        /// The id of both.
        id: Namespace,
    },
    /// A namespace of a committee file lists a disperser twice.
    #[error("committee file: namespace {id} lists disperser {disperser} more than once")]
    FileDuplicateDisperser {
        /// The namespace.
        id: Namespace,
        /// The disperser.
        disperser: Address,
    },
}
