//! Web3 Secret Storage, version 3: how geth, clef and Foundry keep the key of an account.
//!
//! Source: <https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/>.

use holdfast_erasure::keccak256;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{DERIVED_BYTES, Error, IV_BYTES, SALT_BYTES, Strength, apply_cipher, decode, kdf::Kdf, supported};
use crate::{disperser::DisperserKey, keys::SecretKey};

/// The only version of the format.
pub(super) const VERSION: u64 = 3;

/// An account's secret key encrypted under a password, from JSON by serde.
#[derive(Debug, Clone, Deserialize)]
pub struct Web3Keystore {
    #[serde(alias = "Crypto")]
    crypto: Crypto,
    #[serde(default)]
    address: Option<String>,
    version: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: Value,
    mac: String,
}

#[derive(Debug, Clone, Deserialize)]
struct CipherParams {
    iv: String,
}

impl Web3Keystore {
    /// Encrypts an account's key: the JSON of a keystore that geth, clef, Foundry and this code read. With
    /// [`Strength::Standard`] it takes about a second and 256 MiB.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    #[must_use]
    pub fn encrypt(key: &DisperserKey, password: &str, strength: Strength) -> String {
        let (mut salt, mut iv) = ([0; SALT_BYTES], [0; IV_BYTES]);
        getrandom::fill(&mut salt).expect("the operating system gives randomness");
        getrandom::fill(&mut iv).expect("the operating system gives randomness");
        let kdf = Kdf::scrypt(strength, &salt);
        let derived = kdf.derive(password.as_bytes()).expect("the parameters written here are within bounds");
        let mut ciphertext = *key.to_bytes();
        apply_cipher(&derived, &iv, &mut ciphertext);
        // The same function with the same parameters as in ERC-2335, under another name.
        let kdf = serde_json::to_value(kdf).expect("it has a JSON form");
        let json = json!({
            "address": hex::encode(key.address().to_bytes()),
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": { "iv": hex::encode(iv) },
                "ciphertext": hex::encode(ciphertext),
                "kdf": kdf["function"],
                "kdfparams": kdf["params"],
                "mac": hex::encode(mac_of(&derived, &ciphertext)),
            },
            "id": uuid::Uuid::new_v4().to_string(),
            "version": VERSION,
        });
        format!("{json:#}\n")
    }

    /// Decrypts the 32 bytes of the secret, and checks that it is of the account that the keystore names, where it names one.
    /// The password is taken as it is, without the normalisation of ERC-2335.
    ///
    /// # Errors
    ///
    /// [`Error::WrongPassword`], [`Error::Account`], and those of a keystore that is malformed.
    pub fn decrypt_secret(&self, password: &str) -> Result<Zeroizing<[u8; SecretKey::BYTES]>, Error> {
        if self.version != VERSION {
            return Err(Error::Version { got: self.version });
        }
        let Crypto { cipher, cipherparams, ciphertext, kdf, kdfparams, mac } = &self.crypto;
        supported("cipher", "aes-128-ctr", cipher)?;
        let iv: [u8; IV_BYTES] = decode("cipher iv", &cipherparams.iv)?;
        let mut secret = Zeroizing::new(decode::<{ SecretKey::BYTES }>("ciphertext", ciphertext)?);
        let expected: [u8; 32] = decode("mac", mac)?;
        // The same two functions with the same parameters as in ERC-2335, under other names.
        let kdf: Kdf = serde_json::from_value(json!({ "function": kdf, "params": kdfparams }))?;

        let derived = kdf.derive(password.as_bytes())?;
        if mac_of(&derived, &*secret) != expected {
            return Err(Error::WrongPassword);
        }
        apply_cipher(&derived, &iv, secret.as_mut());
        self.check_address(&secret)?;
        Ok(secret)
    }

    fn check_address(&self, secret: &[u8; SecretKey::BYTES]) -> Result<(), Error> {
        let Some(expected) = self.address.as_ref().filter(|address| !address.is_empty()) else { return Ok(()) };
        let got = DisperserKey::from_bytes(secret)?.address();
        let written = expected.strip_prefix("0x").unwrap_or(expected);
        if written.eq_ignore_ascii_case(&hex::encode(got.to_bytes())) {
            Ok(())
        } else {
            Err(Error::Account { expected: expected.clone(), got })
        }
    }
}

