//! Who signed a digest, and the sum of their signatures: what certificates of every kind of statement end with.

use blst::min_sig::AggregateSignature;

use crate::attestation::Attestation;
use crate::batch::Signed;
use crate::bitmap::SignerBitmap;
use crate::committee::Committee;
use crate::error::Error;
use crate::keys::{SIGNATURE_TAG, Signature, verify};
use crate::malformed::Malformed;
use crate::statement::StatementDigest;

/// Bytes of the signers on L1.
const WORD_BYTES: usize = 32;

/// Signers and the sum of their signatures, unchecked against any committee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MultiSignature {
    pub(crate) signers: SignerBitmap,
    pub(crate) signature: Signature,
}

impl MultiSignature {
    /// Bytes of the form on L1, whatever the committee: signers as a `uint256`, signature as EIP-2537 lays it out.
    pub(crate) const L1_BYTES: usize = WORD_BYTES + Signature::EIP2537_BYTES;

    /// Adds up attestations of one digest, and verifies the sum with one pairing check.
    ///
    /// An attestation given twice counts once. Where the sum does not verify, each is verified alone to find whose is bad.
    pub(crate) fn aggregate(
        committee: &Committee,
        digest: &StatementDigest,
        attestations: &[Attestation],
    ) -> Result<Self, Error> {
        let (signers, chosen) = one_per_slot(committee, digest, attestations)?;
        check_threshold(committee, &signers)?;
        if let Some(sum) = Self::of(signers, &chosen).filter(|sum| sum.is_by(committee, digest)) {
            return Ok(sum);
        }
        let slots: Vec<u16> = chosen
            .iter()
            .filter(|attestation| attestation.verify(committee, digest).is_err())
            .map(|attestation| attestation.slot)
            .collect();
        if slots.is_empty() {
            return Err(Error::BadSignature { slots: signers.slots().collect() });
        }
        Err(Error::BadAttestations { slots })
    }

    /// Adds up attestations of one digest without verifying anything.
    pub(crate) fn sum(
        committee: &Committee,
        digest: &StatementDigest,
        attestations: &[Attestation],
    ) -> Result<Self, Error> {
        let (signers, chosen) = one_per_slot(committee, digest, attestations)?;
        check_threshold(committee, &signers)?;
        Self::of(signers, &chosen).ok_or_else(|| Error::BadSignature { slots: signers.slots().collect() })
    }

    /// The sum of one attestation for each signer; none where they are made to cancel, since the identity is no signature.
    fn of(signers: SignerBitmap, chosen: &[Attestation]) -> Option<Self> {
        let points: Vec<_> = chosen.iter().map(|attestation| attestation.signature.point()).collect();
        let sum = AggregateSignature::aggregate(&points, false).ok()?;
        Some(Self { signers, signature: Signature::from_subgroup(sum.to_signature())? })
    }

    /// Checks that at least `t` members of the committee have signed the digest (one pairing check).
    pub(crate) fn verify(&self, committee: &Committee, digest: &StatementDigest) -> Result<(), Error> {
        self.check_signers(committee)?;
        if self.is_by(committee, digest) { Ok(()) } else { Err(self.bad()) }
    }

    /// What a check of the signature needs, where there are enough signers and all of this committee.
    pub(crate) fn signed(&self, committee: &Committee, digest: StatementDigest) -> Result<Signed, Error> {
        self.check_signers(committee)?;
        Ok(Signed { key: committee.aggregate_key(&self.signers), signature: self.signature, digest })
    }

    /// That the signature is not the signers'.
    pub(crate) fn bad(&self) -> Error {
        Error::BadSignature { slots: self.signers.slots().collect() }
    }

    fn check_signers(&self, committee: &Committee) -> Result<(), Error> {
        if self.signers.members() != committee.len() {
            return Err(Error::MemberCount { expected: committee.len(), got: usize::from(self.signers.members()) });
        }
        check_threshold(committee, &self.signers)
    }

    /// Bytes of the compact form for a committee of `members`.
    pub(crate) fn compact_length(members: u16) -> usize {
        SignerBitmap::compact_length(members) + Signature::BYTES
    }

    /// Appends the compact form: the bitmap, then the compressed signature.
    pub(crate) fn append_compact(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.signers.to_compact());
        bytes.extend_from_slice(&self.signature.to_bytes());
    }

    /// Appends the form on L1.
    pub(crate) fn append_l1(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.signers.to_word());
        bytes.extend_from_slice(&self.signature.to_eip2537());
    }

    /// Decodes the compact form, which must be all of `bytes`.
    pub(crate) fn decode_compact(members: u16, bytes: &[u8]) -> Result<Self, Error> {
        let (bitmap, signature) = split(bytes, SignerBitmap::compact_length(members))?;
        let signers = SignerBitmap::from_compact(members, bitmap)?;
        Ok(Self { signers, signature: Signature::from_bytes(signature)? })
    }

    /// Decodes the form on L1, which must be all of `bytes`.
    pub(crate) fn decode_l1(members: u16, bytes: &[u8]) -> Result<Self, Error> {
        let (word, signature) = split(bytes, WORD_BYTES)?;
        let signers = SignerBitmap::from_word(members, word.try_into().expect("split at 32"))?;
        Ok(Self { signers, signature: Signature::from_eip2537(signature)? })
    }

    fn is_by(&self, committee: &Committee, digest: &StatementDigest) -> bool {
        verify(&committee.aggregate_key(&self.signers), self.signature.point(), digest.as_bytes(), SIGNATURE_TAG)
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Error> {
    bytes
        .split_at_checked(at)
        .ok_or_else(|| Malformed::Length { what: "signers", expected: at, got: bytes.len() }.into())
}

fn check_threshold(committee: &Committee, signers: &SignerBitmap) -> Result<(), Error> {
    let threshold = committee.parameters().threshold();
    if signers.count() < threshold {
        return Err(Error::BelowThreshold { threshold, got: signers.count() });
    }
    Ok(())
}

/// Keeps one attestation a slot, in slot order.
///
/// Of two different signatures for one slot at most one is valid, as BLS signatures are unique. Dropping the later one
/// unseen would let a forgery that arrives first silence a member, so the valid one is looked for.
fn one_per_slot(
    committee: &Committee,
    digest: &StatementDigest,
    attestations: &[Attestation],
) -> Result<(SignerBitmap, Vec<Attestation>), Error> {
    let mut signers = SignerBitmap::new(committee.len())?;
    let mut chosen: Vec<Option<Attestation>> = vec![None; usize::from(committee.len())];
    for attestation in attestations {
        signers.insert(attestation.slot)?;
        let kept = &mut chosen[usize::from(attestation.slot)];
        match kept {
            Some(earlier) if earlier == attestation || earlier.verify(committee, digest).is_ok() => {}
            _ => *kept = Some(*attestation),
        }
    }
    Ok((signers, chosen.into_iter().flatten().collect()))
}
