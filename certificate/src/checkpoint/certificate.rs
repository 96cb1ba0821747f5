//! A checkpoint with its signers, and its two byte forms.
//!
//! ```text
//! c1 | namespace 32 | epoch 8 | blobsRoot 32 | count 4 | retainUntil 8 | signers | signature
//! ```
//!
//! Signers and signature are as in a certificate. A checkpoint does not say how many members there are, so decoding takes
//! that from the committee of its epoch.

use std::ops::Deref;

use super::Checkpoint;
use crate::attestation::Attestation;
use crate::bitmap::SignerBitmap;
use crate::committee::Committee;
use crate::domain::Domain;
use crate::error::Error;
use crate::keys::Signature;
use crate::malformed::Malformed;
use crate::multisignature::MultiSignature;
use crate::statement::StatementDigest;

/// A well-formed checkpoint with signers, that nobody has checked against a committee yet.
///
/// Any set of at least `t` signers makes another one of the same checkpoint; the checkpoint's digest is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointCertificate {
    /// What was signed.
    pub checkpoint: Checkpoint,
    quorum: MultiSignature,
}

impl CheckpointCertificate {
    /// Bytes of the L1 form, whatever the committee.
    pub const L1_BYTES: usize = Checkpoint::HEAD_BYTES + MultiSignature::L1_BYTES;

    /// Bytes of the compact form for a committee of `members`.
    #[must_use]
    pub fn compact_length(members: u16) -> usize {
        Checkpoint::HEAD_BYTES + MultiSignature::compact_length(members)
    }

    /// Adds up attestations of one checkpoint, and verifies the sum with one pairing check, as [`crate::Certificate::aggregate`].
    ///
    /// # Errors
    ///
    /// [`Error::WrongEpoch`] and the errors of [`Checkpoint::check`]; [`Error::Slot`]; [`Error::BelowThreshold`] for fewer
    /// than `t` distinct slots; [`Error::BadAttestations`] with the slots to leave out.
    pub fn aggregate(
        committee: &Committee,
        checkpoint: Checkpoint,
        attestations: &[Attestation],
    ) -> Result<VerifiedCheckpoint, Error> {
        check(committee, &checkpoint)?;
        let quorum = MultiSignature::aggregate(committee, &checkpoint.digest(committee.domain()), attestations)?;
        Ok(VerifiedCheckpoint(Self { checkpoint, quorum }))
    }

    /// Checks the signatures against the committee of the checkpoint's epoch: format, `t` signers, and their aggregate signature
    /// (one pairing check). It depends on no clock and never changes.
    ///
    /// # Errors
    ///
    /// [`Error::WrongEpoch`] and the errors of [`Checkpoint::check`]; [`Error::MemberCount`]; [`Error::BelowThreshold`];
    /// [`Error::BadSignature`].
    pub fn verify(&self, committee: &Committee) -> Result<VerifiedCheckpoint, Error> {
        check(committee, &self.checkpoint)?;
        self.quorum.verify(committee, &self.checkpoint.digest(committee.domain()))?;
        Ok(VerifiedCheckpoint(*self))
    }

    /// The compact form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::compact_length(self.quorum.signers.members()));
        self.checkpoint.append_head(&mut bytes);
        self.quorum.append_compact(&mut bytes);
        bytes
    }

    /// The form that the registry contract takes.
    #[must_use]
    pub fn encode_l1(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::L1_BYTES);
        self.checkpoint.append_head(&mut bytes);
        self.quorum.append_l1(&mut bytes);
        bytes
    }

    /// Decodes the compact form, signed by a committee of `members`: [`Checkpoint::peek`] gives the epoch to look it up by.
    /// Strict: exact length, a checkpoint that passes [`Checkpoint::check`], no signer past the last slot, a signature that is
    /// canonical, in the subgroup and not the identity. Says nothing of whether it verifies.
    ///
    /// # Errors
    ///
    /// [`Malformed::Version`], [`Malformed::Length`], [`Error::CheckpointCount`], [`Error::OffGrid`], [`Error::Slot`] for more members
    /// than a committee can have, [`Error::BitmapRange`] or [`Malformed::Point`].
    pub fn decode(bytes: &[u8], members: u16) -> Result<Self, Error> {
        // What is too large for a committee is too large for a length.
        SignerBitmap::new(members)?;
        let (checkpoint, rest) = split(bytes, Self::compact_length(members))?;
        Ok(Self { checkpoint, quorum: MultiSignature::decode_compact(members, rest)? })
    }

    /// Decodes the L1 form, as strictly as [`Self::decode`].
    ///
    /// # Errors
    ///
    /// As [`Self::decode`].
    pub fn decode_l1(bytes: &[u8], members: u16) -> Result<Self, Error> {
        let (checkpoint, rest) = split(bytes, Self::L1_BYTES)?;
        Ok(Self { checkpoint, quorum: MultiSignature::decode_l1(members, rest)? })
    }

    /// Who signed.
    #[must_use]
    pub fn signers(&self) -> &SignerBitmap {
        &self.quorum.signers
    }

    /// The slots that signed, ascending.
    #[must_use]
    pub fn signer_slots(&self) -> Vec<u16> {
        self.quorum.signers.slots().collect()
    }

    /// The sum of the signers' signatures.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.quorum.signature
    }

    /// The checkpoint id in `domain`.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> StatementDigest {
        self.checkpoint.digest(domain)
    }
}

/// A checkpoint whose signatures verified against the committee of its epoch.
///
/// # Verified
///
/// Made only by [`CheckpointCertificate::verify`] and [`CheckpointCertificate::aggregate`]; it cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedCheckpoint(CheckpointCertificate);

impl VerifiedCheckpoint {
    /// The certificate, without the mark of having been verified.
    #[must_use]
    pub fn into_inner(self) -> CheckpointCertificate {
        self.0
    }
}

impl Deref for VerifiedCheckpoint {
    type Target = CheckpointCertificate;

    fn deref(&self) -> &CheckpointCertificate {
        &self.0
    }
}

/// The checkpoint, and what follows the head of an encoding of exactly `expected` bytes.
fn split(bytes: &[u8], expected: usize) -> Result<(Checkpoint, &[u8]), Error> {
    let (checkpoint, rest) = Checkpoint::split_head(bytes)?;
    if bytes.len() != expected {
        return Err(Malformed::Length { what: "checkpoint", expected, got: bytes.len() }.into());
    }
    Ok((checkpoint, rest))
}

fn check(committee: &Committee, checkpoint: &Checkpoint) -> Result<(), Error> {
    if checkpoint.epoch != committee.epoch() {
        return Err(Error::WrongEpoch { expected: committee.epoch(), got: checkpoint.epoch });
    }
    checkpoint.check()
}
