//! ERC-2335 keystores: a secret key on disk under a password.
//!
//! Source: <https://eips.ethereum.org/EIPS/eip-2335>. Both key derivation functions of the standard are read; scrypt is
//! written.

mod kdf;
mod web3;

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::disperser::DisperserKey;
use crate::keys::{PublicKey, SecretKey};
use kdf::Kdf;
pub use web3::Web3Keystore;

/// The only version of the format.
const VERSION: u64 = 4;
/// Bytes of the derived key: 16 encrypt, 16 go into the checksum.
const DERIVED_BYTES: usize = 32;
/// Bytes of a salt and of the secret.
const SALT_BYTES: usize = 32;
/// Bytes of the initial counter of AES-128 in counter mode.
const IV_BYTES: usize = 16;

type Aes128Ctr = ctr::Ctr128BE<Aes128>;

/// Why a keystore does not give its key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The checksum differs: the password is wrong, or the file is damaged.
    #[error("keystore cannot be decrypted: wrong password, or a damaged file")]
    WrongPassword,
    /// Not the JSON of a keystore.
    #[error("no keystore: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version of the format.
    #[error("keystore version must be {VERSION}, got {got}")]
    Version {
        /// The version it has.
        got: u64,
    },
    /// A function that the standard does not have.
    #[error("keystore {field} must be {expected}, got {got:?}")]
    Unsupported {
        /// Which module or parameter.
        field: &'static str,
        /// What this code reads.
        expected: &'static str,
        /// What it has.
        got: String,
    },
    /// A parameter that would cost more memory or time than a keystore may, or is not a possible one.
    #[error("keystore {field} must be {expected}, got {got}")]
    Parameter {
        /// Which parameter.
        field: &'static str,
        /// The bounds.
        expected: &'static str,
        /// What it has.
        got: u64,
    },
    /// A field that is not hex of the right length.
    #[error("keystore {field} must be {expected} bytes of hex, got {got:?}")]
    Hex {
        /// Which field.
        field: &'static str,
        /// Bytes it must have.
        expected: usize,
        /// Text it has.
        got: String,
    },
    /// A key file that is neither hex nor JSON.
    #[error("expected 32 bytes in hex, or a keystore: {0}")]
    Text(hex::FromHexError),
    /// A keystore whose password was not given.
    #[error("it is a keystore: name the file with its password too")]
    NoPassword,
    /// The secret is not a key.
    #[error("keystore holds no usable key: {0}")]
    Key(#[from] crate::malformed::Malformed),
    /// The secret is of another account than the keystore says.
    #[error("keystore is for account {expected}, but its secret is of {got}")]
    Account {
        /// The address written in the keystore.
        expected: String,
        /// The address of the secret.
        got: Address,
    },
    /// The secret is of another key than the keystore says, or the keystore is of another scheme.
    #[error("keystore is for public key {expected}, but its secret is of {got}")]
    PublicKey {
        /// The key written in the keystore.
        expected: String,
        /// The key of the secret.
        got: Box<PublicKey>,
    },
}

/// The 32 bytes of an account's secret key as its file has them: in hex, or in a keystore, which needs its `password` (without the
/// newline at the end of a file).
///
/// # Errors
///
/// [`Error::Text`], [`Error::NoPassword`], and those of [`decrypt_any`].
pub fn secret_of(text: &str, password: Option<&str>) -> Result<Zeroizing<[u8; SecretKey::BYTES]>, Error> {
    if text.trim_start().starts_with('{') {
        return decrypt_any(text, password.ok_or(Error::NoPassword)?);
    }
    let mut secret = Zeroizing::new([0; SecretKey::BYTES]);
    hex::decode_to_slice(text.trim().trim_start_matches("0x"), &mut *secret).map_err(Error::Text)?;
    Ok(secret)
}

/// Decrypts the 32 bytes of the secret in the JSON of a keystore: ERC-2335 (version 4) or Web3 Secret Storage (version 3).
///
/// # Errors
///
/// As [`Keystore::decrypt_secret`]; [`Error::Version`] for any other version.
pub fn decrypt_any(json: &str, password: &str) -> Result<Zeroizing<[u8; SecretKey::BYTES]>, Error> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    match serde_json::from_str::<Versioned>(json)?.version {
        web3::VERSION => serde_json::from_str::<Web3Keystore>(json)?.decrypt_secret(password),
        // Any other than its own is refused there.
        _ => serde_json::from_str::<Keystore>(json)?.decrypt_secret(password),
    }
}

impl DisperserKey {
    /// The key in the JSON of a keystore: Web3 Secret Storage (version 3, as geth, clef and Foundry write) or ERC-2335 (version 4).
    /// Takes about a second and up to 256 MiB.
    ///
    /// # Errors
    ///
    /// As [`decrypt_any`].
    pub fn from_keystore(json: &str, password: &str) -> Result<Self, Error> {
        Ok(Self::from_bytes(decrypt_any(json, password)?.as_ref())?)
    }
}

/// How much work a password guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// scrypt with N = 2^18, r = 8, p = 1, as in the standard's example: 256 MiB and about a second a guess.
    Standard,
    /// scrypt with N = 2^12: 4 MiB and some milliseconds a guess. For development networks and tests, whose keys guard nothing.
    Development,
}

