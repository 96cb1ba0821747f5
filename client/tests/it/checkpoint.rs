//! Checkpoints against members that lie, hang, refuse or do not hold what they are asked to sign for.

use std::{sync::atomic::Ordering, time::Duration};

use crate::support::{self, Lie, TestCommittee, eventually, payload};
use holdfast_certificate::{CheckpointProof, DisperserKey, HOUR, Namespace};
use holdfast_client::{Blame, Client, Code, DisperseOptions, Error, FailureReason, Fault};
use holdfast_erasure::BlobId;
use holdfast_registry::Registry as _;

/// Disperses blobs to every member; their ids, and until when they are held.
async fn put(committee: &TestCommittee, client: &Client, count: usize) -> (Vec<BlobId>, u64) {
    let mut ids = Vec::new();
    let mut retain_until = u64::MAX;
    for number in 0..count {
        let put = client.disperse(payload(1000 + number), DisperseOptions::by_shard()).await.unwrap();
        ids.push(put.certificate.statement.blob.id());
        retain_until = retain_until.min(put.certificate.statement.retain_until);
    }
    client.drain().await;
    for id in &ids {
        assert!(committee.members.iter().all(|member| member.holds(id)));
    }
    (ids, retain_until)
}

fn failures(error: &Error) -> Vec<(u16, String)> {
    let Error::QuorumNotReached { failures, .. } = error else { panic!("expected quorum not reached, got {error}") };
    failures.iter().map(|failure| (failure.slot, failure.reason.to_string())).collect()
}

#[tokio::test]
async fn every_blob_is_proven_and_no_other_whatever_the_order_they_are_given_in() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    let (ids, retain_until) = put(&committee, &client, 7).await;
    let mut sorted = ids.clone();
    sorted.sort();
    let mut reversed = sorted.clone();
    reversed.reverse();
    for given in [&ids, &sorted, &reversed] {
        let signed = client.checkpoint(None, given, retain_until).await.unwrap();
        assert_eq!(signed.ids, sorted);
        assert!(signed.attested.len() >= 6 && signed.failures.is_empty());
        let record = committee.registry.active_epoch(0).await.unwrap();
        let certificate = signed.certificate.into_inner();
        certificate.verify(&record.committee).unwrap();
        for id in &ids {
            let proof = CheckpointProof::build(certificate.checkpoint, &signed.ids, id).unwrap();
            proof.verify(id).unwrap();
            proof.verify(&BlobId::from([1; 32])).unwrap_err();
        }
        CheckpointProof::build(certificate.checkpoint, &signed.ids, &BlobId::from([1; 32])).unwrap_err();
    }
}

#[tokio::test]
async fn liars_are_named_and_the_quorum_is_reached_without_them() {
    let committee = TestCommittee::start(10, 8, 3);
    let client = committee.client();
    let (ids, retain_until) = put(&committee, &client, 2).await;
    // The honest ones are slower, so that the liars' answers are among the first eight.
    for slot in 2..10 {
        committee.lie(slot, Lie::Slow(Duration::from_secs(1)));
    }
    for (lies, says) in [
        ([Lie::WrongKey, Lie::Equivocate], ["its attestation does not verify"; 2]),
        (
            [Lie::WrongSlot, Lie::GarbageSignature],
            ["its attestation is for slot 1, expected 0", "malformed answer: signature is invalid"],
        ),
        (
            [Lie::NoAttestation, Lie::Damaged],
            ["malformed answer: attestation is missing", "its copy is damaged: checksum mismatch"],
        ),
    ] {
        committee.lie(0, lies[0]);
        committee.lie(1, lies[1]);
        let signed = client.checkpoint(None, &ids, retain_until).await.unwrap();
        assert_eq!(signed.attested, (2..10).collect::<Vec<u16>>());
        assert_eq!(signed.failures.len(), 2);
        for (failure, says) in signed.failures.iter().zip(says) {
            assert!(failure.reason.fault().is_some(), "{failure}");
            assert!(failure.reason.to_string().starts_with(says), "{failure}");
        }
    }
}

