//! Reading from members that are prompt, slow or dead.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use holdfast_client::{Blame, Dispersal, Error, FailureReason, Reference, RetrieveOptions, Way};
use holdfast_erasure::encode;

use crate::support::{Lie, eventually, stored, stored_for_the_patient, stored_hedged};

#[tokio::test]
async fn prompt_honest_members_are_asked_for_the_original_shards_and_nothing_else() {
    let stored = stored_for_the_patient(Dispersal::ByShard).await;
    let mut originals = stored.originals();
    originals.sort_unstable();
    let read = stored.read().await.unwrap();
    assert_eq!(read.payload, stored.payload);
    assert_eq!((read.from, read.way), (originals, Way::Shards));
    assert!(read.faults.is_empty() && read.failures.is_empty());
    assert_eq!(stored.reads(), 2);
}

#[tokio::test]
async fn a_payload_is_read_whole_from_a_single_member() {
    let stored = stored_for_the_patient(Dispersal::ByPayload).await;
    let read = stored.read().await.unwrap();
    assert_eq!(read.payload, stored.payload);
    assert_eq!((read.from.len(), read.way), (1, Way::Whole));
    assert_eq!(stored.reads(), 1);
    // Six dead: too few for shards, enough for the whole.
    for slot in 0..6 {
        stored.committee.kill(slot);
    }
    let read = stored.reads_well().await;
    assert_eq!((read.from, read.way), (vec![6], Way::Whole));
}

#[tokio::test]
async fn a_payload_that_is_kept_whole_no_longer_is_read_from_shards() {
    let stored = stored(Dispersal::ByPayload).await;
    stored.committee.members.iter().for_each(|member| member.drop_whole());
    assert_eq!(stored.reads_well().await.way, Way::Shards);
}

#[tokio::test]
async fn five_of_seven_dead_still_read() {
    let stored = stored(Dispersal::ByShard).await;
    for slot in [0, 1, 3, 4, 6] {
        stored.committee.kill(slot);
    }
    assert_eq!(stored.reads_well().await.from, [2, 5]);
    // With one more the blob is out of reach, and every member has its reason.
    stored.committee.kill(2);
    let error = stored.read().await.unwrap_err();
    let Error::NotRetrievable { needed: 2, accepted: 1, failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.iter().map(|failure| failure.slot).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 6]);
    assert!(failures.iter().all(|failure| matches!(failure.reason, FailureReason::Unreachable { .. })), "{error}");
    assert!(error.is_retryable());
    assert_eq!(error.blame(), Blame::Committee);
}

#[tokio::test]
async fn slow_and_stalling_members_are_hedged() {
    for lie in [Lie::Silent, Lie::Slow(Duration::from_secs(60)), Lie::Stall] {
        // A client that knows of none yet.
        let stored = stored(Dispersal::ByShard).await;
        let slow = stored.originals();
        slow.iter().for_each(|slot| stored.committee.lie(*slot, lie));
        let started = Instant::now();
        let read = stored.reads_well().await;
        assert!(started.elapsed() < Duration::from_secs(8), "{lie:?}: {:?}", started.elapsed());
        assert!(read.from.iter().all(|slot| !slow.contains(slot)), "{lie:?}");
        let hanging = || slow.iter().map(|s| stored.committee.members[usize::from(*s)].hanging.load(Ordering::SeqCst));
        eventually("the slow requests are cut", || hanging().sum::<usize>() == 0).await;
    }
}

#[tokio::test]
async fn who_kept_one_reader_waiting_is_not_asked_by_the_next_ones_unless_others_fail() {
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        // Nobody who is well takes so long, on a busy machine either.
        let stored = stored_hedged(dispersal, Duration::from_secs(1)).await;
        let hung = stored.originals()[0];
        stored.committee.lie(hung, Lie::Silent);
        // Whole payloads are asked of one after the other.
        for _ in 0..8 {
            stored.reads_well().await;
        }
        let asked = stored.committee.members[usize::from(hung)].reads.load(Ordering::Relaxed);
        assert_eq!(asked, 1, "{dispersal:?}");
        // It is well again, and all but one of the others are gone.
        stored.committee.lie(hung, Lie::None);
        let left = [hung, (hung + 1) % 7];
        (0..7).filter(|slot| !left.contains(slot)).for_each(|slot| stored.committee.kill(slot));
        let from = stored.reads_well().await.from;
        assert!(from.iter().all(|slot| left.contains(slot)) && !from.is_empty(), "{from:?}");
    }
}

#[tokio::test]
async fn copies_under_other_positions_are_found_when_nothing_else_is_left() {
    let stored = stored(Dispersal::ByShard).await;
    let encoded = encode(stored.parameters(), stored.payload.clone(), Dispersal::ByShard).unwrap();
    let root = stored.certificate.statement.blob.shards_root;
    for slot in 2..7 {
        stored.committee.kill(slot);
    }
    // What is left: two members that hold each other's shard and not their own.
    let own = |slot| stored.parameters().shard_of_slot(slot, &root).get();
    stored.committee.members[0].keep_copy(&encoded, own(1));
    stored.committee.members[1].keep_copy(&encoded, own(0));
    assert_eq!(stored.reads_well().await.from, [0, 1]);
}

#[tokio::test]
async fn only_the_slots_that_the_caller_names_are_asked() {
    let stored = stored(Dispersal::ByShard).await;
    let options = RetrieveOptions::default().only([2, 6]);
    let read = stored.client.retrieve(stored.id, options).await.unwrap();
    assert_eq!((read.payload, read.from), (stored.payload.clone(), vec![2, 6]));
    let too_few = RetrieveOptions::default().only([2]);
    let error = stored.client.retrieve(stored.id, too_few).await.unwrap_err();
    assert!(matches!(error, Error::NotRetrievable { needed: 2, accepted: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_cancelled_retrieval_leaves_no_request_running() {
    let stored = stored(Dispersal::ByShard).await;
    for slot in 0..7 {
        stored.committee.lie(slot, Lie::Stall);
    }
    let hanging = || stored.committee.members.iter().map(|m| m.hanging.load(Ordering::SeqCst)).sum::<usize>();
    {
        let mut read = std::pin::pin!(stored.read());
        tokio::select! {
            _ = &mut read => panic!("nobody ends"),
            () = eventually("members have been asked", || hanging() >= 2) => {}
        }
    }
    eventually("every request is cut", || hanging() == 0).await;
}

#[tokio::test]
async fn a_member_that_promises_the_whole_payload_and_never_sends_it_does_not_use_up_the_time() {
    let stored = stored(Dispersal::ByPayload).await;
    stored.committee.members.iter().for_each(|member| member.drop_whole());
    // Whichever member is asked for the blob says that the payload is kept whole.
    for slot in 0..7 {
        stored.committee.lie(slot, Lie::KeepsWaiting);
    }
    let options = RetrieveOptions::default().deadline(Duration::from_secs(4));
    for reference in [Reference::from(stored.id), Reference::from(&stored.certificate)] {
        let read = stored.client.retrieve(reference, options.clone()).await.unwrap();
        assert_eq!((read.payload, read.way), (stored.payload.clone(), Way::Shards));
    }
}
