//! Holdfast's client: disperse a payload to a committee for a certificate, and read it back from whoever is left.
//!
//! # What it guarantees
//!
//! * **A certificate in hand is genuine.** [`Client::disperse`] and [`Client::checkpoint`] return only what they have verified; a bad
//!   attestation fails its member by name and nothing else.
//! * **No member is believed.** [`Client::retrieve`] returns only bytes that the blob id fixes: shards are accepted one by
//!   one, a whole payload is encoded again. Members that lie are named in the result, and the read goes on without them.
//! * **Every call ends.** Within its deadline, with one reason for each member that did not do its part. What a peer sends
//!   is bounded before it is kept.
//! * **Dropping a future cancels it.** No task is left behind; see [`Client`].
//!
//! Reading needs a registry only: no key, no namespace, nobody's consent.
//!
//! ```no_run
//! use std::sync::Arc;
//! use holdfast_certificate::{DisperserKey, Namespace};
//! use holdfast_client::{Client, DisperseOptions, RetrieveOptions};
//! use holdfast_registry::Registry;
//!
//! # async fn put_and_get(
//! #     registry: Arc<dyn Registry>, namespace: Namespace, key: DisperserKey,
//! # ) -> Result<(), holdfast_client::Error> {
//! let client = Client::builder().registry(registry).namespace(namespace).disperser(key).build()?;
//!
//! let put = client.disperse("a batch of transactions", DisperseOptions::by_shard()).await?;
//! println!("blob {} is held by {:?}", put.certificate.statement.blob.id(), put.attested);
//!
//! let got = client.retrieve(&put.certificate, RetrieveOptions::default()).await?;
//! for fault in &got.faults {
//!     println!("{fault}");
//! }
//! assert_eq!(got.payload, "a batch of transactions");
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//!
//! [`Client`], then the write path (`disperser`, `statement`, `delivery`, `round`, [`quorum`], `checkpoint`), then the read path (`retriever`,
//! `locate`, `whole`, `shards`, `race`, [`plan`]), with `peer` under both. [`quorum`] and [`plan`] decide, without I/O or
//! clock; the rest carries out.

mod client;
mod config;
mod error;
mod failure;

mod checkpoint;
mod delivery;
mod disperser;
pub mod quorum;
mod round;
mod statement;

mod inspect;
mod ledger;
mod locate;
pub mod plan;
mod race;
mod reference;
mod retriever;
mod shards;
mod whole;

mod background;
mod cpu;
mod members;
mod peer;

pub use checkpoint::Checkpointed;
pub use client::Client;
pub use config::{Builder, Config};
pub use disperser::{DisperseOptions, Dispersed};
pub use error::{Blame, Error, Wanted};
pub use failure::{FailureReason, Fault, MemberFailure, MemberFault};
pub use holdfast_erasure::Dispersal;
pub use inspect::{MemberInfo, MemberStatus};
pub use reference::{ParseReferenceError, Reference};
pub use retriever::{RetrieveOptions, Retrieved, Way};
