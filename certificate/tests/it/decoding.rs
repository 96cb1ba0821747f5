//! Strict decoding: one byte form, no panic, and no bit that can be changed.

use holdfast_certificate::{Certificate, Error, Malformed, Namespace, PointProblem, Statement};
use holdfast_erasure::{Blob, Digest};
use proptest::prelude::*;

use crate::world::World;

fn certificate(world: &World) -> Certificate {
    let statement = world.statement();
    let threshold = world.committee.parameters().threshold();
    let attestations = world.attest_all(0..threshold, &statement);
    Certificate::aggregate(&world.committee, statement, &attestations).expect("a quorum").into_inner()
}

#[test]
fn sizes_are_those_of_the_protocol() {
    for (n, compact) in [(5, 210), (8, 210), (9, 211), (16, 211), (17, 212), (24, 212)] {
        assert_eq!(Certificate::compact_length(n), compact);
        let bytes = certificate(&World::new(2, n, n)).encode();
        assert_eq!(bytes.len(), compact);
    }
    assert_eq!(certificate(&World::new(2, 5, 4)).encode_l1().len(), 321);
    assert_eq!(Certificate::L1_BYTES, 321);
}

#[test]
fn one_changed_bit_is_refused() {
    let world = World::new(2, 5, 4);
    let certificate = certificate(&world);
    certificate.verify(&world.committee).expect("genuine as it is");
    type Decode = fn(&[u8]) -> Result<Certificate, Error>;
    let forms: [(Vec<u8>, Decode); 2] =
        [(certificate.encode(), Certificate::decode), (certificate.encode_l1(), Certificate::decode_l1)];
    for (bytes, decode) in forms {
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(decoded) = decode(&changed) {
                decoded.verify(&world.committee).expect_err("one bit differs from what was signed");
            }
        }
    }
}

#[test]
fn every_other_length_is_refused() {
    let certificate = certificate(&World::new(2, 5, 4));
    let (compact, l1) = (certificate.encode(), certificate.encode_l1());
    for length in 0..400 {
        let resized = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.resize(length, 0);
            bytes
        };
        if length != compact.len() {
            let error = Certificate::decode(&resized(&compact)).expect_err("another length");
            assert!(
                matches!(error, Error::Malformed(Malformed::Length { expected: 210, got, .. }) if got == length),
                "{error}"
            );
        }
        if length != l1.len() {
            let error = Certificate::decode_l1(&resized(&l1)).expect_err("another length");
            assert!(
                matches!(error, Error::Malformed(Malformed::Length { expected: 321, got, .. }) if got == length),
                "{error}"
            );
        }
    }
}

#[test]
fn unknown_version_is_refused() {
    let mut bytes = certificate(&World::new(2, 5, 4)).encode();
    bytes[0] = 2;
    let error = Certificate::decode(&bytes).expect_err("version 2");
    assert_eq!(error.to_string(), "certificate version must be 1, got 2");
}

#[test]
fn impossible_numbers_of_shards_are_refused() {
    let bytes = certificate(&World::new(2, 5, 4)).encode();
    for (k, n) in [(0, 5), (5, 5), (6, 5), (2, 0), (2, 127), (2, u16::MAX), (u16::MAX, u16::MAX)] {
        let mut changed = bytes.clone();
        changed[77..79].copy_from_slice(&u16::to_be_bytes(k));
        changed[79..81].copy_from_slice(&u16::to_be_bytes(n));
        let error = Certificate::decode(&changed).expect_err("impossible numbers of shards");
        assert!(matches!(error, Error::Code(_)), "{k} of {n}: {error}");
    }
}

#[test]
fn signer_at_or_past_n_is_refused() {
    let certificate = certificate(&World::new(2, 5, 4));
    for slot in 5..8u16 {
        let mut bytes = certificate.encode();
        bytes[161] |= 1 << slot;
        let error = Certificate::decode(&bytes).expect_err("no such slot");
        assert!(matches!(error, Error::BitmapRange { members: 5, got } if got == slot), "{error}");
    }
    for slot in 5..256u16 {
        let mut bytes = certificate.encode_l1();
        bytes[161 + 31 - usize::from(slot / 8)] |= 1 << (slot % 8);
        let error = Certificate::decode_l1(&bytes).expect_err("no such slot");
        assert!(matches!(error, Error::BitmapRange { members: 5, got } if got == slot), "{error}");
    }
}

