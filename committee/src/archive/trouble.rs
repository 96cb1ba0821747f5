//! What can be wrong with an archive. "Could not ask" and "is not there" are different.

use std::fmt;

/// Why a call of the archive did not do what it was to do.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It answers, and has no such object.
    #[error("the archive has no object {name}")]
    Missing {
        /// The object.
        name: String,
    },
    /// It does not answer, or not in time, or with a failure of its own.
    #[error("the archive does not answer: {0}")]
    Away(String),
    /// It does not let this member in, or not do this.
    #[error("the archive refuses: {0}")]
    Denied(String),
    /// It is another store's.
    #[error("the archive is not this store's: {0}")]
    Foreign(String),
    /// It was asked to keep objects until a time, and does not say that it does.
    #[error("the archive does not lock what it is given: {0}")]
    Unlocked(String),
    /// What was written is not what is read.
    #[error("the archive gives back other bytes: {0}")]
    Differs(String),
    /// The settings make no archive.
    #[error("the archive's settings: {0}")]
    Settings(String),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// A promise could not be signed again.
    #[error("{0}")]
    Attestor(String),
}

/// The kind of trouble, as it is told to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Away,
    Denied,
    Foreign,
    Unlocked,
    Other,
}

impl Trouble {
    pub(crate) const ALL: [Self; 5] = [Self::Away, Self::Denied, Self::Foreign, Self::Unlocked, Self::Other];

    /// Its name among the metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Denied => "denied",
            Self::Foreign => "foreign",
            Self::Unlocked => "unlocked",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Away => "it does not answer",
            Self::Denied => "it refuses: look at credentials and rights",
            Self::Foreign => "it is that of another store",
            Self::Unlocked => "it does not lock what it is given",
            Self::Other => "see this member's log",
        })
    }
}

impl Error {
    pub(crate) fn trouble(&self) -> Trouble {
        match self {
            Self::Away(_) => Trouble::Away,
            Self::Denied(_) => Trouble::Denied,
            Self::Foreign(_) => Trouble::Foreign,
            Self::Unlocked(_) => Trouble::Unlocked,
            Self::Missing { .. } | Self::Differs(_) | Self::Settings(_) | Self::Store(_) | Self::Attestor(_) => {
                Trouble::Other
            }
        }
    }
}
