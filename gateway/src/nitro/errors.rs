//! What a call answers when it fails. Nitro matches the words: they decide what becomes of a batch.

use crate::failure::Failure;

/// The batch is treated as empty, by consensus: said of a certificate if and only if the validator on L1 says that it is not
/// valid.
const INVALID: &str = "certificate validation failed";
/// The batch poster turns to its next writer, in the end to L1.
const FALLBACK: &str = "DA provider requests fallback to next writer";
/// The batch poster asks for the limit again and makes a smaller batch.
const TOO_LARGE: &str = "message too large for current DA backend";

/// An error of JSON-RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RpcError {
    pub(super) code: i32,
    pub(super) message: String,
}

impl RpcError {
    /// The request is no JSON.
    pub(super) fn parse(reason: impl std::fmt::Display) -> Self {
        Self { code: -32700, message: format!("parse error: {reason}") }
    }

    /// The request is no call.
    pub(super) fn invalid(reason: impl std::fmt::Display) -> Self {
        Self { code: -32600, message: format!("invalid request: {reason}") }
    }

    /// No such method.
    pub(super) fn unknown(method: &str) -> Self {
        let shown: String = method.chars().take(100).collect();
        Self { code: -32601, message: format!("the method {shown} does not exist/is not available") }
    }

    /// The method does not take these parameters.
    pub(super) fn parameters(reason: impl std::fmt::Display) -> Self {
        Self { code: -32602, message: format!("invalid parameters: {reason}") }
    }

    /// The method failed.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self { code: -32000, message: message.into() }
    }

    /// What a failed store answers. Below the quorum the poster may go elsewhere; when this gateway is busy or its settings
    /// are wrong it must not.
    pub(super) fn of_store(failure: &Failure) -> Self {
        let words = match failure {
            Failure::TooLarge { .. } => Some(TOO_LARGE),
            Failure::Quorum(_) | Failure::L1(_) => Some(FALLBACK),
            _ => None,
        };
        Self::failed(words.map_or_else(|| failure.to_string(), |words| format!("{words}: {failure}")))
    }

    /// What a failed read answers. Only a certificate that is not valid is told in the words that drop a batch; whatever
    /// else is wrong stops the node until it is mended, as it should.
    pub(super) fn of_read(failure: &Failure) -> Self {
        let text = match failure {
            Failure::Certificate(reason) => format!("{INVALID}: {reason}"),
            other => other.to_string(),
        };
        Self::failed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_drop_a_batch_are_said_of_invalid_certificates_only() {
        let failures = [
            Failure::Certificate("x".into()),
            Failure::NotFound("x".into()),
            Failure::Expired("x".into()),
            Failure::Unavailable("x".into()),
            Failure::UnknownEpoch(7),
            Failure::L1("x".into()),
            Failure::Inconsistent("x".into()),
            Failure::Busy("x"),
            Failure::Stopping,
            Failure::Internal,
        ];
        for failure in failures {
            let dropped = RpcError::of_read(&failure).message.contains(INVALID);
            assert_eq!(dropped, matches!(failure, Failure::Certificate(_)), "{failure:?}");
            assert!(!RpcError::of_store(&failure).message.contains(INVALID));
        }
    }

    #[test]
    fn a_poster_goes_elsewhere_below_the_quorum_and_makes_a_smaller_batch_when_it_is_too_large() {
        assert!(RpcError::of_store(&Failure::Quorum("x".into())).message.starts_with(FALLBACK));
        assert!(RpcError::of_store(&Failure::L1("x".into())).message.starts_with(FALLBACK));
        assert!(RpcError::of_store(&Failure::TooLarge { limit: 7 }).message.starts_with(TOO_LARGE));
        for failure in [Failure::Busy("x"), Failure::Misconfigured("x".into()), Failure::Empty, Failure::Stopping] {
            let message = RpcError::of_store(&failure).message;
            assert!(!message.contains(FALLBACK) && !message.contains(TOO_LARGE), "{message}");
        }
    }
}
