//! TLS 1.3 between clients and members.
//!
//! One provider of cryptography, aws-lc-rs, serves the whole program.

pub(crate) mod client;
mod generate;
mod inspect;
mod server;

#[cfg(test)]
mod tests;

pub use generate::{Endorser, NewKey, Pair, generate};
pub use server::ServerTls;

/// What is wrong with a certificate or its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What the system, or the parser, says.
        reason: String,
    },
    /// Certificate and key do not belong together, or cannot be used.
    #[error("{certificate} and {key}: {reason}")]
    Pair {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(String),
}
