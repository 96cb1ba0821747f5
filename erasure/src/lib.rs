//! Holdfast's code and commitment: Reed-Solomon shards, Merkle roots, fingerprints, blob ids.
//!
//! A payload is cut into `k` original shards, `n - k` recovery shards are added, and all are bound by one [`BlobId`]. Whoever
//! has one shard can check alone that it belongs to the one codeword that the id fixes ([`Commitment::accept`]), and any `k`
//! accepted shards give the payload back ([`decode`]).
//!
//! Pure: no async, no clock, no I/O. No input, however wrong, makes it panic or allocate more than a small multiple of itself.
//!
//! ```
//! use bytes::Bytes;
//! use holdfast_erasure::{Commitment, Dispersal, Parameters, decode, encode};
//!
//! let parameters = Parameters::new(2, 5)?;
//! let payload = Bytes::from_static(b"a batch of transactions");
//! let encoded = encode(parameters, payload.clone(), Dispersal::ByShard)?;
//!
//! // What a member or a reader receives: the blob, the shard roots, the fingerprints, and a shard.
//! let (roots, fingerprints) = (encoded.commitment().shard_roots().to_vec(), encoded.commitment().fingerprints().clone());
//! let commitment = Commitment::new(*encoded.blob(), roots, fingerprints)?;
//! let mut shards = Vec::new();
//! for index in [parameters.index(4)?, parameters.index(1)?] {
//!     shards.push(commitment.accept(index, encoded.shard(index))?);
//! }
//! assert_eq!(decode(&commitment, &shards)?, payload);
//! # Ok::<(), holdfast_erasure::Error>(())
//! ```

mod acceptor;
mod blob;
mod commitment;
mod decode;
mod digest;
mod encode;
mod error;
mod opening;
mod parameters;

mod buffers;
mod code;
mod columns;
mod combine;
mod evaluate;
mod field;
mod fingerprint;
mod leaves;
pub mod merkle;
#[doc(hidden)]
pub mod reference;
mod transpose;

pub use acceptor::Acceptor;
pub use blob::{Blob, Dispersal};
pub use commitment::{AcceptedShard, Commitment};
pub use decode::decode;
pub use digest::{BlobId, Digest, ParseDigestError, keccak256, sha256};
pub use encode::{EncodedBlob, encode, encode_on};
pub use error::Error;
pub use opening::Opening;
pub use parameters::{FINGERPRINT_BYTES, GROUP_BYTES, LEAF_BYTES, MAX_TOTAL_SHARDS, Parameters, ShardIndex};

/// Lengths are computed in `usize`, from a `u32` payload length and a factor of up to 126.
const _: () = assert!(usize::BITS >= 64, "holdfast needs a 64-bit target");
