//! Why a development chain cannot start, and what it answers a bad request.

use std::{io, net::SocketAddr, path::PathBuf};

use alloy::primitives::Bytes;
use serde_json::{Value, json};

/// Why a development chain does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The chain's keys are public, so it is served on loopback only.
    #[error("the development chain listens on loopback only, got {got}")]
    NotLoopback {
        /// The address asked for.
        got: SocketAddr,
    },

    /// The listening socket could not be opened.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },

    /// The state file could not be read, locked or written.
    #[error("state file {path}: {source}")]
    StateFile {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// The state file is not this chain's, or is damaged.
    #[error("state file {path}, line {line}: {reason}")]
    BadStateFile {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with the line.
        reason: String,
    },
}

/// A JSON-RPC error object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Option<Bytes>,
}

impl RpcError {
    /// The text is not JSON.
    pub(super) fn parse(reason: impl ToString) -> Self {
        Self::new(-32700, format!("parse error: {}", reason.to_string()))
    }

    /// The JSON is no request.
    pub(super) fn request(reason: impl ToString) -> Self {
        Self::new(-32600, format!("invalid request: {}", reason.to_string()))
    }

    pub(super) fn method(name: &str) -> Self {
        Self::new(-32601, format!("the method {name} does not exist/is not available"))
    }

    pub(super) fn params(reason: impl ToString) -> Self {
        Self::new(-32602, format!("invalid params: {}", reason.to_string()))
    }

    /// The request is well formed and refused: geth's code for a transaction that its pool does not take.
    pub(super) fn refused(reason: impl ToString) -> Self {
        Self::new(-32000, reason.to_string())
    }

    /// A call or estimate that the contract reverted: code 3 with the revert data, as geth has it.
    pub(super) fn reverted(data: Bytes) -> Self {
        let reason = alloy::sol_types::decode_revert_reason(&data);
        let message = match reason {
            Some(reason) => format!("execution reverted: {reason}"),
            None => "execution reverted".to_owned(),
        };
        Self { code: 3, message, data: Some(data) }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut object = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            object["data"] = json!(data);
        }
        object
    }

    fn new(code: i64, message: String) -> Self {
        Self { code, message, data: None }
    }
}
