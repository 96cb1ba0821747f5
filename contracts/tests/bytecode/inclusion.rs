//! Blobs in checkpoints: what each rule of `verifyInCheckpoint` answers.

use alloy::primitives::B256;
use holdfast_certificate::HOUR;
use holdfast_registry::Status;
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    checkpoint::{Checkpoint, HEAD_BYTES, blob_ids},
    fixture::{DELAY, FIVE, Fixture, GOVERNANCE, GUARDIAN, MIN_RETENTION, OWNER, keys_of, propose},
};

/// A registry with a published checkpoint of these blobs.
fn published(spec: SpecId, ids: &[B256]) -> (Fixture, Checkpoint) {
    let mut fixture = Fixture::on(spec, FIVE);
    let checkpoint = Checkpoint::over(&fixture, ids);
    let encoded = checkpoint.certify(&fixture, &fixture.all());
    assert!(fixture.publish_checkpoint(&encoded).success);
    (fixture, checkpoint)
}

#[test]
fn every_blob_is_in_its_checkpoint_and_at_no_other_place() {
    for spec in [SpecId::PRAGUE, SpecId::OSAKA] {
        for count in [1, 2, 3, 4, 5, 7, 8, 9, 200] {
            let ids = blob_ids(count);
            let (fixture, checkpoint) = published(spec, &ids);
            let now = fixture.chain.time;
            for (index, id) in ids.iter().enumerate() {
                let proof = checkpoint.proof(&ids, index);
                assert_eq!(fixture.in_checkpoint(*id, &proof, now), Status::Ok, "{index} of {count}");
                let next = ids[(index + 1) % ids.len()];
                if next != *id {
                    assert_eq!(fixture.in_checkpoint(next, &proof, now), Status::NotIncluded, "{index} of {count}");
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_of_the_most_blobs() {
    let ids = blob_ids(4096);
    let (fixture, checkpoint) = published(SpecId::OSAKA, &ids);
    for index in [0, 1, 2047, 2048, 4094, 4095] {
        let proof = checkpoint.proof(&ids, index);
        assert_eq!(proof.len(), HEAD_BYTES + 4 + 12 * 32);
        assert_eq!(fixture.in_checkpoint(ids[index], &proof, fixture.chain.time), Status::Ok, "{index}");
    }
}

#[test]
fn a_proof_of_any_other_form_is_malformed() {
    let ids = blob_ids(5);
    let (fixture, checkpoint) = published(SpecId::OSAKA, &ids);
    let now = fixture.chain.time;
    for index in [0, 3, 4] {
        let good = checkpoint.proof(&ids, index);
        assert_eq!(fixture.in_checkpoint(ids[index], &good, now), Status::Ok);
        for length in (0..good.len()).chain([good.len() + 1, good.len() + 32]) {
            let mut proof = good.clone();
            proof.resize(length, 0);
            assert_eq!(fixture.in_checkpoint(ids[index], &proof, now), Status::Malformed, "{length} bytes");
        }
    }
    let good = checkpoint.proof(&ids, 0);
    for index in [5u32, 6, 4096, u32::MAX] {
        let mut proof = good.clone();
        proof[HEAD_BYTES..HEAD_BYTES + 4].copy_from_slice(&index.to_be_bytes());
        assert_eq!(fixture.in_checkpoint(ids[0], &proof, now), Status::Malformed, "index {index}");
    }
    for edited in [
        Checkpoint { count: 0, ..checkpoint },
        Checkpoint { count: 4097, ..checkpoint },
        Checkpoint { retain_until: checkpoint.retain_until + 1, ..checkpoint },
    ] {
        assert_eq!(fixture.in_checkpoint(ids[0], &edited.proof(&ids, 0), now), Status::Malformed, "{edited:?}");
    }
}

#[test]
fn one_bit_of_a_proof_flipped_anywhere() {
    let ids = blob_ids(6);
    let (fixture, checkpoint) = published(SpecId::OSAKA, &ids);
    let good = checkpoint.proof(&ids, 2);
    let mut seen = [0; 15];
    for bit in 0..good.len() * 8 {
        let mut proof = good.clone();
        proof[bit / 8] ^= 1 << (bit % 8);
        let status = fixture.in_checkpoint(ids[2], &proof, fixture.chain.time);
        assert_ne!(status, Status::Ok, "bit {bit}");
        seen[status as usize] += 1;
    }
    for status in [Status::Malformed, Status::UnknownCheckpoint, Status::NotIncluded] {
        assert!(seen[status as usize] > 0, "{status}: {seen:?}");
    }
}

#[test]
fn a_node_of_the_tree_is_no_blob() {
    // A path that is one step shorter, for an inner node as the leaf, in a checkpoint that says it has fewer.
    let ids = blob_ids(4);
    let (fixture, checkpoint) = published(SpecId::OSAKA, &ids);
    let full = checkpoint.proof(&ids, 0);
    let inner = crate::checkpoint::root(&ids[..2]);
    let fewer = Checkpoint { count: 2, ..checkpoint };
    let proof = [&fewer.head()[..], &0u32.to_be_bytes(), &full[full.len() - 32..]].concat();
    // Another count is another checkpoint, and the prefix of leaves is not that of nodes.
    assert_eq!(fixture.in_checkpoint(inner, &proof, fixture.chain.time), Status::UnknownCheckpoint);
}

#[test]
fn known_from_its_publication_on_and_not_before() {
    let ids = blob_ids(3);
    let mut fixture = Fixture::new(FIVE);
    fixture.chain.time += 100;
    let checkpoint = Checkpoint::over(&fixture, &ids);
    let proof = checkpoint.proof(&ids, 1);
    let now = fixture.chain.time;
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, now), Status::UnknownCheckpoint);
    let encoded = checkpoint.certify(&fixture, &fixture.all());
    assert!(fixture.publish_checkpoint(&encoded).success);
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, now - 1), Status::NotYet);
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, now), Status::Ok);
    // Published again later, it was still known in between.
    fixture.chain.time += 50;
    assert!(fixture.publish_checkpoint(&encoded).success);
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, now), Status::Ok);
}

