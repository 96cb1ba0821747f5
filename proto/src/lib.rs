//! Holdfast's gRPC interface, package `holdfast.v1`, and the way between it and the checked types.
//!
//! # Bounded before allocated
//!
//! What a peer sends becomes a domain type only through `TryFrom` here, which checks every length first. `bytes` fields
//! are [`bytes::Bytes`], slices of the receive buffer; nothing is copied to look at it.
//!
//! # Reading order
//!
//! [`v1`] is generated from `proto/holdfast/v1/*.proto`, [`signer`] from `proto/holdfast/signer/v1`, which no member serves;
//! [`Error`] says what was expected and got.

mod bounds;
mod convert;
mod error;
pub mod signer;
pub mod v1;

pub use bounds::{MAX_CHUNK_BYTES, MAX_MESSAGE_BYTES};
pub use convert::{
    blob_id, blob_ids, blob_ids_to_bytes, commitment, digest, digests, digests_to_bytes, disperser_signature, namespace,
};
pub use error::Error;

/// The encoded `FileDescriptorSet` of `holdfast.v1`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/holdfast.v1.bin"));
