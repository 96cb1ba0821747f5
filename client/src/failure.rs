use std::{error::Error as _, fmt, time::Duration};

use tonic::{Code, Status};

use crate::{fault::Fault, words::peer_text};

/// One member that did not do its part, and why.
#[derive(Clone, Debug)]
pub struct MemberFailure {
    /// The member's slot in its epoch.
    pub slot: u16,
    /// Where it was asked.
    pub endpoint: String,
    /// What happened.
    pub reason: FailureReason,
}

impl fmt::Display for MemberFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {} at {}: {}", self.slot, self.endpoint, self.reason)
    }
}

/// Why one member did not help.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// Silence until the deadline.
    #[error("no answer within {}", seconds(*.within))]
    NoAnswer {
        /// How long it was waited for.
        within: Duration,
    },
    /// The outcome was decided without it.
    #[error("no answer yet after {} when the outcome was decided", seconds(*.after))]
    NotAwaited {
        /// How long it had had.
        after: Duration,
    },
    /// It was not asked, since what was needed came from others or could no longer come.
    #[error("not asked")]
    NotAsked,
    /// No connection, or the connection broke.
    #[error("unreachable: {detail}")]
    Unreachable {
        /// What the transport says.
        detail: String,
    },
    /// The member's endpoint is not a URI that can be connected to.
    #[error("its endpoint cannot be used: {detail}")]
    BadEndpoint {
        /// What is wrong with it.
        detail: String,
    },
    /// The member never stored it.
    #[error("never stored here")]
    NotStored,
    /// The member held it, and its retention has ended there.
    #[error("expired here")]
    Expired,
    /// The member answered with an error.
    #[error("refused with {}: {message}", code_name(*.code))]
    Refused {
        /// The gRPC status code.
        code: Code,
        /// The member's words, cut to 256 bytes.
        message: String,
    },
    /// The member sent what an honest member would not.
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl FailureReason {
    /// Whether asking the same member the same thing later may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoAnswer { .. } | Self::NotAwaited { .. } | Self::NotAsked | Self::Unreachable { .. } => true,
            Self::BadEndpoint { .. } | Self::NotStored | Self::Expired | Self::Fault(_) => false,
            Self::Refused { code, .. } => {
                matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::Internal)
            }
        }
    }

    /// The fault, where it is one.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// What a status means when it came from a write.
    pub(crate) fn of_write(status: &Status) -> Self {
        if let Some(detail) = transport_detail(status) {
            return Self::Unreachable { detail };
        }
        Self::Refused { code: status.code(), message: peer_text(status.message()) }
    }

    /// What a status means when it came from a read (`retrieval.proto` says which code means what).
    pub(crate) fn of_read(status: &Status) -> Self {
        if let Some(detail) = transport_detail(status) {
            return Self::Unreachable { detail };
        }
        match status.code() {
            Code::NotFound => Self::NotStored,
            Code::FailedPrecondition => Self::Expired,
            Code::DataLoss => Fault::Damaged { message: peer_text(status.message()) }.into(),
            code => Self::Refused { code, message: peer_text(status.message()) },
        }
    }
}

/// The innermost cause of a status that this side made because the transport failed; none for one a member sent.
fn transport_detail(status: &Status) -> Option<String> {
    let mut cause = status.source()?;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Some(peer_text(&cause.to_string()))
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_members_status_is_its_answer_and_a_broken_connection_is_not() {
        let said = FailureReason::of_write(&Status::permission_denied("not a disperser of the namespace"));
        assert_eq!(said.to_string(), "refused with PERMISSION_DENIED: not a disperser of the namespace");
        assert!(!said.is_retryable());
        let broken = Status::from_error(Box::new(std::io::Error::other("connection reset")));
        let broken = FailureReason::of_read(&broken);
        assert!(matches!(broken, FailureReason::Unreachable { .. }), "{broken}");
        assert!(broken.is_retryable());
    }

    #[test]
    fn every_read_status_of_the_protocol_has_its_meaning() {
        assert!(matches!(FailureReason::of_read(&Status::not_found("x")), FailureReason::NotStored));
        assert!(matches!(FailureReason::of_read(&Status::failed_precondition("x")), FailureReason::Expired));
        let damaged = FailureReason::of_read(&Status::data_loss("bad crc"));
        assert_eq!(damaged.fault().map(ToString::to_string).as_deref(), Some("its copy is damaged: bad crc"));
        assert!(matches!(FailureReason::of_read(&Status::internal("x")), FailureReason::Refused { .. }));
    }
}
