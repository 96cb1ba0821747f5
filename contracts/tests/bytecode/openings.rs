//! Leaves of original shards against blob ids: the contract and the library open alike.

use alloy::primitives::{Address, B256, Bytes, U256};
use holdfast_erasure::{Dispersal, EncodedBlob, LEAF_BYTES, Parameters, encode};
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::{self, Registry},
    chain::Chain,
    fixture::Fixture,
};

const DISPERSALS: [Dispersal; 2] = [Dispersal::ByShard, Dispersal::ByPayload];

/// Shards that rebuild, shards, and bytes of payload: at and next to the bounds of groups, leaves and shards.
const SIZES: [(u16, u16, usize); 12] = [
    (1, 2, 1),
    (1, 2, 4096),
    (1, 3, 4097),
    (2, 5, 1_000),
    (2, 5, 8_192),
    (2, 5, 8_193),
    (2, 5, 100_000),
    (3, 7, 12_289),
    (3, 10, 70_001),
    (4, 7, 4 * 4096 * 5),
    (34, 100, 34 * 4096 + 1),
    (86, 126, 86 * 128 * 40),
];

#[test]
fn every_leaf_of_every_original_shard() {
    for spec in [SpecId::PRAGUE, SpecId::OSAKA] {
        let (chain, registry) = Fixture::empty(spec);
        for (number, (k, n, length)) in SIZES.into_iter().enumerate() {
            let encoded = blob(k, n, length, DISPERSALS[number % 2]);
            let shard_length = encoded.commitment().shard_length();
            let mut opened = Vec::new();
            for (shard, leaf) in leaves(&encoded) {
                let call = opening(&encoded, shard, leaf);
                // What counts as payload is the payload, without its padding.
                let offset = usize::from(shard) * shard_length + leaf * LEAF_BYTES;
                let expected = length.saturating_sub(offset).min(call.leaf.len());
                let what = format!("leaf {leaf} of {shard}, {k} {n} {length}");
                let by_payload = DISPERSALS[number % 2] == Dispersal::ByPayload;
                let payload = if by_payload { expected } else { 0 };
                assert_eq!(chain.call(registry, &call), U256::from(payload), "{what}");
                assert_eq!(chain.call(registry, &committed(&call)), U256::from(expected), "{what}");
                if expected != 0 {
                    assert_eq!(opened.len(), offset);
                    opened.extend_from_slice(&call.leaf[..expected]);
                }
            }
            assert_eq!(opened, encoded.payload()[..], "{k} {n} {length}");
        }
    }
}

#[test]
fn leaves_of_recovery_shards_are_no_payload() {
    let (chain, registry) = Fixture::empty(SpecId::OSAKA);
    let encoded = blob(2, 5, 100_000, Dispersal::ByPayload);
    for shard in 2..5 {
        refused(&chain, registry, &opening(&encoded, shard, 0), &format!("shard {shard}"));
    }
}

#[test]
fn one_byte_of_an_opening_changed() {
    let (chain, registry) = Fixture::empty(SpecId::OSAKA);
    let encoded = blob(3, 7, 50_000, Dispersal::ByPayload);
    let good = opening(&encoded, 1, 2);
    assert!(!chain.call(registry, &good).is_zero());
    for byte in [0, 1, 2048, 4095] {
        let mut call = good.clone();
        call.leaf = edit(&good.leaf, |leaf| leaf[byte] ^= 1);
        refused(&chain, registry, &call, &format!("byte {byte} of the leaf"));
    }
    for step in 0..good.path.len() {
        let mut call = good.clone();
        call.path[step].0[31] ^= 1;
        refused(&chain, registry, &call, &format!("step {step}"));
        call.path.swap(0, step);
        refused(&chain, registry, &call, &format!("step {step} first"));
    }
    let edits: [&dyn Fn(&mut abi::Blob); 6] = [
        &|blob| blob.payloadLength += 1,
        &|blob| blob.payloadDigest.0[0] ^= 1,
        &|blob| blob.originalShards += 1,
        &|blob| blob.totalShards += 1,
        &|blob| blob.shardsRoot.0[0] ^= 1,
        &|blob| blob.fingerprintsHash.0[0] ^= 1,
    ];
    for (field, edit) in edits.into_iter().enumerate() {
        let mut call = good.clone();
        edit(&mut call.blob);
        refused(&chain, registry, &call, &format!("field {field}"));
    }
    for id in [B256::ZERO, B256::repeat_byte(1)] {
        refused(&chain, registry, &Registry::openPayloadCall { blobId: id, ..good.clone() }, "another id");
    }
}

