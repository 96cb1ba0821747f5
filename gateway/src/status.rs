//! What a failure is on the wire: the one table of HTTP statuses.
//!
//! Rollup nodes act on these numbers, and not alike: on 404 an OP Stack node in time stops for good, and the forks drop a
//! batch on 418. So nothing that is only temporary or unsure is ever 404, 410 or 418.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::failure::Failure;

/// Seconds after which a client should try again.
const SOON: u32 = 1;
/// The same where members or L1 have to come back first.
const LATER: u32 = 3;

/// What a failure is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The word for programs.
    pub(crate) word: &'static str,
    /// Seconds of `Retry-After`, for what may pass.
    pub(crate) retry_after: Option<u32>,
}

/// The answer to a failure.
pub(crate) fn answer(failure: &Failure) -> Answer {
    use Failure as F;
    let (status, word, retry_after) = match failure {
        F::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", None),
        // Not 404: a mistyped base URL must not look like a blob that was never stored.
        F::NoSuchPath(_) => (StatusCode::BAD_REQUEST, "no_such_path", None),
        F::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", None),
        F::Commitment(_) => (StatusCode::BAD_REQUEST, "commitment", None),
        F::Empty => (StatusCode::BAD_REQUEST, "empty", None),
        F::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", None),
        F::WrongDigest { .. } => (StatusCode::BAD_REQUEST, "wrong_digest", None),
        F::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "range", None),
        F::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", None),
        F::ReadOnly(_) => (StatusCode::FORBIDDEN, "read_only", None),
        F::SlowClient => (StatusCode::REQUEST_TIMEOUT, "slow_client", None),
        F::BrokenBody(_) => (StatusCode::BAD_REQUEST, "broken_body", None),
        F::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "busy", Some(SOON)),
        F::NotFound(_) => (StatusCode::NOT_FOUND, "not_found", None),
        F::Expired(_) => (StatusCode::GONE, "expired", None),
        F::Certificate(_) => (StatusCode::BAD_REQUEST, "certificate", None),
        F::UnknownEpoch(_) => (StatusCode::SERVICE_UNAVAILABLE, "unknown_epoch", Some(LATER)),
        F::NoCheckpoints => (StatusCode::NOT_IMPLEMENTED, "no_checkpoints", None),
        F::NotInCheckpoint(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_in_checkpoint", Some(LATER)),
        F::Quorum(_) => (StatusCode::SERVICE_UNAVAILABLE, "quorum", Some(LATER)),
        F::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some(LATER)),
        F::L1(_) => (StatusCode::SERVICE_UNAVAILABLE, "l1", Some(LATER)),
        F::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping", Some(SOON)),
        F::Misconfigured(_) => (StatusCode::INTERNAL_SERVER_ERROR, "misconfigured", None),
        F::Inconsistent(_) => (StatusCode::INTERNAL_SERVER_ERROR, "inconsistent", None),
        F::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", None),
    };
    Answer { status, word, retry_after }
}

/// The derivation status with which forks of the OP Stack drop a commitment, for what is invalid for ever: 1 it cannot be
/// parsed, 3 its certificate is invalid. Their clients panic on any number outside of 1 to 4.
pub(crate) fn derivation_status(failure: &Failure) -> Option<u8> {
    match failure {
        Failure::Commitment(_) => Some(1),
        Failure::Certificate(_) => Some(3),
        _ => None,
    }
}

/// The body and headers of a commitment that the forks drop; any other failure as everywhere.
pub(crate) fn dropped_or_failed(failure: Failure) -> Response {
    match derivation_status(&failure) {
        Some(code) => {
            let body = json!({ "StatusCode": code, "Msg": failure.to_string() });
            let mut response = (StatusCode::IM_A_TEAPOT, axum::Json(body)).into_response();
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        None => failure.into_response(),
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Answer { status, word, retry_after } = answer(&self);
        let body = json!({ "error": word, "message": self.to_string() });
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        // A failure must never outlive its cause in somebody's cache.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match &self {
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"holdfast\""));
            }
            Self::Range { length } => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
                    headers.insert(CONTENT_RANGE, value);
                }
            }
            Self::Method => {
                headers.entry(ALLOW).or_insert(HeaderValue::from_static("GET, HEAD, PUT, POST"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use holdfast_erasure::{BlobId, Digest};

    use super::*;

    /// One of each.
    fn every_failure() -> Vec<(Failure, u16, Option<u32>)> {
        let text = || "text".to_owned();
        vec![
            (Failure::Malformed(text()), 400, None),
            (Failure::NoSuchPath(text()), 400, None),
            (Failure::Method, 405, None),
            (Failure::Commitment(text()), 400, None),
            (Failure::Empty, 400, None),
            (Failure::TooLarge { limit: 7 }, 413, None),
            (Failure::WrongDigest { expected: Digest::ZERO, got: Digest::ZERO }, 400, None),
            (Failure::Range { length: 7 }, 416, None),
            (Failure::Unauthorized, 401, None),
            (Failure::ReadOnly("text"), 403, None),
            (Failure::SlowClient, 408, None),
            (Failure::BrokenBody(text()), 400, None),
            (Failure::Busy("text"), 429, Some(SOON)),
            (Failure::NotFound(text()), 404, None),
            (Failure::Expired(text()), 410, None),
            (Failure::Certificate(text()), 400, None),
            (Failure::UnknownEpoch(7), 503, Some(LATER)),
            (Failure::NoCheckpoints, 501, None),
            (Failure::NotInCheckpoint(BlobId::from([7; 32])), 503, Some(LATER)),
            (Failure::Quorum(text()), 503, Some(LATER)),
            (Failure::Unavailable(text()), 503, Some(LATER)),
            (Failure::L1(text()), 503, Some(LATER)),
            (Failure::Stopping, 503, Some(SOON)),
            (Failure::Misconfigured(text()), 500, None),
            (Failure::Inconsistent(text()), 500, None),
            (Failure::Internal, 500, None),
        ]
    }

    #[test]
    fn every_failure_has_its_status_and_what_may_pass_says_when_to_come_again() {
        let mut words = std::collections::BTreeSet::new();
        for (failure, status, retry_after) in every_failure() {
            let got = answer(&failure);
            assert_eq!((got.status.as_u16(), got.retry_after), (status, retry_after), "{failure:?}");
            assert!(words.insert(got.word), "{} stands for two failures", got.word);
            assert_eq!(got.retry_after.is_some(), matches!(status, 429 | 503), "{failure:?}");
            let response = failure.into_response();
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            assert_eq!(response.headers().get(RETRY_AFTER).is_some(), retry_after.is_some());
        }
    }

    #[test]
    fn only_a_certain_denial_is_404_and_only_what_is_invalid_for_ever_is_418() {
        for (failure, status, _) in every_failure() {
            assert_eq!(status == 404, matches!(failure, Failure::NotFound(_)), "{failure:?}");
            let for_ever = matches!(failure, Failure::Commitment(_) | Failure::Certificate(_));
            assert_eq!(derivation_status(&failure).is_some(), for_ever, "{failure:?}");
            if let Some(code) = derivation_status(&failure) {
                assert!((1..=4).contains(&code));
            }
            assert_eq!(dropped_or_failed(failure).status().as_u16() == 418, for_ever);
        }
    }
}
