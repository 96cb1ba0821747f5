//! What a node's error object means: a revert, a state that is gone, something that the node cannot do, or only its message.

use alloy::{primitives::Bytes, sol_types::SolInterface as _};
use holdfast_contracts::bindings::CommitteeRegistry::{CommitteeRegistryErrors, NotAvailable, UnknownEpoch};
use holdfast_registry::{self as registry, Status};

use crate::error::Error;

/// What a node's error object means: a revert if it carries revert data, else the node's message. `shown` makes a text fit
/// to be shown.
pub(super) fn meaning(
    what: &'static str,
    code: i64,
    message: &str,
    data: Option<&Bytes>,
    shown: impl Fn(&str) -> String,
) -> Error {
    let Some(data) = data else {
        let reason = format!("{} (code {code})", shown(message));
        return if message.contains("execution reverted") {
            Error::Reverted { what, reason }
        } else if lacks_state(message) {
            Error::NoState { what, reason }
        } else if is_unsupported(code, message) {
            Error::Unsupported { what, reason }
        } else {
            Error::Rpc { what, reason }
        };
    };
    match CommitteeRegistryErrors::abi_decode(data) {
        Ok(CommitteeRegistryErrors::NotAvailable(NotAvailable { status })) => match Status::try_from(status) {
            Ok(status) => Error::NotAvailable { status },
            Err(error) => Error::BadAnswer { what, reason: error.to_string() },
        },
        Ok(CommitteeRegistryErrors::UnknownEpoch(UnknownEpoch { epoch })) => {
            registry::Error::UnknownEpoch { epoch }.into()
        }
        Ok(known) => Error::Reverted { what, reason: shown(&inner_debug(&format!("{known:?}"))) },
        Err(_) => {
            let text = alloy::sol_types::decode_revert_reason(data);
            Error::Reverted { what, reason: shown(&text.unwrap_or_else(|| data.to_string())) }
        }
    }
}

/// Whether a node's message says that it no longer has a block's state, or never had the block. Every client has words
/// of its own for it.
fn lacks_state(message: &str) -> bool {
    const WORDS: [&str; 13] = [
        "missing trie node",
        "historical state",
        "header not found",
        "block not found",
        "unknown block",
        "block does not exist",
        "state not available",
        "state is not available",
        "no state available",
        "state unavailable",
        "old data not available",
        "is pruned",
        "has been pruned",
    ];
    let message = message.to_ascii_lowercase();
    WORDS.iter().any(|words| message.contains(words))
}

/// Whether the node does not know the method, or not this form of its parameters (JSON-RPC 2.0, section 5.1).
fn is_unsupported(code: i64, message: &str) -> bool {
    const CODES: [i64; 3] = [-32601, -32602, -32004];
    const WORDS: [&str; 9] = [
        "method not found",
        "unknown method",
        "method does not exist",
        "method is not available",
        "does not exist/is not available",
        "not supported",
        "unsupported",
        "not implemented",
        "cannot unmarshal",
    ];
    let message = message.to_ascii_lowercase();
    CODES.contains(&code) || WORDS.iter().any(|words| message.contains(words))
}

/// `Name(Name { field: value })` without the repetition.
fn inner_debug(debug: &str) -> String {
    let inner = debug.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(debug).to_owned()
}
