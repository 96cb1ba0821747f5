//! What can go wrong on the way to the registry, and whose fault it is.

use std::{path::PathBuf, time::Duration};

use holdfast_certificate::{Address, Namespace};
use holdfast_erasure::Digest;

use crate::Status;

/// An error of the registry's reader, its publisher or a committee file.
///
/// [`Error::fault`] says who has to act, [`Error::is_retryable`] whether the same call can succeed later.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry has no such epoch, or it was cancelled before it became active.
    #[error("unknown epoch {epoch}")]
    UnknownEpoch {
        /// The epoch asked for.
        epoch: u64,
    },

    /// No epoch is active at that time.
    #[error("no committee epoch is active at unix time {at}")]
    NoActiveEpoch {
        /// Unix seconds.
        at: u64,
    },

    /// The registry has no such namespace.
    #[error("unknown namespace {namespace}")]
    UnknownNamespace {
        /// The namespace asked for.
        namespace: Namespace,
    },

    /// The registry on L1 judged a certificate and refused it.
    #[error("the registry refuses the certificate: {status}")]
    NotAvailable {
        /// The rule that the certificate breaks.
        status: Status,
    },

    /// The committee file or the registry holds something that makes no committee.
    #[error("epoch {epoch} is not a valid committee: {reason}")]
    BadCommittee {
        /// The epoch.
        epoch: u64,
        /// What is wrong with it.
        reason: String,
    },

    /// The node serves another chain than the one expected.
    #[error("wrong chain: expected chain id {expected}, the node says {got}")]
    WrongChain {
        /// The chain id that was configured.
        expected: u64,
        /// What `eth_chainId` answered.
        got: u64,
    },

    /// There is no contract at the registry's address.
    #[error("no contract at {registry} on chain {chain_id} (block {block})")]
    NoRegistry {
        /// The configured address.
        registry: Address,
        /// The chain that was asked.
        chain_id: u64,
        /// The block that was asked.
        block: u64,
    },

    /// The contract at the registry's address is not the one that this version reads.
    #[error(
        "the contract at {registry} on chain {chain_id} is no CommitteeRegistry of this version: \
         its code hashes to {got}, expected {expected}"
    )]
    NotTheRegistry {
        /// The configured address.
        registry: Address,
        /// The chain that was asked.
        chain_id: u64,
        /// keccak256 of the code expected, with zeros for what each deployment fixes; or the pinned hash.
        expected: Digest,
        /// The same of the code that stands there.
        got: Digest,
    },

    /// The chain lacks the BLS12-381 precompiles (EIP-2537, since Prague), so no certificate can be verified on it.
    #[error("chain {chain_id} has no EIP-2537 (BLS12-381 precompiles, since Prague): {reason}")]
    NoEip2537 {
        /// The chain that was asked.
        chain_id: u64,
        /// Which precompile, and what it answered.
        reason: String,
    },

    /// One of several nodes: which, and what is wrong.
    #[error("L1 node {node}: {source}")]
    AtNode {
        /// The node's host.
        node: String,
        /// What is wrong with it.
        source: Box<Self>,
    },

    /// A setting that cannot work: a URL, a key, an address, an argument over its bound.
    #[error("invalid {what}: {reason}")]
    Invalid {
        /// The setting.
        what: &'static str,
        /// What is wrong with it. Never holds a secret.
        reason: String,
    },

    /// A transaction or call was reverted by the contract for another reason than a certificate's status.
    #[error("{what} was reverted: {reason}")]
    Reverted {
        /// The contract function.
        what: &'static str,
        /// The decoded custom error or message, or the raw data in hex.
        reason: String,
    },

    /// The node could not be reached or answered with an error.
    #[error("{what} failed: {reason}")]
    Rpc {
        /// The call.
        what: &'static str,
        /// The transport's or node's message.
        reason: String,
    },

    /// The node did not answer within the limit.
    #[error("{what} took longer than {limit:?}")]
    Timeout {
        /// The call.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },

    /// The node knows the block and no longer has its state: it is no archive, and finality is far behind its head.
    #[error("{what}: the L1 node no longer has the state: {reason}")]
    NoState {
        /// The call.
        what: &'static str,
        /// The node's message.
        reason: String,
    },

    /// L1 nodes contradict each other, or what they themselves had called final.
    #[error("L1 nodes contradict each other on {what}: {said}")]
    Disagreement {
        /// What they were asked.
        what: String,
        /// Which node said what, by host.
        said: String,
    },

    /// Too few of the nodes that must agree have answered.
    #[error("{what}: {answered} of {nodes} L1 nodes answered, {needed} must agree: {failures}")]
    TooFewNodes {
        /// What they were asked.
        what: &'static str,
        /// How many must give the same answer.
        needed: usize,
        /// How many answered.
        answered: usize,
        /// How many were asked.
        nodes: usize,
        /// Why the others did not, by host.
        failures: String,
    },

    /// The nodes have gone back behind a block that they had called final, for longer than that is waited for.
    #[error("L1 nodes have gone back: block {known} was final, now they say {got}")]
    WentBack {
        /// The number of the block that was final.
        known: u64,
        /// What they say now.
        got: u64,
    },

    /// The nodes' newest block is as old as their finalized one: they have lost the chain, or it makes no blocks.
    #[error(
        "L1 nodes stand still: not only is finalized block {finalized} {age} s old, the newest block is old as well"
    )]
    StandStill {
        /// The number of their finalized block.
        finalized: u64,
        /// Its age in seconds, by this machine's clock.
        age: u64,
    },

    /// A transaction was sent and has no receipt within the limit: it may still be mined.
    #[error("transaction {tx_hash} has no receipt after {limit:?}; it may still be mined; waiting for: {reason}")]
    NotMined {
        /// The transaction's hash.
        tx_hash: Digest,
        /// The limit.
        limit: Duration,
        /// What it waits for.
        reason: String,
    },

    /// A job is not sent yet: nothing is signed, and it goes on when its publisher does.
    #[error("{what} is not sent after {limit:?}; waiting for: {reason}")]
    NotSent {
        /// The contract function.
        what: &'static str,
        /// How long was waited.
        limit: Duration,
        /// What it waits for.
        reason: String,
    },

    /// The account cannot pay for a transaction; the job goes on when it can.
    #[error("account {account} has {balance} wei, and {needed} wei are needed")]
    Unfunded {
        /// The account.
        account: Address,
        /// What it has, in wei.
        balance: u128,
        /// The most that the transaction can cost, in wei.
        needed: u128,
    },

    /// The account's key did not sign.
    #[error("account {account} cannot sign: {reason}")]
    Signer {
        /// The account; zero where it is not known yet.
        account: Address,
        /// The signer's message.
        reason: String,
    },

    /// The publisher knows no such job.
    #[error("no job {id} in this publisher")]
    UnknownJob {
        /// The id asked for.
        id: Digest,
    },

    /// Another process has the account's journal open.
    #[error("the journal {} is in use by another process", path.display())]
    JournalLocked {
        /// The journal's folder.
        path: PathBuf,
    },

    /// The journal holds something that it cannot hold: nothing is sent.
    #[error("damaged journal, {}: {reason}", path.display())]
    BadJournal {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The journal cannot be read or written: nothing more is sent.
    #[error("journal {}: {reason}", path.display())]
    Journal {
        /// The file or folder.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },

    /// The node answered with something that is no valid answer.
    #[error("unusable answer to {what}: {reason}")]
    BadAnswer {
        /// The call.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// Who has to act on an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What the caller asked for does not exist or is refused.
    Caller,
    /// The configuration of this process: address, URL, key, committee file.
    Config,
    /// The L1 node or the way to it.
    L1,
}

impl Error {
    /// Who has to act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::UnknownEpoch { .. }
            | Self::NoActiveEpoch { .. }
            | Self::UnknownNamespace { .. }
            | Self::NotAvailable { .. }
            | Self::UnknownJob { .. }
            | Self::Reverted { .. } => Fault::Caller,
            Self::BadCommittee { .. }
            | Self::WrongChain { .. }
            | Self::NoRegistry { .. }
            | Self::NotTheRegistry { .. }
            | Self::NoEip2537 { .. }
            | Self::Unfunded { .. }
            | Self::Signer { .. }
            | Self::JournalLocked { .. }
            | Self::BadJournal { .. }
            | Self::Journal { .. }
            | Self::Invalid { .. } => Fault::Config,
            Self::Rpc { .. }
            | Self::Timeout { .. }
            | Self::NoState { .. }
            | Self::Disagreement { .. }
            | Self::TooFewNodes { .. }
            | Self::WentBack { .. }
            | Self::StandStill { .. }
            | Self::NotMined { .. }
            | Self::NotSent { .. }
            | Self::BadAnswer { .. } => Fault::L1,
            Self::AtNode { source, .. } => source.fault(),
        }
    }

    /// Whether the same call can succeed later without anybody changing the caller's request.
    ///
    /// An unknown epoch or namespace counts: it may stand in a block that is not final yet.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::UnknownEpoch { .. }
            | Self::NoActiveEpoch { .. }
            | Self::UnknownNamespace { .. }
            | Self::NoRegistry { .. }
            | Self::Rpc { .. }
            | Self::Timeout { .. }
            | Self::NoState { .. }
            | Self::Disagreement { .. }
            | Self::TooFewNodes { .. }
            | Self::WentBack { .. }
            | Self::StandStill { .. }
            | Self::NotMined { .. }
            | Self::NotSent { .. }
            | Self::Unfunded { .. }
            | Self::Signer { .. }
            | Self::JournalLocked { .. }
            | Self::BadAnswer { .. } => true,
            Self::NotAvailable { status } => *status == Status::NotYet,
            Self::AtNode { source, .. } => source.is_retryable(),
            Self::BadCommittee { .. }
            | Self::WrongChain { .. }
            | Self::NotTheRegistry { .. }
            | Self::NoEip2537 { .. }
            | Self::Invalid { .. }
            | Self::UnknownJob { .. }
            | Self::BadJournal { .. }
            | Self::Journal { .. }
            | Self::Reverted { .. } => false,
        }
    }
}
