//! A TLS key that a member vouches for with its BLS key, so that it can be changed without a transaction.
//!
//! # For one member, one registry, one TLS key and a time
//!
//! An [`Endorsement`] names no key and no registry: who checks it says whose it must be. It is good for nothing else, and
//! under a tag of its own, so no attestation, checkpoint or proof of possession is one.

use blst::min_sig;

use crate::domain::{Domain, word_of};
use crate::error::Error;
use crate::keys::{PublicKey, SecretKey};
use crate::malformed::Malformed;
use crate::points;

/// The tag of endorsements.
pub(crate) const ENDORSEMENT_TAG: &[u8] = b"HOLDFAST_TLS_V1_BLS12381G1_XMD:SHA-256_SSWU_RO_";

/// Bytes of what is signed: compressed BLS key, chain id, registry, SHA-256 of the SubjectPublicKeyInfo, and both times.
const MESSAGE_BYTES: usize = PublicKey::BYTES + 32 + 20 + 32 + 8 + 8;

/// A member's signature on its TLS key, and from when until when it is good; unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endorsement {
    not_before: u64,
    not_after: u64,
    signature: min_sig::Signature,
}

impl Endorsement {
    /// Bytes of the encoding: `version 1 | not before 8 | not after 8 | signature 48`.
    pub const BYTES: usize = 1 + 8 + 8 + points::G1_BYTES;
    /// The longest that one is good for, in seconds: 400 days.
    pub const LONGEST: u64 = 400 * 86_400;
    const VERSION: u8 = 1;

    /// Vouches for the TLS key whose SubjectPublicKeyInfo has this SHA-256, in one registry, from `not_before` until before
    /// `not_after`.
    ///
    /// # Errors
    ///
    /// [`Malformed::Endorsement`] if that is no time, or more than [`Self::LONGEST`].
    pub fn sign(
        secret: &SecretKey,
        domain: &Domain,
        tls_key: &[u8; 32],
        not_before: u64,
        not_after: u64,
    ) -> Result<Self, Malformed> {
        check_times(not_before, not_after)?;
        let message = message(&secret.public_key(), domain, tls_key, not_before, not_after);
        Ok(Self { not_before, not_after, signature: secret.sign(&message, ENDORSEMENT_TAG) })
    }

    /// Decodes one; it proves nothing yet.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`], [`Malformed::Version`], [`Malformed::Point`], and [`Malformed::Endorsement`] for its times.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let what = "TLS endorsement";
        let wrong = Malformed::Length { what, expected: Self::BYTES, got: bytes.len() };
        let Some((&version, rest)) = bytes.split_first() else { return Err(wrong) };
        if version != Self::VERSION {
            return Err(Malformed::Version { what, expected: Self::VERSION.into(), got: version.into() });
        }
        if bytes.len() != Self::BYTES {
            return Err(wrong);
        }
        let (before, rest) = rest.split_first_chunk().ok_or_else(|| wrong.clone())?;
        let (after, signature) = rest.split_first_chunk().ok_or_else(|| wrong.clone())?;
        let (not_before, not_after) = (u64::from_be_bytes(*before), u64::from_be_bytes(*after));
        check_times(not_before, not_after)?;
        Ok(Self { not_before, not_after, signature: points::g1_from_compressed(what, signature)? })
    }

    /// The encoding.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = Self::VERSION;
        bytes[1..9].copy_from_slice(&self.not_before.to_be_bytes());
        bytes[9..17].copy_from_slice(&self.not_after.to_be_bytes());
        bytes[17..].copy_from_slice(&self.signature.compress());
        bytes
    }

    /// Checks that the holder of `member`, in this registry, vouches for this TLS key at `now`.
    ///
    /// # Errors
    ///
    /// [`Error::EndorsementTime`] and [`Error::NotEndorsed`].
    pub fn verify(&self, member: &PublicKey, domain: &Domain, tls_key: &[u8; 32], now: u64) -> Result<(), Error> {
        let Self { not_before, not_after, .. } = *self;
        if now < not_before || now >= not_after {
            return Err(Error::EndorsementTime { not_before, not_after, now });
        }
        let message = message(member, domain, tls_key, not_before, not_after);
        if member.verifies(&self.signature, &message, ENDORSEMENT_TAG) {
            Ok(())
        } else {
            Err(Error::NotEndorsed { public_key: Box::new(*member) })
        }
    }

    /// The first second in which it is not good any more.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.not_after
    }
}

fn check_times(not_before: u64, not_after: u64) -> Result<(), Malformed> {
    match not_after.checked_sub(not_before) {
        Some(1..=Endorsement::LONGEST) => Ok(()),
        _ => Err(Malformed::Endorsement { not_before, not_after, longest: Endorsement::LONGEST }),
    }
}

fn message(
    member: &PublicKey,
    domain: &Domain,
    tls_key: &[u8; 32],
    not_before: u64,
    not_after: u64,
) -> [u8; MESSAGE_BYTES] {
    let mut message = [0; MESSAGE_BYTES];
    let parts: [&[u8]; 6] = [
        &member.to_bytes(),
        &word_of(domain.chain_id),
        &domain.registry.to_bytes(),
        tls_key,
        &not_before.to_be_bytes(),
        &not_after.to_be_bytes(),
    ];
    let mut rest = &mut message[..];
    for part in parts {
        let (place, behind) = rest.split_at_mut(part.len());
        place.copy_from_slice(part);
        rest = behind;
    }
    message
}