#[test]
fn good_after_its_epoch_closed_but_not_when_it_is_revoked() {
    let ids = blob_ids(3);
    let (mut fixture, checkpoint) = published(SpecId::OSAKA, &ids);
    let proof = checkpoint.proof(&ids, 1);
    let keys = keys_of(&fixture.chain, fixture.registry, 1);
    fixture.chain.must(GOVERNANCE, fixture.registry, &propose(keys, FIVE));
    fixture.chain.time += DELAY + 10;
    let now = fixture.chain.time;
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, now), Status::Ok);
    fixture.chain.must(GUARDIAN, fixture.registry, &Registry::revokeEpochCall { epoch: 1 });
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, now), Status::Ok);
    for at in [now + 1, u64::MAX] {
        assert_eq!(fixture.in_checkpoint(ids[1], &proof, at), Status::Revoked);
    }
}

#[test]
fn kept_for_as_long_as_the_namespace_wants_at_that_time() {
    let ids = blob_ids(3);
    let (mut fixture, checkpoint) = published(SpecId::OSAKA, &ids);
    let proof = checkpoint.proof(&ids, 1);
    let last = checkpoint.retain_until - MIN_RETENTION;
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, last), Status::Ok);
    for at in [last + 1, checkpoint.retain_until + 1, u64::MAX] {
        assert_eq!(fixture.in_checkpoint(ids[1], &proof, at), Status::RetentionTooShort);
    }
    let namespace = checkpoint.namespace;
    let raise = Registry::setMinRetentionCall { namespace, minRetention: MIN_RETENTION + HOUR };
    fixture.chain.must(OWNER, fixture.registry, &raise);
    fixture.chain.time += HOUR;
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, last), Status::RetentionTooShort);
    assert_eq!(fixture.in_checkpoint(ids[1], &proof, last - HOUR), Status::Ok);
}

#[test]
fn the_order_in_which_the_rules_of_a_proof_are_judged() {
    let ids = blob_ids(3);
    let (mut fixture, checkpoint) = published(SpecId::OSAKA, &ids);
    let now = fixture.chain.time;
    // Wrong in every way that is left, from one answer to the next.
    fixture.chain.must(GUARDIAN, fixture.registry, &Registry::revokeEpochCall { epoch: 1 });
    let stranger = B256::repeat_byte(9);
    let proof = checkpoint.proof(&ids, 1);
    let verdict = |proof: &[u8], at| fixture.in_checkpoint(stranger, proof, at);
    assert_eq!(verdict(&proof[1..], u64::MAX), Status::Malformed);
    let unknown = Checkpoint { root: stranger, ..checkpoint }.proof(&ids, 1);
    assert_eq!(verdict(&unknown, u64::MAX), Status::UnknownCheckpoint);
    assert_eq!(verdict(&proof, 0), Status::NotYet);
    // Until it has come, a time to come is no better.
    let to_come = Registry::verifyInCheckpointCall { blobId: stranger, proof: proof.clone().into(), atTime: now + 1 };
    assert_eq!(fixture.chain.call(fixture.registry, &to_come), Status::NotYet as u8);
    assert_eq!(verdict(&proof, u64::MAX), Status::Revoked);
    assert_eq!(verdict(&proof, now), Status::NotIncluded);
}
