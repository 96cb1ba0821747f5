//! The golden vectors, which an independent program in Python wrote from docs/protocol.md.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use holdfast_erasure::{
    AcceptedShard, BlobId, Digest, Dispersal, Opening, Parameters, decode, encode, keccak256, sha256,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    original_shards: u16,
    total_shards: u16,
    payload_length: usize,
    payload: Payload,
    shard_length: usize,
    shards_root: Digest,
    shard_roots: Vec<Digest>,
    shard_of_slot_zero: u16,
    points: Vec<Hex>,
    fingerprints: Hex,
    fingerprints_hash: Digest,
    payload_digest_by_payload: Digest,
    blob_id_by_shard: BlobId,
    blob_id_by_payload: BlobId,
    #[serde(default)]
    shards: Vec<Hex>,
    openings: Vec<Place>,
}

#[derive(Deserialize)]
struct Payload {
    seed: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    index: u16,
    leaf_number: u32,
    leaf_length: usize,
    leaf_sha256: Digest,
    leaf_path: Vec<Digest>,
    shard_path: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text.strip_prefix("0x").unwrap_or(&text)).map(Self)
    }
}

fn vectors() -> Vec<Vector> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/golden/erasure.json");
    let vectors: Vec<Vector> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!vectors.is_empty(), "there are vectors");
    vectors
}

fn payload(vector: &Vector) -> Bytes {
    let block = |counter: u64| {
        let hash = sha256(&[vector.payload.seed.to_be_bytes(), counter.to_be_bytes()].concat());
        *hash.as_bytes()
    };
    (0..).flat_map(block).take(vector.payload_length).collect()
}

#[test]
fn encoding_gives_the_golden_shards_roots_fingerprints_and_ids() {
    let mut in_full = 0;
    for vector in vectors() {
        let (name, payload) = (&vector.name, payload(&vector));
        let parameters = Parameters::new(vector.original_shards, vector.total_shards).unwrap();
        let by_shard = encode(parameters, payload.clone(), Dispersal::ByShard).unwrap();
        let by_payload = encode(parameters, payload.clone(), Dispersal::ByPayload).unwrap();
        let commitment = by_shard.commitment();

        assert_eq!(commitment.shard_length(), vector.shard_length, "{name}");
        assert_eq!(commitment.shard_roots(), vector.shard_roots, "{name}");
        assert_eq!(by_shard.blob().shards_root, vector.shards_root, "{name}");
        let points: Vec<&[u8]> = vector.points.iter().map(|point| &*point.0).collect();
        assert_eq!(commitment.points().each_ref().map(|point| &point[..]), *points, "{name}");
        assert_eq!(commitment.fingerprints(), &vector.fingerprints.0, "{name}");
        assert_eq!(by_shard.blob().fingerprints_hash, vector.fingerprints_hash, "{name}");
        assert_eq!(keccak256(&payload), vector.payload_digest_by_payload, "{name}");
        assert_eq!(by_payload.blob().payload_digest, vector.payload_digest_by_payload, "{name}");
        assert_eq!(by_shard.id(), vector.blob_id_by_shard, "{name}");
        assert_eq!(by_payload.id(), vector.blob_id_by_payload, "{name}");
        let shard = parameters.shard_of_slot(0, &vector.shards_root);
        assert_eq!(shard.get(), vector.shard_of_slot_zero, "{name}");
        assert_eq!(parameters.slot_of_shard(shard, &vector.shards_root), 0, "{name}");
        for (index, shard) in parameters.indices().zip(&vector.shards) {
            assert_eq!(by_shard.shard(index), shard.0, "shard {index} of {name}");
            in_full += 1;
        }
    }
    assert!(in_full > 0, "some vectors have their shards in full");
}

#[test]
fn golden_openings_are_made_and_verify() {
    let mut seen = 0;
    for vector in vectors() {
        let parameters = Parameters::new(vector.original_shards, vector.total_shards).unwrap();
        let encoded = encode(parameters, payload(&vector), Dispersal::ByShard).unwrap();
        for place in vector.openings {
            let index = parameters.index(place.index).unwrap();
            let opening = encoded.opening(index, place.leaf_number).unwrap();
            assert_eq!(opening.leaf.len(), place.leaf_length, "{}", vector.name);
            assert_eq!(sha256(&opening.leaf), place.leaf_sha256, "{}", vector.name);
            let golden = Opening { leaf_path: place.leaf_path, shard_path: place.shard_path, ..opening.clone() };
            assert_eq!(opening, golden, "{}", vector.name);
            golden.verify(encoded.blob()).unwrap_or_else(|e| panic!("{e}, {}", vector.name));
            seen += 1;
        }
    }
    assert!(seen > 0, "there are openings");
}

#[test]
fn golden_shards_are_accepted_and_decode_from_either_end() {
    for vector in vectors() {
        let (name, payload) = (&vector.name, payload(&vector));
        let parameters = Parameters::new(vector.original_shards, vector.total_shards).unwrap();
        let encoded = encode(parameters, payload.clone(), Dispersal::ByPayload).unwrap();
        let commitment = encoded.commitment();
        let accept = |index| commitment.accept(index, encoded.shard(index)).unwrap();
        let k = usize::from(vector.original_shards);
        let first: Vec<AcceptedShard> = parameters.indices().take(k).map(accept).collect();
        let last: Vec<AcceptedShard> = parameters.indices().rev().take(k).map(accept).collect();
        assert_eq!(decode(commitment, &first).unwrap(), payload, "{name}");
        assert_eq!(decode(commitment, &last).unwrap(), payload, "{name}");
    }
}
