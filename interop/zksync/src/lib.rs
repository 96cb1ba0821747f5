//! Holdfast as the data availability of a ZK Stack chain: the trait [`DataAvailabilityClient`] over a gateway's plain HTTP.
//!
//! # Once
//!
//! The same pubdata given again is the same blob, and the request's id is its keccak256: a dispatcher that forgets, or is
//! restarted, asks again and gets the same answer.
//!
//! # What L1 checks
//!
//! The inclusion data is what the chain's `PubdataValidator` takes after the hash of the state differences: a certificate, or a
//! proof that the blob is in a checkpoint that is final on L1.
//!
//! [`DataAvailabilityClient`]: zksync_da_client::DataAvailabilityClient

mod answers;
mod client;

pub use client::{Holdfast, Options, Proof};
