//! The two key derivation functions of ERC-2335, with bounds: a keystore must not be able to ask for all memory.

use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{DERIVED_BYTES, Error, SALT_BYTES, Strength, supported};

/// Most memory that scrypt may ask for, `128 * n * r`: four times the standard's own example.
const MAX_SCRYPT_BYTES: u64 = 1 << 30;
/// Most lanes that scrypt may ask for, each of which costs the whole time again.
const MAX_SCRYPT_LANES: u32 = 16;
/// Most rounds of PBKDF2; the standard's example has 2^18.
const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;
/// Longest salt that is read.
const MAX_SALT_BYTES: usize = 1024;

/// How a password becomes a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kdf {
    #[serde(flatten)]
    function: Function,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "function", content = "params", rename_all = "lowercase")]
enum Function {
    Scrypt { dklen: u64, n: u64, p: u32, r: u32, salt: String },
    Pbkdf2 { dklen: u64, c: u32, prf: String, salt: String },
}

impl Kdf {
    pub(super) fn scrypt(strength: Strength, salt: &[u8; SALT_BYTES]) -> Self {
        let n = match strength {
            Strength::Standard => 1 << 18,
            Strength::Development => 1 << 12,
        };
        let function = Function::Scrypt { dklen: DERIVED_BYTES as u64, n, p: 1, r: 8, salt: hex::encode(salt) };
        Self { function, message: String::new() }
    }

    pub(super) fn derive(&self, password: &[u8]) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, Error> {
        let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
        match &self.function {
            Function::Scrypt { dklen, n, p, r, salt } => {
                check_length(*dklen)?;
                let salt = decode_salt(salt)?;
                let params = scrypt_params(*n, *r, *p)?;
                scrypt::scrypt(password, &salt, &params, derived.as_mut()).expect("32 bytes are a possible length");
            }
            Function::Pbkdf2 { dklen, c, prf, salt } => {
                check_length(*dklen)?;
                supported("kdf prf", "hmac-sha256", prf)?;
                let salt = decode_salt(salt)?;
                if !(1..=MAX_PBKDF2_ROUNDS).contains(c) {
                    return Err(Error::Parameter { field: "kdf c", expected: "1 to 10000000", got: (*c).into() });
                }
                pbkdf2::pbkdf2_hmac::<Sha256>(password, &salt, *c, derived.as_mut());
            }
        }
        Ok(derived)
    }
}

fn scrypt_params(n: u64, r: u32, p: u32) -> Result<scrypt::Params, Error> {
    let wrong = |field, expected, got| Error::Parameter { field, expected, got };
    if n < 2 || !n.is_power_of_two() {
        return Err(wrong("kdf n", "a power of two, at least 2", n));
    }
    if r == 0 || n.checked_mul(128 * u64::from(r)).is_none_or(|bytes| bytes > MAX_SCRYPT_BYTES) {
        return Err(wrong("kdf r", "from 1, with 128 * n * r at most 1 GiB", r.into()));
    }
    if !(1..=MAX_SCRYPT_LANES).contains(&p) {
        return Err(wrong("kdf p", "1 to 16", p.into()));
    }
    let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
    scrypt::Params::new(log_n, r, p).map_err(|_| wrong("kdf n", "a scrypt parameter", n))
}

fn check_length(dklen: u64) -> Result<(), Error> {
    if dklen == DERIVED_BYTES as u64 {
        Ok(())
    } else {
        Err(Error::Parameter { field: "kdf dklen", expected: "32", got: dklen })
    }
}

fn decode_salt(text: &str) -> Result<Vec<u8>, Error> {
    let wrong = || Error::Hex { field: "kdf salt", expected: SALT_BYTES, got: text.chars().take(80).collect() };
    if text.len() > 2 * MAX_SALT_BYTES {
        return Err(wrong());
    }
    hex::decode(text).map_err(|_| wrong())
}
