use std::{net::SocketAddr, path::PathBuf};

use crate::config;

/// Why a gateway does not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A file that the settings name.
    #[error("{what} {}: {reason}", file.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it. Never holds a secret.
        reason: String,
    },
    /// The committee's registry.
    #[error("the committee registry: {0}")]
    Registry(#[from] holdfast_registry::Error),
    /// The client of the committee.
    #[error(transparent)]
    Client(#[from] holdfast_client::Error),
    /// The gateway's TLS certificate or key.
    #[error("TLS: {0}")]
    Tls(#[from] holdfast_transport::tls::Error),
    /// An address that cannot be listened on.
    #[error("cannot listen on {address} (`listen.{key}`): {source}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A listener ended by itself.
    #[error("a listener ended: {0}")]
    Ended(String),
}