#[test]
fn padding_of_an_l1_signature_must_be_zero() {
    let bytes = certificate(&World::new(2, 5, 4)).encode_l1();
    let signature_at = bytes.len() - 128;
    for place in (0..16).chain(64..80) {
        let mut changed = bytes.clone();
        changed[signature_at + place] = 1;
        let error = Certificate::decode_l1(&changed).expect_err("padding");
        assert!(matches!(error, Error::Malformed(Malformed::Point { problem: PointProblem::Encoding, .. })), "{error}");
    }
}

fn any_statement(k: u16, n: u16) -> impl Strategy<Value = Statement> {
    (any::<([u8; 32], u64, u32, [u8; 32], [u8; 32])>(), any::<([u8; 32], u64, u64)>()).prop_map(
        move |((namespace, epoch, payload_length, digest, root), (hash, whole_until, retain_until))| Statement {
            namespace: Namespace::from(namespace),
            epoch,
            blob: Blob {
                payload_length,
                payload_digest: Digest::from(digest),
                original_shards: k,
                total_shards: n,
                shards_root: Digest::from(root),
                fingerprints_hash: Digest::from(hash),
            },
            whole_until,
            retain_until,
        },
    )
}

fn any_signers(n: u16) -> impl Strategy<Value = u128> {
    any::<u128>().prop_map(move |bits| bits & ((1 << n) - 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), n in 2u16..130, form in 0..3) {
        // Most random bytes fail at the first one; also try those that get further.
        if form > 0 && bytes.len() > 81 {
            bytes[0] = 1;
            bytes[77..79].copy_from_slice(&1u16.to_be_bytes());
            bytes[79..81].copy_from_slice(&n.to_be_bytes());
            if form == 2 {
                bytes.resize(Certificate::compact_length(n), 0);
            }
        }
        if let Ok(decoded) = Certificate::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes.clone());
        }
        if let Ok(decoded) = Certificate::decode_l1(&bytes) {
            prop_assert_eq!(decoded.encode_l1(), bytes);
        }
    }

    #[test]
    fn decode_inverts_encode(
        (statement, signers) in (1u16..125)
            .prop_flat_map(|k| (k + 1..=126).prop_flat_map(move |n| (any_statement(k, n), any_signers(n)))),
        signer in 0u16..8,
    ) {
        // Bytes by hand, so that any bitmap is reached: what decodes must encode to the same.
        let n = statement.blob.total_shards;
        let world = World::new(1, 2, 2);
        let signature = world.attest(signer % 2, &statement).signature;
        let mut bytes = vec![1];
        bytes.extend(statement.namespace.to_bytes());
        bytes.extend(statement.epoch.to_be_bytes());
        bytes.extend(statement.blob.payload_length.to_be_bytes());
        bytes.extend(statement.blob.payload_digest.as_bytes());
        bytes.extend(statement.blob.original_shards.to_be_bytes());
        bytes.extend(n.to_be_bytes());
        bytes.extend(statement.blob.shards_root.as_bytes());
        bytes.extend(statement.blob.fingerprints_hash.as_bytes());
        bytes.extend(statement.whole_until.to_be_bytes());
        bytes.extend(statement.retain_until.to_be_bytes());
        bytes.extend(&signers.to_le_bytes()[..usize::from(n).div_ceil(8)]);
        bytes.extend(signature.to_bytes());

        let decoded = Certificate::decode(&bytes).expect("well-formed");
        prop_assert_eq!(decoded.statement, statement);
        prop_assert_eq!(u32::from(decoded.signers().count()), signers.count_ones());
        prop_assert!(decoded.signers().slots().all(|slot| signers >> slot & 1 == 1));
        prop_assert!(decoded.signers().missing().all(|slot| signers >> slot & 1 == 0));
        prop_assert_eq!(decoded.signature(), &signature);
        prop_assert_eq!(decoded.encode(), bytes);
        prop_assert_eq!(Certificate::decode_l1(&decoded.encode_l1()).expect("well-formed"), decoded);
    }
}
