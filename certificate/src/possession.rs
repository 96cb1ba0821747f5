//! Proof of possession: no key enters a committee unless its holder has signed it.
//!
//! Aggregate signatures on one message are safe only among proven keys. Without the proof, an attacker registers
//! `its own key - the sum of the others` and signs alone for everybody.

use blst::min_sig;

use crate::error::Error;
use crate::keys::{PublicKey, SecretKey};
use crate::malformed::Malformed;
use crate::points;
use crate::text::hex_text;

/// Ciphersuite of proofs of possession. It differs from the one of attestations, so neither can be passed off as the other.
pub(crate) const POSSESSION_TAG: &[u8] = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/// A signature on a compressed public key by the key's own secret: a point of G1, in the subgroup and not the identity.
///
/// Decoding it proves nothing yet; [`ProvenKey::check`] does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ProofOfPossession(min_sig::Signature);

impl ProofOfPossession {
    /// Bytes of a compressed proof.
    pub const BYTES: usize = points::G1_BYTES;
    /// Bytes of a proof as EIP-2537 lays it out.
    pub const EIP2537_BYTES: usize = points::G1_EIP2537_BYTES;

    /// Decodes a compressed proof.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`], or [`Malformed::Point`] unless it is canonical, on the curve, in the subgroup and not the identity.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        points::g1_from_compressed("proof of possession", bytes).map(Self)
    }

    /// Decodes a proof from `x | y`, each 64 bytes big-endian (EIP-2537).
    ///
    /// # Errors
    ///
    /// As [`Self::from_bytes`].
    pub fn from_eip2537(bytes: &[u8]) -> Result<Self, Malformed> {
        points::g1_from_eip2537("proof of possession", bytes).map(Self)
    }

    /// The proof, compressed.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        self.0.compress()
    }

    /// The proof as the EVM's precompiles take it (EIP-2537).
    #[must_use]
    pub fn to_eip2537(&self) -> [u8; Self::EIP2537_BYTES] {
        points::g1_to_eip2537(&self.0)
    }
}

impl SecretKey {
    /// Signs the public key itself under a tag of its own, which is what lets the key into a committee.
    #[must_use]
    pub fn prove_possession(&self) -> ProofOfPossession {
        ProofOfPossession(self.sign(&self.public_key().to_bytes(), POSSESSION_TAG))
    }
}

hex_text!(ProofOfPossession, ProofOfPossession::BYTES, "proof of possession");

/// A public key whose holder is known to have its secret. The only kind of key a committee takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProvenKey(PublicKey);

impl ProvenKey {
    /// Checks `proof` against `key`.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossessed`] if the proof is not by the holder of `key`.
    pub fn check(key: PublicKey, proof: ProofOfPossession) -> Result<Self, Error> {
        if key.verifies(&proof.0, &key.to_bytes(), POSSESSION_TAG) {
            Ok(Self(key))
        } else {
            Err(Error::NotPossessed { public_key: Box::new(key) })
        }
    }

    /// Takes a key that the registry contract holds at a finalized block.
    ///
    /// The contract checks the proof of possession when a key is registered and keeps only keys that passed, so the caller
    /// vouches for where the key was read, and for nothing else.
    #[must_use]
    pub fn from_registry(key: PublicKey) -> Self {
        Self(key)
    }

    /// The key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0
    }
}
