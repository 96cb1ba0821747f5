use std::{net::SocketAddr, path::PathBuf};

use holdfast_certificate::keystore;

use crate::{config, store};

/// Why a member does not start, or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings.
    #[error("configuration: {0}")]
    Config(#[from] config::Error),
    /// A file that the settings name cannot be read.
    #[error("{what} {}: {reason}", file.display())]
    File {
        /// What it is.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The keystore cannot be opened with this password.
    #[error("keystore {}: {source}", file.display())]
    Keystore {
        /// The keystore.
        file: PathBuf,
        /// What is wrong.
        #[source]
        source: keystore::Error,
    },
    /// The registry cannot be read.
    #[error("registry: {0}")]
    Registry(#[from] holdfast_registry::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The archive.
    #[error("archive: {0}")]
    Archive(String),
    /// The TLS certificate or its key.
    #[error("TLS: {0}")]
    Tls(#[from] holdfast_transport::tls::Error),
    /// The address to listen on is in use.
    #[error("{addr} is in use by another process")]
    InUse {
        /// The address.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {reason}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// The process may not open as many files and connections as the member needs.
    #[error(
        "{needed} file descriptors are needed, for `limits.connections` and the store, and the limit is {limit}: raise it (`ulimit -n`, `LimitNOFILE=`) or lower `limits.connections`"
    )]
    Descriptors {
        /// How many are needed.
        needed: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The server ended by itself.
    #[error("the server failed: {0}")]
    Server(String),
    /// Calls were still under way when the drain limit was reached; they were cut off. Nothing signed is lost.
    #[error("calls were still under way after {limit:?} and were cut off")]
    NotDrained {
        /// The limit.
        limit: std::time::Duration,
    },
}
