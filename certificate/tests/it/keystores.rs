//! ERC-2335 keystores: the standard's own vectors, our own round trip, and what is refused.

use holdfast_certificate::keystore::{Error, Keystore, Strength, secret_of};
use serde_json::{Value, json};

use crate::world::secret;

const SCRYPT: &str = include_str!("../../../testdata/erc2335/scrypt.json");
const PBKDF2: &str = include_str!("../../../testdata/erc2335/pbkdf2.json");
/// As the standard gives it, before normalisation.
const PASSWORD: &str = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑";
const SECRET: &str = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

fn parse(json: &str) -> Keystore {
    serde_json::from_str(json).expect("a keystore")
}

#[test]
fn vectors_of_erc2335_decrypt() {
    for json in [SCRYPT, PBKDF2] {
        let secret = parse(json).decrypt_secret(PASSWORD).expect("the standard's password");
        assert_eq!(hex::encode(*secret), SECRET);
    }
    // Normalised already, and with control characters in it, it is the same password.
    for same in ["testpassword🔑", "test\u{0}pass\u{1f}word\u{7f}\u{80}🔑\u{9f}\n"] {
        let secret = parse(PBKDF2).decrypt_secret(same).expect("the same password");
        assert_eq!(hex::encode(*secret), SECRET);
    }
}

#[test]
fn wrong_password_is_refused() {
    let error = parse(PBKDF2).decrypt_secret("testpassword").expect_err("no key at the end");
    assert!(matches!(error, Error::WrongPassword), "{error}");
}

#[test]
fn keystore_of_a_validator_is_refused() {
    // Its secret is a possible scalar, but its public key is in G1: it belongs to another scheme.
    let error = parse(PBKDF2).decrypt(PASSWORD).expect_err("an Ethereum validator's");
    assert!(matches!(&error, Error::PublicKey { expected, .. } if expected.starts_with("9612d7a7")), "{error}");
}

#[test]
fn encrypted_key_decrypts_after_a_round_trip_through_json() {
    let secret = secret(0);
    for strength in [Strength::Development, Strength::Standard] {
        let keystore = Keystore::encrypt_with(&secret, "påss\u{7}word", strength);
        let json = serde_json::to_string(&keystore).expect("JSON");
        assert!(!json.contains(&hex::encode(*secret.to_bytes())));
        let read: Keystore = serde_json::from_str(&json).expect("its own JSON");
        assert_eq!(read, keystore);
        assert_eq!(read.public_key(), Some(secret.public_key()));
        // å composed and decomposed are the same password.
        let decrypted = read.decrypt("pa\u{30a}ssword").expect("the same password");
        assert_eq!(decrypted.to_bytes(), secret.to_bytes());
        assert!(matches!(read.decrypt("password"), Err(Error::WrongPassword)));
    }
    // Salt, counter and name are fresh each time.
    let [one, other] = [(); 2].map(|()| Keystore::encrypt_with(&secret, "p", Strength::Development));
    let field = |keystore: &Keystore, path: &str| {
        serde_json::to_value(keystore).expect("JSON").pointer(path).expect("a field").clone()
    };
    for path in ["/crypto/kdf/params/salt", "/crypto/cipher/params/iv", "/uuid"] {
        assert_ne!(field(&one, path), field(&other, path), "{path}");
    }
}

#[test]
fn written_keystore_has_the_shape_of_the_vectors() {
    let ours = serde_json::to_value(Keystore::encrypt_with(&secret(0), "p", Strength::Development)).expect("JSON");
    let theirs: Value = serde_json::from_str(SCRYPT).expect("JSON");
    fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| paths(field, &format!("{at}/{name}"), found));
            }
            Value::String(_) => found.push(format!("{at} text")),
            Value::Number(_) => found.push(format!("{at} number")),
            other => panic!("{at}: {other}"),
        }
    }
    let (mut our_paths, mut their_paths) = (Vec::new(), Vec::new());
    paths(&ours, "", &mut our_paths);
    paths(&theirs, "", &mut their_paths);
    our_paths.sort();
    their_paths.sort();
    assert_eq!(our_paths, their_paths);
}

