//! Certificates: a statement, who signed it, and the sum of their signatures.

use std::ops::Deref;

use crate::attestation::Attestation;
use crate::batch::{self, Signed};
use crate::bitmap::SignerBitmap;
use crate::committee::Committee;
use crate::domain::Domain;
use crate::error::Error;
use crate::keys::Signature;
use crate::multisignature::MultiSignature;
use crate::statement::{Statement, StatementDigest};

/// A well-formed certificate that nobody has checked against a committee yet.
///
/// Any set of at least `t` signers makes another certificate of the same statement; the statement's digest is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// What was signed.
    pub statement: Statement,
    pub(crate) quorum: MultiSignature,
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
        let quorum = MultiSignature::aggregate(committee, &statement.digest(committee.domain()), attestations)?;
        Ok(VerifiedCertificate(Self { statement, quorum }))
    }

    /// Adds up attestations of one statement without verifying them: for who verifies many sums at once
    /// ([`Self::verify_all`]), and asks [`Self::aggregate`] whose fault it is where one is not genuine.
    ///
    /// # Errors
    ///
    /// As [`Self::aggregate`], and [`Error::BadSignature`] for attestations that cancel each other.
    pub fn sum(committee: &Committee, statement: Statement, attestations: &[Attestation]) -> Result<Self, Error> {
        check_statement(committee, &statement)?;
        let quorum = MultiSignature::sum(committee, &statement.digest(committee.domain()), attestations)?;
        Ok(Self { statement, quorum })
    }

    /// Checks the certificate against the committee of its epoch: the statement's format, `t` signers, and their aggregate
    /// signature (one pairing check). This is *genuine* of protocol section 1; it depends on no clock and never changes.
    ///
    /// # Errors
    ///
    /// [`Error::WrongEpoch`] and the errors of [`Statement::check`]; [`Error::BelowThreshold`]; [`Error::BadSignature`].
    pub fn verify(&self, committee: &Committee) -> Result<VerifiedCertificate, Error> {
        check_statement(committee, &self.statement)?;
        self.quorum.verify(committee, &self.statement.digest(committee.domain()))?;
        Ok(VerifiedCertificate(*self))
    }

    /// Checks many, each against the committee of its epoch, as [`Self::verify`] does: with little more than one pairing check
    /// where all are genuine, and with more to find those that are not. Verdicts are in the order of the certificates.
    #[must_use]
    pub fn verify_all(certificates: &[(&Self, &Committee)]) -> Vec<Result<VerifiedCertificate, Error>> {
        let signed = certificates.iter().map(|(certificate, committee)| {
            check_statement(committee, &certificate.statement)?;
            certificate.quorum.signed(committee, certificate.statement.digest(committee.domain()))
        });
        let signed: Vec<Result<Signed, Error>> = signed.collect();
        let to_check: Vec<Signed> = signed.iter().filter_map(|signed| signed.as_ref().ok()).copied().collect();
        let mut genuine = batch::genuine(&to_check).into_iter();
        let verdict = |((certificate, _), signed): (&(&Self, &Committee), Result<Signed, Error>)| {
            signed?;
            if genuine.next() == Some(true) {
                Ok(VerifiedCertificate(**certificate))
            } else {
                Err(certificate.quorum.bad())
            }
        };
        certificates.iter().zip(signed).map(verdict).collect()
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
/// Made only by [`Certificate::verify`], [`Certificate::verify_all`] and [`Certificate::aggregate`]; it cannot be changed.
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
