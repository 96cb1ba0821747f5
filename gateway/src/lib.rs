//! Holdfast's gateway: a rollup stack's own data-availability protocol, and plain HTTP, over the client SDK.
//!
//! # What it guarantees
//!
//! * **Stateless.** Two gateways of one namespace give the same answers; what must be found by digest is found through
//!   members. With a gateway's disk nothing is lost but its cache.
//! * **200 for a PUT means certified.** The certificate exists, so the threshold of members has the blob on disk and it
//!   can be read. The same bytes again, at once or later, here or at another gateway, are the same blob.
//! * **404 means never stored.** So many members say so that it cannot be read. Whatever is only unsure, slow, down or
//!   not allowed is another status; `status.rs` has the one table.
//! * **Bounded.** Bodies, memory, connections, waits and caches have limits that the settings name; a client that sends
//!   or reads slowly is cut off.
//!
//! ```no_run
//! # async fn example() -> Result<(), holdfast_gateway::Error> {
//! let config = holdfast_gateway::Config::load("gateway.toml".as_ref())?;
//! holdfast_gateway::run(config, async { let _ = tokio::signal::ctrl_c().await; }).await
//! # }
//! ```
//!
//! To read one PUT's way: `op.rs` or `http/blobs.rs`, `body.rs`, `puts.rs`, `backend/committee.rs`; one GET's: `reads.rs`.

pub mod config;
mod error;
mod gateway;
mod registry;

mod http;
mod nitro;
mod op;

mod admin;
mod app;
mod auth;
mod health;
mod history;
mod jwt;
mod keys;
mod order;
mod page;
mod reply;

mod failure;
mod status;

mod body;
mod budget;
mod disk;
mod flight;
mod payload;
mod publish;
mod puts;
mod reads;
mod unread;

mod backend;

mod clock;
mod cpu;
mod listen;
mod metrics;

pub use config::Config;
pub use error::Error;
pub use gateway::{Gateway, Running, run};
pub use registry::{Report, check};