#[test]
fn damaged_keystore_is_refused() {
    let keystore = Keystore::encrypt_with(&secret(0), "p", Strength::Development);
    let whole = serde_json::to_value(&keystore).expect("JSON");
    let text = whole.pointer("/crypto/cipher/message").and_then(Value::as_str).expect("text").to_owned();
    let flipped = format!("{}{}", if text.starts_with('0') { '1' } else { '0' }, &text[1..]);
    let other_key = hex::encode(secret(1).public_key().to_bytes());
    for (path, value, message) in [
        ("/version", json!(3), "keystore version must be 4, got 3"),
        ("/crypto/cipher/message", json!(flipped), "keystore cannot be decrypted: wrong password, or a damaged file"),
        ("/crypto/cipher/message", json!("00"), "keystore cipher message must be 32 bytes of hex, got \"00\""),
        ("/crypto/cipher/params/iv", json!("zz"), "keystore cipher iv must be 16 bytes of hex, got \"zz\""),
        ("/crypto/cipher/function", json!("xor"), "keystore cipher function must be aes-128-ctr, got \"xor\""),
        ("/crypto/checksum/function", json!("md5"), "keystore checksum function must be sha256, got \"md5\""),
        ("/crypto/kdf/params/dklen", json!(64), "keystore kdf dklen must be 32, got 64"),
        ("/crypto/kdf/params/n", json!(4095), "keystore kdf n must be a power of two, at least 2, got 4095"),
        (
            "/crypto/kdf/params/n",
            json!(1u64 << 40),
            "keystore kdf r must be from 1, with 128 * n * r at most 1 GiB, got 8",
        ),
        (
            "/crypto/kdf/params/n",
            json!(1u64 << 63),
            "keystore kdf r must be from 1, with 128 * n * r at most 1 GiB, got 8",
        ),
        ("/crypto/kdf/params/r", json!(0), "keystore kdf r must be from 1, with 128 * n * r at most 1 GiB, got 0"),
        ("/crypto/kdf/params/p", json!(1000), "keystore kdf p must be 1 to 16, got 1000"),
    ] {
        let mut damaged = whole.clone();
        *damaged.pointer_mut(path).expect("a field") = value;
        let damaged: Keystore = serde_json::from_value(damaged).expect("still a keystore");
        assert_eq!(damaged.decrypt("p").expect_err("damaged").to_string(), message);
    }
    let mut renamed = whole.clone();
    renamed["pubkey"] = json!(other_key);
    let renamed: Keystore = serde_json::from_value(renamed).expect("still a keystore");
    assert!(matches!(renamed.decrypt("p"), Err(Error::PublicKey { expected, .. }) if expected == other_key));

    let mut kdf = whole;
    kdf["crypto"]["kdf"]["function"] = json!("argon2");
    serde_json::from_value::<Keystore>(kdf).expect_err("no such function in the standard");
}

#[test]
fn pbkdf2_is_bounded() {
    let mut value: Value = serde_json::from_str(PBKDF2).expect("JSON");
    for (field, given, message) in [
        ("c", json!(0), "keystore kdf c must be 1 to 10000000, got 0"),
        ("c", json!(u32::MAX), "keystore kdf c must be 1 to 10000000, got 4294967295"),
        ("prf", json!("hmac-md5"), "keystore kdf prf must be hmac-sha256, got \"hmac-md5\""),
    ] {
        let before = value["crypto"]["kdf"]["params"][field].take();
        value["crypto"]["kdf"]["params"][field] = given;
        let keystore: Keystore = serde_json::from_value(value.clone()).expect("a keystore");
        assert_eq!(keystore.decrypt_secret(PASSWORD).expect_err("out of bounds").to_string(), message);
        value["crypto"]["kdf"]["params"][field] = before;
    }
}

#[test]
fn a_key_file_is_hex_or_a_keystore_and_anything_else_is_said_to_be_neither() {
    let secret = [0x4f; 32];
    for text in
        [format!("0x{}\n", hex::encode(secret)), hex::encode(secret), format!(" {} ", hex::encode_upper(secret))]
    {
        assert_eq!(*secret_of(&text, None).expect("hex"), secret);
        assert_eq!(*secret_of(&text, Some("not needed")).expect("hex"), secret);
    }
    assert_eq!(
        *secret_of(PBKDF2, Some(PASSWORD)).expect("a keystore"),
        *parse(PBKDF2).decrypt_secret(PASSWORD).expect("good")
    );
    assert!(matches!(secret_of(PBKDF2, None), Err(Error::NoPassword)));
    assert!(matches!(secret_of(PBKDF2, Some("wrong")), Err(Error::WrongPassword)));
    for text in ["", "0x", "ab", "not hex", &hex::encode([7; 33])] {
        assert!(matches!(secret_of(text, None), Err(Error::Text(_))), "{text:?}");
    }
}
