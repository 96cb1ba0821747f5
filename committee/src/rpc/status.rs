//! The one table from what went wrong to what a peer sees.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use holdfast_certificate::StatementDigest;
use http::Response;
use tonic::{Code, Status, metadata::MetadataValue};

use crate::{attestor, pen, store, workers::Unfinished};

/// The trailer that tells a client how many milliseconds to wait before it tries again (gRPC retry design, A6).
const RETRY_AFTER: &str = "grpc-retry-pushback-ms";
/// For what passes by itself within moments.
const RETRY_MS: u32 = 1000;
/// For what passes with time or an operator's help: a full quota, a member that restarts.
const RETRY_LATER_MS: u32 = 30_000;

/// What a peer is told of a registry that cannot be read.
const NO_REGISTRY: &str = "this member cannot read the registry now";

/// What can go wrong in a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A message that cannot be what it says it is.
    #[error(transparent)]
    Wire(#[from] holdfast_proto::Error),
    /// A page token that this member has not given out.
    #[error("page_token has {got} bytes, expected 8")]
    PageToken {
        /// Its length.
        got: usize,
    },
    /// A number out of its range.
    #[error("{field} must be at most {most}, got {got}")]
    Range {
        /// The field.
        field: &'static str,
        /// The largest value.
        most: u32,
        /// The value sent.
        got: u32,
    },
    /// Messages of a stream in the wrong order.
    #[error("expected {expected}, got {got}")]
    Order {
        /// What must come.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
    /// A body that is shorter or longer than the statement says.
    #[error("{what} must have {expected} bytes, got {got}{}", if *more { " and the stream goes on" } else { "" })]
    BodyLength {
        /// `shard` or `payload`.
        what: &'static str,
        /// Bytes that the statement says.
        expected: usize,
        /// Bytes that came.
        got: usize,
        /// True when receiving was broken off as the body was too long already.
        more: bool,
    },
    /// The peer sends its body too slowly.
    #[error("too slow: {got} bytes came, expected {least} a second after the first {grace:?}")]
    TooSlow {
        /// Bytes that came.
        got: u64,
        /// For how long nothing need come.
        grace: Duration,
        /// Bytes a second.
        least: u64,
    },
    /// A call that did not end in time.
    #[error("the call took longer than {limit:?}")]
    Late {
        /// The limit.
        limit: Duration,
    },
    /// A request that is longer than any of its kind can be.
    #[error("the request has more than {most} bytes")]
    Request {
        /// The most.
        most: usize,
    },
    /// Too many calls of one origin.
    #[error("too many calls: {most} a second are taken from one address")]
    TooMany {
        /// How many are taken.
        most: u32,
    },
    /// As many calls are under way as may be, of all or of one origin.
    #[error("busy: {most} calls at once are taken, and an eighth of them from one address")]
    TooManyAtOnce {
        /// How many there may be.
        most: usize,
    },
    /// The process has nearly all the memory that it may have.
    #[error("busy: this member's memory is nearly full")]
    Full,
    /// The peer cut the stream off, or sent a message over the size limit.
    #[error("the stream broke off: {}", .0.message())]
    Stream(#[source] Status),
    /// All memory of its kind is taken, or all that one may have.
    #[error("busy: {wanted} bytes do not fit now, {of} bytes are shared by all calls{}", each(*share))]
    Busy {
        /// Bytes that the call needs.
        wanted: usize,
        /// Bytes for all calls.
        of: usize,
        /// Bytes that one address, namespace or disperser may have, if it has them.
        share: Option<usize>,
    },
    /// The member is stopping.
    #[error("this member is stopping")]
    Draining,
    /// Its operator has it take nothing new.
    #[error("{}", crate::operator::DRAINED)]
    Drained,
    /// The signing rule says no.
    #[error(transparent)]
    Attestor(#[from] attestor::Error),
    /// A certificate that cannot be decoded or does not verify.
    #[error("certificate: {0}")]
    Certificate(#[source] holdfast_certificate::Error),
    /// A certificate of an epoch that the registry does not know.
    #[error("certificate: unknown epoch {got}")]
    CertificateEpoch {
        /// The certificate's epoch.
        got: u64,
    },
    /// A certificate of a statement that this member has not signed.
    #[error("this member has not signed statement {0}")]
    NotSigned(StatementDigest),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The registry cannot be read.
    #[error("registry: {0}")]
    Registry(#[source] holdfast_registry::Error),
    /// Work did not finish.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}

/// What a peer is told beside the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tell {
    /// The error's text: it is about what the peer sent or asked.
    All,
    /// The error's text, and to come back after so many milliseconds.
    RetryAfter(u32),
    /// That the registry cannot be read, and to come back after so many milliseconds. Why is in this member's log: what an
    /// L1 node answered may hold the key of its URL.
    NoRegistry(u32),
    /// The error's text up to where it could name a path of the host.
    Data,
    /// The same of a store that writes no more, and to come back after so many milliseconds.
    NoWrites(u32),
    /// Only an id that stands in this member's log beside the text.
    Id,
}

impl Error {
    /// The table. Every variant has its line; there is no default.
    fn verdict(&self) -> (Code, Tell) {
        use Tell::{All, NoRegistry, RetryAfter};
        match self {
            Self::Wire(_)
            | Self::PageToken { .. }
            | Self::Range { .. }
            | Self::Order { .. }
            | Self::BodyLength { .. }
            | Self::Request { .. }
            | Self::Certificate(_) => (Code::InvalidArgument, All),
            Self::TooSlow { .. } | Self::Late { .. } => (Code::DeadlineExceeded, All),
            Self::Stream(status) => match status.code() {
                // What this member itself said of the body as it came.
                code if status.metadata().contains_key(RETRY_AFTER) => (code, RetryAfter(RETRY_MS)),
                Code::DeadlineExceeded => (Code::DeadlineExceeded, All),
                // tonic's own codes for a message over the limit or one that does not decode.
                Code::OutOfRange | Code::ResourceExhausted | Code::Internal | Code::InvalidArgument => {
                    (Code::InvalidArgument, All)
                }
                _ => (Code::Cancelled, All),
            },
            Self::Busy { .. } | Self::TooMany { .. } | Self::TooManyAtOnce { .. } | Self::Full => {
                (Code::ResourceExhausted, RetryAfter(RETRY_MS))
            }
            Self::Draining | Self::Drained => (Code::Unavailable, RetryAfter(RETRY_LATER_MS)),
            Self::CertificateEpoch { .. } => (Code::FailedPrecondition, All),
            Self::NotSigned(_) => (Code::NotFound, All),
            Self::Attestor(error) => attestor_verdict(error),
            Self::Store(error) => store_verdict(error),
            Self::Registry(_) => (Code::Unavailable, NoRegistry(RETRY_MS)),
            Self::Unfinished(unfinished) => unfinished_verdict(unfinished),
        }
    }
}

fn unfinished_verdict(unfinished: &Unfinished) -> (Code, Tell) {
    match unfinished {
        Unfinished::Busy { .. } => (Code::ResourceExhausted, Tell::RetryAfter(RETRY_MS)),
        Unfinished::Failed(_) => (Code::Internal, Tell::Id),
    }
}

fn attestor_verdict(error: &attestor::Error) -> (Code, Tell) {
    use attestor::Error as E;
    match error {
        E::WrongDispersal { .. }
        | E::Format(_)
        | E::WrongShard { .. }
        | E::Past { .. }
        | E::TooLong { .. }
        | E::TooShort { .. }
        | E::NotAccepted(_)
        | E::Certificate(_)
        | E::WrongBlob { .. } => (Code::InvalidArgument, Tell::All),
        // This member has yet to see the epoch begin.
        E::WrongEpoch { active, got } if got > active => (Code::FailedPrecondition, Tell::RetryAfter(RETRY_MS)),
        E::NoActiveEpoch { .. } => (Code::FailedPrecondition, Tell::RetryAfter(RETRY_MS)),
        E::WrongEpoch { .. } | E::NoSlot { .. } => (Code::FailedPrecondition, Tell::All),
        E::UnknownNamespace(_) => (Code::NotFound, Tell::All),
        E::NotServed(_) | E::DisperserSignature(_) | E::NotAllowed { .. } => (Code::PermissionDenied, Tell::All),
        E::TooManyStrangers { .. } | E::TooManyCheckpoints { .. } => {
            (Code::ResourceExhausted, Tell::RetryAfter(RETRY_MS))
        }
        E::Clock { .. } | E::PeersClock { .. } => (Code::Unavailable, Tell::RetryAfter(RETRY_LATER_MS)),
        E::OverQuota(_) | E::OverBudget(_) => (Code::ResourceExhausted, Tell::RetryAfter(RETRY_LATER_MS)),
        E::Store(error) => store_verdict(error),
        E::Pen(pen::Error::Away) => (Code::Unavailable, Tell::RetryAfter(RETRY_MS)),
        E::Pen(pen::Error::Refused(_)) => (Code::PermissionDenied, Tell::All),
        E::Pen(pen::Error::Unfinished(unfinished)) => unfinished_verdict(unfinished),
        E::Registry(_) => (Code::Unavailable, Tell::NoRegistry(RETRY_MS)),
        E::Unfinished(unfinished) => unfinished_verdict(unfinished),
    }
}

fn store_verdict(error: &store::Error) -> (Code, Tell) {
    use store::Error as E;
    match error {
        E::NotFound { .. } => (Code::NotFound, Tell::All),
        E::Expired { .. } | E::NotPromised { .. } | E::BucketDropped { .. } => (Code::FailedPrecondition, Tell::All),
        E::Damaged { .. } => (Code::DataLoss, Tell::Data),
        E::Lost { .. } => (Code::DataLoss, Tell::All),
        E::TooManyStatements { .. } => (Code::ResourceExhausted, Tell::All),
        E::NoRoom { .. } => (Code::ResourceExhausted, Tell::NoWrites(RETRY_LATER_MS)),
        // The record is damaged, and its text names files.
        E::Record { .. } => (Code::DataLoss, Tell::Id),
        E::WritesDisabled { .. } => (Code::Unavailable, Tell::NoWrites(RETRY_LATER_MS)),
        E::Archived { .. } => (Code::Unavailable, Tell::RetryAfter(RETRY_LATER_MS)),
        E::Counting | E::Reopening => (Code::Unavailable, Tell::RetryAfter(RETRY_MS)),
        E::Closed => (Code::Unavailable, Tell::RetryAfter(RETRY_LATER_MS)),
        E::Locked { .. }
        | E::WrongIdentity { .. }
        | E::Format { .. }
        | E::NoStore { .. }
        | E::Missing { .. }
        | E::Broken { .. }
        | E::Corrupt { .. }
        | E::NotPermitted { .. }
        | E::ReadOnly { .. }
        | E::File { .. }
        | E::Open { .. }
        | E::Read(_) => (Code::Internal, Tell::Id),
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, tell) = error.verdict();
        match tell {
            Tell::All => {
                tracing::debug!(?code, %error, "rpc.refuse");
                Self::new(code, error.to_string())
            }
            Tell::RetryAfter(milliseconds) => {
                // Counted at the gate, and told once a minute.
                tracing::debug!(?code, %error, "rpc.shed");
                retry(code, error.to_string(), milliseconds)
            }
            Tell::NoRegistry(milliseconds) => {
                static TOLD: Throttle = Throttle::new();
                match TOLD.pass() {
                    Some(before) => tracing::warn!(?code, %error, before, "rpc.no_registry"),
                    None => tracing::debug!(?code, %error, "rpc.no_registry"),
                }
                retry(code, NO_REGISTRY.to_owned(), milliseconds)
            }
            Tell::NoWrites(milliseconds) => {
                tracing::debug!(?code, %error, "rpc.no_writes");
                retry(code, without_paths(&error.to_string()), milliseconds)
            }
            Tell::Data => {
                static TOLD: Throttle = Throttle::new();
                match TOLD.pass() {
                    Some(before) => tracing::warn!(?code, %error, before, "rpc.damaged"),
                    None => tracing::debug!(?code, %error, "rpc.damaged"),
                }
                Self::new(code, without_paths(&error.to_string()))
            }
            Tell::Id => {
                let id = trace_id();
                tracing::error!(?code, %error, id, "rpc.fail");
                Self::new(code, format!("{OURS}{id} in this member's log"))
            }
        }
    }
}

/// What begins the text of this member's own failures.
const OURS: &str = "internal error, see ";

/// The answer, by whose fault it is. tonic answers INTERNAL to a request that does not decode; a failure of this member has an id.
pub(super) fn blame(answer: Response<tonic::body::Body>) -> Response<tonic::body::Body> {
    match Status::from_header_map(answer.headers()) {
        Some(status) if status.code() == Code::Internal && !status.message().starts_with(OURS) => {
            Status::invalid_argument(status.message()).into_http()
        }
        _ => answer,
    }
}

fn each(share: Option<usize>) -> String {
    share.map_or_else(String::new, |share| format!(" and {share} are for each"))
}

/// The text without anything from the first path on; where it begins with one, what is said of that.
pub(super) fn without_paths(text: &str) -> String {
    let Some(slash) = text.find('/') else { return text.to_owned() };
    let word = text[..slash].rfind(char::is_whitespace).unwrap_or(0);
    let before = text[..word].trim_end_matches([' ', ':', ',']);
    if before.is_empty() {
        // A name may hold anything, and all of it goes.
        let said = text.rsplit_once(": ").map(|(_, said)| said).filter(|said| !said.contains('/'));
        return said.unwrap_or("see this member's log").to_owned();
    }
    before.to_owned()
}

/// Lets one line a minute into the log.
#[derive(Debug)]
struct Throttle {
    /// Minutes since 1970 of the last line.
    minute: AtomicU64,
    held_back: AtomicU64,
}

impl Throttle {
    const fn new() -> Self {
        Self { minute: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }

    /// Whether there has been no line in this minute; and how many were held back before.
    fn pass(&self) -> Option<u64> {
        let minute = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs() / 60);
        if self.minute.swap(minute, Ordering::SeqCst) == minute {
            self.held_back.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        Some(self.held_back.swap(0, Ordering::SeqCst))
    }
}

fn retry(code: Code, text: String, milliseconds: u32) -> Status {
    let mut status = Status::new(code, text);
    status.metadata_mut().insert(RETRY_AFTER, MetadataValue::from(milliseconds));
    status
}

/// An id that is unique in this member's logs.
fn trace_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros());
    format!("{now:x}-{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests;
