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

#[test]
fn blob_ids_come_back_and_no_more_than_a_checkpoint_takes_are_taken() {
    let ids: Vec<BlobId> = (0..4096u32).map(|number| holdfast_erasure::sha256(&number.to_be_bytes()).into()).collect();
    for count in [1, 2, 4096] {
        let wire = blob_ids_to_bytes(&ids[..count]);
        assert!(wire.len() <= crate::MAX_MESSAGE_BYTES / 2);
        assert_eq!(blob_ids(&wire).unwrap(), ids[..count]);
    }
    for (length, expected) in [(0, 32), (31, 32), (33, 32), (4096 * 32 - 1, 4095 * 32), (4096 * 32 + 1, 4096 * 32)] {
        let error = blob_ids(&vec![1; length]).unwrap_err();
        assert_eq!(error, Error::Length { field: "blob_ids", expected, got: length });
    }
    for length in [4097 * 32, 1 << 20] {
        let error = blob_ids(&vec![1; length]).unwrap_err();
        assert_eq!(error, Error::Length { field: "blob_ids", expected: 4096 * 32, got: length });
    }
}

mod fuzz;
