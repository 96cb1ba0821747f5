//! Mistakes of the caller: told as such, and where the registry knows of them before anything is sent.

use std::{
    sync::atomic::Ordering,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use holdfast_certificate::{DisperserKey, HOUR, Namespace};
use holdfast_client::{Blame, Code, DisperseOptions, Error, FailureReason};

use crate::support::{TestCommittee, payload};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Asserts that the caller is to blame and that no member was asked.
fn nobody_was_asked(committee: &TestCommittee, error: &Error) {
    assert_eq!(error.blame(), Blame::Caller, "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert!(committee.members.iter().all(|member| member.writes.load(Ordering::SeqCst) == 0));
}

#[tokio::test]
async fn an_unknown_namespace_is_refused_before_anybody_is_asked() {
    let committee = TestCommittee::start(4, 3, 2);
    let other = Namespace::from([9; 32]);
    let options = DisperseOptions::by_shard().namespace(other);
    let error = committee.client().disperse(payload(1000), options).await.unwrap_err();
    assert!(matches!(error, Error::UnknownNamespace { namespace } if namespace == other), "{error}");
    nobody_was_asked(&committee, &error);
}

#[tokio::test]
async fn a_key_that_disperses_nowhere_is_refused_before_anybody_is_asked() {
    let committee = TestCommittee::start(4, 3, 2);
    let key = DisperserKey::generate();
    let address = key.address();
    let stranger = committee.client_with(|builder| builder.disperser(key));
    let error = stranger.disperse(payload(1000), DisperseOptions::by_payload()).await.unwrap_err();
    assert!(matches!(error, Error::NotADisperser { disperser, .. } if disperser == address), "{error}");
    nobody_was_asked(&committee, &error);
}

#[tokio::test]
async fn a_retention_below_the_namespaces_minimum_or_in_the_past_is_refused_before_anybody_is_asked() {
    let committee = TestCommittee::start(4, 3, 2);
    committee.registry.change(committee.namespace, |rules| rules.min_retention = 7 * DAY.as_secs());
    let client = committee.client();
    let short = client.disperse(payload(10), DisperseOptions::by_shard().retain_for(DAY)).await.unwrap_err();
    let Error::TooSoon { field: "retain_until", least, got } = short else { panic!("{short}") };
    assert!(least >= now() - 10 + 7 * DAY.as_secs() && got < least, "{short}");
    nobody_was_asked(&committee, &short);
    committee.registry.rules_unreadable.store(true, Ordering::SeqCst);
    let over = DisperseOptions::by_shard().retain_until(400_000 * HOUR);
    let over = client.disperse(payload(10), over).await.unwrap_err();
    assert!(matches!(over, Error::TooSoon { .. }), "{over}");
    nobody_was_asked(&committee, &over);
    for bad in [Duration::ZERO, Duration::MAX] {
        let error = client.disperse(payload(10), DisperseOptions::by_shard().retain_for(bad)).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { what: "retain_for", .. }), "{error}");
    }
}

#[tokio::test]
async fn a_span_to_retain_is_counted_from_now_and_rounded_up_to_the_hour() {
    let committee = TestCommittee::start(4, 3, 2);
    let before = now();
    let put = committee.client().disperse(payload(10), DisperseOptions::by_shard().retain_for(3 * DAY)).await.unwrap();
    let until = put.certificate.statement.retain_until;
    assert_eq!(until % HOUR, 0);
    assert!((before + 259_200..=now() + 259_200 + HOUR).contains(&until), "{until}");
}

#[tokio::test]
async fn with_l1_out_of_reach_the_members_words_decide_and_are_told_once() {
    let committee = TestCommittee::start(4, 3, 2);
    committee.registry.rules_unreadable.store(true, Ordering::SeqCst);
    let stranger = committee.client_with(|builder| builder.disperser(DisperserKey::generate()));
    // The large one is refused by its header, while most of it has not been sent.
    for length in [100, 6 << 20] {
        let error = stranger.disperse(payload(length), DisperseOptions::by_payload()).await.unwrap_err();
        let Error::QuorumNotReached { attested: 0, failures, .. } = &error else { panic!("{error}") };
        assert_eq!(failures.len(), 4);
        for failure in failures {
            let FailureReason::Refused { code: Code::PermissionDenied, message, .. } = &failure.reason else {
                panic!("{error}")
            };
            assert_eq!(message, "not a disperser of this namespace");
        }
        assert_eq!(
            error.to_string(),
            "quorum not reached: 0 of 3 attestations; members 0, 1, 2 and 3: refused with PERMISSION_DENIED: not a \
             disperser of this namespace"
        );
        assert_eq!((error.blame(), error.is_retryable()), (Blame::Caller, false));
    }
    // Who may disperse does so all the same.
    committee.client().disperse(payload(100), DisperseOptions::by_shard()).await.unwrap();
}
