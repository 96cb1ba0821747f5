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
//! use std::{sync::Arc, time::Duration};
//! use holdfast_client::{Client, DisperseOptions, DisperserKey, Namespace, Registry, RetrieveOptions};
//!
//! # async fn put_and_get(
//! #     registry: Arc<dyn Registry>, namespace: Namespace, key: DisperserKey,
//! # ) -> Result<(), holdfast_client::Error> {
//! let client = Client::builder().registry(registry).namespace(namespace).disperser(key).build()?;
//!
//! let options = DisperseOptions::by_shard().retain_for(Duration::from_secs(14 * 24 * 3600));
//! let put = client.disperse("a batch of transactions", options).await?;
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
//! One crate is enough: what the signatures here name is exported here. The registry is a committee file ([`FileRegistry`]),
//! L1 (`ChainRegistry`, with the feature `l1`, which is on by default and brings an Ethereum stack), or anything else that
//! implements [`Registry`].
//!
//! # Reading order
//!
//! [`Client`] is the face. Two wings do its work: `disperse/` (`disperser`, `renewal`, `certify`, `existing`, `rules`, `statement`, `delivery`, `round`,
//! `asking`, [`quorum`], `feeding`, `checkpoint`) and `retrieve/` (`retriever`, `epochs`, `locate`, `whole`, `shards`, `race`, [`plan`], `find`,
//! `lookup`, `listing`).
//! `context`, what the calls of a client share, is the ground that both stand on, with `peer` and what a member can do wrong
//! (`failure`, `fault`) under it. [`quorum`] and [`plan`] decide, without I/O or clock; the rest carries out.

mod builder;
mod client;

mod disperse;
mod retrieve;
mod source;
mod status;

mod config;
mod context;

mod background;
mod cpu;
mod members;
mod observer;
mod peer;
mod retries;
mod signer;
mod verifying;

mod code;
mod error;
mod failure;
mod fault;
mod words;

pub use builder::Builder;
pub use client::Client;
pub use config::Config;
pub use disperse::{
    certify::Dispersed,
    checkpoint::Checkpointed,
    feeding::{Fed, Feeding},
    options::{DisperseOptions, RenewOptions},
    quorum,
};
pub use observer::{Observer, Progress};
pub use retries::Retries;
pub use retrieve::{
    gather::Gathered,
    listing::{Listed, Listing},
    lookup::{Found, LookupOptions},
    options::RetrieveOptions,
    plan,
    reference::{ParseReferenceError, Reference},
    retriever::{Retrieved, Way},
};
pub use signer::{DisperserSigner, SignerError};
pub use source::{Page, Signed, Source};
pub use status::{MemberInfo, MemberPolicy, MemberStatus, RepairProgress};

pub use code::Code;
pub use error::{Blame, Error, Wanted};
pub use failure::{FailureReason, MemberFailure, folded};
pub use fault::{Denial, Fault, MemberFault};

// What the signatures name.
pub use bytes::Bytes;
pub use holdfast_certificate::{
    Address, Certificate, CheckpointCertificate, Committee, CommitteeFile, DisperserKey, DisperserSignature,
    Error as CertificateError, Namespace, PublicKey, Statement, StatementDigest, VerifiedCertificate,
    VerifiedCheckpoint,
};
pub use holdfast_erasure::{Blob, BlobId, Digest, Dispersal, Error as CodeError};
#[cfg(feature = "l1")]
pub use holdfast_l1::{ChainRegistry, KeptKey};
pub use holdfast_proto::Error as WireError;
pub use holdfast_registry::{
    Endpoint, EpochRecord, Error as RegistryError, Fault as RegistryFault, FileRegistry, NamespaceRecord, Registry,
};

/// The code on the first page compiles.
#[cfg(all(doctest, feature = "l1"))]
#[doc = include_str!("../../README.md")]
struct FirstPage;
