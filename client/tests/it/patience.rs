//! Members that are busy, or a moment behind an epoch's switch, are asked again until the deadline.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use holdfast_client::{
    Dispersal, DisperseOptions, Error, FailureReason, LookupOptions, RegistryError, RetrieveOptions, Wanted,
};

use crate::support::{Lie, TestCommittee, TestRegistry, eventually, payload, stored};

const SOON: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_read_comes_back_to_members_that_are_busy() {
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        let stored = stored(dispersal).await;
        // Each sheds whoever asks for the blob, and then whoever asks for its data.
        stored.committee.members.iter().for_each(|member| member.shed(4, SOON));
        stored.reads_well().await;
        assert!(stored.committee.members.iter().any(|member| member.still_sheds() < 4));
    }
}

#[tokio::test]
async fn a_search_comes_back_to_members_that_are_busy() {
    let stored = stored(Dispersal::ByPayload).await;
    let blob = stored.certificate.statement.blob;
    for wanted in [Wanted::Payload(blob.payload_digest), Wanted::Blob(blob.id())] {
        stored.committee.members.iter().for_each(|member| member.shed(2, SOON));
        let found = stored.client.lookup(wanted, LookupOptions::default().enough(0)).await.unwrap();
        assert_eq!(found[0].certificates[0].statement, stored.certificate.statement);
    }
    stored.committee.members.iter().for_each(|member| member.shed(2, SOON));
    assert_eq!(stored.client.find(blob.payload_digest).await.unwrap(), [blob.id()]);
}

#[tokio::test]
async fn members_that_stay_busy_are_asked_until_the_deadline_and_their_word_is_the_reason() {
    let stored = stored(Dispersal::ByShard).await;
    stored.committee.members.iter().for_each(|member| member.shed(usize::MAX, SOON));
    let deadline = Duration::from_millis(1500);
    let started = Instant::now();
    let read = stored.client.retrieve(&stored.certificate, RetrieveOptions::default().deadline(deadline)).await;
    let error = read.unwrap_err();
    assert!(started.elapsed() >= deadline - SOON && started.elapsed() < deadline + Duration::from_secs(1));
    assert!(error.is_retryable(), "{error}");
    assert_eq!(error.failures().len(), 7);
    for failure in error.failures() {
        assert!(failure.reason.to_string().contains("busy"), "{failure}");
    }
}

#[tokio::test]
async fn a_dispersal_comes_back_to_members_that_are_busy() {
    let committee = TestCommittee::start(4, 3, 2);
    committee.members.iter().for_each(|member| member.shed(2, SOON));
    let client = committee.client();
    let dispersed = client.disperse(payload(100_000), DisperseOptions::by_payload()).await.unwrap();
    assert!(dispersed.failures.is_empty(), "{:?}", dispersed.failures);
    assert!(committee.members.iter().filter(|member| member.still_sheds() == 0).count() >= 3);
}

#[tokio::test]
async fn who_says_to_come_back_after_the_deadline_is_not_waited_for() {
    let committee = TestCommittee::start(4, 3, 2);
    committee.members.iter().for_each(|member| member.shed(usize::MAX, Duration::from_secs(30)));
    let started = Instant::now();
    let error = committee.client().disperse(payload(1000), DisperseOptions::by_shard()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(matches!(error, Error::QuorumNotReached { attested: 0, .. }) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn members_whose_clocks_are_behind_an_epochs_switch_sign_when_they_have_caught_up() {
    let committee = Arc::new(TestCommittee::start(4, 3, 2));
    for slot in [1, 3] {
        committee.lie(slot, Lie::OtherEpoch);
    }
    let client = committee.client();
    let put = tokio::spawn(async move { client.disperse(payload(1000), DisperseOptions::by_shard()).await });
    let asked = |slot: usize| committee.members[slot].writes.load(Ordering::SeqCst);
    eventually("both have been asked again", || asked(1) >= 2 && asked(3) >= 2).await;
    assert!(!put.is_finished());
    committee.lie(1, Lie::None);
    let dispersed = put.await.unwrap().unwrap();
    assert_eq!(dispersed.attested, [0, 1, 2]);
}

#[tokio::test]
async fn who_stays_in_another_epoch_until_the_deadline_is_named_with_its_words() {
    let committee = TestCommittee::start(4, 3, 2);
    for slot in [1, 3] {
        committee.lie(slot, Lie::OtherEpoch);
    }
    let options = DisperseOptions::by_shard().deadline(Duration::from_secs(2));
    let error = committee.client().disperse(payload(1000), options).await.unwrap_err();
    let Error::QuorumNotReached { attested: 2, failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.iter().map(|failure| failure.slot).collect::<Vec<_>>(), [1, 3]);
    assert!(failures.iter().all(|it| matches!(it.reason, FailureReason::WrongEpoch { .. })), "{error}");
    assert!(error.to_string().ends_with("members 1 and 3: refused with FAILED_PRECONDITION: wrong epoch"), "{error}");
}

#[tokio::test]
async fn a_straggler_in_another_epoch_is_fed_when_it_has_caught_up() {
    let committee = TestCommittee::start(4, 3, 2);
    committee.lie(2, Lie::OtherEpoch);
    let client = committee
        .client_with(|builder| builder.config(crate::support::quick().background_limit(10 * Duration::from_secs(1))));
    let mut dispersed = client.disperse(payload(1000), DisperseOptions::by_shard()).await.unwrap();
    assert_eq!(dispersed.attested, [0, 1, 3]);
    eventually("it has been asked again", || committee.members[2].writes.load(Ordering::SeqCst) >= 2).await;
    committee.lie(2, Lie::None);
    assert_eq!(dispersed.feeding.over().await.stored, [2]);
    let id = dispersed.certificate.statement.blob.id();
    assert!(committee.members[2].certificate_of(&id).is_some());
}

#[tokio::test]
async fn a_client_that_is_behind_an_epochs_switch_disperses_in_the_next_epoch() {
    let registry = Arc::new(TestRegistry::default());
    let old = TestCommittee::start_epoch(1, 4, 3, 2, Arc::clone(&registry));
    for slot in 0..4 {
        old.lie(slot, Lie::OtherEpoch);
    }
    // The next epoch has the same dispersers.
    let client = old.client();
    let put = tokio::spawn(async move { client.disperse(payload(1000), DisperseOptions::by_shard()).await });
    eventually("the old epoch's members have refused", || old.members[0].writes.load(Ordering::SeqCst) >= 1).await;
    let new = TestCommittee::start_epoch_for(2, (5, 4, 2), registry, old.disperser.clone());
    let dispersed = put.await.unwrap().unwrap();
    assert_eq!(dispersed.certificate.statement.epoch, 2);
    let id = dispersed.certificate.statement.blob.id();
    assert!(new.members.iter().filter(|member| member.holds(&id)).count() >= 4);
    assert!(old.members.iter().all(|member| !member.holds(&id)));
}

#[tokio::test]
async fn when_the_epoch_is_revoked_on_the_way_there_is_nothing_to_wait_for() {
    let committee = TestCommittee::start(4, 3, 2);
    for slot in 0..4 {
        committee.lie(slot, Lie::OtherEpoch);
    }
    let client = committee.client();
    let started = Instant::now();
    let put = tokio::spawn(async move { client.disperse(payload(1000), DisperseOptions::by_shard()).await });
    eventually("a member has refused", || committee.members[0].writes.load(Ordering::SeqCst) >= 1).await;
    committee.registry.revoked.store(true, Ordering::SeqCst);
    let error = put.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Registry(RegistryError::NoActiveEpoch { .. })), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
