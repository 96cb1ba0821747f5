//! Dispersal against members that lie, hang or refuse.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::support::{self, Lie, TestCommittee, eventually, payload};
use holdfast_certificate::HOUR;
use holdfast_client::{
    Blame, Config, Dispersal, DisperseOptions, Error, FailureReason, Fault, MemberFailure, RetrieveOptions,
};

/// A whole hour in the year 2084.
const FAR: u64 = HOUR * 1_000_000;

/// Both ways of dispersing.
const BOTH: [Dispersal; 2] = [Dispersal::ByShard, Dispersal::ByPayload];

fn options(dispersal: Dispersal) -> DisperseOptions {
    DisperseOptions::by(dispersal)
}

fn reason_of(failures: &[MemberFailure], slot: u16) -> &FailureReason {
    &failures.iter().find(|failure| failure.slot == slot).unwrap_or_else(|| panic!("slot {slot} is named")).reason
}

fn quorum_not_reached(error: &Error) -> (u16, u16, &[MemberFailure]) {
    match error {
        Error::QuorumNotReached { needed, attested, failures } => (*needed, *attested, failures),
        other => panic!("expected quorum not reached, got {other}"),
    }
}

#[tokio::test]
async fn every_member_stores_and_gets_the_certificate() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    for dispersal in BOTH {
        for length in [1, 255, 256, 257, 100_000, 3 << 20] {
            let dispersed = client.disperse(payload(length), options(dispersal)).await.unwrap();
            let id = dispersed.certificate.statement.blob.id();
            assert!(dispersed.attested.len() >= 6);
            assert!(dispersed.failures.is_empty());
            assert_eq!(dispersed.certificate.statement.retain_until % HOUR, 0);
            assert_eq!(dispersed.certificate.statement.whole_until == 0, dispersal == Dispersal::ByShard);
            client.drain().await;
            for member in &committee.members {
                let known = member.certificate_of(&id).expect("given in the background");
                assert_eq!(known.encode(), dispersed.certificate.encode());
            }
        }
    }
    assert_eq!(client.background_tasks(), 0);
}

#[tokio::test]
async fn a_hung_member_keeps_no_certificate_from_the_others_however_much_is_dispersed() {
    let committee = TestCommittee::start(5, 4, 2);
    committee.lie(0, Lie::Silent);
    let patient = Config::default().background_limit(Duration::from_secs(60));
    let client = committee.client_with(|builder| builder.config(patient));
    let mut ids = Vec::new();
    // More than are fed at once.
    for number in 0..48 {
        let dispersed = client.disperse(payload(1000 + number), options(Dispersal::ByShard)).await.unwrap();
        ids.push(dispersed.certificate.statement.blob.id());
    }
    for member in &committee.members[1..] {
        eventually("every certificate is there", || ids.iter().all(|id| member.certificate_of(id).is_some())).await;
    }
}

#[tokio::test]
async fn a_retry_makes_the_same_statement() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    let hour = |certificate: &holdfast_certificate::VerifiedCertificate| certificate.statement;
    // Twice in one hour, unless the clock passes the hour between them: then once more.
    for _ in 0..2 {
        let first = hour(&client.disperse(payload(1000), options(Dispersal::ByShard)).await.unwrap().certificate);
        let second = hour(&client.disperse(payload(1000), options(Dispersal::ByShard)).await.unwrap().certificate);
        if first == second {
            return;
        }
    }
    panic!("the statement changed twice within an hour");
}

#[tokio::test]
async fn bad_attestations_are_named_and_the_quorum_is_reached_without_them() {
    let committee = TestCommittee::start(10, 8, 3);
    // The honest ones are slower, so that the liars' answers are among the first eight.
    for slot in 2..10 {
        committee.lie(slot, Lie::Slow(Duration::from_secs(1)));
    }
    committee.lie(0, Lie::WrongKey);
    committee.lie(1, Lie::Equivocate);
    let dispersed = committee.client().disperse(payload(50_000), options(Dispersal::ByShard)).await.unwrap();
    assert_eq!(dispersed.attested, (2..10).collect::<Vec<u16>>());
    assert_eq!(dispersed.failures.len(), 2);
    for slot in [0, 1] {
        let reason = reason_of(&dispersed.failures, slot);
        assert!(matches!(reason, FailureReason::Fault(Fault::BadAttestation)), "{reason}");
    }
}

