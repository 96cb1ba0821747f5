#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use holdfast_certificate::{SecretKey, StatementDigest};
use holdfast_erasure::{Dispersal, encode};

use super::*;

fn sample() -> (Statement, Commitment) {
    let encoded = encode(Parameters::new(2, 5).unwrap(), Bytes::from_static(b"a batch"), Dispersal::ByShard).unwrap();
    let statement = Statement {
        namespace: Namespace::from([7; 32]),
        epoch: 3,
        blob: *encoded.blob(),
        whole_until: 0,
        retain_until: 480_000 * 3600,
    };
    (statement, encoded.commitment().clone())
}

fn cut(bytes: &Bytes) -> [Bytes; 3] {
    let mut longer = bytes.to_vec();
    longer.push(0);
    [Bytes::new(), bytes.slice(..bytes.len() - 1), longer.into()]
}

#[test]
fn statement_and_commitment_come_back_from_the_wire() {
    let (statement, commitment) = sample();
    assert_eq!(Statement::try_from(&v1::Statement::from(&statement)).unwrap(), statement);
    let back = Commitment::try_from(&v1::Commitment::from(&commitment)).unwrap();
    assert_eq!(back.id(), commitment.id());
    assert_eq!(back.shard_roots(), commitment.shard_roots());
    assert_eq!(back.fingerprints(), commitment.fingerprints());
}

#[test]
fn attestation_comes_back_from_the_wire() {
    let (statement, _) = sample();
    let digest: StatementDigest = statement
        .digest(&holdfast_certificate::Domain { chain_id: 1, registry: holdfast_certificate::Address::from([9; 20]) });
    let attestation = Attestation::sign(4, &SecretKey::generate(), &digest);
    let back = Attestation::try_from(&v1::Attestation::from(&attestation)).unwrap();
    assert_eq!((back.slot, back.signature), (attestation.slot, attestation.signature));
}

#[test]
fn truncated_and_overlong_fields_are_refused_by_name() {
    let (statement, commitment) = sample();
    let good = v1::Statement::from(&statement);
    type Field = fn(&mut v1::Statement) -> &mut Bytes;
    let fields: [(&str, Field); 4] = [
        ("namespace", |statement| &mut statement.namespace),
        ("payload_digest", |statement| &mut statement.blob.as_mut().unwrap().payload_digest),
        ("shards_root", |statement| &mut statement.blob.as_mut().unwrap().shards_root),
        ("fingerprints_hash", |statement| &mut statement.blob.as_mut().unwrap().fingerprints_hash),
    ];
    for (name, field) in fields {
        for bytes in cut(&Bytes::from(vec![1; 32])) {
            let mut bad = good.clone();
            let got = bytes.len();
            *field(&mut bad) = bytes;
            assert_eq!(Statement::try_from(&bad).unwrap_err(), Error::Length { field: name, expected: 32, got });
        }
    }
    let good = v1::Commitment::from(&commitment);
    for bytes in cut(&good.shard_roots) {
        let bad = v1::Commitment { shard_roots: bytes, ..good.clone() };
        assert!(matches!(Commitment::try_from(&bad), Err(Error::Length { field: "shard_roots", expected: 160, .. })));
    }
    for bytes in cut(&good.fingerprints) {
        let bad = v1::Commitment { fingerprints: bytes, ..good.clone() };
        assert!(matches!(Commitment::try_from(&bad), Err(Error::Length { field: "fingerprints", expected: 512, .. })));
    }
}

#[test]
fn parameters_out_of_range_are_refused_before_anything_is_sized_by_them() {
    let (_, commitment) = sample();
    for (original, total) in [(0, 5), (5, 5), (6, 5), (2, 127), (2, 0), (u32::MAX, u32::MAX), (1 << 16, 1 << 17)] {
        let mut bad = v1::Commitment::from(&commitment);
        let blob = bad.blob.as_mut().unwrap();
        (blob.original_shards, blob.total_shards) = (original, total);
        let error = Commitment::try_from(&bad).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. } | Error::TooLarge { .. }), "{original} of {total}: {error}");
    }
}

#[test]
fn missing_messages_are_named() {
    let (statement, commitment) = sample();
    let bad = v1::Statement { blob: None, ..v1::Statement::from(&statement) };
    assert_eq!(Statement::try_from(&bad).unwrap_err(), Error::Missing { field: "blob" });
    let bad = v1::Commitment { blob: None, ..v1::Commitment::from(&commitment) };
    assert_eq!(Commitment::try_from(&bad).unwrap_err(), Error::Missing { field: "blob" });
}

#[test]
fn an_attestation_that_is_no_point_is_refused() {
    for bytes in [vec![0; 48], vec![0xff; 48], [&[0xc0][..], &[0; 47]].concat()] {
        let wire = v1::Attestation { slot: 0, signature: bytes.into() };
        assert!(matches!(Attestation::try_from(&wire), Err(Error::Invalid { field: "signature", .. })));
    }
    let wire = v1::Attestation { slot: 1 << 16, signature: Bytes::from(vec![0; 48]) };
    assert!(Attestation::try_from(&wire).is_err());
}
