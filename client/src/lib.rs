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
//! Reading needs a registry only: no key, no namespace, nobody's consent. It is a committee file, or L1 (`ChainRegistry`, with
//! the feature `l1`, which is on by default and brings an Ethereum stack), or anything else that implements
//! [`Registry`](holdfast_registry::Registry).
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
//! [`Client`] is the face. Two wings do its work: `disperse/` (`disperser`, `statement`, `delivery`, `round`, [`quorum`],
//! `feeding`, `checkpoint`) and `retrieve/` (`retriever`, `epochs`, `locate`, `whole`, `shards`, `race`, [`plan`], `find`).
//! `context`, what the calls of a client share, is the ground that both stand on, with `peer` and what a member can do wrong
//! (`failure`, `fault`) under it. [`quorum`] and [`plan`] decide, without I/O or clock; the rest carries out.

mod builder;
mod client;

mod disperse;
mod retrieve;
mod status;

mod config;
mod context;

mod background;
mod cpu;
mod members;
mod peer;

mod error;
mod failure;
mod fault;
mod words;

pub use builder::Builder;
pub use client::Client;
pub use config::Config;
pub use disperse::{
    checkpoint::Checkpointed,
    disperser::{DisperseOptions, Dispersed},
    quorum,
};
pub use error::{Blame, Error, Wanted};
pub use failure::{FailureReason, MemberFailure};
pub use fault::{Fault, MemberFault};
pub use holdfast_erasure::Dispersal;
#[cfg(feature = "l1")]
pub use holdfast_l1::ChainRegistry;
pub use retrieve::{
    options::RetrieveOptions,
    plan,
    reference::{ParseReferenceError, Reference},
    retriever::{Retrieved, Way},
};
pub use status::{MemberInfo, MemberStatus};
