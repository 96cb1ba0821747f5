//! Published vectors of what signing rests on: hashing to the curve and key derivation.

use holdfast_certificate::SecretKey;
use serde_json::Value;

/// RFC 9380: the secret key 1 signs a message with the point it hashes to, so that the vectors test the very call that signs.
#[test]
fn messages_hash_to_the_points_of_rfc9380() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../testdata/rfc9380/BLS12381G1_XMD_SHA-256_SSWU_RO.json"))
            .expect("JSON");
    let tag = text(&vectors, "dst").as_bytes();
    let mut one = [0; 32];
    one[31] = 1;
    let one = blst::min_sig::SecretKey::from_bytes(&one).expect("a scalar");
    let vectors = vectors["vectors"].as_array().expect("an array");
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let point = one.sign(text(vector, "msg").as_bytes(), tag, &[]).serialize();
        let expected = [&vector["P"]["x"], &vector["P"]["y"]]
            .map(|coordinate| coordinate.as_str().expect("a string").trim_start_matches("0x"))
            .concat();
        assert_eq!(hex::encode(point), expected);
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().expect("a string")
}

/// EIP-2333, test cases 0 and 1: seed, master key, child index, child key.
#[test]
fn keys_are_derived_as_in_eip2333() {
    for (seed, master, index, child) in [
        (
            "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
            "0d7359d57963ab8fbbde1852dcf553fedbc31f464d80ee7d40ae683122b45070",
            0,
            "2d18bd6c14e6d15bf8b5085c9b74f3daae3b03cc2014770a599d8c1539e50f8e",
        ),
        (
            "3141592653589793238462643383279502884197169399375105820974944592",
            "41c9e07822b092a93fd6797396338c3ada4170cc81829fdfce6b5d34bd5e7ec7",
            3_141_592_653,
            "384843fad5f3d777ea39de3e47a8f999ae91f89e42bffa993d91d9782d152a0f",
        ),
    ] {
        let derived = SecretKey::derive_master(&hex::decode(seed).expect("hex")).expect("a long enough seed");
        assert_eq!(hex::encode(*derived.to_bytes()), master);
        assert_eq!(hex::encode(*derived.derive_child(index).to_bytes()), child);
    }
}

#[test]
fn seed_below_32_bytes_is_refused() {
    let error = SecretKey::derive_master(&[1; 31]).expect_err("31 bytes");
    assert_eq!(error.to_string(), "seed must be at least 32 bytes, got 31");
}
