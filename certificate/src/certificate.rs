//! Certificates: a statement, who signed it, and the sum of their signatures.

use std::ops::Deref;

use blst::min_sig::AggregateSignature;

use crate::attestation::Attestation;
use crate::bitmap::SignerBitmap;
use crate::committee::Committee;
use crate::domain::Domain;
use crate::error::Error;
use crate::keys::{SIGNATURE_TAG, Signature, verify};
use crate::statement::{Statement, StatementDigest};

/// A well-formed certificate that nobody has checked against a committee yet.
///
/// Any set of at least `t` signers makes another certificate of the same statement; the statement's digest is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// What was signed.
    pub statement: Statement,
    pub(crate) signers: SignerBitmap,
    pub(crate) signature: Signature,
}

impl Certificate {
    /// Adds up attestations of one statement, and verifies the sum with one pairing check.
    ///
    /// An attestation given twice counts once. Where the sum does not verify, each is verified alone to find whose is bad.
    ///
    /// # Errors
    ///
    /// [`Error::WrongEpoch`] and the errors of [`Statement::check`]; [`Error::Slot`]; [`Error::BelowThreshold`] for fewer
    /// than `t` distinct slots; [`Error::BadAttestations`] with the slots to leave out.
    pub fn aggregate(
        committee: &Committee,
        statement: Statement,
        attestations: &[Attestation],
    ) -> Result<VerifiedCertificate, Error> {
        check_statement(committee, &statement)?;
        let digest = statement.digest(committee.domain());
        let (signers, chosen) = one_per_slot(committee, &digest, attestations)?;
        check_threshold(committee, &signers)?;

        let points: Vec<_> = chosen.iter().map(|attestation| attestation.signature.point()).collect();
        let sum = AggregateSignature::aggregate(&points, false)
            .map_err(|_| Error::BelowThreshold { threshold: committee.parameters().threshold(), got: 0 })?;
        // The sum of signatures made to cancel is the identity, which is no signature.
        let signature = Signature::from_point(sum.to_signature());
        if let Ok(signature) = signature
            && verify(&committee.aggregate_key(&signers), signature.point(), digest.as_bytes(), SIGNATURE_TAG)
        {
            return Ok(VerifiedCertificate(Self { statement, signers, signature }));
        }
        let slots: Vec<u16> = chosen
            .iter()
            .filter(|attestation| attestation.verify(committee, &digest).is_err())
            .map(|attestation| attestation.slot)
            .collect();
        if slots.is_empty() {
            return Err(Error::BadSignature { slots: signers.slots().collect() });
        }
        Err(Error::BadAttestations { slots })
    }

    /// Checks the certificate against the committee of its epoch: the statement's format, `t` signers, and their aggregate
    /// signature (one pairing check). This is *genuine* of protocol section 1; it depends on no clock and never changes.
    ///
    /// # Errors
    ///
    /// [`Error::WrongEpoch`] and the errors of [`Statement::check`]; [`Error::BelowThreshold`]; [`Error::BadSignature`].
    pub fn verify(&self, committee: &Committee) -> Result<VerifiedCertificate, Error> {
        check_statement(committee, &self.statement)?;
        if self.signers.members() != committee.len() {
            return Err(Error::MemberCount { expected: committee.len(), got: usize::from(self.signers.members()) });
        }
        check_threshold(committee, &self.signers)?;
        let digest = self.statement.digest(committee.domain());
        let key = committee.aggregate_key(&self.signers);
        if verify(&key, self.signature.point(), digest.as_bytes(), SIGNATURE_TAG) {
            Ok(VerifiedCertificate(*self))
        } else {
            Err(Error::BadSignature { slots: self.signers.slots().collect() })
        }
    }

    /// Who signed.
    #[must_use]
    pub fn signers(&self) -> &SignerBitmap {
        &self.signers
    }

    /// The slots that signed, ascending.
    #[must_use]
    pub fn signer_slots(&self) -> Vec<u16> {
        self.signers.slots().collect()
    }

    /// The sum of the signers' signatures.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The statement's EIP-712 digest in `domain`.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> StatementDigest {
        self.statement.digest(domain)
    }
}

/// A certificate that verified against its committee.
///
/// # Verified
///
/// Made only by [`Certificate::verify`] and [`Certificate::aggregate`]; it cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedCertificate(Certificate);

impl VerifiedCertificate {
    /// The certificate, without the mark of having been verified.
    #[must_use]
    pub fn into_inner(self) -> Certificate {
        self.0
    }
}

impl Deref for VerifiedCertificate {
    type Target = Certificate;

    fn deref(&self) -> &Certificate {
        &self.0
    }
}

fn check_statement(committee: &Committee, statement: &Statement) -> Result<(), Error> {
    if statement.epoch != committee.epoch() {
        return Err(Error::WrongEpoch { expected: committee.epoch(), got: statement.epoch });
    }
    statement.check(committee.parameters())
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