/// A secret key encrypted under a password, as JSON by serde.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keystore {
    crypto: Crypto,
    #[serde(default)]
    description: String,
    #[serde(default)]
    pubkey: String,
    path: String,
    uuid: String,
    version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Crypto {
    kdf: Kdf,
    checksum: Checksum,
    cipher: Cipher,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Checksum {
    function: String,
    #[serde(default)]
    params: serde_json::Map<String, serde_json::Value>,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cipher {
    function: String,
    params: CipherParams,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

impl Keystore {
    /// Encrypts with [`Strength::Standard`]. Takes about a second and 256 MiB.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    #[must_use]
    pub fn encrypt(secret: &SecretKey, password: &str) -> Self {
        Self::encrypt_with(secret, password, Strength::Standard)
    }

    /// Encrypts with a chosen strength.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    #[must_use]
    pub fn encrypt_with(secret: &SecretKey, password: &str, strength: Strength) -> Self {
        let mut salt = [0; SALT_BYTES];
        let mut iv = [0; IV_BYTES];
        getrandom::fill(&mut salt).expect("the operating system gives randomness");
        getrandom::fill(&mut iv).expect("the operating system gives randomness");

        let kdf = Kdf::scrypt(strength, &salt);
        let derived = kdf.derive(&normalize(password)).expect("the parameters written here are within bounds");
        let mut message = *secret.to_bytes();
        apply_cipher(&derived, &iv, &mut message);
        Self {
            crypto: Crypto {
                kdf,
                checksum: Checksum {
                    function: "sha256".to_owned(),
                    params: serde_json::Map::new(),
                    message: hex::encode(checksum(&derived, &message)),
                },
                cipher: Cipher {
                    function: "aes-128-ctr".to_owned(),
                    params: CipherParams { iv: hex::encode(iv) },
                    message: hex::encode(message),
                },
            },
            description: "Holdfast committee member key: BLS12-381, public key in G2".to_owned(),
            pubkey: hex::encode(secret.public_key().to_bytes()),
            path: String::new(),
            uuid: uuid::Uuid::new_v4().to_string(),
            version: VERSION,
        }
    }

    /// Decrypts the key, and checks that it is the one the keystore names. A keystore of an Ethereum validator is refused:
    /// its public key is in the other group, and one key should not serve two schemes.
    ///
    /// # Errors
    ///
    /// [`Error::WrongPassword`], [`Error::PublicKey`], [`Error::Key`], and those of a keystore that is malformed.
    pub fn decrypt(&self, password: &str) -> Result<SecretKey, Error> {
        let secret = SecretKey::from_bytes(self.decrypt_secret(password)?.as_ref())?;
        let public_key = secret.public_key();
        let written = self.pubkey.strip_prefix("0x").unwrap_or(&self.pubkey);
        if !written.is_empty() && !written.eq_ignore_ascii_case(&hex::encode(public_key.to_bytes())) {
            return Err(Error::PublicKey { expected: written.to_owned(), got: Box::new(public_key) });
        }
        Ok(secret)
    }

    /// Decrypts the 32 bytes of the secret, whatever they are a secret of.
    ///
    /// # Errors
    ///
    /// As [`Self::decrypt`], without those about keys.
    pub fn decrypt_secret(&self, password: &str) -> Result<Zeroizing<[u8; SecretKey::BYTES]>, Error> {
        if self.version != VERSION {
            return Err(Error::Version { got: self.version });
        }
        let Crypto { kdf, checksum: sum, cipher } = &self.crypto;
        supported("checksum function", "sha256", &sum.function)?;
        supported("cipher function", "aes-128-ctr", &cipher.function)?;
        let expected: [u8; 32] = decode("checksum message", &sum.message)?;
        let iv: [u8; IV_BYTES] = decode("cipher iv", &cipher.params.iv)?;
        let mut message = Zeroizing::new(decode::<{ SecretKey::BYTES }>("cipher message", &cipher.message)?);

        let derived = kdf.derive(&normalize(password))?;
        if checksum(&derived, &*message) != expected {
            return Err(Error::WrongPassword);
        }
        apply_cipher(&derived, &iv, message.as_mut());
        Ok(message)
    }

    /// The public key that the keystore names, if it is one of this scheme.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        let written = self.pubkey.strip_prefix("0x").unwrap_or(&self.pubkey);
        hex::decode(written).ok().and_then(|bytes| PublicKey::from_bytes(&bytes).ok())
    }
}

/// The password as the standard wants it: NFKD, without control characters (C0, C1 and delete), in UTF-8.
fn normalize(password: &str) -> Zeroizing<Vec<u8>> {
    let text: Zeroizing<String> = Zeroizing::new(password.nfkd().filter(|character| !character.is_control()).collect());
    Zeroizing::new(text.as_bytes().to_vec())
}

fn checksum(derived: &[u8; DERIVED_BYTES], message: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(&derived[16..]).chain_update(message).finalize().into()
}

/// Encrypts or decrypts: counter mode is its own inverse.
fn apply_cipher(derived: &[u8; DERIVED_BYTES], iv: &[u8; IV_BYTES], message: &mut [u8]) {
    let mut key = Zeroizing::new([0; 16]);
    key.copy_from_slice(&derived[..16]);
    Aes128Ctr::new((&*key).into(), iv.into()).apply_keystream(message);
}

fn supported(field: &'static str, expected: &'static str, got: &str) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Unsupported { field, expected, got: got.to_owned() }) }
}

fn decode<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| Error::Hex { field, expected: N, got: text.to_owned() })?;
    Ok(bytes)
}
