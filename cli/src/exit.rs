//! Exit codes, and the one place that decides which error gets which.

use holdfast_client as client;
use holdfast_l1::{self as l1, publisher};
use holdfast_registry::{self as registry, Fault};
use serde::Serialize;

use crate::failures::{FailureRecord, records};

/// Exit codes of every subcommand; 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Anything not listed below.
    Other = 1,
    /// Bad arguments or configuration.
    Usage = 2,
    /// The quorum was not reached, or too few members could be reached.
    Unreachable = 3,
    /// Something did not verify.
    Verification = 4,
    /// Certainly not stored.
    NotFound = 5,
    /// Refused because carrying on would lose or endanger data.
    Unsafe = 6,
    /// Was stored; its retention has ended.
    Expired = 7,
    /// Dispersed, and the result was printed; but not published on L1.
    NotPublished = 8,
}

impl Exit {
    /// The word for scripts.
    fn code(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Usage => "usage",
            Self::Unreachable => "unreachable",
            Self::Verification => "verification",
            Self::NotFound => "not_found",
            Self::Unsafe => "unsafe",
            Self::Expired => "expired",
            Self::NotPublished => "not_published",
        }
    }
}

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

/// `Err` with an exit code of its own.
pub(crate) fn fail<T>(exit: Exit, message: impl Into<String>) -> anyhow::Result<T> {
    Err(Failure { exit, message: message.into() }.into())
}

/// The exit code of an error, from the first cause in its chain that says.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| {
            if let Some(failure) = cause.downcast_ref::<Failure>() {
                return Some(failure.exit);
            }
            if let Some(error) = cause.downcast_ref::<registry::Error>() {
                return Some(of_registry(error));
            }
            if let Some(error) = cause.downcast_ref::<l1::Error>() {
                return Some(of_l1(error));
            }
            if let Some(error) = cause.downcast_ref::<publisher::Error>() {
                return Some(of_publisher(error));
            }
            cause.downcast_ref::<client::Error>().map(of_client)
        })
        .unwrap_or(Exit::Other)
}

/// `error`, which happened after the result had been printed: that stands, and only L1 does not know it.
pub(crate) fn not_published(error: &anyhow::Error, what: &str) -> anyhow::Error {
    let message = format!("dispersed, not published: {error:#}\n{what}");
    Failure { exit: Exit::NotPublished, message }.into()
}

/// An error for people: with its causes, and a line for what members did.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut text = without_members(error);
    for line in client::folded(failures(error)) {
        text += &format!("\n  {line}");
    }
    text
}

/// An error for scripts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorRecord {
    code: &'static str,
    exit: u8,
    message: String,
    members: Vec<FailureRecord>,
}

impl ErrorRecord {
    pub(crate) fn new(error: &anyhow::Error) -> Self {
        let exit = exit_of(error);
        Self { code: exit.code(), exit: exit as u8, message: without_members(error), members: records(failures(error)) }
    }

    /// What the command line itself is refused with.
    pub(crate) fn usage(message: String) -> Self {
        Self { code: Exit::Usage.code(), exit: Exit::Usage as u8, message, members: Vec::new() }
    }
}

fn failures(error: &anyhow::Error) -> &[client::MemberFailure] {
    let client = error.chain().find_map(|cause| cause.downcast_ref::<client::Error>());
    client.map(client::Error::failures).unwrap_or_default()
}

fn without_members(error: &anyhow::Error) -> String {
    let mut text = format!("{error:#}");
    for line in client::folded(failures(error)) {
        text = text.replacen(&format!("; {line}"), "", 1);
    }
    text
}

/// The exit code of an error of the registry.
pub(crate) fn of_registry(error: &registry::Error) -> Exit {
    use registry::Error;
    match error {
        // Only a certificate names these.
        Error::UnknownEpoch { .. } | Error::UnknownNamespace { .. } => Exit::Verification,
        Error::NoActiveEpoch { .. } => Exit::Unreachable,
        other => of_fault(other.fault()),
    }
}

fn of_l1(error: &l1::Error) -> Exit {
    match error {
        l1::Error::Registry(error) => of_registry(error),
        l1::Error::NotAvailable { .. } => Exit::Verification,
        other => of_fault(other.fault()),
    }
}

fn of_publisher(error: &publisher::Error) -> Exit {
    match error {
        publisher::Error::L1(error) => of_l1(error),
        other => of_fault(other.fault()),
    }
}

fn of_fault(fault: Fault) -> Exit {
    match fault {
        Fault::L1 => Exit::Unreachable,
        Fault::Config => Exit::Usage,
        Fault::Caller => Exit::Other,
    }
}

/// What the registry says against a call, after `what`; anything else that went wrong as it is.
pub(crate) fn refused(what: &str, error: impl Into<publisher::Error>) -> anyhow::Error {
    let error = match error.into() {
        publisher::Error::L1(error) => error,
        other => return other.into(),
    };
    let exit = match error {
        // Sent, it would cost gas and change nothing.
        l1::Error::Reverted { .. } | l1::Error::Registry(registry::Error::UnknownEpoch { .. }) => Exit::Unsafe,
        l1::Error::NotAvailable { .. } => Exit::Verification,
        other => return other.into(),
    };
    Failure { exit, message: format!("{what}: {error}") }.into()
}

/// The exit code where this is what came of several things that were tried alike: as long as one of them may come out well when it is
/// tried again, that is worth it.
pub(crate) fn of_failed(errors: &[client::Error]) -> Exit {
    let is_refused = |error| of_client(error) == Exit::Usage;
    if errors.iter().all(is_refused) { Exit::Usage } else { Exit::Unreachable }
}

fn of_client(error: &client::Error) -> Exit {
    match error {
        client::Error::EmptyPayload
        | client::Error::PayloadTooLarge { .. }
        | client::Error::NotConfigured { .. }
        | client::Error::Invalid { .. }
        | client::Error::UnknownNamespace { .. }
        | client::Error::NotADisperser { .. }
        | client::Error::TooSoon { .. }
        | client::Error::Statement(_) => Exit::Usage,
        // What was asked for is what the members refuse.
        client::Error::QuorumNotReached { .. } if error.blame() == client::Blame::Caller => Exit::Usage,
        client::Error::QuorumNotReached { .. }
        | client::Error::NotRetrievable { .. }
        | client::Error::Unknown { .. } => Exit::Unreachable,
        client::Error::Registry(error) => of_registry(error),
        client::Error::Certificate(_) | client::Error::PromiseBroken { .. } | client::Error::Inconsistent { .. } => {
            Exit::Verification
        }
        client::Error::NotFound { .. } => Exit::NotFound,
        client::Error::Expired { .. } => Exit::Expired,
        _ => Exit::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_second_try_changes_is_not_called_unreachable() {
        let coded = || client::Error::Invalid { what: "blob to renew", reason: "it is coded otherwise".to_owned() };
        let limit = std::time::Duration::from_secs(10);
        let away = client::Error::Registry(registry::Error::Timeout { what: "eth_call", limit });
        assert_eq!(of_failed(&[coded(), coded()]), Exit::Usage);
        assert_eq!(of_failed(&[coded(), away]), Exit::Unreachable);
    }
}