#[tokio::test]
async fn a_silent_member_does_not_delay_the_quorum_and_is_left_when_it_stands() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    let (ids, retain_until) = put(&committee, &client, 3).await;
    committee.lie(4, Lie::Silent);
    let signed = client.checkpoint(Some(committee.namespace), &ids, retain_until).await.unwrap();
    assert_eq!(signed.attested, [0, 1, 2, 3, 5, 6]);
    let hanging = &committee.members[4].hanging;
    eventually("the request in flight is cut", || hanging.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn below_the_threshold_the_error_has_the_reason_of_every_member() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    let (ids, retain_until) = put(&committee, &client, 2).await;
    committee.lie(0, Lie::WritesDisabled);
    committee.lie(2, Lie::WrongSlot);
    committee.kill(5);
    let error = client.checkpoint(None, &ids, retain_until).await.unwrap_err();
    let said = failures(&error);
    assert_eq!(said.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [0, 2, 5]);
    assert!(said[0].1.contains("writes disabled"), "{error}");
    assert!(said[1].1.contains("for slot 3, expected 2"), "{error}");
    assert!(said[2].1.starts_with("unreachable"), "{error}");
    assert_eq!(error.blame(), Blame::Committee);
    for (_, reason) in &said {
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn silent_members_end_at_the_deadline_with_their_names() {
    let committee = TestCommittee::start(4, 3, 2);
    let (ids, retain_until) = put(&committee, &committee.client(), 1).await;
    let short = support::quick().disperse_deadline(Duration::from_secs(1));
    let client = committee.client_with(|builder| builder.config(short));
    committee.lie(1, Lie::Silent);
    committee.lie(3, Lie::Silent);
    let error = client.checkpoint(None, &ids, retain_until).await.unwrap_err();
    let expected = "no answer within 1.0 s".to_owned();
    assert_eq!(failures(&error), [(1, expected.clone()), (3, expected)]);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_blob_that_a_member_does_not_hold_as_asked_is_named() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    let (mut ids, retain_until) = put(&committee, &client, 2).await;
    let error = client.checkpoint(None, &ids, retain_until + HOUR).await.unwrap_err();
    let first = *ids.iter().min().unwrap();
    assert!(failures(&error).iter().all(|(_, said)| said.contains(&first.to_string())), "{error}");
    let absent = BlobId::from([0xee; 32]);
    ids.push(absent);
    let error = client.checkpoint(None, &ids, retain_until).await.unwrap_err();
    let Error::QuorumNotReached { failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 4);
    for failure in failures {
        let FailureReason::Refused { code: Code::NotFound, message, .. } = &failure.reason else { panic!("{failure}") };
        assert!(message.contains(&absent.to_string()), "{message}");
    }
}

#[tokio::test]
async fn what_cannot_be_a_checkpoint_is_refused_before_anybody_is_asked() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    for slot in 0..4 {
        committee.lie(slot, Lie::Silent);
    }
    let id = BlobId::from([3; 32]);
    let error = client.checkpoint(None, &[id, BlobId::from([2; 32]), id], HOUR).await.unwrap_err();
    assert!(matches!(&error, Error::Invalid { reason, .. } if reason.contains("twice")), "{error}");
    for ids in [Vec::new(), vec![id; 4097]] {
        let error = client.checkpoint(None, &ids, HOUR).await.unwrap_err();
        assert!(matches!(&error, Error::Invalid { reason, .. } if reason.contains("1 to 4096")), "{error}");
    }
    let error = client.checkpoint(None, &[id], HOUR * 1_000_000 + 1).await.unwrap_err();
    assert!(matches!(error, Error::Statement(_)), "{error}");
}

#[tokio::test]
async fn a_checkpoint_of_a_foreign_disperser_or_namespace_is_refused_by_all() {
    let committee = TestCommittee::start(4, 3, 2);
    let (ids, retain_until) = put(&committee, &committee.client(), 1).await;
    let foreign = committee.client_with(|builder| builder.disperser(DisperserKey::generate()));
    let other = Namespace::from([9; 32]);
    // The registry knows that no member would sign.
    let error = foreign.checkpoint(None, &ids, retain_until).await.unwrap_err();
    assert!(matches!(error, Error::NotADisperser { .. }), "{error}");
    let error = committee.client().checkpoint(Some(other), &ids, retain_until).await.unwrap_err();
    assert!(matches!(error, Error::UnknownNamespace { namespace } if namespace == other), "{error}");
    // With L1 out of reach the members say so.
    committee.registry.rules_unreadable.store(true, Ordering::SeqCst);
    let error = foreign.checkpoint(None, &ids, retain_until).await.unwrap_err();
    assert!(failures(&error).iter().all(|(_, said)| said.contains("PERMISSION_DENIED")), "{error}");
    assert_eq!(error.blame(), Blame::Caller);
    let error = committee.client().checkpoint(Some(other), &ids, retain_until).await.unwrap_err();
    assert!(failures(&error).iter().all(|(_, said)| said.contains(&ids[0].to_string())), "{error}");
}

#[tokio::test]
async fn a_bad_attestation_below_the_threshold_is_not_counted() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    let (ids, retain_until) = put(&committee, &client, 1).await;
    committee.lie(0, Lie::Equivocate);
    committee.lie(1, Lie::WrongKey);
    let error = client.checkpoint(None, &ids, retain_until).await.unwrap_err();
    let Error::QuorumNotReached { needed: 3, attested: 2, failures } = &error else { panic!("{error}") };
    for failure in failures {
        assert!(matches!(failure.reason, FailureReason::Fault(Fault::BadAttestation)), "{failure}");
    }
}
