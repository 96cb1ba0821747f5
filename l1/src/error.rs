//! What can go wrong on the way to the registry's contract, and whose fault it is.

use std::time::Duration;

use holdfast_certificate::Address;
use holdfast_erasure::Digest;
use holdfast_registry::{self as registry, Fault, Status, Unavailable};

/// An error of an L1 node, of several that must agree, or of the contract.
///
/// [`Error::fault`] says who has to act, [`Error::is_retryable`] whether the same call can succeed later.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry has no such record.
    #[error(transparent)]
    Registry(#[from] registry::Error),

    /// The registry on L1 judged a certificate and refused it.
    #[error("the registry refuses the certificate: {status}")]
    NotAvailable {
        /// The rule that the certificate breaks.
        status: Status,
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

    /// The node names no finalized block: it has no consensus client, or one that has not spoken yet.
    #[error(
        "the L1 node knows no finalized block ({reason}): its consensus client (beacon node) must be running and in sync"
    )]
    NoFinality {
        /// The node's message.
        reason: String,
    },

    /// The node does not know a method, or a form of its parameters, for which there is no other way.
    #[error("the L1 node does not serve {what}: {reason}")]
    Unsupported {
        /// The call.
        what: &'static str,
        /// The node's message.
        reason: String,
    },

    /// The node answers for another block than the one that is asked for by its hash, so that what it says may not be final.
    #[error("the L1 node does not answer for the block that is asked for: {reason}")]
    OtherBlock {
        /// What it was asked, and what it said.
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

    /// The node answered with something that is no valid answer.
    #[error("unusable answer to {what}: {reason}")]
    BadAnswer {
        /// The call.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// A question ended without an answer of its own: its runtime is shutting down.
    pub(crate) fn broken_off(what: &'static str) -> Self {
        Self::Rpc { what, reason: "it was broken off: the program is ending".to_owned() }
    }

    /// Who has to act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Registry(error) => error.fault(),
            Self::NotAvailable { .. } | Self::Reverted { .. } => Fault::Caller,
            Self::WrongChain { .. }
            | Self::NoRegistry { .. }
            | Self::NotTheRegistry { .. }
            | Self::NoEip2537 { .. }
            | Self::OtherBlock { .. }
            | Self::Invalid { .. } => Fault::Config,
            Self::Rpc { .. }
            | Self::Timeout { .. }
            | Self::NoState { .. }
            | Self::NoFinality { .. }
            | Self::Unsupported { .. }
            | Self::Disagreement { .. }
            | Self::TooFewNodes { .. }
            | Self::WentBack { .. }
            | Self::StandStill { .. }
            | Self::BadAnswer { .. } => Fault::L1,
            Self::AtNode { source, .. } => source.fault(),
        }
    }

    /// Whether the same call can succeed later without anybody changing the caller's request.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_retryable(),
            Self::NoRegistry { .. }
            | Self::Rpc { .. }
            | Self::Timeout { .. }
            | Self::NoState { .. }
            | Self::NoFinality { .. }
            | Self::Unsupported { .. }
            | Self::Disagreement { .. }
            | Self::TooFewNodes { .. }
            | Self::WentBack { .. }
            | Self::StandStill { .. }
            | Self::BadAnswer { .. } => true,
            Self::NotAvailable { status } => *status == Status::NotYet,
            Self::AtNode { source, .. } => source.is_retryable(),
            Self::WrongChain { .. }
            | Self::NotTheRegistry { .. }
            | Self::NoEip2537 { .. }
            | Self::OtherBlock { .. }
            | Self::Invalid { .. }
            | Self::Reverted { .. } => false,
        }
    }
}

impl Unavailable for Error {
    fn fault(&self) -> Fault {
        self.fault()
    }

    fn is_retryable(&self) -> bool {
        self.is_retryable()
    }
}

/// As those see it who know the registry only as an interface.
impl From<Error> for registry::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Registry(error) => error,
            other => Self::unavailable(other),
        }
    }
}
