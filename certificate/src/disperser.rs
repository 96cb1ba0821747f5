//! The disperser's secp256k1 signature: it says that a namespace's owner lets this blob in.

use std::fmt;

use holdfast_erasure::keccak256;
use secp256k1::{
    Message, PublicKey, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use zeroize::Zeroizing;

use crate::address::Address;
use crate::error::Error;
use crate::malformed::Malformed;
use crate::statement::StatementDigest;
use crate::text::{fixed, hex_text, parse_hex};

/// `v` of a signature whose nonce point has an even y, as Ethereum writes it; odd is one more.
const V_EVEN: u8 = 27;

/// A disperser's secret key on secp256k1, the curve of Ethereum accounts. Erased when dropped; never printed.
#[derive(Clone)]
pub struct DisperserKey {
    secret: SecretKey,
    address: Address,
}

impl Drop for DisperserKey {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl DisperserKey {
    /// Bytes of a secret key: a big-endian scalar.
    pub const BYTES: usize = 32;

    /// A new key from the operating system's randomness.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give, in which case nothing secret can be made on this machine.
    #[must_use]
    pub fn generate() -> Self {
        loop {
            let mut bytes = Zeroizing::new([0; Self::BYTES]);
            getrandom::fill(bytes.as_mut()).expect("the operating system gives randomness");
            // All but one in 2^127 are below the group order.
            if let Ok(key) = Self::from_bytes(bytes.as_ref()) {
                return key;
            }
        }
    }

    /// Decodes 32 big-endian bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`], or [`Malformed::SecretKeyRange`] for zero and anything not below the group order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: Zeroizing<[u8; Self::BYTES]> = Zeroizing::new(fixed("disperser key", bytes)?);
        let secret =
            SecretKey::from_secret_bytes(*bytes).map_err(|_| Malformed::SecretKeyRange { what: "disperser key" })?;
        Ok(Self { secret, address: address_of(&secret.public_key()) })
    }

    /// Parses `0x` and 64 hex digits.
    ///
    /// # Errors
    ///
    /// [`Malformed::NotHex`], [`Malformed::HexLength`], or as [`Self::from_bytes`].
    pub fn from_hex(text: &str) -> Result<Self, Malformed> {
        let bytes = Zeroizing::new(parse_hex::<{ Self::BYTES }>("disperser key", text)?);
        Self::from_bytes(bytes.as_ref())
    }

    /// The scalar as 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::BYTES]> {
        Zeroizing::new(self.secret.to_secret_bytes())
    }

    /// The Ethereum address, which is what a namespace lists.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs a statement's digest, with a deterministic nonce (RFC 6979) and a low `s`.
    #[must_use]
    pub fn sign(&self, digest: &StatementDigest) -> DisperserSignature {
        let signature = RecoverableSignature::sign_ecdsa_recoverable(message(digest), &self.secret);
        let (recovery, scalars) = signature.serialize_compact();
        let mut bytes = [0; DisperserSignature::BYTES];
        bytes[..64].copy_from_slice(&scalars);
        // A nonce point whose x is not below the group order, which `v` could not say, has probability 2^-127.
        bytes[64] = V_EVEN + (recovery.to_u8() & 1);
        DisperserSignature(bytes)
    }
}

impl fmt::Debug for DisperserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DisperserKey({}, redacted)", self.address())
    }
}

/// A recoverable secp256k1 signature, `r | s | v`: `s` is low and `v` is 27 or 28, so there is one encoding of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DisperserSignature([u8; 65]);

impl DisperserSignature {
    /// Bytes of a signature.
    pub const BYTES: usize = 65;

    /// Decodes 65 bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`]; [`Error::DisperserSignature`] if `r` or `s` is out of range, `s` is high, or `v` is not 27 or 28.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let signature = Self(fixed("disperser signature", bytes)?);
        signature.parsed()?;
        Ok(signature)
    }

    /// The 65 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        self.0
    }

    /// The address whose key signed `digest`. Any well-formed signature gives some address: what counts is whether the
    /// namespace lists it.
    ///
    /// # Errors
    ///
    /// [`Error::DisperserSignature`] if no key can have made it.
    pub fn recover(&self, digest: &StatementDigest) -> Result<Address, Error> {
        self.parsed()?
            .recover_ecdsa(message(digest))
            .map(|key| address_of(&key))
            .map_err(|_| Error::DisperserSignature { problem: "is not by any key" })
    }

    fn parsed(&self) -> Result<RecoverableSignature, Error> {
        let (scalars, v) = self.0.split_at(64);
        let recovery = match v[0].checked_sub(V_EVEN) {
            Some(0) => RecoveryId::Zero,
            Some(1) => RecoveryId::One,
            _ => return Err(Error::DisperserSignature { problem: "must have a v of 27 or 28" }),
        };
        // The library refuses what is not below the order here, and zero only when a key is recovered.
        let parsed = RecoverableSignature::from_compact(scalars, recovery).ok();
        let zero = scalars.chunks_exact(32).any(|scalar| scalar.iter().all(|byte| *byte == 0));
        let signature = parsed
            .filter(|_| !zero)
            .ok_or(Error::DisperserSignature { problem: "must have r and s from 1 to the group order less one" })?;
        let standard = signature.to_standard();
        let mut low = standard;
        low.normalize_s();
        if low != standard {
            return Err(Error::DisperserSignature { problem: "must have a low s" });
        }
        Ok(signature)
    }
}

hex_text!(DisperserSignature, DisperserSignature::BYTES, "disperser signature", Error);

fn message(digest: &StatementDigest) -> Message {
    Message::from_digest(*digest.as_bytes())
}

/// The last 20 bytes of keccak256 of the uncompressed key without its tag.
fn address_of(key: &PublicKey) -> Address {
    Address::from_digest(&keccak256(&key.serialize_uncompressed()[1..]))
}
