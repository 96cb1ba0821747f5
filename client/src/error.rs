use holdfast_certificate::{Address, Namespace};
use holdfast_erasure::{BlobId, Digest};

use crate::failure::{MemberFailure, folded};

/// Why a dispersal or a retrieval did not succeed.
///
/// [`Error::blame`] says whose fault it is and [`Error::is_retryable`] whether the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The payload has no bytes.
    #[error("the payload is empty, expected at least 1 byte")]
    EmptyPayload,
    /// The payload, or the blob to read, is longer than the epoch allows.
    #[error("the payload has {got} bytes, expected at most {max}")]
    PayloadTooLarge {
        /// `maxPayload` of the epoch, in bytes.
        max: u64,
        /// Bytes given or claimed.
        got: u64,
    },
    /// The client was built without what this call needs.
    #[error("the client has no {what}")]
    NotConfigured {
        /// What is missing.
        what: &'static str,
    },
    /// A setting or an argument cannot be used.
    #[error("{what} is invalid: {reason}")]
    Invalid {
        /// The setting's name.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry knows no such namespace, so no member would sign.
    #[error("unknown namespace {namespace}")]
    UnknownNamespace {
        /// The namespace asked for.
        namespace: Namespace,
    },
    /// The client's key may not disperse for the namespace, so no member would sign.
    #[error("{disperser} is not a disperser of namespace {namespace}")]
    NotADisperser {
        /// The account of the client's key.
        disperser: Address,
        /// The namespace asked for.
        namespace: Namespace,
    },
    /// The disperser's signature could not be had.
    #[error("the signer of {disperser} failed: {reason}")]
    Signer {
        /// The account that was to sign.
        disperser: Address,
        /// What the signer said, or that it did not answer in time.
        reason: String,
    },
    /// A time that is over, or sooner than the namespace's minimum retention, so that no member would sign.
    #[error("{field} must be at least {least}, got {got} (unix seconds)")]
    TooSoon {
        /// `retain_until` or `whole_until`.
        field: &'static str,
        /// The earliest time that is taken now.
        least: u64,
        /// The time asked for.
        got: u64,
    },
    /// The statement asked for breaks the protocol's format (times off the hourly grid, `wholeUntil` past
    /// `retainUntil`, ...).
    #[error("the statement cannot be signed: {0}")]
    Statement(#[source] holdfast_certificate::Error),
    /// The payload or the blob has a form that cannot be coded.
    #[error("cannot be coded: {0}")]
    Code(#[source] holdfast_erasure::Error),
    /// The committee could not be read from its registry.
    #[error("the committee registry could not be read: {0}")]
    Registry(#[source] holdfast_registry::Error),
    /// Fewer members than the threshold attested within the deadline.
    #[error("quorum not reached: {attested} of {needed} attestations{}", listed(failures))]
    QuorumNotReached {
        /// The epoch's threshold `t`.
        needed: u16,
        /// Members whose attestation was received and not found bad.
        attested: u16,
        /// One reason for every member that did not attest, in slot order.
        failures: Vec<MemberFailure>,
    },
    /// The blob exists but fewer than `k` distinct shards were accepted within the deadline.
    #[error("blob {blob} is not retrievable now: {accepted} of {needed} shards accepted{}", listed(failures))]
    NotRetrievable {
        /// The blob asked for.
        blob: BlobId,
        /// Distinct shards needed, `k`.
        needed: u16,
        /// Distinct shards accepted.
        accepted: u16,
        /// One reason for every member that did not help.
        failures: Vec<MemberFailure>,
    },
    /// So many members say that they never held the blob (`n - k + 1` of every epoch asked) that it cannot be read.
    #[error("{what} was not found: {said} members never stored it, {needed} suffice to be certain")]
    NotFound {
        /// What was looked for.
        what: Wanted,
        /// Members that say so.
        said: u16,
        /// Members that must say so, `n - k + 1`.
        needed: u16,
    },
    /// No member gave the blob, and too few deny it to be certain.
    #[error("{what} is unknown: {said} members never stored it, {needed} would be certain{}", listed(failures))]
    Unknown {
        /// What was looked for.
        what: Wanted,
        /// Members that say that they never stored it.
        said: u16,
        /// Members that must say so for certainty, `n - k + 1`.
        needed: u16,
        /// One reason for every member asked.
        failures: Vec<MemberFailure>,
    },
    /// The blob was held, and its retention has ended.
    #[error("blob {blob} has expired{}", listed(failures))]
    Expired {
        /// The blob asked for.
        blob: BlobId,
        /// What the members said.
        failures: Vec<MemberFailure>,
    },
    /// So many of the members that signed the certificate in hand deny the blob, with those that never stored it, that it
    /// cannot be read: it is not missing, its signers have lost it or lie.
    #[error(
        "blob {blob} is certified, and its signers deny it: {said} members do not hold it, {needed} are too many{}",
        listed(failures)
    )]
    PromiseBroken {
        /// The blob asked for.
        blob: BlobId,
        /// Members that say that they do not hold it.
        said: u16,
        /// As many of them make it unreadable, `n - k + 1`.
        needed: u16,
        /// What each member said; the signers among them with [`Fault::BrokenPromise`](crate::fault::Fault::BrokenPromise).
        failures: Vec<MemberFailure>,
    },
    /// The certificate to read by is not genuine.
    #[error("the certificate is not genuine: {0}")]
    Certificate(#[source] holdfast_certificate::Error),
    /// The blob's accepted shards decode to a payload with another digest than the blob names: whoever signed this
    /// blob signed what nobody can read.
    #[error("blob {blob} decodes to a payload with digest {got}, expected {expected}")]
    Inconsistent {
        /// The blob asked for.
        blob: BlobId,
        /// The digest in the blob.
        expected: Digest,
        /// keccak256 of what the shards decode to.
        got: Digest,
    },
    /// The client has been closed.
    #[error("the client is closed")]
    Closed,
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::EmptyPayload
            | Self::PayloadTooLarge { .. }
            | Self::NotConfigured { .. }
            | Self::Invalid { .. }
            | Self::UnknownNamespace { .. }
            | Self::NotADisperser { .. }
            | Self::Signer { .. }
            | Self::TooSoon { .. }
            | Self::Statement(_)
            | Self::Code(_)
            | Self::NotFound { .. }
            | Self::Expired { .. }
            | Self::Certificate(_)
            | Self::Closed => Blame::Caller,
            Self::QuorumNotReached { needed, attested, failures } => {
                let willing = failures.iter().filter(|failure| !failure.reason.is_callers()).count();
                if willing + usize::from(*attested) < usize::from(*needed) { Blame::Caller } else { Blame::Committee }
            }
            Self::NotRetrievable { .. }
            | Self::Unknown { .. }
            | Self::PromiseBroken { .. }
            | Self::Inconsistent { .. } => Blame::Committee,
            Self::Registry(error) => match error.fault() {
                holdfast_registry::Fault::Caller | holdfast_registry::Fault::Config => Blame::Caller,
                holdfast_registry::Fault::L1 => Blame::L1,
            },
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::QuorumNotReached { needed, attested, failures } => {
                let later = failures.iter().filter(|failure| failure.reason.is_retryable()).count();
                later + usize::from(*attested) >= usize::from(*needed)
            }
            Self::NotRetrievable { failures, .. } | Self::Unknown { failures, .. } => {
                failures.iter().any(|failure| failure.reason.is_retryable())
            }
            Self::Registry(error) => error.is_retryable(),
            Self::Signer { .. } => true,
            Self::EmptyPayload
            | Self::PayloadTooLarge { .. }
            | Self::NotConfigured { .. }
            | Self::Invalid { .. }
            | Self::UnknownNamespace { .. }
            | Self::NotADisperser { .. }
            | Self::TooSoon { .. }
            | Self::Statement(_)
            | Self::Code(_)
            | Self::NotFound { .. }
            | Self::Expired { .. }
            | Self::PromiseBroken { .. }
            | Self::Certificate(_)
            | Self::Inconsistent { .. }
            | Self::Closed => false,
        }
    }

    /// What each member said or did, where the call got as far as asking them.
    #[must_use]
    pub fn failures(&self) -> &[MemberFailure] {
        match self {
            Self::QuorumNotReached { failures, .. }
            | Self::NotRetrievable { failures, .. }
            | Self::Unknown { failures, .. }
            | Self::PromiseBroken { failures, .. }
            | Self::Expired { failures, .. } => failures,
            Self::EmptyPayload
            | Self::PayloadTooLarge { .. }
            | Self::NotConfigured { .. }
            | Self::Invalid { .. }
            | Self::UnknownNamespace { .. }
            | Self::NotADisperser { .. }
            | Self::TooSoon { .. }
            | Self::Statement(_)
            | Self::Code(_)
            | Self::Registry(_)
            | Self::NotFound { .. }
            | Self::Certificate(_)
            | Self::Inconsistent { .. }
            | Self::Signer { .. }
            | Self::Closed => &[],
        }
    }
}

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// What was asked for cannot be had: another argument, or another configuration, is needed.
    Caller,
    /// Members were down, slow, refusing or lying.
    Committee,
    /// The L1 node, or the way to it.
    L1,
}

