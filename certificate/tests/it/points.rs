//! Keys and signatures as bytes and text: one form each, in both layouts.

use holdfast_certificate::{
    Address, DisperserKey, DisperserSignature, Error, Malformed, Namespace, PointProblem, ProofOfPossession, PublicKey,
    Registration, SecretKey, Signature, StatementDigest,
};
use proptest::prelude::*;

use crate::world::{World, secret};

/// The field's modulus, big-endian.
const MODULUS: &str =
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";

#[test]
fn every_form_of_a_point_round_trips() {
    for slot in 0..8 {
        let secret = secret(slot);
        let key = secret.public_key();
        assert_eq!(PublicKey::from_bytes(&key.to_bytes()).expect("its own encoding"), key);
        assert_eq!(PublicKey::from_eip2537(&key.to_eip2537()).expect("its own encoding"), key);
        assert_eq!(key.to_string().parse::<PublicKey>().expect("its own text"), key);
        let json = serde_json::to_string(&key).expect("text");
        assert_eq!(json, format!("\"{key}\""));
        assert_eq!(serde_json::from_str::<PublicKey>(&json).expect("its own JSON"), key);

        let proof = secret.prove_possession(&Registration::WITHOUT_L1);
        assert_eq!(ProofOfPossession::from_bytes(&proof.to_bytes()).expect("its own encoding"), proof);
        assert_eq!(ProofOfPossession::from_eip2537(&proof.to_eip2537()).expect("its own encoding"), proof);
        assert_eq!(proof.to_string().parse::<ProofOfPossession>().expect("its own text"), proof);

        assert_eq!(SecretKey::from_bytes(secret.to_bytes().as_ref()).expect("its own encoding").public_key(), key);
    }
}

#[test]
fn coordinate_at_or_over_the_modulus_is_refused() {
    // x plus the modulus is the same field element, and must not be another encoding of the point.
    let modulus = hex::decode(MODULUS).expect("hex");
    let add = |element: &mut [u8]| {
        let mut carry = 0;
        for (byte, other) in element.iter_mut().zip(&modulus).rev() {
            let sum = u16::from(*byte) + u16::from(*other) + carry;
            *byte = u8::try_from(sum & 0xff).expect("masked");
            carry = sum >> 8;
        }
    };
    let world = World::new(2, 5, 4);
    let mut below_flags = 0;
    for slot in 0..5 {
        let bytes = world.attest(slot, &world.statement()).signature.to_eip2537();
        for at in [16, 80] {
            let mut over = bytes;
            add(&mut over[at..at + 48]);
            below_flags += usize::from(over[at] < 0x20);
            let error = Signature::from_eip2537(&over).expect_err("not canonical");
            assert!(matches!(error, Malformed::Point { problem: PointProblem::Encoding, .. }), "{error}");
        }
        let bytes = world.secrets[usize::from(slot)].public_key().to_eip2537();
        for at in [16, 80, 144, 208] {
            let mut over = bytes;
            add(&mut over[at..at + 48]);
            below_flags += usize::from(over[at] < 0x20);
            let error = PublicKey::from_eip2537(&over).expect_err("not canonical");
            assert!(matches!(error, Malformed::Point { problem: PointProblem::Encoding, .. }), "{error}");
        }
    }
    assert!(below_flags > 0, "some of the sums leave the flag bits alone, so that the comparison itself is tested");
}

