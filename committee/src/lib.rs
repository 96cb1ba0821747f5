//! A member of a Holdfast committee: it checks what dispersers send, stores it durably, signs for it, and gives it out.
//!
//! # Durable before signed
//!
//! A signature is made only from a [`store::Durable`], which the store makes only after data, commitment and promise are
//! written in one batch and synced.
//!
//! # Checked before signed
//!
//! Everything in a signed statement was checked by this member itself, in the order of docs/protocol.md section 5.
//!
//! # Right bytes or none
//!
//! What is read is checked against the recorded root before its first byte is sent.
//!
//! ```no_run
//! # async fn example() -> Result<(), holdfast_committee::Error> {
//! let config = holdfast_committee::Config::load("member.toml".as_ref())?;
//! let stop = async { let _ = tokio::signal::ctrl_c().await; };
//! holdfast_committee::run(config, holdfast_committee::store::IfMissing::Refuse, None, stop).await
//! # }
//! ```
//!
//! To read one blob's way: `rpc/dispersal.rs`, `attestor/`, `store/writer.rs`, `rpc/retrieval.rs`.

mod accept;
pub mod admin;
mod archive;
mod awaited;
mod clock;
pub mod config;
mod error;
mod files;
mod holds;
mod listen;
mod machine;
mod member;
mod operator;
mod recover;
mod registry;
mod repair;
mod resume;
mod scrub;

mod allocator;
mod health;
mod metrics;
mod peer_time;
mod pressure;
mod process;
mod report;
mod serving;
mod site;

mod known;
mod line;
mod listener;
mod loopback;
mod origin;
mod pace;

mod rpc;

mod attestor;
mod pen;

pub mod signer;
mod socket;

mod disk;
mod heartbeat;
mod quota;

pub mod store;

pub mod fault;

mod failpoint;
mod workers;

#[cfg(test)]
mod tests;

pub use archive::Found;
pub use clock::{Clock, SystemClock};
pub use config::Config;
pub use error::Error;
pub use machine::Machine;
pub use member::{Member, Running, run};
pub use operator::LogControl;
pub use pen::endorse;
pub use recover::{Recovered, recover};
pub use registry::registry;
