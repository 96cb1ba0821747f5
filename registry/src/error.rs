//! Why a registry has no answer, and whose fault it is.

use std::{sync::Arc, time::Duration};

use holdfast_certificate::Namespace;

/// Why a registry has no answer.
///
/// [`Error::fault`] says who has to act, [`Error::is_retryable`] whether the same question can be answered later.
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

    /// More names that nobody knows are looked up than the registry has time for: see
    /// [`Registry::look_up`](crate::Registry::look_up).
    #[error("too many namespaces that are not known here are looked up; try again in {} s", wait.as_secs() + 1)]
    TooManyUnknown {
        /// After which one more is looked up.
        wait: Duration,
    },

    /// The committee file or the registry holds something that makes no committee.
    #[error("epoch {epoch} is not a valid committee: {reason}")]
    BadCommittee {
        /// The epoch.
        epoch: u64,
        /// What is wrong with it.
        reason: String,
    },

    /// There was no answer within the limit.
    #[error("{what} took longer than {limit:?}")]
    Timeout {
        /// What was asked.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },

    /// What the registry is read from cannot be read, or not be trusted.
    #[error(transparent)]
    Unavailable(Arc<dyn Unavailable>),
}

/// Why what a registry is read from has no answer: the error of its own that an implementation of
/// [`Registry`](crate::Registry) gives.
pub trait Unavailable: std::error::Error + Send + Sync + 'static {
    /// Who has to act.
    fn fault(&self) -> Fault;

    /// Whether the same question can be answered later.
    fn is_retryable(&self) -> bool;
}

/// Who has to act on an error.
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
    /// An implementation's own error.
    pub fn unavailable(error: impl Unavailable) -> Self {
        Self::Unavailable(Arc::new(error))
    }

    /// Who has to act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::UnknownEpoch { .. }
            | Self::NoActiveEpoch { .. }
            | Self::UnknownNamespace { .. }
            | Self::TooManyUnknown { .. } => Fault::Caller,
            Self::BadCommittee { .. } => Fault::Config,
            Self::Timeout { .. } => Fault::L1,
            Self::Unavailable(error) => error.fault(),
        }
    }

    /// Whether the same question can be answered later without anybody changing it.
    ///
    /// An unknown epoch or namespace counts: it may stand in a block that is not final yet.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::UnknownEpoch { .. }
            | Self::NoActiveEpoch { .. }
            | Self::UnknownNamespace { .. }
            | Self::TooManyUnknown { .. }
            | Self::Timeout { .. } => true,
            Self::BadCommittee { .. } => false,
            Self::Unavailable(error) => error.is_retryable(),
        }
    }
}
