//! Holdfast's keys, committees, statements and certificates: everything that is signed, and every check of a signature.
//!
//! Pure: no clock, no network, no files. The only user of `blst` in the project. docs/protocol.md section 4 is the normative
//! text of what is encoded and signed here.
//!
//! What the types guarantee:
//!
//! - A [`PublicKey`], [`Signature`] or [`ProofOfPossession`] is a point in the right subgroup and not the identity.
//! - A [`Committee`] has only keys whose holders proved possession, each once.
//! - A [`VerifiedCertificate`] was signed by at least `t` distinct members of the committee it was verified against.
//! - A [`VerifiedCheckpoint`] was, too; what a [`CheckpointProof`] proves rests on hashes alone.
//! - Decoding is strict and never panics: one byte form for each statement and signer set.
//!
//! ```
//! use holdfast_certificate::{
//!     Attestation, Certificate, Committee, CommitteeParameters, HOUR, Namespace, ProvenKey, Registration, SecretKey,
//!     Statement,
//! };
//! use holdfast_erasure::{Blob, Digest, Parameters};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Four members, any two shards rebuild a blob, three signatures make a certificate.
//! let secrets: Vec<SecretKey> = (0..4).map(|_| SecretKey::generate()).collect();
//! let keys = secrets
//!     .iter()
//!     .map(|secret| {
//!         let proof = secret.prove_possession(&Registration::WITHOUT_L1);
//!         ProvenKey::check(secret.public_key(), proof, &Registration::WITHOUT_L1)
//!     })
//!     .collect::<Result<Vec<_>, _>>()?;
//! let parameters = CommitteeParameters::new(Parameters::new(2, 4)?, 3, 1 << 20)?;
//! let committee = Committee::off_chain(1, parameters, keys)?;
//!
//! let statement = Statement {
//!     namespace: Namespace::from([7; 32]),
//!     epoch: 1,
//!     blob: Blob {
//!         payload_length: 1000,
//!         payload_digest: Digest::ZERO,
//!         original_shards: 2,
//!         total_shards: 4,
//!         shards_root: Digest::from([1; 32]),
//!         fingerprints_hash: Digest::from([2; 32]),
//!     },
//!     whole_until: 0,
//!     retain_until: 480_000 * HOUR,
//! };
//! let digest = statement.digest(committee.domain());
//! let attestations: Vec<Attestation> =
//!     (0..3).zip(&secrets).map(|(slot, secret)| Attestation::sign(slot, secret, &digest)).collect();
//!
//! let certificate = Certificate::aggregate(&committee, statement, &attestations)?;
//! let bytes = certificate.encode();
//! assert_eq!(bytes.len(), 210);
//! assert_eq!(Certificate::decode(&bytes)?.verify(&committee)?, certificate);
//! # Ok(())
//! # }
//! ```

mod endpoint;
mod text;
mod words;

mod error;
mod malformed;
mod pairing;
mod points;

mod keys;
mod possession;
mod tls_identity;

mod address;
mod disperser;
mod domain;

mod bitmap;
mod committee;
mod committee_file;
mod parameters;

mod attestation;
mod batch;
mod certificate;
mod encoding;
mod fields;
mod multisignature;
mod statement;

mod checkpoint;

pub mod keystore;

pub use endpoint::{BadEndpoint, Scheme, check_endpoint, check_pinned_endpoint};
pub use error::Error;
pub use malformed::{Malformed, PointProblem};
pub use words::is_unfit;

pub use keys::{PublicKey, SecretKey, Signature};
pub use possession::{ProofOfPossession, ProvenKey, Registration};
pub use tls_identity::Endorsement;

pub use address::{Address, Namespace};
pub use disperser::{DisperserKey, DisperserSignature};
pub use domain::Domain;

pub use bitmap::SignerBitmap;
pub use committee::Committee;
pub use committee_file::{CommitteeFile, FileMember, FileNamespace};
pub use parameters::CommitteeParameters;

pub use attestation::Attestation;
pub use certificate::{Certificate, VerifiedCertificate};
pub use checkpoint::{Checkpoint, CheckpointCertificate, CheckpointProof, VerifiedCheckpoint};
pub use keystore::Keystore;
pub use statement::{HOUR, Statement, StatementDigest, hour_at_or_after};
