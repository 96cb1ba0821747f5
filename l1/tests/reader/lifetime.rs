//! What a registry sees over its life, on any node: one checkpoint for hundreds of blobs, a leaf opened, a retention that
//! is raised and lowered, a hold, the next epoch. What was judged of an earlier time stays as it was.

use holdfast_certificate::{
    Attestation, Checkpoint, CheckpointCertificate, CheckpointProof, HOUR, Namespace, VerifiedCheckpoint,
};
use holdfast_devchain::DEV_KEYS;
use holdfast_erasure::{BlobId, Dispersal, LEAF_BYTES, encode};
use holdfast_l1::{ChainRegistry, Error, Publisher, publisher};
use holdfast_registry::{EpochRecord, Status};

use crate::{
    chain::{deploy, reader},
    fixture::{MIN_RETENTION, Members, hours_after},
    node::RawNode,
};

/// As many blobs as one transaction is to cover.
const BLOBS: u8 = 200;

pub(crate) async fn run(url: &str) {
    let node = RawNode::new(url);
    let members = Members::five();
    let publisher = deploy(url).await;
    let (epoch, namespace, _) = members.enter(&publisher).await;
    settle(&node).await;
    let registry = reader(url, &publisher).await.unwrap();
    let record = registry.epoch(epoch).await.unwrap();

    one_checkpoint_covers_hundreds_of_blobs(&node, &publisher, &registry, &members, &record, namespace).await;
    leaves_open_where_they_stand(&registry, &members).await;
    retention_changes_forward_only(&node, &publisher, &registry, &members, &record, namespace).await;
    the_guardian_holds(url, &node, &publisher, &registry, namespace).await;
    the_next_epoch_closes_the_one_before(&node, &publisher, &registry, &members, &record, namespace).await;
}

/// Lets what was sent take effect, and become final.
async fn settle(node: &RawNode) {
    node.pass(10).await;
    node.finalize().await;
}

async fn one_checkpoint_covers_hundreds_of_blobs(
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    members: &Members,
    record: &EpochRecord,
    namespace: Namespace,
) {
    let ids: Vec<BlobId> = (0..BLOBS).map(|number| BlobId::from([number; 32])).collect();
    let certificate = sign(members, record, namespace, &ids, hours_after(node.time().await, 48));
    let proofs: Vec<_> =
        ids.iter().map(|id| CheckpointProof::build(certificate.checkpoint, &ids, id).unwrap()).collect();
    let before = registry.verify_in_checkpoint(&ids[0], &proofs[0], None).await.unwrap();
    assert_eq!(before, Status::UnknownCheckpoint);
    assert_eq!(registry.verify_checkpoint_on_chain(&certificate, None).await.unwrap(), Status::Ok);

    let receipt = publisher.publish_checkpoint(&certificate).await.unwrap();
    assert_eq!(publisher.publish_checkpoint(&certificate).await.unwrap(), receipt, "once");
    node.pass(10).await;
    for (id, proof) in ids.iter().zip(&proofs).step_by(33) {
        assert_eq!(registry.verify_in_checkpoint(id, proof, None).await.unwrap(), Status::Ok, "{id}");
    }
    let foreign = registry.verify_in_checkpoint(&ids[1], &proofs[2], None).await.unwrap();
    assert_eq!(foreign, Status::NotIncluded);
}

async fn leaves_open_where_they_stand(registry: &ChainRegistry, members: &Members) {
    let payload: Vec<u8> = (0..50_000_u32).map(|byte| (byte % 251) as u8).collect();
    let encoded = encode(members.parameters.code(), payload.into(), Dispersal::ByPayload).unwrap();
    let last = u32::try_from(encoded.commitment().shard_length().div_ceil(LEAF_BYTES)).unwrap() - 1;
    let at = |shard: u16, leaf: u32| {
        let index = encoded.blob().parameters().unwrap().index(shard).unwrap();
        encoded.opening(index, leaf).unwrap()
    };
    for (shard, leaf) in [(0, 0), (0, last), (1, 0), (1, last)] {
        let opening = at(shard, leaf);
        let before =
            u64::from(shard) * encoded.commitment().shard_length() as u64 + u64::from(leaf) * LEAF_BYTES as u64;
        let expected = (50_000 - before).min(opening.leaf.len() as u64);
        let opened = registry.open_payload(encoded.blob(), &opening).await.unwrap();
        assert_eq!(opened, expected, "leaf {leaf} of {shard}");
        assert_eq!(registry.open_committed_leaf(encoded.blob(), &opening).await.unwrap(), expected);
    }
    let moved = holdfast_erasure::Opening { leaf_number: 1, ..at(0, 0) };
    assert_eq!(registry.open_payload(encoded.blob(), &moved).await.unwrap(), 0);
    let mut flipped = at(1, last);
    flipped.leaf = flipped.leaf.iter().map(|byte| byte ^ 1).collect();
    assert_eq!(registry.open_payload(encoded.blob(), &flipped).await.unwrap(), 0);
    // Parity is no payload.
    assert_eq!(registry.open_payload(encoded.blob(), &at(2, 0)).await.unwrap(), 0);
    // By shard a leaf was committed, and is no payload.
    let payload: Vec<u8> = (0..50_000_u32).map(|byte| (byte % 251) as u8).collect();
    let by_shard = encode(members.parameters.code(), payload.into(), Dispersal::ByShard).unwrap();
    let opening = by_shard.opening(by_shard.blob().parameters().unwrap().index(0).unwrap(), 0).unwrap();
    assert_eq!(registry.open_payload(by_shard.blob(), &opening).await.unwrap(), 0);
    assert_eq!(registry.open_committed_leaf(by_shard.blob(), &opening).await.unwrap(), LEAF_BYTES as u64);
}

