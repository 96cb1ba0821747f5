//! Blobs that are held on, and certificates that need not be made again.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use holdfast_certificate::HOUR;
use holdfast_client::{Client, Dispersal, DisperseOptions, Error, FailureReason, RenewOptions, RetrieveOptions};

use crate::support::{Lie, TestCommittee, TestRegistry, payload};

const DAY: Duration = Duration::from_secs(24 * HOUR);

const BOTH: [Dispersal; 2] = [Dispersal::ByShard, Dispersal::ByPayload];

/// Bytes of bodies that members were sent since the last time.
fn sent(committee: &TestCommittee) -> usize {
    committee.members.iter().map(|member| member.taken.swap(0, Ordering::SeqCst)).sum()
}

async fn put(client: &Client, dispersal: Dispersal) -> holdfast_client::Dispersed {
    let put = client.disperse(payload(50_000), DisperseOptions::by(dispersal).retain_for(2 * DAY)).await.unwrap();
    client.drain().await;
    put
}

#[tokio::test]
async fn what_members_hold_is_renewed_without_a_byte_of_it() {
    for dispersal in BOTH {
        let committee = TestCommittee::start(5, 4, 2);
        let client = committee.client();
        let first = put(&client, dispersal).await.certificate.statement;
        assert!(sent(&committee) > 0);
        let renewed = client.renew(first.blob.id(), RenewOptions::default().retain_for(9 * DAY)).await.unwrap();
        client.drain().await;
        let statement = renewed.certificate.statement;
        assert_eq!(statement.blob, first.blob);
        assert!(statement.retain_until >= first.retain_until + 6 * DAY.as_secs());
        assert_eq!(statement.whole_until == 0, dispersal == Dispersal::ByShard);
        assert_eq!(
            (sent(&committee), committee.members.iter().map(|it| it.reads.load(Ordering::SeqCst)).sum()),
            (0, 0)
        );
        for member in &committee.members {
            assert_eq!(member.certificate_of(&first.blob.id()).unwrap().statement, statement);
        }
    }
}

#[tokio::test]
async fn a_member_that_lacks_its_part_is_given_it_and_one_that_says_it_has_it_holds_nobody_up() {
    for dispersal in BOTH {
        let committee = TestCommittee::start(5, 5, 2);
        let client = committee.client();
        let id = put(&client, dispersal).await.certificate.statement.blob.id();
        sent(&committee);
        committee.members[1].forget();
        // What it says that it holds is damaged: it waits for the body.
        committee.lie(3, Lie::Damaged);
        let renewed = client.renew(id, RenewOptions::default().retain_for(9 * DAY)).await.unwrap();
        assert_eq!(renewed.attested, [0, 1, 2, 3, 4]);
        committee.lie(3, Lie::None);
        assert!(committee.members[1].holds(&id));
        let part = if dispersal == Dispersal::ByShard { 25_088 } else { 50_000 };
        assert_eq!(sent(&committee), 2 * part);
        let only = RetrieveOptions::default().only([1, 3]);
        assert_eq!(client.retrieve(id, only).await.unwrap().payload, payload(50_000));
    }
}

#[tokio::test]
async fn the_members_of_the_next_epoch_take_over_what_the_last_one_held() {
    for dispersal in BOTH {
        let registry = Arc::new(TestRegistry::default());
        let old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
        let id = put(&old.client(), dispersal).await.certificate.statement.blob.id();
        let disperser = old.disperser.clone();
        let new = TestCommittee::start_epoch_for(2, (5, 4, 2), registry, disperser);
        let client = new.client();
        let renewed = client.renew(id, RenewOptions::default().retain_for(30 * DAY)).await.unwrap();
        client.drain().await;
        assert_eq!((renewed.certificate.statement.epoch, renewed.certificate.statement.blob.id()), (2, id));
        (0..5).for_each(|slot| old.kill(slot));
        let read = client.retrieve(&renewed.certificate, RetrieveOptions::default()).await.unwrap();
        assert_eq!(read.payload, payload(50_000));
    }
}

