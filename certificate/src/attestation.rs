//! One member's signature on one statement.

use crate::committee::Committee;
use crate::error::Error;
use crate::keys::{PublicKey, SIGNATURE_TAG, SecretKey, Signature};
use crate::statement::StatementDigest;

/// One member's promise to hold its shard of a statement's blob. Unchecked until [`Self::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attestation {
    /// The slot that it claims to be of.
    pub slot: u16,
    /// The signature on the statement's digest.
    pub signature: Signature,
}

impl Attestation {
    /// Signs. Whoever calls this has checked every field of the statement and synced the shard to disk.
    #[must_use]
    pub fn sign(slot: u16, secret: &SecretKey, digest: &StatementDigest) -> Self {
        let point = secret.sign(digest.as_bytes(), SIGNATURE_TAG);
        let signature =
            Signature::from_subgroup(point).expect("a non-zero secret times a hash to the curve is not the identity");
        Self { slot, signature }
    }

    /// Whether the member of this key has signed this digest, whatever its slot.
    #[must_use]
    pub fn is_by(&self, key: &PublicKey, digest: &StatementDigest) -> bool {
        key.verifies(self.signature.point(), digest.as_bytes(), SIGNATURE_TAG)
    }

    /// Checks that the member in this slot has signed this digest. The digest is of the committee's domain and epoch:
    /// take it from [`crate::Statement::digest`] with [`Committee::domain`].
    ///
    /// # Errors
    ///
    /// [`Error::Slot`] if there is no such member, [`Error::BadAttestation`] if the signature is not its.
    pub fn verify(&self, committee: &Committee, digest: &StatementDigest) -> Result<(), Error> {
        let key = committee.key(self.slot).ok_or(Error::Slot { members: committee.len(), got: self.slot })?;
        if key.verifies(self.signature.point(), digest.as_bytes(), SIGNATURE_TAG) {
            Ok(())
        } else {
            Err(Error::BadAttestation { slot: self.slot })
        }
    }
}