/// What a reader looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// A blob by its id.
    Blob(BlobId),
    /// A blob by keccak256 of its payload.
    Payload(Digest),
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blob(id) => write!(f, "blob {id}"),
            Self::Payload(digest) => write!(f, "payload {digest}"),
        }
    }
}

fn listed(failures: &[MemberFailure]) -> String {
    folded(failures).iter().map(|line| format!("; {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{code::Code, failure::FailureReason};

    fn failure(slot: u16, reason: FailureReason) -> MemberFailure {
        MemberFailure { slot, endpoint: format!("http://m{slot}"), reason }
    }

    fn refused(code: Code, message: &str) -> FailureReason {
        FailureReason::Refused { code, message: message.into(), retry_after: None }
    }

    fn unreachable() -> FailureReason {
        FailureReason::Unreachable { detail: "connection refused".into() }
    }

    #[test]
    fn a_quorum_that_no_willing_member_could_save_is_the_callers_mistake() {
        let too_long = || refused(Code::InvalidArgument, "retain_until must be at most 5");
        let quorum = |attested, reasons: Vec<FailureReason>| Error::QuorumNotReached {
            needed: 3,
            attested,
            failures: (0..).zip(reasons).map(|(slot, reason)| failure(slot, reason)).collect(),
        };
        let all = quorum(0, vec![too_long(), too_long(), too_long(), too_long()]);
        assert_eq!((all.blame(), all.is_retryable()), (Blame::Caller, false));
        // One that is down could not have changed it, and coming back changes nothing.
        let one_down = quorum(0, vec![too_long(), unreachable(), too_long(), too_long()]);
        assert_eq!((one_down.blame(), one_down.is_retryable()), (Blame::Caller, false));
        // One member's word does not make it the caller's.
        let one_says_so = quorum(1, vec![too_long(), unreachable(), unreachable()]);
        assert_eq!((one_says_so.blame(), one_says_so.is_retryable()), (Blame::Committee, true));
    }

    #[test]
    fn members_with_the_same_reason_share_a_line() {
        let reasons = [refused(Code::NotFound, "unknown namespace"), unreachable()];
        let failures: Vec<_> =
            [0, 1, 0, 0].iter().zip(0..).map(|(i, slot)| failure(slot, reasons[*i].clone())).collect();
        let error = Error::QuorumNotReached { needed: 3, attested: 0, failures };
        assert_eq!(
            error.to_string(),
            "quorum not reached: 0 of 3 attestations; members 0, 2 and 3: refused with NOT_FOUND: unknown namespace; \
             member 1 at http://m1: unreachable: connection refused"
        );
    }
}
