//! Why a request is not served.

use holdfast_client as client;
use holdfast_erasure::{BlobId, Digest};

/// Why a request is not served. [`crate::status`] says what each is on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The request cannot be understood.
    #[error("{0}")]
    Malformed(String),
    /// A path that this listener does not have.
    #[error("no such path on this listener: {0}")]
    NoSuchPath(String),
    /// A method that the path does not have.
    #[error("the path does not take this method")]
    Method,
    /// A commitment that no gateway makes.
    #[error("not a commitment: {0}")]
    Commitment(String),
    /// The payload has no bytes.
    #[error("the payload is empty, expected at least 1 byte")]
    Empty,
    /// The payload is longer than the committee takes.
    #[error("the payload is longer than {limit} bytes, the most that is taken")]
    TooLarge {
        /// The most bytes.
        limit: u64,
    },
    /// The payload is not the one that the commitment names.
    #[error("the payload hashes to {got}, expected {expected}")]
    WrongDigest {
        /// keccak256 in the commitment.
        expected: Digest,
        /// keccak256 of the payload.
        got: Digest,
    },
    /// Bytes were asked for that the payload does not have.
    #[error("the range is outside of the payload's {length} bytes")]
    Range {
        /// The payload's length.
        length: usize,
    },
    /// Writing needs credentials, and these are none.
    #[error("writing needs credentials")]
    Unauthorized,
    /// This listener, or this gateway, only reads.
    #[error("{0}")]
    ReadOnly(&'static str),
    /// The client was too slow.
    #[error("the body did not come in time")]
    SlowClient,
    /// The client went away, or broke the protocol, in the middle of the body.
    #[error("the body broke off: {0}")]
    BrokenBody(String),
    /// More is asked for at once than this gateway takes on.
    #[error("busy: {0}")]
    Busy(&'static str),
    /// So many members deny the blob that it was never stored.
    #[error("{0}")]
    NotFound(String),
    /// The blob was held, and its retention has ended.
    #[error("{0}")]
    Expired(String),
    /// The certificate is not genuine and never will be.
    #[error("the certificate is not valid: {0}")]
    Certificate(String),
    /// The certificate names an epoch that the registry does not have yet.
    #[error("epoch {0} is not known yet")]
    UnknownEpoch(u64),
    /// This gateway makes no checkpoints.
    #[error("this gateway makes no checkpoints")]
    NoCheckpoints,
    /// No checkpoint that this gateway has made has the blob, yet.
    #[error("blob {0} is in no checkpoint of this gateway: the next one may have it")]
    NotInCheckpoint(BlobId),
    /// Too few members attested.
    #[error("{0}")]
    Quorum(String),
    /// The blob cannot be read now, or whether it exists is not certain.
    #[error("{0}")]
    Unavailable(String),
    /// L1 cannot be read now.
    #[error("{0}")]
    L1(String),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
    /// The gateway's own settings do not allow it.
    #[error("{0}")]
    Misconfigured(String),
    /// Members signed a blob that is not what it says: more of them lied than may.
    #[error("{0}")]
    Inconsistent(String),
    /// A fault of this gateway.
    #[error("internal error")]
    Internal,
}

impl Failure {
    /// What an error of the client means to who wanted to write.
    pub(crate) fn of_write(error: &client::Error) -> Self {
        use client::Error as E;
        match error {
            E::EmptyPayload => Self::Empty,
            E::PayloadTooLarge { max, .. } => Self::TooLarge { limit: *max },
            E::Statement(_) | E::Invalid { .. } | E::TooSoon { .. } => Self::Malformed(error.to_string()),
            E::QuorumNotReached { .. } => Self::Quorum(error.to_string()),
            E::NotConfigured { .. } => Self::ReadOnly("this gateway has no disperser's key: it only reads"),
            other => Self::of_both(other),
        }
    }

    /// What an error of the client means to who wanted to read.
    pub(crate) fn of_read(error: &client::Error) -> Self {
        use client::Error as E;
        match error {
            E::NotFound { .. } => Self::NotFound(error.to_string()),
            E::Expired { .. } => Self::Expired(error.to_string()),
            E::Certificate(reason) => Self::Certificate(reason.to_string()),
            // What a member claims of a blob's length or form is no fact about the blob.
            E::NotRetrievable { .. } | E::Unknown { .. } | E::PayloadTooLarge { .. } | E::Code(_) => {
                Self::Unavailable(error.to_string())
            }
            E::NotConfigured { .. } => Self::Misconfigured(error.to_string()),
            other => Self::of_both(other),
        }
    }

    fn of_both(error: &client::Error) -> Self {
        use client::Error as E;
        match error {
            E::Registry(holdfast_registry::Error::UnknownEpoch { epoch }) => Self::UnknownEpoch(*epoch),
            // An epoch may begin: what is written below none is not lost.
            E::Registry(holdfast_registry::Error::NoActiveEpoch { .. }) => Self::L1(error.to_string()),
            E::Registry(cause) => match cause.fault() {
                holdfast_registry::Fault::L1 => Self::L1(error.to_string()),
                holdfast_registry::Fault::Caller | holdfast_registry::Fault::Config => {
                    Self::Misconfigured(error.to_string())
                }
            },
            E::UnknownNamespace { .. } | E::NotADisperser { .. } => Self::Misconfigured(error.to_string()),
            // Certified, and its signers have lost it or lie: nothing that a node may take for "never stored".
            E::Inconsistent { .. } | E::PromiseBroken { .. } => Self::Inconsistent(error.to_string()),
            E::Closed => Self::Stopping,
            other => {
                tracing::error!(error = %other, "an error that has no place here");
                Self::Internal
            }
        }
    }

    /// Of two places that were searched for one thing, what is known of both: it exists in neither only if both deny it.
    pub(crate) fn of_two(a: Self, b: Self) -> Self {
        match (a, b) {
            (Self::NotFound(text), Self::NotFound(_)) => Self::NotFound(text),
            (Self::Expired(text), Self::NotFound(_) | Self::Expired(_)) | (Self::NotFound(_), Self::Expired(text)) => {
                Self::Expired(text)
            }
            (Self::NotFound(_) | Self::Expired(_), other) | (other, _) => other,
        }
    }

    /// A task of this gateway that broke.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a task of the gateway failed");
        Self::Internal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_one_of_two_places_unsure_is_not_denied() {
        let denied = || Failure::NotFound("no".into());
        let gone = || Failure::Expired("gone".into());
        let unsure = || Failure::Unavailable("unsure".into());
        assert_eq!(Failure::of_two(denied(), denied()), denied());
        for (a, b, both) in [
            (denied(), unsure(), unsure()),
            (unsure(), denied(), unsure()),
            (gone(), unsure(), unsure()),
            (unsure(), gone(), unsure()),
            (gone(), denied(), gone()),
            (denied(), gone(), gone()),
            (gone(), gone(), gone()),
        ] {
            assert_eq!(Failure::of_two(a, b), both);
        }
    }
}
