//! Where the gateway listens, as whom, and who may write.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The addresses. Port 0 takes a free one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Plain HTTP: `/v1/...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<SocketAddr>,
    /// OP Stack Alt-DA: `/put`, `/get/...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<SocketAddr>,
    /// Arbitrum Nitro's DA provider: JSON-RPC at `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nitro: Option<SocketAddr>,
    /// Plain HTTP and OP Stack Alt-DA, only what reads: for the open network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<SocketAddr>,
    /// `/metrics` in the OpenMetrics text format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Fault injection of the backend `memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<SocketAddr>,
}

/// The gateway's identity. Both files are looked at again every minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and what vouches for it, in PEM.
    pub certificate: PathBuf,
    /// Its secret key, in PEM.
    pub key: PathBuf,
}

/// Who may write. Reading never needs credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// A file with one credential a line, `basic USER:PASSWORD`, `bearer TOKEN`, or `jwt` and the 32 bytes in hex with
    /// which a client makes its tokens; without it anybody who reaches the listener may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_file: Option<PathBuf>,
}

impl Listen {
    /// The addresses that serve payloads, with their keys.
    pub(crate) fn serving(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let all = [("http", self.http), ("op", self.op), ("nitro", self.nitro), ("read", self.read)];
        all.into_iter().filter_map(|(key, address)| Some((key, address?)))
    }

    /// Every address, with its key.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let more = [("metrics", self.metrics), ("admin", self.admin)];
        self.serving().chain(more.into_iter().filter_map(|(key, address)| Some((key, address?))))
    }
}