#[tokio::test]
async fn an_epoch_with_another_code_cannot_hold_the_same_blob_and_says_why() {
    let registry = Arc::new(TestRegistry::default());
    let old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
    let id = put(&old.client(), Dispersal::ByShard).await.certificate.statement.blob.id();
    let new = TestCommittee::start_epoch_for(2, (7, 6, 3), registry, old.disperser.clone());
    let error = new.client().renew(id, RenewOptions::default()).await.unwrap_err();
    let Error::Invalid { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("2 of 5 shards, and epoch 2 codes as 3 of 7"), "{reason}");
}

#[tokio::test]
async fn what_is_held_so_long_already_is_not_signed_again() {
    let committee = TestCommittee::start(5, 4, 2);
    let client = committee.client();
    let first = put(&client, Dispersal::ByShard).await.certificate;
    let asked = |committee: &TestCommittee| -> usize {
        committee.members.iter().map(|member| member.writes.load(Ordering::SeqCst)).sum()
    };
    let before = asked(&committee);
    let known = client.renew(first.statement.blob.id(), RenewOptions::default().retain_for(DAY)).await.unwrap();
    assert_eq!(known.certificate.encode(), first.encode());
    assert!(known.feeding.is_over() && asked(&committee) == before);
}

#[tokio::test]
async fn a_certificate_that_lasts_long_enough_is_taken_and_a_lost_part_stored_again() {
    let committee = TestCommittee::start(5, 4, 2);
    let client = committee.client();
    let first = put(&client, Dispersal::ByShard).await.certificate;
    let id = first.statement.blob.id();
    committee.members[2].forget();
    let again = DisperseOptions::by_shard().retain_for(9 * DAY).enough_for(DAY);
    let second = client.disperse(payload(50_000), again).await.unwrap();
    assert_eq!(second.certificate.encode(), first.encode());
    client.drain().await;
    assert!(committee.members[2].holds(&id), "it has it again");
    // One that is too short is not taken, nor one of another blob.
    let longer = again.enough_for(5 * DAY);
    let third = client.disperse(payload(50_000), longer).await.unwrap().certificate.statement;
    assert!(third.blob == first.statement.blob && third.retain_until > first.statement.retain_until);
    let other = client.disperse(payload(50_001), again).await.unwrap().certificate.statement;
    assert_ne!(other.blob.id(), id);
}

#[tokio::test]
async fn what_too_few_hold_is_not_renewed() {
    let committee = TestCommittee::start(5, 4, 2);
    let client = committee.client();
    let id = put(&client, Dispersal::ByShard).await.certificate.statement.blob.id();
    committee.members[..4].iter().for_each(|member| member.forget());
    let quick = RenewOptions::default().retain_for(9 * DAY).deadline(Duration::from_secs(3));
    let error = client.renew(id, quick).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let lost = committee.members.iter().filter(|member| !member.holds(&id)).count();
    assert_eq!(lost, 4, "nothing was made up");
}

#[test]
fn calls_can_be_spawned() {
    fn spawnable<F: Future + Send + 'static>(_: impl FnOnce(Client) -> F) {}
    spawnable(|client| async move { client.renew([0; 32].into(), RenewOptions::default()).await });
    spawnable(|client| async move { client.disperse("it", DisperseOptions::default()).await });
    // As a method of a trait has it, by reference.
    fn boxed<'a>(client: &'a Client) -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move { client.disperse("it", DisperseOptions::default()).await.is_ok() })
    }
    let _ = boxed;
}

#[tokio::test]
async fn who_no_longer_disperses_renews_nothing() {
    let committee = TestCommittee::start(5, 4, 2);
    let id = put(&committee.client(), Dispersal::ByShard).await.certificate.statement.blob.id();
    let stranger = committee.client_with(|builder| builder.disperser(holdfast_client::DisperserKey::generate()));
    let error = stranger.renew(id, RenewOptions::default().retain_for(9 * DAY)).await.unwrap_err();
    assert!(matches!(error, Error::NotADisperser { .. }), "{error}");
    let silent = committee.client();
    committee.lie(0, Lie::Silent);
    committee.lie(1, Lie::Silent);
    let quick = RenewOptions::default().retain_for(9 * DAY).deadline(Duration::from_secs(2));
    let error = silent.renew(id, quick).await.unwrap_err();
    let Error::QuorumNotReached { failures, .. } = &error else { panic!("{error}") };
    assert!(failures.iter().all(|failure| matches!(failure.reason, FailureReason::NoAnswer { .. })), "{error}");
}
