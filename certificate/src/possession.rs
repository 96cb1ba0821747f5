//! Proof of possession: no key enters a committee unless its holder has signed it.
//!
//! Aggregate signatures on one message are safe only among proven keys. Without the proof, an attacker registers
//! `its own key - the sum of the others` and signs alone for everybody.
//!
//! A proof is for one [`Registration`]: whoever sees it can bring it nowhere else, nor under another account.

use blst::min_sig;

use crate::address::Address;
use crate::domain::{Domain, word_of};
use crate::error::Error;
use crate::keys::{PublicKey, SecretKey};
use crate::malformed::Malformed;
use crate::points;
use crate::text::hex_text;

/// Ciphersuite of proofs of possession. It differs from the one of attestations, so neither can be passed off as the other.
pub(crate) const POSSESSION_TAG: &[u8] = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/// Bytes of what a proof signs: compressed key, chain id, registry, account.
const MESSAGE_BYTES: usize = PublicKey::BYTES + 32 + 20 + 20;

/// Where a key is registered, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Registration {
    /// The registry that takes the key.
    pub domain: Domain,
    /// The account that registers it, and may say where its member is reached.
    pub account: Address,
}

impl Registration {
    /// In a committee file: no chain, no registry, no account. (The file's own identity follows from its keys, so a proof
    /// cannot name it.)
    pub const WITHOUT_L1: Self =
        Self { domain: Domain { chain_id: 0, registry: Address::ZERO }, account: Address::ZERO };

    fn message(&self, key: &PublicKey) -> [u8; MESSAGE_BYTES] {
        let mut message = [0; MESSAGE_BYTES];
        let parts: [&[u8]; 4] = [
            &key.to_bytes(),
            &word_of(self.domain.chain_id),
            &self.domain.registry.to_bytes(),
            &self.account.to_bytes(),
        ];
        let mut rest = &mut message[..];
        for part in parts {
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        message
    }
}

/// A signature on a compressed public key and its registration by the key's own secret: a point of G1, in the subgroup and
/// not the identity.
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
    /// Signs the public key itself and where it is registered, under a tag of its own, which is what lets the key into a
    /// committee.
    #[must_use]
    pub fn prove_possession(&self, registration: &Registration) -> ProofOfPossession {
        ProofOfPossession(self.sign(&registration.message(&self.public_key()), POSSESSION_TAG))
    }
}

hex_text!(ProofOfPossession, ProofOfPossession::BYTES, "proof of possession");

/// A public key whose holder is known to have its secret. The only kind of key a committee takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProvenKey(PublicKey);

impl ProvenKey {
    /// Checks `proof` against `key` and where it is to be registered.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossessed`] if the proof is not by the holder of `key`, or for another registration.
    pub fn check(key: PublicKey, proof: ProofOfPossession, registration: &Registration) -> Result<Self, Error> {
        if key.verifies(&proof.0, &registration.message(&key), POSSESSION_TAG) {
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
