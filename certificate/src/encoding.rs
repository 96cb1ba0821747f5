//! The two byte forms of a certificate (protocol section 4), one encoding for each statement and signer set.
//!
//! ```text
//! 01 | namespace 32 | epoch 8 | payloadLength 4 | payloadDigest 32 | originalShards 2 | totalShards 2 | shardsRoot 32 |
//! fingerprintsHash 32 | wholeUntil 8 | retainUntil 8 | signers | signature
//! ```
//!
//! Compact: signers `ceil(n/8)` bytes, signature 48 bytes compressed. On L1: signers a `uint256`, signature 128 bytes as
//! EIP-2537 lays it out. Integers are big-endian.

use holdfast_erasure::{Blob, Digest, Parameters};

use crate::address::Namespace;
use crate::certificate::Certificate;
use crate::error::Error;
use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::multisignature::MultiSignature;
use crate::statement::Statement;

/// The only version there is.
const VERSION: u8 = 1;
/// Bytes before the signer bitmap.
const HEAD_BYTES: usize = 1 + 32 + 8 + 4 + 32 + 2 + 2 + 32 + 32 + 8 + 8;

impl Certificate {
    /// Bytes of the L1 form, whatever the committee.
    pub const L1_BYTES: usize = HEAD_BYTES + MultiSignature::L1_BYTES;

    /// Bytes of the compact form for a committee of `members`.
    #[must_use]
    pub fn compact_length(members: u16) -> usize {
        HEAD_BYTES + MultiSignature::compact_length(members)
    }

    /// The compact form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.encode_head();
        self.quorum.append_compact(&mut bytes);
        bytes
    }

    /// The form that the registry contract takes.
    #[must_use]
    pub fn encode_l1(&self) -> Vec<u8> {
        let mut bytes = self.encode_head();
        self.quorum.append_l1(&mut bytes);
        bytes
    }

    /// Decodes the compact form. Strict: version 1, exact length, possible numbers of shards, no signer past the last slot,
    /// a signature that is canonical, in the subgroup and not the identity. Says nothing of whether it verifies.
    ///
    /// # Errors
    ///
    /// [`Malformed::Version`], [`Malformed::Length`], [`Error::Code`], [`Error::BitmapRange`] or [`Malformed::Point`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (statement, members, rest) = decode_head(bytes, Self::compact_length)?;
        Ok(Self { statement, quorum: MultiSignature::decode_compact(members, rest)? })
    }

    /// The statement of a compact form whose version, length and numbers of shards are right. Signers and signature are not
    /// looked at: it may still not decode.
    ///
    /// # Errors
    ///
    /// [`Malformed::Version`], [`Malformed::Length`] or [`Error::Code`].
    pub fn peek(bytes: &[u8]) -> Result<Statement, Error> {
        decode_head(bytes, Self::compact_length).map(|(statement, ..)| statement)
    }

    /// Decodes the L1 form, as strictly as [`Self::decode`].
    ///
    /// # Errors
    ///
    /// As [`Self::decode`].
    pub fn decode_l1(bytes: &[u8]) -> Result<Self, Error> {
        let (statement, members, rest) = decode_head(bytes, |_| Self::L1_BYTES)?;
        Ok(Self { statement, quorum: MultiSignature::decode_l1(members, rest)? })
    }

    fn encode_head(&self) -> Vec<u8> {
        let Statement { namespace, epoch, blob, whole_until, retain_until } = &self.statement;
        let mut bytes = Vec::with_capacity(Self::L1_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(namespace.as_bytes());
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&blob.payload_length.to_be_bytes());
        bytes.extend_from_slice(blob.payload_digest.as_bytes());
        bytes.extend_from_slice(&blob.original_shards.to_be_bytes());
        bytes.extend_from_slice(&blob.total_shards.to_be_bytes());
        bytes.extend_from_slice(blob.shards_root.as_bytes());
        bytes.extend_from_slice(blob.fingerprints_hash.as_bytes());
        bytes.extend_from_slice(&whole_until.to_be_bytes());
        bytes.extend_from_slice(&retain_until.to_be_bytes());
        bytes
    }
}

/// The statement, `n`, and what follows the head, whose length is then exactly as `length_for(n)` wants it.
fn decode_head(bytes: &[u8], length_for: impl Fn(u16) -> usize) -> Result<(Statement, u16, &[u8]), Error> {
    if let Some(version) = bytes.first()
        && *version != VERSION
    {
        return Err(
            Malformed::Version { what: "certificate", expected: VERSION.into(), got: u64::from(*version) }.into()
        );
    }
    let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else {
        // Which length is right depends on n, which is not there; the smallest committee's is the least possible.
        return Err(Malformed::Length { what: "certificate", expected: length_for(2), got: bytes.len() }.into());
    };
    let mut fields = Fields(&head[1..]);
    let statement = Statement {
        namespace: Namespace::from(fields.take::<32>()),
        epoch: u64::from_be_bytes(fields.take()),
        blob: Blob {
            payload_length: u32::from_be_bytes(fields.take()),
            payload_digest: Digest::from(fields.take::<32>()),
            original_shards: u16::from_be_bytes(fields.take()),
            total_shards: u16::from_be_bytes(fields.take()),
            shards_root: Digest::from(fields.take::<32>()),
            fingerprints_hash: Digest::from(fields.take::<32>()),
        },
        whole_until: u64::from_be_bytes(fields.take()),
        retain_until: u64::from_be_bytes(fields.take()),
    };
    let members = Parameters::new(statement.blob.original_shards, statement.blob.total_shards)?.total_shards();
    let expected = length_for(members);
    if bytes.len() != expected {
        return Err(Malformed::Length { what: "certificate", expected, got: bytes.len() }.into());
    }
    Ok((statement, members, rest))
}
