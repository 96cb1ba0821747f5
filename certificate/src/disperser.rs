//! The disperser's secp256k1 signature: it says that a namespace's owner lets this blob in.

use std::fmt;

use holdfast_erasure::keccak256;
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
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
pub struct DisperserKey(SigningKey);

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
        SigningKey::from_slice(bytes.as_ref())
            .map(Self)
            .map_err(|_| Malformed::SecretKeyRange { what: "disperser key" })
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
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// The Ethereum address, which is what a namespace lists.
    #[must_use]
    pub fn address(&self) -> Address {
        address_of(self.0.verifying_key())
    }

    /// Signs a statement's digest, with a deterministic nonce (RFC 6979) and a low `s`.
    #[must_use]
    pub fn sign(&self, digest: &StatementDigest) -> DisperserSignature {
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest.as_bytes());
        let mut bytes = [0; DisperserSignature::BYTES];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        // A nonce point whose x is not below the group order, which `v` could not say, has probability 2^-127.
        bytes[64] = V_EVEN + u8::from(recovery.is_y_odd());
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
        signature.parts()?;
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
        let (signature, recovery) = self.parts()?;
        VerifyingKey::recover_from_prehash(digest.as_bytes(), &signature, recovery)
            .map(|key| address_of(&key))
            .map_err(|_| Error::DisperserSignature { problem: "is not by any key" })
    }

    fn parts(&self) -> Result<(Signature, RecoveryId), Error> {
        let (scalars, v) = self.0.split_at(64);
        let is_y_odd = match v[0].checked_sub(V_EVEN) {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(Error::DisperserSignature { problem: "must have a v of 27 or 28" }),
        };
        let signature = Signature::from_slice(scalars).map_err(|_| Error::DisperserSignature {
            problem: "must have r and s from 1 to the group order less one",
        })?;
        if signature.normalize_s() != signature {
            return Err(Error::DisperserSignature { problem: "must have a low s" });
        }
        Ok((signature, RecoveryId::new(is_y_odd, false)))
    }
}

hex_text!(DisperserSignature, DisperserSignature::BYTES, "disperser signature", Error);

/// The last 20 bytes of keccak256 of the uncompressed key without its tag.
fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    Address::from_digest(&keccak256(&point.as_bytes()[1..]))
}