#[test]
fn flags_of_compressed_points_are_refused_in_eip2537() {
    let world = World::new(2, 5, 4);
    let (key, signature) = (secret(0).public_key(), world.attest(0, &world.statement()).signature);
    for flag in [0x80, 0x40, 0x20] {
        for element in 0..4 {
            let mut bytes = key.to_eip2537();
            bytes[64 * element + 16] |= flag;
            let error = PublicKey::from_eip2537(&bytes).expect_err("not canonical");
            assert!(matches!(error, Malformed::Point { problem: PointProblem::Encoding, .. }), "{error}");
        }
        for element in 0..2 {
            let mut bytes = signature.to_eip2537();
            bytes[64 * element + 16] |= flag;
            let error = Signature::from_eip2537(&bytes).expect_err("not canonical");
            assert!(matches!(error, Malformed::Point { problem: PointProblem::Encoding, .. }), "{error}");
        }
        // Infinity as the ZCash format flags it.
        let mut bytes = [0; 128];
        bytes[16] = flag;
        Signature::from_eip2537(&bytes).expect_err("not a point");
    }
}

#[test]
fn point_off_the_curve_is_refused() {
    let mut bytes = World::new(2, 5, 4).secrets[0].public_key().to_eip2537();
    bytes[255] ^= 1;
    let error = PublicKey::from_eip2537(&bytes).expect_err("another y");
    assert!(matches!(error, Malformed::Point { problem: PointProblem::Curve, .. }), "{error}");
}

#[test]
fn uncompressed_points_are_not_taken_for_compressed() {
    let key = secret(0).public_key().to_eip2537();
    PublicKey::from_bytes(&key[..192]).expect_err("192 bytes");
    let error = Signature::from_bytes(&[0; 48]).expect_err("not marked as compressed");
    assert!(matches!(error, Malformed::Point { problem: PointProblem::Encoding, .. }), "{error}");
}

#[test]
fn secret_key_out_of_range_is_refused() {
    let order = hex::decode("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001").expect("hex");
    for bytes in [vec![0; 32], order, vec![0xff; 32]] {
        let error = SecretKey::from_bytes(&bytes).expect_err("out of range");
        assert!(matches!(error, Malformed::SecretKeyRange { .. }), "{error}");
    }
    SecretKey::from_bytes(&[1; 31]).expect_err("31 bytes");
}

#[test]
fn secrets_are_not_printed() {
    let (member, disperser) = (secret(0), DisperserKey::from_bytes(&[7; 32]).expect("a scalar"));
    assert_eq!(format!("{member:?}"), "SecretKey(redacted)");
    assert!(!format!("{disperser:?}").contains(&hex::encode([7; 8])));
    assert_ne!(SecretKey::generate().to_bytes(), SecretKey::generate().to_bytes());
}

#[test]
fn text_that_is_not_hex_says_what_was_expected() {
    for (text, message) in [
        ("abab", "address must begin with 0x"),
        ("0xabab", "address must be 0x and 40 hex digits, got 4 digits"),
        ("0xzzabababababababababababababababababababab", "address must be 0x and 40 hex digits, got 42 digits"),
        ("0xzzababababababababababababababababababab", "address has characters other than 0-9 and a-f"),
        ("0xéababababababababababababababababababab", "address has characters other than 0-9 and a-f"),
    ] {
        assert_eq!(text.parse::<Address>().expect_err("not an address").to_string(), message, "{text}");
    }
    "0x12".parse::<Namespace>().expect_err("too short");
}

#[test]
fn namespace_is_that_of_the_contract() {
    // keccak256(abi.encode(address, bytes32)): both padded to a word.
    let (owner, salt) = (Address::from([0x11; 20]), [0x22; 32]);
    let mut encoded = vec![0; 12];
    encoded.extend([0x11; 20]);
    encoded.extend([0x22; 32]);
    assert_eq!(Namespace::derive(&owner, &salt).0, holdfast_erasure::keccak256(&encoded));
}

fn digest(byte: u8) -> StatementDigest {
    StatementDigest::from_bytes(&[byte; 32]).expect("32 bytes")
}