fn mac_of(derived: &[u8; DERIVED_BYTES], ciphertext: &[u8]) -> [u8; 32] {
    keccak256(&[&derived[16..], ciphertext].concat()).into()
}

#[cfg(test)]
mod tests {
    use super::{super::decrypt_any, *};

    /// The two test vectors of the specification.
    const SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
    const PBKDF2: &str = r#"{ "crypto": { "cipher": "aes-128-ctr",
        "cipherparams": { "iv": "6087dab2f9fdbbfaddc31a909735c1e6" },
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2", "kdfparams": { "c": 262144, "dklen": 32, "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd" },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2" },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3 }"#;
    const SCRYPT: &str = r#"{ "crypto": { "cipher": "aes-128-ctr",
        "cipherparams": { "iv": "83dbcc02d8ccb40e466191a123791e0e" },
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt", "kdfparams": { "dklen": 32, "n": 262144, "p": 8, "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19" },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097" },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3 }"#;

    #[test]
    fn the_specifications_vectors_are_read() {
        for json in [PBKDF2, SCRYPT] {
            let secret = decrypt_any(json, "testpassword").expect("the password of the vectors");
            assert_eq!(hex::encode(*secret), SECRET);
        }
    }

    #[test]
    fn a_wrong_password_damage_and_other_formats_are_named() {
        let wrong = |json: &str, password: &str| decrypt_any(json, password).expect_err("refused");
        assert!(matches!(wrong(PBKDF2, "Testpassword"), Error::WrongPassword));
        assert!(matches!(wrong(&PBKDF2.replacen("5318", "5319", 1), "testpassword"), Error::WrongPassword));
        let cbc = PBKDF2.replace("aes-128-ctr", "aes-128-cbc");
        assert!(matches!(wrong(&cbc, "testpassword"), Error::Unsupported { field: "cipher", .. }));
        let other = PBKDF2.replace("\"version\": 3", "\"version\": 1");
        assert!(matches!(wrong(&other, "testpassword"), Error::Json(_) | Error::Version { .. }));
        let huge = SCRYPT.replace("262144", "4294967296");
        assert!(matches!(wrong(&huge, "testpassword"), Error::Parameter { .. }));
        assert!(matches!(wrong("{", ""), Error::Json(_)));
    }

    #[test]
    fn what_is_written_is_read_and_names_its_account() {
        let key = DisperserKey::generate();
        let json = Web3Keystore::encrypt(&key, "p\u{e4}ss", Strength::Development);
        assert_eq!(decrypt_any(&json, "p\u{e4}ss").expect("the password").as_ref(), key.to_bytes().as_ref());
        assert!(matches!(decrypt_any(&json, "pass"), Err(Error::WrongPassword)));
        let read = DisperserKey::from_keystore(&json, "p\u{e4}ss").expect("the password");
        assert_eq!(read.address(), key.address());
    }

    #[test]
    fn a_keystore_of_another_account_than_it_says_is_refused() {
        let key = DisperserKey::generate();
        let json = Web3Keystore::encrypt(&key, "p", Strength::Development);
        let address = hex::encode(key.address().to_bytes());
        let other = json.replace(&address, &"07".repeat(20));
        let error = decrypt_any(&other, "p").expect_err("another account");
        assert!(error.to_string().contains("0707") && error.to_string().contains(&address), "{error}");
        for written in [format!("0x{address}"), address.to_uppercase(), String::new()] {
            assert!(decrypt_any(&json.replace(&address, &written), "p").is_ok(), "{written}");
        }
    }
}