#[test]
fn a_leaf_or_path_of_another_length() {
    let (chain, registry) = Fixture::empty(SpecId::OSAKA);
    // The last leaf of the second shard is short.
    let encoded = blob(2, 5, 20_000, Dispersal::ByPayload);
    for (shard, leaf) in [(0, 0), (1, 2)] {
        let good = opening(&encoded, shard, leaf);
        assert!(!chain.call(registry, &good).is_zero());
        let length = good.leaf.len();
        for other in [0, 1, 31, 32, 64, length - 1, length + 1, length + 32, 4096, 4097, 10_112] {
            if other != length {
                let mut call = good.clone();
                call.leaf = edit(&good.leaf, |leaf| leaf.resize(other, 0));
                refused(&chain, registry, &call, &format!("{other} bytes"));
            }
        }
        for steps in (0..good.path.len()).chain([good.path.len() + 1, good.path.len() + 40]) {
            let mut call = good.clone();
            call.path.resize(steps, B256::ZERO);
            refused(&chain, registry, &call, &format!("{steps} steps"));
        }
    }
}

#[test]
fn a_node_in_the_place_of_a_leaf() {
    let (chain, registry) = Fixture::empty(SpecId::OSAKA);
    // Shards of one leaf of 128 bytes: their root is the leaf's hash, never 64 bytes of two roots.
    let encoded = blob(2, 4, 200, Dispersal::ByPayload);
    let good = opening(&encoded, 0, 0);
    assert!(!chain.call(registry, &good).is_zero());
    let mut call = good.clone();
    let roots = encoded.commitment().shard_roots();
    call.leaf = [roots[0].as_bytes(), roots[1].as_bytes()].map(|root| &root[..]).concat().into();
    call.path = good.path[1..].to_vec();
    refused(&chain, registry, &call, "");
}

#[test]
fn offsets_that_no_leaf_begins_at() {
    let (chain, registry) = Fixture::empty(SpecId::OSAKA);
    let encoded = blob(2, 5, 20_000, Dispersal::ByPayload);
    let good = opening(&encoded, 1, 1);
    let offset = good.offset;
    let shard_length = U256::from(encoded.commitment().shard_length());
    let one = U256::from(1);
    let wrong = [
        U256::ZERO,
        offset - one,
        offset + one,
        offset - shard_length,
        offset + shard_length,
        offset + U256::from(LEAF_BYTES),
        U256::from(20_000),
        U256::MAX,
        U256::MAX - offset + one,
        (one << 32) + offset,
        (one << 255) + offset,
    ];
    for offset in wrong {
        let call = Registry::openPayloadCall { offset, ..good.clone() };
        refused(&chain, registry, &call, &format!("offset {offset}"));
    }
}