#[tokio::test]
async fn a_malformed_attestation_is_a_fault_with_its_name() {
    for (lie, expected) in [
        (Lie::WrongSlot, "its attestation is for slot 1, expected 0"),
        (Lie::GarbageSignature, "malformed answer: signature is invalid"),
        (Lie::NoAttestation, "malformed answer: attestation is missing"),
    ] {
        let committee = TestCommittee::start(4, 3, 2);
        for slot in 1..4 {
            committee.lie(slot, Lie::Slow(Duration::from_secs(1)));
        }
        committee.lie(0, lie);
        let dispersed = committee.client().disperse(payload(5000), options(Dispersal::ByPayload)).await.unwrap();
        let reason = reason_of(&dispersed.failures, 0);
        assert!(reason.fault().is_some(), "{reason}");
        assert!(reason.to_string().starts_with(expected), "{reason}");
    }
}

#[tokio::test]
async fn silent_and_slow_members_do_not_delay_the_certificate() {
    let committee = TestCommittee::start(10, 8, 3);
    committee.lie(3, Lie::Silent);
    committee.lie(4, Lie::Slow(Duration::from_secs(2)));
    let client = committee.client();
    let dispersed = client.disperse(payload(10_000), options(Dispersal::ByShard)).await.unwrap();
    assert_eq!(dispersed.attested, vec![0, 1, 2, 5, 6, 7, 8, 9]);
    let id = dispersed.certificate.statement.blob.id();
    assert_eq!(client.background_tasks(), 1);
    client.drain().await;
    // The slow one was fed on after the certificate had been returned; the silent one was given up.
    assert!(committee.members[4].certificate_of(&id).is_some());
    assert!(!committee.members[3].holds(&id));
    eventually("the silent member's request is cut", || committee.members[3].hanging.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn below_quorum_every_member_has_one_reason_within_the_deadline() {
    let committee = TestCommittee::start(7, 6, 2);
    committee.kill(0);
    committee.lie(2, Lie::Silent);
    let deadline = Duration::from_millis(1500);
    let options = options(Dispersal::ByShard).deadline(deadline);
    // One dead and one silent of seven: possible until the deadline, and then not.
    let started = Instant::now();
    let error = committee.client().disperse(payload(10_000), options).await.unwrap_err();
    let took = started.elapsed();
    assert!(took >= deadline && took < deadline + Duration::from_secs(1), "{took:?}");
    let (needed, attested, failures) = quorum_not_reached(&error);
    assert_eq!((needed, attested), (6, 5));
    assert_eq!(failures.iter().map(|failure| failure.slot).collect::<Vec<_>>(), [0, 2]);
    assert!(matches!(reason_of(failures, 0), FailureReason::Unreachable { .. }), "{error}");
    assert!(matches!(reason_of(failures, 2), FailureReason::NoAnswer { within } if *within == deadline), "{error}");
    assert!(error.to_string().contains("no answer within 1.5 s"), "{error}");
    assert_eq!(error.blame(), Blame::Committee);
    assert!(error.is_retryable());
    eventually("no request is left", || committee.members[2].hanging.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn an_impossible_quorum_fails_long_before_the_deadline() {
    let committee = TestCommittee::start(7, 6, 2);
    for slot in 0..5 {
        committee.kill(slot);
    }
    committee.lie(5, Lie::WritesDisabled);
    let started = Instant::now();
    let error = committee.client().disperse(payload(10_000), options(Dispersal::ByPayload)).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let (needed, attested, failures) = quorum_not_reached(&error);
    // The one that is well has been heard too.
    assert_eq!((needed, attested), (6, 1), "{error}");
    assert_eq!(failures.iter().map(|failure| failure.slot).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    let disabled = reason_of(failures, 5);
    assert_eq!(disabled.to_string(), "refused with UNAVAILABLE: writes disabled: sync failed");
}

#[tokio::test]
async fn an_attempt_that_failed_succeeds_when_members_are_back() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    client.disperse(payload(1000), options(Dispersal::ByShard)).await.unwrap();
    client.drain().await;
    for slot in [1, 2] {
        committee.kill(slot);
    }
    let error = client.disperse(payload(1001), options(Dispersal::ByShard)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    for slot in [1, 2] {
        committee.restart(slot);
    }
    // The client's connections to them are broken, which shows only in use.
    client.disperse(payload(1001), options(Dispersal::ByShard)).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_dispersal_leaves_no_task_running() {
    let committee = TestCommittee::start(4, 3, 2);
    for slot in 0..4 {
        committee.lie(slot, Lie::Silent);
    }
    let client = committee.client();
    let hanging = || committee.members.iter().map(|member| member.hanging.load(Ordering::SeqCst)).sum::<usize>();
    {
        let mut dispersal = std::pin::pin!(client.disperse(payload(1 << 20), options(Dispersal::ByShard)));
        tokio::select! {
            _ = &mut dispersal => panic!("nobody answers"),
            () = eventually("all members have been asked", || hanging() == 4) => {}
        }
    }
    eventually("every request is cut", || hanging() == 0).await;
    assert_eq!(client.background_tasks(), 0);
}

#[tokio::test]
async fn dropping_the_client_cuts_what_it_fed_in_the_background() {
    let committee = TestCommittee::start(4, 3, 2);
    committee.lie(1, Lie::Silent);
    let config = support::quick().background_limit(Duration::from_secs(3000));
    let client = committee.client_with(|builder| builder.config(config));
    client.disperse(payload(1000), options(Dispersal::ByShard)).await.unwrap();
    assert_eq!(client.background_tasks(), 1);
    eventually("the silent member was asked", || committee.members[1].hanging.load(Ordering::SeqCst) > 0).await;
    drop(client);
    eventually("its request is cut", || committee.members[1].hanging.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_closed_client_refuses_new_calls() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    let certificate = client.disperse(payload(1000), options(Dispersal::ByShard)).await.unwrap().certificate;
    client.close().await;
    assert_eq!(client.background_tasks(), 0);
    assert!(matches!(client.disperse(payload(1), DisperseOptions::default()).await, Err(Error::Closed)));
    assert!(matches!(client.retrieve(&certificate, RetrieveOptions::default()).await, Err(Error::Closed)));
}

#[tokio::test]
async fn what_no_member_would_sign_is_refused_before_anything_is_sent() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    let empty = client.disperse(payload(0), DisperseOptions::default()).await.unwrap_err();
    assert!(matches!(empty, Error::EmptyPayload));
    let max = usize::try_from(support::MAX_PAYLOAD).unwrap();
    let long = client.disperse(vec![0; max + 1], DisperseOptions::default()).await.unwrap_err();
    assert_eq!(long.to_string(), format!("the payload has {} bytes, expected at most {max}", max + 1));
    for bad in [
        DisperseOptions::by_shard().retain_until(FAR + 1),
        DisperseOptions::by_shard().whole_until(FAR),
        DisperseOptions::by_payload().retain_until(FAR).whole_until(FAR + HOUR),
    ] {
        let error = client.disperse(payload(10), bad).await.unwrap_err();
        assert!(matches!(error, Error::Statement(_)), "{error}");
        assert_eq!(error.blame(), Blame::Caller);
    }
    let reader = holdfast_client::Client::builder()
        .registry(std::sync::Arc::clone(&committee.registry) as std::sync::Arc<dyn holdfast_client::Registry>)
        .build()
        .unwrap();
    let error = reader.disperse(payload(10), DisperseOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotConfigured { what: "namespace" }), "{error}");
}

#[tokio::test]
async fn a_stopped_member_delays_no_certificate_and_its_feeding_ends_by_itself() {
    let committee = TestCommittee::start(4, 3, 2);
    let hurried =
        || committee.client_with(|builder| builder.config(support::quick().background_limit(Duration::from_secs(1))));
    let connected = hurried();
    connected.disperse(payload(1000), options(Dispersal::ByShard)).await.unwrap().feeding.over().await;
    committee.freeze(2);
    for client in [connected, hurried()] {
        let started = Instant::now();
        let mut dispersed = client.disperse(payload(2000), options(Dispersal::ByShard)).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        assert_eq!(dispersed.attested, [0, 1, 3]);
        assert!(dispersed.failures.is_empty() && !dispersed.feeding.is_over());
        let fed = dispersed.feeding.over().await;
        assert!(fed.stored.is_empty());
        assert!(matches!(reason_of(&fed.failures, 2), FailureReason::NoAnswer { .. }), "{:?}", fed.failures);
        assert!(dispersed.feeding.is_over());
        client.close().await;
    }
}

#[tokio::test]
async fn the_feeding_tells_who_has_stored_since_and_who_has_not() {
    let committee = TestCommittee::start(7, 4, 2);
    committee.kill(0);
    committee.lie(1, Lie::Slow(Duration::from_secs(1)));
    committee.lie(2, Lie::Silent);
    let client =
        committee.client_with(|builder| builder.config(support::quick().background_limit(Duration::from_secs(3))));
    let mut dispersed = client.disperse(payload(5000), options(Dispersal::ByShard)).await.unwrap();
    let fed = dispersed.feeding.over().await;
    assert_eq!(fed.stored, [1]);
    assert_eq!(fed.failures.iter().map(|failure| failure.slot).collect::<Vec<_>>(), [0, 2]);
    assert!(matches!(reason_of(&fed.failures, 0), FailureReason::Unreachable { .. }));
    assert_eq!(client.background_tasks(), 0);
}
