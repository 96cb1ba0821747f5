//! What can go wrong with a job, and whose fault it is.

use std::{path::PathBuf, time::Duration};

use holdfast_certificate::Address;
use holdfast_erasure::Digest;
use holdfast_registry::Fault;

use crate::error::Error as L1Error;

/// An error of a [`Publisher`](crate::Publisher), its account or its journal.
///
/// [`Error::fault`] says who has to act, [`Error::is_retryable`] whether the job goes on or can be given again, and
/// [`Error::must_stop`] whether the publisher sends nothing more.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node, or the contract's refusal.
    #[error(transparent)]
    L1(#[from] L1Error),

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

    /// A job cannot go on before somebody has done something about it: another node, a higher bound.
    #[error("{what} cannot go on: {reason}; its job is kept, and goes on when that has changed")]
    Held {
        /// The contract function.
        what: &'static str,
        /// What is missing.
        reason: String,
    },

    /// The journal is of another chain than the one that the node serves under the same id.
    #[error(
        "the journal {} is of chain {chain_id} as it was, and the node serves another one: {reason}. Where a development chain \
         was started anew, the journal's jobs are worth nothing on it: move the folder away, or name another one (l1_journal). \
         Otherwise name a node of the right chain that is in sync",
        path.display()
    )]
    OtherChain {
        /// The journal's folder.
        path: PathBuf,
        /// The chain's id.
        chain_id: u64,
        /// Which block shows it.
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
}

impl Error {
    /// Who has to act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::L1(error) => error.fault(),
            Self::UnknownJob { .. } => Fault::Caller,
            Self::Unfunded { .. }
            | Self::Signer { .. }
            | Self::Held { .. }
            | Self::OtherChain { .. }
            | Self::JournalLocked { .. }
            | Self::BadJournal { .. }
            | Self::Journal { .. } => Fault::Config,
            Self::NotMined { .. } | Self::NotSent { .. } => Fault::L1,
        }
    }

    /// Whether the same call can succeed later without anybody changing the caller's request.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::L1(error) => error.is_retryable(),
            Self::NotMined { .. }
            | Self::NotSent { .. }
            | Self::Held { .. }
            | Self::Unfunded { .. }
            | Self::Signer { .. }
            | Self::JournalLocked { .. } => true,
            Self::UnknownJob { .. } | Self::OtherChain { .. } | Self::BadJournal { .. } | Self::Journal { .. } => false,
        }
    }

    /// Whether it says what is missing of the node or the settings, so that waiting does not help.
    pub(crate) fn names_what_is_missing(&self) -> bool {
        matches!(
            self,
            Self::OtherChain { .. }
                | Self::L1(L1Error::NoFinality { .. } | L1Error::Unsupported { .. } | L1Error::WrongChain { .. })
        )
    }

    /// Whether the publisher cannot go on: its journal does not keep what is sent.
    #[must_use]
    pub fn must_stop(&self) -> bool {
        matches!(self, Self::BadJournal { .. } | Self::Journal { .. })
    }
}
