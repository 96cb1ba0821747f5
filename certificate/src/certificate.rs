//! Certificates: a statement, who signed it, and the sum of their signatures.

use std::ops::Deref;

use crate::attestation::Attestation;
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