async fn retention_changes_forward_only(
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    members: &Members,
    record: &EpochRecord,
    namespace: Namespace,
) {
    let start = node.time().await;
    let certificate = members.certificate(record, namespace, hours_after(start, 48));
    let longer = 60 * HOUR;
    publisher.set_min_retention(&namespace, longer).await.unwrap();
    settle(node).await;
    let rules = registry.namespace(&namespace).await.unwrap();
    assert_eq!((rules.min_retention, rules.next_min_retention.map(|next| next.0)), (MIN_RETENTION, Some(longer)));
    assert_eq!(registry.verify_on_chain(&certificate, None).await.unwrap(), Status::Ok, "for an hour");
    node.pass(HOUR).await;
    settle(node).await;
    assert_eq!(registry.namespace(&namespace).await.unwrap().min_retention, longer);
    let raised = node.time().await;
    assert_eq!(registry.verify_on_chain(&certificate, None).await.unwrap(), Status::RetentionTooShort);
    assert_eq!(registry.verify_on_chain(&certificate, Some(start)).await.unwrap(), Status::Ok);

    publisher.set_min_retention(&namespace, MIN_RETENTION).await.unwrap();
    settle(node).await;
    assert_eq!(registry.namespace(&namespace).await.unwrap().min_retention, MIN_RETENTION);
    assert_eq!(registry.verify_on_chain(&certificate, None).await.unwrap(), Status::Ok);
    assert_eq!(registry.verify_on_chain(&certificate, Some(raised)).await.unwrap(), Status::RetentionTooShort);
}

async fn the_guardian_holds(
    url: &str,
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    namespace: Namespace,
) {
    let until = node.time().await + 30 * 24 * HOUR;
    let refused = publisher.hold_namespace(&namespace, until).await.unwrap_err();
    assert!(refused.to_string().contains("NotGuardian"), "{refused}");
    let guardian = Publisher::connect(url, publisher.registry(), &DEV_KEYS[1]).await.unwrap();
    guardian.hold_namespace(&namespace, until).await.unwrap();
    settle(node).await;
    assert_eq!(registry.namespace(&namespace).await.unwrap().hold_until, until);
}

async fn the_next_epoch_closes_the_one_before(
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    members: &Members,
    record: &EpochRecord,
    namespace: Namespace,
) {
    let certificate = members.certificate(record, namespace, hours_after(node.time().await, 96));
    let (next, _) = publisher.propose_epoch(&members.members(publisher), &members.parameters, None).await.unwrap();
    settle(node).await;
    let successor = registry.epoch(next).await.unwrap();
    let from = successor.active_from;
    assert_eq!(registry.epoch(record.committee.epoch()).await.unwrap().active_until, Some(from));
    assert_eq!(registry.verify_on_chain(&certificate, Some(from - 1)).await.unwrap(), Status::Ok);
    assert_eq!(registry.verify_on_chain(&certificate, Some(from)).await.unwrap(), Status::EpochClosed);
    let refused = publisher.publish(&certificate).await.unwrap_err();
    assert!(matches!(refused, publisher::Error::L1(Error::NotAvailable { status: Status::EpochClosed })), "{refused}");
    let renewed = members.certificate(&successor, namespace, hours_after(node.time().await, 96));
    assert_eq!(registry.verify_on_chain(&renewed, Some(from - 1)).await.unwrap(), Status::NotYet);
    publisher.publish(&renewed).await.unwrap();
}

/// A checkpoint that the first four members have signed.
fn sign(
    members: &Members,
    record: &EpochRecord,
    namespace: Namespace,
    ids: &[BlobId],
    retain_until: u64,
) -> VerifiedCheckpoint {
    let checkpoint = Checkpoint::over(namespace, record.committee.epoch(), ids, retain_until).unwrap();
    let digest = checkpoint.digest(record.committee.domain());
    let signed = (0..4).zip(&members.secrets).map(|(slot, secret)| Attestation::sign(slot, secret, &digest));
    CheckpointCertificate::aggregate(&record.committee, checkpoint, &signed.collect::<Vec<_>>()).unwrap()
}