#[test]
fn a_blob_that_is_none_opens_nothing() {
    let (chain, registry) = Fixture::empty(SpecId::OSAKA);
    let good = opening(&blob(2, 5, 20_000, Dispersal::ByPayload), 0, 0);
    for (k, n, length) in [(0, 5, 20_000), (5, 5, 20_000), (6, 5, 1), (0, 0, 0), (2, 5, 0), (u16::MAX, 0, u32::MAX)] {
        let blob = abi::Blob { originalShards: k, totalShards: n, payloadLength: length, ..good.blob.clone() };
        let call = Registry::openPayloadCall { blobId: id_of(&blob), blob, ..good.clone() };
        refused(&chain, registry, &call, &format!("{k} {n} {length}"));
    }
    // The largest there could be: nothing overflows.
    let largest =
        abi::Blob { originalShards: 65_534, totalShards: u16::MAX, payloadLength: u32::MAX, ..good.blob.clone() };
    let call = Registry::openPayloadCall { blobId: id_of(&largest), blob: largest, ..good };
    refused(&chain, registry, &call, "");
}

/// Neither payload nor committed there.
#[track_caller]
fn refused(chain: &Chain, registry: Address, call: &Registry::openPayloadCall, what: &str) {
    assert!(chain.call(registry, call).is_zero(), "{what}");
    assert!(chain.call(registry, &committed(call)).is_zero(), "{what}: committed");
}

/// The same question about what was committed.
fn committed(call: &Registry::openPayloadCall) -> Registry::openCommittedLeafCall {
    let Registry::openPayloadCall { blobId, blob, offset, leaf, path } = call.clone();
    Registry::openCommittedLeafCall { blobId, blob, offset, leaf, path }
}

/// A blob of this size, of bytes that differ everywhere.
pub(crate) fn blob(k: u16, n: u16, length: usize, dispersal: Dispersal) -> EncodedBlob {
    let payload: Vec<u8> =
        (0u32..).flat_map(|word| (word.wrapping_mul(0x9e37_79b9)).to_be_bytes()).take(length).collect();
    encode(Parameters::new(k, n).unwrap(), payload.into(), dispersal).unwrap()
}

/// The call that opens a leaf of a shard.
pub(crate) fn opening(encoded: &EncodedBlob, shard: u16, leaf: usize) -> Registry::openPayloadCall {
    let blob = encoded.blob();
    let index = blob.parameters().unwrap().index(shard).unwrap();
    let opening = encoded.opening(index, leaf.try_into().unwrap()).unwrap();
    opening.verify(blob).unwrap();
    let word = |digest: &holdfast_erasure::Digest| B256::from(*digest.as_bytes());
    Registry::openPayloadCall {
        blobId: B256::from(*encoded.id().as_bytes()),
        blob: abi::Blob {
            payloadLength: blob.payload_length,
            payloadDigest: word(&blob.payload_digest),
            originalShards: blob.original_shards,
            totalShards: blob.total_shards,
            shardsRoot: word(&blob.shards_root),
            fingerprintsHash: word(&blob.fingerprints_hash),
        },
        offset: U256::from(usize::from(shard) * encoded.commitment().shard_length() + leaf * LEAF_BYTES),
        leaf: Bytes::copy_from_slice(&opening.leaf),
        path: opening.leaf_path.iter().chain(&opening.shard_path).map(word).collect(),
    }
}

/// Shard and number of each leaf of the original shards, in the payload's order.
fn leaves(encoded: &EncodedBlob) -> impl Iterator<Item = (u16, usize)> {
    let leaves = encoded.commitment().shard_length().div_ceil(LEAF_BYTES);
    (0..encoded.blob().original_shards).flat_map(move |shard| (0..leaves).map(move |leaf| (shard, leaf)))
}

fn id_of(blob: &abi::Blob) -> B256 {
    let digest = |word: B256| holdfast_erasure::Digest::from(word.0);
    let blob = holdfast_erasure::Blob {
        payload_length: blob.payloadLength,
        payload_digest: digest(blob.payloadDigest),
        original_shards: blob.originalShards,
        total_shards: blob.totalShards,
        shards_root: digest(blob.shardsRoot),
        fingerprints_hash: digest(blob.fingerprintsHash),
    };
    B256::from(*blob.id().as_bytes())
}

fn edit(bytes: &Bytes, edit: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut edited = bytes.to_vec();
    edit(&mut edited);
    edited.into()
}
