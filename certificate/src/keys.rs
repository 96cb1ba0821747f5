//! BLS12-381 keys and signatures: public keys in G2, signatures in G1 (`blst::min_sig`).

use std::fmt;
use std::hash::{Hash, Hasher};

use blst::{blst_p1_affine, min_sig};
use holdfast_erasure::keccak256;
use zeroize::Zeroizing;

use crate::malformed::Malformed;
use crate::pairing;
use crate::points;
use crate::text::{fixed, hex_text};

/// Ciphersuite of attestations (protocol section 4; draft-irtf-cfrg-bls-signature, proof-of-possession scheme).
pub(crate) const SIGNATURE_TAG: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/// Least key material, in bytes, that EIP-2333 takes.
const SEED_BYTES: usize = 32;

/// A member's BLS secret key. Erased from memory when dropped; never printed.
#[derive(Clone)]
pub struct SecretKey(min_sig::SecretKey);

impl SecretKey {
    /// Bytes of a secret key: a big-endian scalar.
    pub const BYTES: usize = 32;

    /// A new key from the operating system's randomness.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give, in which case nothing secret can be made on this machine.
    #[must_use]
    pub fn generate() -> Self {
        let mut material = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(material.as_mut()).expect("the operating system gives randomness");
        let key = min_sig::SecretKey::key_gen(material.as_ref(), &[]).expect("32 bytes of key material are enough");
        Self(key)
    }

    /// The master key of a seed (EIP-2333 `derive_master_SK`).
    ///
    /// # Errors
    ///
    /// [`Malformed::SeedTooShort`] below 32 bytes.
    pub fn derive_master(seed: &[u8]) -> Result<Self, Malformed> {
        min_sig::SecretKey::derive_master_eip2333(seed)
            .map(Self)
            .map_err(|_| Malformed::SeedTooShort { expected: SEED_BYTES, got: seed.len() })
    }

    /// The child key at `index` (EIP-2333 `derive_child_SK`).
    #[must_use]
    pub fn derive_child(&self, index: u32) -> Self {
        Self(self.0.derive_child_eip2333(index))
    }

    /// Decodes 32 big-endian bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`], or [`Malformed::SecretKeyRange`] for zero and anything not below the group order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: Zeroizing<[u8; Self::BYTES]> = Zeroizing::new(fixed("BLS secret key", bytes)?);
        min_sig::SecretKey::from_bytes(bytes.as_ref())
            .map(Self)
            .map_err(|_| Malformed::SecretKeyRange { what: "BLS secret key" })
    }

    /// The scalar as 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.sk_to_pk())
    }

    /// Signs `message`, hashed to G1 with the domain separation `tag`.
    pub(crate) fn sign(&self, message: &[u8], tag: &[u8]) -> min_sig::Signature {
        self.0.sign(message, tag, &[])
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// A BLS public key: a point of G2, in the subgroup and not the identity.
///
/// It says nothing of who holds the secret; a committee takes only a [`crate::ProvenKey`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(min_sig::PublicKey);

impl PublicKey {
    /// Bytes of a compressed key.
    pub const BYTES: usize = points::G2_BYTES;
    /// Bytes of a key as EIP-2537 lays it out.
    pub const EIP2537_BYTES: usize = points::G2_EIP2537_BYTES;

    /// Decodes a compressed key.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`], or [`Malformed::Point`] unless it is canonical, on the curve, in the subgroup and not the identity.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        points::g2_from_compressed("public key", bytes).map(Self)
    }

    /// Decodes a key from `x.c0 | x.c1 | y.c0 | y.c1`, each 64 bytes big-endian (EIP-2537).
    ///
    /// # Errors
    ///
    /// As [`Self::from_bytes`].
    pub fn from_eip2537(bytes: &[u8]) -> Result<Self, Malformed> {
        points::g2_from_eip2537("public key", bytes).map(Self)
    }

    /// The key, compressed.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        self.0.compress()
    }

    /// The key as the EVM's precompiles take it (EIP-2537).
    #[must_use]
    pub fn to_eip2537(&self) -> [u8; Self::EIP2537_BYTES] {
        points::g2_to_eip2537(&self.0)
    }

    /// The key's identity in the registry contract: keccak256 of the key in EIP-2537 layout.
    #[must_use]
    pub fn id(&self) -> holdfast_erasure::Digest {
        keccak256(&self.to_eip2537())
    }

    /// True if `signature` is by this key on `message` under `tag`: one check of two pairings.
    pub(crate) fn verifies(&self, signature: &min_sig::Signature, message: &[u8], tag: &[u8]) -> bool {
        verify(&self.0, signature, message, tag)
    }

    /// A sum of keys that is known not to be the identity.
    pub(crate) fn from_sum(sum: &min_sig::AggregatePublicKey) -> Self {
        Self(sum.to_public_key())
    }

    pub(crate) fn point(&self) -> &min_sig::PublicKey {
        &self.0
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_bytes().hash(state);
    }
}

hex_text!(PublicKey, PublicKey::BYTES, "public key");

/// A signature on a statement, of one member or the sum of several: a point of G1, in the subgroup and not the identity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(min_sig::Signature);

impl Signature {
    /// Bytes of a compressed signature.
    pub const BYTES: usize = points::G1_BYTES;
    /// Bytes of a signature as EIP-2537 lays it out.
    pub const EIP2537_BYTES: usize = points::G1_EIP2537_BYTES;

    /// Decodes a compressed signature.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`], or [`Malformed::Point`] unless it is canonical, on the curve, in the subgroup and not the identity.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        points::g1_from_compressed("signature", bytes).map(Self)
    }

    /// Decodes a signature from `x | y`, each 64 bytes big-endian (EIP-2537).
    ///
    /// # Errors
    ///
    /// As [`Self::from_bytes`].
    pub fn from_eip2537(bytes: &[u8]) -> Result<Self, Malformed> {
        points::g1_from_eip2537("signature", bytes).map(Self)
    }

    /// The signature, compressed.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        self.0.compress()
    }

    /// The signature as the EVM's precompiles take it (EIP-2537).
    #[must_use]
    pub fn to_eip2537(&self) -> [u8; Self::EIP2537_BYTES] {
        points::g1_to_eip2537(&self.0)
    }

    /// A point computed from points of the subgroup, such as a sum, which is in it too; none for the identity.
    pub(crate) fn from_subgroup(point: min_sig::Signature) -> Option<Self> {
        (blst_p1_affine::from(point) != blst_p1_affine::default()).then_some(Self(point))
    }

    pub(crate) fn point(&self) -> &min_sig::Signature {
        &self.0
    }
}

hex_text!(Signature, Signature::BYTES, "signature");

/// One check of two pairings: `e(signature, G2 generator) == e(hash_to_g1(message, tag), key)`.
///
/// The points were checked for their subgroups when they were made. A `key` at infinity is refused, so signers whose keys
/// cancel get nothing by it.
pub(crate) fn verify(key: &min_sig::PublicKey, signature: &min_sig::Signature, message: &[u8], tag: &[u8]) -> bool {
    pairing::product_is_one(&[pairing::signature(signature), (pairing::hash(message, tag), (*key).into())])
}