#[test]
fn disperser_address_is_that_of_ethereum() {
    // The first account of every development chain.
    let key =
        DisperserKey::from_hex("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").expect("a key");
    assert_eq!(key.address().to_string(), "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
}

#[test]
fn disperser_signature_has_one_form() {
    let key = DisperserKey::from_bytes(&[7; 32]).expect("a scalar");
    let signature = key.sign(&digest(1));
    assert_eq!(signature.recover(&digest(1)).expect("a signature"), key.address());

    // The same signature with n - s and the other v, which recovers to the same key without the rule of low s.
    let mut high = signature.to_bytes();
    let s = secp256k1::SecretKey::from_secret_bytes(high[32..64].try_into().expect("32 bytes")).expect("a scalar");
    high[32..64].copy_from_slice(&s.negate().to_secret_bytes());
    high[64] ^= 27 ^ 28;
    let error = DisperserSignature::from_bytes(&high).expect_err("high s");
    assert_eq!(error.to_string(), "disperser signature must have a low s");

    for v in [0, 1, 26, 29, 255] {
        let mut other = signature.to_bytes();
        other[64] = v;
        let error = DisperserSignature::from_bytes(&other).expect_err("another v");
        assert_eq!(error.to_string(), "disperser signature must have a v of 27 or 28");
    }
    for (scalar, byte) in [(0..32, 0), (32..64, 0), (0..32, 0xff), (32..64, 0xff)] {
        let mut other = signature.to_bytes();
        other[scalar].fill(byte);
        let error = DisperserSignature::from_bytes(&other).expect_err("no scalar of the group");
        assert_eq!(error.to_string(), "disperser signature must have r and s from 1 to the group order less one");
    }
    DisperserSignature::from_bytes(&signature.to_bytes()[..64]).expect_err("64 bytes");
}

proptest! {
    #[test]
    fn disperser_signature_is_of_its_digest_and_key(secret in 1u8..255, one in any::<u8>(), other in any::<u8>()) {
        let key = DisperserKey::from_bytes(&[secret; 32]).expect("a scalar");
        let signature = key.sign(&digest(one));
        prop_assert_eq!(DisperserSignature::from_bytes(&signature.to_bytes()).expect("its own encoding"), signature);
        let recovered = signature.recover(&digest(other)).ok();
        prop_assert_eq!(recovered == Some(key.address()), one == other);
    }

    #[test]
    fn arbitrary_points_and_signatures_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let length = bytes.len();
        let refused = |result: Result<(), Malformed>, wanted: usize| {
            length == wanted || matches!(result, Err(Malformed::Length { .. }))
        };
        prop_assert!(refused(PublicKey::from_bytes(&bytes).map(drop), 96));
        prop_assert!(refused(PublicKey::from_eip2537(&bytes).map(drop), 256));
        prop_assert!(refused(Signature::from_bytes(&bytes).map(drop), 48));
        prop_assert!(refused(Signature::from_eip2537(&bytes).map(drop), 128));
        prop_assert!(refused(ProofOfPossession::from_bytes(&bytes).map(drop), 48));
        let signature = DisperserSignature::from_bytes(&bytes);
        let refused = matches!(signature, Err(Error::Malformed(Malformed::Length { .. })));
        prop_assert!(length == 65 || refused);
    }

    #[test]
    fn arbitrary_bytes_of_the_right_length_never_panic(bytes in proptest::collection::vec(any::<u8>(), 256), flags in 0u8..8) {
        let mut bytes = bytes;
        bytes[0] = bytes[0] & 0x1f | flags << 5;
        if let Ok(key) = PublicKey::from_bytes(&bytes[..96]) {
            prop_assert_eq!(&key.to_bytes()[..], &bytes[..96]);
        }
        if let Ok(signature) = Signature::from_bytes(&bytes[..48]) {
            prop_assert_eq!(&signature.to_bytes()[..], &bytes[..48]);
        }
        if let Ok(signature) = DisperserSignature::from_bytes(&bytes[..65]) {
            prop_assert_eq!(&signature.to_bytes()[..], &bytes[..65]);
            drop(signature.recover(&digest(1)));
        }
    }
}
