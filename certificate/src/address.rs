//! Ethereum addresses and namespaces.

use holdfast_erasure::{Digest, keccak256};

use crate::malformed::Malformed;
use crate::text::{fixed, hex_text};

/// An Ethereum address. Its text is `0x` and 40 hex digits, without a checksum in the case of the letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

impl Address {
    /// Bytes of an address.
    pub const BYTES: usize = 20;
    /// The zero address.
    pub const ZERO: Self = Self([0; 20]);

    /// Takes 20 bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`] for any other number of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        fixed("address", bytes).map(Self)
    }

    /// The 20 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 20] {
        self.0
    }

    /// The 20 bytes, borrowed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The address that a hash gives: its last 20 bytes.
    pub(crate) fn from_digest(digest: &Digest) -> Self {
        let mut bytes = [0; 20];
        bytes.copy_from_slice(&digest.as_bytes()[12..]);
        Self(bytes)
    }

    /// The address as an EVM word: 12 zero bytes, then the address.
    pub(crate) fn word(&self) -> [u8; 32] {
        let mut word = [0; 32];
        word[12..].copy_from_slice(&self.0);
        word
    }
}

impl From<[u8; 20]> for Address {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

hex_text!(Address, Address::BYTES, "address");

/// One rollup's name for its blobs: a certificate of one namespace is worth nothing in another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(pub Digest);

impl Namespace {
    /// Bytes of a namespace.
    pub const BYTES: usize = 32;

    /// Takes 32 bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`] for any other number of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        fixed::<32>("namespace", bytes).map(Self::from)
    }

    /// The namespace that `owner` creates with `salt` in the registry contract: `keccak256(abi.encode(owner, salt))`.
    #[must_use]
    pub fn derive(owner: &Address, salt: &[u8; 32]) -> Self {
        Self(keccak256(&[owner.word(), *salt].concat()))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        *self.0.as_bytes()
    }

    /// The 32 bytes, borrowed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl From<[u8; 32]> for Namespace {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Digest::from(bytes))
    }
}

hex_text!(Namespace, Namespace::BYTES, "namespace");
