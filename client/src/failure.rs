use std::{error::Error as _, fmt, time::Duration};

use tonic::{Code as Wire, Status};

use crate::{
    code::{self, Code},
    fault::Fault,
    words::peer_text,
};

/// The trailer in which a member says after how many milliseconds to ask it again (gRPC retry design, A6).
const RETRY_AFTER: &str = "grpc-retry-pushback-ms";

/// A member is not asked again sooner than this, whatever it says.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// When a member is asked again for which another epoch is active: clocks and views of L1 are seconds apart.
const WRONG_EPOCH_PAUSE: Duration = Duration::from_millis(500);

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

/// Failures as lines of text, in the order of the members: those with the same reason share one. A slot that failed in the
/// same way in several epochs is named once.
#[must_use]
pub fn folded(failures: &[MemberFailure]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&MemberFailure>)> = Vec::new();
    for failure in failures {
        let reason = failure.reason.to_string();
        match groups.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, group)) if group.iter().any(|known| known.slot == failure.slot) => {}
            Some((_, group)) => group.push(failure),
            None => groups.push((reason, vec![failure])),
        }
    }
    groups.iter().map(|(reason, group)| line(reason, group)).collect()
}

fn line(reason: &str, group: &[&MemberFailure]) -> String {
    match group {
        [one] => one.to_string(),
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(|failure| failure.slot.to_string()).collect();
            format!("members {} and {}: {reason}", others.join(", "), last.slot)
        }
        [] => reason.to_owned(),
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
    #[error("refused with {code}: {message}")]
    Refused {
        /// The code of its refusal.
        code: Code,
        /// The member's words, cut to 256 bytes.
        message: String,
        /// When to ask it again, where it says that this helps.
        retry_after: Option<Duration>,
    },
    /// The member stores nothing for the statement's epoch, which is not the active one by its clock and view of L1.
    #[error("refused with {}: {message}", Code::FailedPrecondition)]
    WrongEpoch {
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
            Self::NoAnswer { .. }
            | Self::NotAwaited { .. }
            | Self::NotAsked
            | Self::Unreachable { .. }
            | Self::WrongEpoch { .. } => true,
            Self::BadEndpoint { .. } | Self::NotStored | Self::Expired | Self::Fault(_) => false,
            Self::Refused { code, retry_after, .. } => {
                retry_after.is_some()
                    || matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::Internal)
            }
        }
    }

    /// Whether it is the caller's: the member is well, and refuses what was asked for.
    #[must_use]
    pub fn is_callers(&self) -> bool {
        match self {
            Self::Refused { code, retry_after, .. } => {
                retry_after.is_none()
                    && matches!(
                        code,
                        Code::InvalidArgument | Code::NotFound | Code::PermissionDenied | Code::Unauthenticated
                    )
            }
            Self::NoAnswer { .. }
            | Self::NotAwaited { .. }
            | Self::NotAsked
            | Self::Unreachable { .. }
            | Self::BadEndpoint { .. }
            | Self::NotStored
            | Self::Expired
            | Self::WrongEpoch { .. }
            | Self::Fault(_) => false,
        }
    }

    /// How long to wait before the member is asked again within the same call, where that helps.
    pub(crate) fn again_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => retry_after.map(|after| after.max(LEAST_PAUSE)),
            Self::WrongEpoch { .. } => Some(WRONG_EPOCH_PAUSE),
            _ => None,
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
        Self::refused(status)
    }

    /// The same when it came from storing data, to which members of another epoch than the statement's say so.
    pub(crate) fn of_store(self) -> Self {
        match self {
            Self::Refused { code: Code::FailedPrecondition, message, .. } => Self::WrongEpoch { message },
            other => other,
        }
    }

    /// What a status means when it came from a read (`retrieval.proto` says which code means what).
    pub(crate) fn of_read(status: &Status) -> Self {
        if let Some(detail) = transport_detail(status) {
            return Self::Unreachable { detail };
        }
        match status.code() {
            Wire::NotFound => Self::NotStored,
            Wire::FailedPrecondition => Self::Expired,
            Wire::DataLoss => Fault::Damaged { message: peer_text(status.message()) }.into(),
            _ => Self::refused(status),
        }
    }

    fn refused(status: &Status) -> Self {
        let retry_after = status.metadata().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Self::Refused {
            code: code::of_wire(status.code()),
            message: peer_text(status.message()),
            retry_after: retry_after.map(Duration::from_millis),
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
    fn who_says_when_to_come_back_is_asked_again_and_who_does_not_is_not() {
        let mut busy = Status::resource_exhausted("busy");
        assert_eq!(FailureReason::of_read(&busy).again_after(), None);
        for (says, after) in [("1000", Some(1000)), ("0", Some(100)), ("-1", None), ("soon", None)] {
            busy.metadata_mut().insert(RETRY_AFTER, says.parse().expect("ascii"));
            let reason = FailureReason::of_read(&busy);
            assert_eq!(reason.again_after(), after.map(Duration::from_millis), "{says}");
            assert!(reason.is_retryable() && !reason.is_callers());
        }
        let other_epoch = FailureReason::of_write(&Status::failed_precondition("epoch 2 is not active")).of_store();
        assert_eq!(other_epoch.to_string(), "refused with FAILED_PRECONDITION: epoch 2 is not active");
        assert!(other_epoch.again_after().is_some() && other_epoch.is_retryable());
    }

    #[test]
    fn a_refusal_of_what_was_asked_for_is_the_callers() {
        for (status, callers) in [
            (Status::permission_denied("x"), true),
            (Status::invalid_argument("x"), true),
            (Status::not_found("x"), true),
            (Status::failed_precondition("x"), false),
            (Status::unavailable("x"), false),
            (Status::internal("x"), false),
        ] {
            assert_eq!(FailureReason::of_write(&status).is_callers(), callers, "{status}");
        }
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
