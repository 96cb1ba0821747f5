//! Properties, over arbitrary parameters, payloads and garbage.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use bytes::Bytes;
use holdfast_erasure::{
    AcceptedShard, Blob, Commitment, Digest, Dispersal, Opening, Parameters, decode, encode, merkle, reference,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn shapes() -> impl Strategy<Value = (u16, u16)> {
    prop_oneof![
        4 => (2_u16..12).prop_flat_map(|n| (1..n, Just(n))),
        1 => (2_u16..=126).prop_flat_map(|n| (1..n, Just(n))),
        1 => prop_oneof![Just((4, 7)), Just((34, 100)), Just((86, 126)), Just((125, 126)), Just((1, 126))],
    ]
}

fn payloads() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 1..2_000), vec(any::<u8>(), 8_000..20_000)].prop_map(Bytes::from)
}

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from)
}

fn blobs() -> impl Strategy<Value = Blob> {
    (any::<u32>(), digests(), 0_u16..10, 0_u16..130, digests(), digests()).prop_map(
        |(payload_length, payload_digest, original_shards, total_shards, shards_root, fingerprints_hash)| Blob {
            payload_length,
            payload_digest,
            original_shards,
            total_shards,
            shards_root,
            fingerprints_hash,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Unique blob: whichever shards a reader has, it reads the payload, and rebuilds every other shard.
    #[test]
    fn any_k_of_n_decode((k, n) in shapes(), payload in payloads(), by_payload: bool, order in vec(any::<u64>(), 126)) {
        let parameters = Parameters::new(k, n).unwrap();
        let dispersal = if by_payload { Dispersal::ByPayload } else { Dispersal::ByShard };
        let encoded = encode(parameters, payload.clone(), dispersal).unwrap();
        prop_assert_eq!(encoded.blob().is_by_payload(), by_payload);
        let roots = encoded.commitment().shard_roots().to_vec();
        let commitment = Commitment::new(*encoded.blob(), roots, encoded.commitment().fingerprints().clone()).unwrap();
        let mut indices: Vec<_> = parameters.indices().collect();
        indices.sort_by_key(|index| order[usize::from(index.get())]);
        let (chosen, others) = indices.split_at(usize::from(k));
        let chosen: Vec<AcceptedShard> =
            chosen.iter().map(|&index| commitment.accept(index, encoded.shard(index)).unwrap()).collect();
        prop_assert_eq!(decode(&commitment, &chosen).unwrap(), payload);
        for &missing in &others[..others.len().min(3)] {
            let rebuilt = commitment.rebuild(&chosen, missing).unwrap();
            prop_assert_eq!(rebuilt.index(), missing);
            prop_assert_eq!(rebuilt.bytes(), &encoded.shard(missing));
        }
        prop_assert!(decode(&commitment, &chosen[1..]).is_err());
    }

    /// The fingerprint of every shard, computed from its bytes, is the encoding of the original shards' fingerprints.
    #[test]
    fn fingerprints_commute_with_the_code((k, n) in shapes(), payload in vec(any::<u8>(), 1..3_000)) {
        let encoded = encode(Parameters::new(k, n).unwrap(), payload.into(), Dispersal::ByShard).unwrap();
        let commitment = encoded.commitment();
        for (j, point) in commitment.points().iter().enumerate() {
            let rows: Vec<&[u8]> = commitment.fingerprints().chunks(256).map(|row| &row[j * 128..(j + 1) * 128]).collect();
            let originals: Vec<(u16, &[u8])> = (0..).zip(rows).collect();
            // The ends and the first recovery shard: the reference is slow.
            for position in BTreeSet::from([0, k - 1, k, n - 1]) {
                let shard = encoded.shard(commitment.parameters().index(position).unwrap());
                prop_assert_eq!(
                    reference::fingerprint(&shard, point).to_vec(),
                    reference::shard_at(position, &originals)
                );
            }
        }
    }

    #[test]
    fn a_shard_in_any_chunks_is_accepted(payload in payloads(), cuts in btree_set(0_usize..7_000, 0..20)) {
        let parameters = Parameters::new(3, 5).unwrap();
        let encoded = encode(parameters, payload, Dispersal::ByShard).unwrap();
        let index = parameters.index(4).unwrap();
        let shard = encoded.shard(index);
        let mut acceptor = encoded.commitment().acceptor(index);
        let mut from = 0;
        for cut in cuts.into_iter().map(|cut| cut.min(shard.len())).chain([shard.len()]) {
            acceptor.push(&shard[from..cut]).unwrap();
            from = cut;
        }
        prop_assert!(acceptor.finish().is_ok());
    }

    #[test]
    fn arbitrary_commitments_are_refused_without_a_panic(
        blob in blobs(),
        roots in vec(digests(), 0..130),
        fingerprints in vec(any::<u8>(), 0..3_000),
    ) {
        prop_assert!(Commitment::new(blob, roots, fingerprints.into()).is_err());
    }

    /// As above, with lengths that fit, so that every check is reached; and shards of garbage are refused.
    #[test]
    fn arbitrary_consistent_commitments_accept_no_garbage(
        (k, n) in shapes(),
        payload_length in prop_oneof![1_u32..5_000, Just(u32::MAX)],
        seed in digests(),
        shard in vec(any::<u8>(), 0..6_000),
    ) {
        let roots: Vec<Digest> = (0..n).map(|i| holdfast_erasure::keccak256(&[seed.as_bytes(), &i.to_be_bytes()[..]].concat())).collect();
        let fingerprints: Bytes = (0..u32::from(k) * 256).map(|i| seed.as_bytes()[i as usize % 32]).collect();
        let blob = Blob {
            payload_length,
            payload_digest: Digest::ZERO,
            original_shards: k,
            total_shards: n,
            shards_root: merkle::root_of(&roots),
            fingerprints_hash: holdfast_erasure::sha256(&fingerprints),
        };
        let commitment = Commitment::new(blob, roots, fingerprints).unwrap();
        let shard = Bytes::from(shard);
        for index in commitment.parameters().indices() {
            prop_assert!(commitment.accept(index, shard.clone()).is_err());
        }
    }

    #[test]
    fn arbitrary_openings_are_refused_without_a_panic(
        blob in blobs(),
        index in 0_u16..126,
        leaf_number: u32,
        leaf in vec(any::<u8>(), 0..200),
        leaf_path in vec(digests(), 0..30),
        shard_path in vec(digests(), 0..9),
    ) {
        let index = Parameters::new(1, 126).unwrap().index(index).unwrap();
        let opening = Opening { index, leaf_number, leaf: leaf.into(), leaf_path, shard_path };
        prop_assert!(opening.verify(&blob).is_err());
    }

    #[test]
    fn every_leaf_opens(payload in payloads(), n in 2_u16..20) {
        let parameters = Parameters::new(1, n).unwrap();
        let encoded = encode(parameters, payload, Dispersal::ByShard).unwrap();
        let leaves = u32::try_from(encoded.commitment().shard_length().div_ceil(4096)).unwrap();
        for index in parameters.indices() {
            for number in 0..leaves {
                prop_assert!(encoded.opening(index, number).unwrap().verify(encoded.blob()).is_ok());
            }
        }
    }

    #[test]
    fn slots_and_shards_map_one_to_one((k, n) in shapes(), root in digests()) {
        let parameters = Parameters::new(k, n).unwrap();
        let shards: BTreeSet<u16> = (0..n).map(|slot| parameters.shard_of_slot(slot, &root).get()).collect();
        prop_assert_eq!(shards.len(), usize::from(n));
        for slot in 0..n {
            prop_assert_eq!(parameters.slot_of_shard(parameters.shard_of_slot(slot, &root), &root), slot);
        }
    }

    #[test]
    fn digests_and_blobs_survive_text(blob in blobs()) {
        let text = blob.shards_root.to_string();
        prop_assert_eq!(text.len(), 66);
        prop_assert_eq!(text.parse::<Digest>().unwrap(), blob.shards_root);
        prop_assert!(text[2..].parse::<Digest>().is_err());
        prop_assert!(text[..65].parse::<Digest>().is_err());
        let json = serde_json::to_string(&blob).unwrap();
        prop_assert_eq!(serde_json::from_str::<Blob>(&json).unwrap(), blob);
    }
}

#[test]
fn parameters_are_bounded() {
    for (k, n) in [(0, 1), (0, 5), (1, 1), (5, 5), (6, 5), (1, 127), (126, 127), (u16::MAX, u16::MAX)] {
        assert!(Parameters::new(k, n).is_err(), "({k}, {n})");
    }
    let parameters = Parameters::new(125, 126).unwrap();
    assert!(parameters.index(125).is_ok());
    assert!(parameters.index(126).is_err());
    assert_eq!(Parameters::new(1, 2).unwrap().shard_length(u32::MAX), 1 << 32);
    assert_eq!(Parameters::new(3, 4).unwrap().shard_length(1), 128);
    assert_eq!(Parameters::new(3, 4).unwrap().shard_length(3 * 128 + 1), 256);
}
