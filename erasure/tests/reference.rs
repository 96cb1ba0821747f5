//! The fast code gives what the reference gives, at every length where something begins, ends or is cut short.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use holdfast_erasure::{Dispersal, Parameters, encode, reference};

/// Lengths of payloads for `k` original shards: around one group, around `k` groups, around a leaf and two leaves a shard.
fn boundary_lengths(k: usize) -> Vec<usize> {
    let mut lengths = vec![1, 2, 63, 64, 65, 127, 128, 129];
    for a_shard in [128, 256, 4096, 8192, 12_288] {
        lengths.extend([k * a_shard - 1, k * a_shard, k * a_shard + 1]);
    }
    lengths.extend([k * 4095, k * 4097, k * 10_000]);
    lengths
}

fn payload(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let byte = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(byte).collect()
}

fn compare(k: u16, n: u16, length: usize, dispersal: Dispersal) {
    let (payload, parameters) = (payload(length), Parameters::new(k, n).unwrap());
    let fast = encode(parameters, payload.clone(), dispersal).unwrap();
    let slow = reference::encode(k, n, &payload, dispersal);
    let case = format!("k {k}, n {n}, {length} bytes");
    for index in parameters.indices() {
        assert_eq!(fast.shard(index), slow.shards[usize::from(index.get())], "shard {index} of {case}");
    }
    assert_eq!(fast.commitment().shard_roots(), slow.shard_roots, "roots of {case}");
    assert_eq!(fast.commitment().points(), &slow.points, "points of {case}");
    assert_eq!(fast.commitment().fingerprints(), &slow.fingerprints, "fingerprints of {case}");
    assert_eq!(fast.blob(), &slow.blob, "{case}");
    assert_eq!(fast.id(), slow.blob.id(), "{case}");
    // The acceptor's own way through the bytes, in one piece and in pieces that fit nothing.
    for index in parameters.indices() {
        fast.commitment().accept(index, fast.shard(index)).unwrap_or_else(|e| panic!("{e}, {case}"));
        let mut acceptor = fast.commitment().acceptor(index);
        for chunk in fast.shard(index).chunks(1_237) {
            acceptor.push(chunk).unwrap();
        }
        acceptor.finish().unwrap_or_else(|e| panic!("{e}, {case}, in chunks"));
    }
}

#[test]
fn fast_equals_reference_at_every_boundary_length() {
    for (k, n) in [(1, 2), (1, 4), (2, 5), (3, 10), (4, 7)] {
        for length in boundary_lengths(usize::from(k)) {
            compare(k, n, length, Dispersal::ByShard);
        }
    }
}

#[test]
fn fast_equals_reference_in_large_committees() {
    for (k, n) in [(17, 20), (34, 100), (86, 126), (125, 126), (1, 126)] {
        for length in [1, 129, usize::from(k) * 300] {
            compare(k, n, length, Dispersal::ByPayload);
        }
    }
}

#[test]
fn fast_equals_reference_for_one_large_payload() {
    compare(3, 10, 300_007, Dispersal::ByPayload);
}
