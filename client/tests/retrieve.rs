//! Retrieval from members that are dead, slow or lying.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use holdfast_certificate::{HOUR, VerifiedCertificate};
use holdfast_client::{
    Blame, Client, Config, Dispersal, DisperseOptions, Error, FailureReason, Fault, Reference, RetrieveOptions,
    Retrieved, Wanted, Way,
};
use holdfast_erasure::{BlobId, Parameters, encode};
use support::{Lie, TestCommittee, TestRegistry, eventually, payload};

const LENGTH: usize = 700_001;

/// A committee of 7 (t 6, k 2) that holds a payload, all members with the certificate.
struct Stored {
    committee: TestCommittee,
    client: Client,
    payload: Bytes,
    certificate: VerifiedCertificate,
    id: BlobId,
}

async fn stored(dispersal: Dispersal) -> Stored {
    stored_by(TestCommittee::start(7, 6, 2), support::quick(), dispersal).await
}

/// The same, read by a client that hedges nobody.
async fn stored_for_the_patient(dispersal: Dispersal) -> Stored {
    let config = Config { hedge_delay: Duration::from_secs(20), ..support::quick() };
    stored_by(TestCommittee::start(7, 6, 2), config, dispersal).await
}

async fn stored_by(committee: TestCommittee, config: Config, dispersal: Dispersal) -> Stored {
    let client = committee.client_with(|builder| builder.config(config));
    let payload = payload(LENGTH);
    let options = DisperseOptions { dispersal, ..DisperseOptions::default() };
    let certificate = client.disperse(payload.clone(), options).await.unwrap().certificate;
    client.drain().await;
    let id = certificate.statement.blob.id();
    assert!(committee.members.iter().all(|member| member.holds(&id)));
    Stored { committee, client, payload, certificate, id }
}

impl Stored {
    /// The slots that hold the original shards.
    fn originals(&self) -> Vec<u16> {
        let (parameters, root) = (self.parameters(), self.certificate.statement.blob.shards_root);
        (0..2).map(|index| parameters.slot_of_shard(parameters.index(index).unwrap(), &root)).collect()
    }

    fn parameters(&self) -> Parameters {
        self.certificate.statement.blob.parameters().unwrap()
    }

    async fn read(&self) -> Result<Retrieved, Error> {
        self.client.retrieve(&self.certificate, RetrieveOptions::default()).await
    }

    async fn read_by_id(&self) -> Result<Retrieved, Error> {
        self.client.retrieve(self.id, RetrieveOptions::default()).await
    }

    /// Reads both ways and checks every byte.
    async fn reads_well(&self) -> Retrieved {
        let by_id = self.read_by_id().await.unwrap();
        assert_eq!(by_id.payload, self.payload);
        let by_certificate = self.read().await.unwrap();
        assert_eq!(by_certificate.payload, self.payload);
        by_certificate
    }

    fn reads(&self) -> usize {
        self.committee.members.iter().map(|member| member.reads.load(Ordering::Relaxed)).sum()
    }
}

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
async fn members_with_a_wrong_shard_are_named_and_the_data_is_read() {
    type Expected = fn(&Fault) -> bool;
    let cases: [(Lie, Expected); 5] = [
        (Lie::BitFlip, |fault| matches!(fault, Fault::WrongShard(_))),
        (Lie::OtherShard, |fault| matches!(fault, Fault::WrongShard(_))),
        (Lie::Truncate, |fault| matches!(fault, Fault::Truncated { got, expected } if *got == expected / 2)),
        (Lie::EmptyChunks, |fault| matches!(fault, Fault::BadChunk { got: 0, .. })),
        (Lie::Damaged, |fault| matches!(fault, Fault::Damaged { message } if message == "checksum mismatch")),
    ];
    let stored = stored_for_the_patient(Dispersal::ByShard).await;
    for (lie, expected) in cases {
        let liars = stored.originals();
        liars.iter().for_each(|slot| stored.committee.lie(*slot, lie));
        let read = stored.reads_well().await;
        let mut named: Vec<u16> = read.faults.iter().map(|fault| fault.slot).collect();
        named.sort_unstable();
        let mut all = liars.clone();
        all.sort_unstable();
        assert_eq!(named, all, "{lie:?}");
        assert!(read.faults.iter().all(|fault| expected(&fault.reason)), "{lie:?}: {:?}", read.faults);
        assert!(read.from.iter().all(|slot| !liars.contains(slot)));
    }
}

#[tokio::test]
async fn an_audit_names_every_faulty_member_even_those_not_needed() {
    let stored = stored_for_the_patient(Dispersal::ByShard).await;
    let parameters = stored.parameters();
    let root = stored.certificate.statement.blob.shards_root;
    let last = parameters.slot_of_shard(parameters.index(6).unwrap(), &root);
    let before = parameters.slot_of_shard(parameters.index(5).unwrap(), &root);
    stored.committee.lie(last, Lie::BitFlip);
    stored.committee.lie(before, Lie::Damaged);
    assert!(stored.read().await.unwrap().faults.is_empty(), "nobody asked them");
    let options = RetrieveOptions { audit: true, ..RetrieveOptions::default() };
    let read = stored.client.retrieve(&stored.certificate, options).await.unwrap();
    assert_eq!(read.payload, stored.payload);
    let mut named: Vec<u16> = read.faults.iter().map(|fault| fault.slot).collect();
    named.sort_unstable();
    let mut both = vec![last, before];
    both.sort_unstable();
    assert_eq!(named, both);
}

#[tokio::test]
async fn slow_and_stalling_members_are_hedged() {
    let stored = stored(Dispersal::ByShard).await;
    for lie in [Lie::Silent, Lie::Slow(Duration::from_secs(60)), Lie::Stall] {
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
async fn an_overlong_stream_is_cut_at_once() {
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        let stored = stored(dispersal).await;
        let liars = stored.originals();
        liars.iter().for_each(|slot| stored.committee.lie(*slot, Lie::Endless));
        let mut named = Vec::new();
        // By payload any member may be asked first: read until each was.
        for _ in 0..7 {
            let read = stored.reads_well().await;
            for fault in read.faults {
                assert!(matches!(fault.reason, Fault::OverLong { .. }), "{fault}");
                named.push(fault.slot);
            }
        }
        for slot in liars {
            assert!(named.contains(&slot), "{dispersal:?}");
            // What was sent beyond is bounded by the HTTP/2 windows, for each of the reads.
            let poured = stored.committee.members[usize::from(slot)].poured.load(Ordering::Relaxed);
            assert!(poured < 14 * (8 << 20), "{poured} bytes");
        }
    }
}

#[tokio::test]
async fn a_payload_with_a_bit_changed_is_refused_by_its_recomputed_id() {
    let stored = stored(Dispersal::ByPayload).await;
    for slot in 0..6 {
        stored.committee.lie(slot, Lie::BitFlip);
    }
    let read = stored.reads_well().await;
    assert_eq!((read.from, read.way), (vec![6], Way::Whole));
    assert!(read.faults.iter().all(|fault| matches!(fault.reason, Fault::WrongPayload { got } if got != stored.id)));
}

#[tokio::test]
async fn the_commitment_of_another_blob_is_refused_and_its_sender_named() {
    let stored = stored(Dispersal::ByShard).await;
    stored.client.disperse(payload(999), DisperseOptions::default()).await.unwrap();
    stored.client.drain().await;
    for lie in [Lie::OtherCommitment, Lie::WrongRoots] {
        for slot in 0..6 {
            stored.committee.lie(slot, lie);
        }
        let read = stored.reads_well().await;
        assert!(!read.faults.is_empty());
        for fault in &read.faults {
            match lie {
                Lie::OtherCommitment => assert!(matches!(fault.reason, Fault::WrongCommitment { .. }), "{fault}"),
                _ => assert!(matches!(fault.reason, Fault::Malformed(_)), "{fault}"),
            }
        }
    }
}

#[tokio::test]
async fn not_found_is_certain_only_when_enough_members_say_so() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    let id = BlobId::from([9; 32]);
    let error = client.retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { what: Wanted::Blob(of), said: 6.., needed: 6 } if of == id), "{error}");
    assert!(!error.is_retryable());
    // Six say so, and one is dead: still n - k + 1.
    committee.kill(0);
    let error = client.retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    // Five say so: the other two could hold it.
    committee.lie(1, Lie::Silent);
    let deadline = Duration::from_millis(700);
    let options = RetrieveOptions { deadline: Some(deadline), ..RetrieveOptions::default() };
    let started = Instant::now();
    let error = client.retrieve(id, options).await.unwrap_err();
    assert!(started.elapsed() < deadline + Duration::from_secs(1));
    let Error::Unknown { said: 5, needed: 6, failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 7);
    assert!(matches!(failures[0].reason, FailureReason::Unreachable { .. }));
    assert!(matches!(failures[1].reason, FailureReason::NoAnswer { .. }));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn members_that_deny_a_blob_do_not_hide_it() {
    let stored = stored(Dispersal::ByShard).await;
    for slot in 0..5 {
        stored.committee.lie(slot, Lie::Denies);
    }
    assert_eq!(stored.reads_well().await.from, [5, 6]);
}

#[tokio::test]
async fn expired_is_told_from_never_stored() {
    let stored = stored(Dispersal::ByShard).await;
    for slot in 0..7 {
        stored.committee.lie(slot, Lie::SaysExpired);
    }
    let error = stored.read_by_id().await.unwrap_err();
    assert!(matches!(error, Error::Expired { blob, .. } if blob == stored.id), "{error}");
    // Four liars (f = t - k) of seven are too few for it to be believed.
    for slot in 4..7 {
        stored.committee.lie(slot, Lie::Denies);
    }
    let error = stored.read_by_id().await.unwrap_err();
    assert!(!matches!(error, Error::Expired { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_with_one_bit_changed_reads_nothing() {
    let stored = stored(Dispersal::ByShard).await;
    let good = stored.certificate.encode();
    let mut refused = 0;
    for byte in [40, 60, 100, good.len() - 60, good.len() - 1] {
        let mut changed = good.clone();
        changed[byte] ^= 1;
        let Ok(reference) = hex::encode(&changed).parse::<Reference>() else { continue };
        let error = stored.client.retrieve(reference, RetrieveOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::Certificate(_) | Error::Registry(_)), "{error}");
        refused += 1;
    }
    assert!(refused >= 2, "most changes still decode");
    let read = stored.client.retrieve(hex::encode(&good).parse::<Reference>().unwrap(), RetrieveOptions::default());
    assert_eq!(read.await.unwrap().payload, stored.payload);
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
async fn a_blob_of_an_older_epoch_is_read_by_its_id() {
    let registry = Arc::new(TestRegistry::default());
    let old = TestCommittee::start_epoch(3, 5, 4, 2, Arc::clone(&registry));
    let put = old.client().disperse(payload(5000), DisperseOptions::default()).await.unwrap();
    let id = put.certificate.statement.blob.id();
    // Epoch 4 never came to be; epoch 5 has other members and another code.
    let new = TestCommittee::start_epoch(5, 7, 6, 2, registry);
    let client = new.client();
    assert_eq!(client.retrieve(id, RetrieveOptions::default()).await.unwrap().payload, payload(5000));
    assert_eq!(client.retrieve(&put.certificate, RetrieveOptions::default()).await.unwrap().payload, payload(5000));
    let only_new = RetrieveOptions { epoch: Some(5), ..RetrieveOptions::default() };
    let error = client.retrieve(id, only_new).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn only_the_slots_that_the_caller_names_are_asked() {
    let stored = stored(Dispersal::ByShard).await;
    let options = RetrieveOptions { only: vec![2, 6], ..RetrieveOptions::default() };
    let read = stored.client.retrieve(stored.id, options).await.unwrap();
    assert_eq!((read.payload, read.from), (stored.payload.clone(), vec![2, 6]));
    let too_few = RetrieveOptions { only: vec![2], ..RetrieveOptions::default() };
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
async fn a_payload_is_found_by_its_digest_and_a_made_up_listing_is_not_believed() {
    let stored = stored(Dispersal::ByPayload).await;
    let digest = stored.certificate.statement.blob.payload_digest;
    assert_eq!(stored.client.find(digest).await.unwrap(), [stored.id]);
    let nobody = holdfast_erasure::keccak256(b"nobody stored this");
    let error = stored.client.find(nobody).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { what: Wanted::Payload(_), .. }), "{error}");
    // One member lists what it has under any digest.
    stored.committee.lie(0, Lie::OtherCommitment);
    let error = stored.client.find(nobody).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { said: 6, .. }), "{error}");
    stored.committee.lie(1, Lie::Silent);
    stored.committee.kill(2);
    assert_eq!(stored.client.find(digest).await.unwrap(), [stored.id]);
}

#[tokio::test]
async fn the_status_lists_every_member_and_who_answers_with_another_key() {
    let stored = stored(Dispersal::ByShard).await;
    stored.committee.lie(1, Lie::WrongKey);
    stored.committee.kill(2);
    let status = stored.client.status().await.unwrap();
    assert_eq!(status.iter().map(|member| member.slot).collect::<Vec<_>>(), (0..7).collect::<Vec<u16>>());
    let info = status[0].info.as_ref().unwrap();
    assert_eq!((info.blobs, info.slot, info.epoch, info.chain_id), (1, Some(0), 1, 31337));
    let wrong = status[1].info.as_ref().unwrap_err();
    assert!(matches!(wrong.reason, FailureReason::Fault(Fault::WrongKey { .. })), "{wrong}");
    let dead = status[2].info.as_ref().unwrap_err();
    assert!(matches!(dead.reason, FailureReason::Unreachable { .. }), "{dead}");
}

#[tokio::test]
async fn a_blob_whose_retention_is_over_is_expired_even_where_members_forgot_it() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    let options = DisperseOptions { retain_until: Some(HOUR * 400_000), ..DisperseOptions::default() };
    let certificate = client.disperse(payload(100), options).await.unwrap().certificate;
    client.drain().await;
    for slot in 0..4 {
        committee.lie(slot, Lie::Denies);
    }
    let error = client.retrieve(&certificate, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error}");
}

#[tokio::test]
async fn a_member_that_promises_the_whole_payload_and_never_sends_it_does_not_use_up_the_time() {
    let stored = stored(Dispersal::ByPayload).await;
    stored.committee.members.iter().for_each(|member| member.drop_whole());
    // Whichever member is asked for the blob says that the payload is kept whole.
    for slot in 0..7 {
        stored.committee.lie(slot, Lie::KeepsWaiting);
    }
    let options = RetrieveOptions { deadline: Some(Duration::from_secs(4)), ..RetrieveOptions::default() };
    for reference in [Reference::from(stored.id), Reference::from(&stored.certificate)] {
        let read = stored.client.retrieve(reference, options.clone()).await.unwrap();
        assert_eq!((read.payload, read.way), (stored.payload.clone(), Way::Shards));
    }
}

#[tokio::test]
async fn data_that_members_dropped_in_time_is_expired_and_not_merely_out_of_reach() {
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        let stored = stored(dispersal).await;
        for slot in 0..6 {
            stored.committee.lie(slot, Lie::DataExpired);
        }
        stored.committee.kill(6);
        for outcome in [stored.read_by_id().await, stored.read().await] {
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::Expired { blob, .. } if blob == stored.id), "{error}");
        }
        // As many as may lie (f = 4) are not believed, and too few shards are left.
        for slot in 4..6 {
            stored.committee.lie(slot, Lie::Damaged);
        }
        let error = stored.read_by_id().await.unwrap_err();
        assert!(matches!(error, Error::NotRetrievable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_whole_payload_that_expired_does_not_make_silent_shards_expired() {
    let stored = stored(Dispersal::ByPayload).await;
    for slot in 0..7 {
        stored.committee.lie(slot, Lie::WholeExpired);
    }
    let options = RetrieveOptions { deadline: Some(Duration::from_secs(2)), ..RetrieveOptions::default() };
    let error = stored.client.retrieve(&stored.certificate, options).await.unwrap_err();
    assert!(matches!(error, Error::NotRetrievable { .. }), "{error}");
}

#[tokio::test]
async fn silent_members_of_a_new_epoch_do_not_hide_an_old_epochs_blob() {
    let registry = Arc::new(TestRegistry::default());
    let old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
    let put = old.client().disperse(payload(5000), DisperseOptions::default()).await.unwrap();
    let new = TestCommittee::start_epoch(2, 7, 6, 2, registry);
    for slot in 0..2 {
        new.lie(slot, Lie::Silent);
    }
    let options = RetrieveOptions { deadline: Some(Duration::from_secs(6)), ..RetrieveOptions::default() };
    let read = new.client().retrieve(put.certificate.statement.blob.id(), options).await.unwrap();
    assert_eq!(read.payload, payload(5000));
}

#[tokio::test]
async fn members_that_know_a_blob_and_name_no_epoch_do_not_hide_where_it_is() {
    for code in [(5, 4, 2), (7, 6, 2)] {
        let registry = Arc::new(TestRegistry::default());
        let old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
        let put = old.client().disperse(payload(5000), DisperseOptions::default()).await.unwrap();
        let blob = put.certificate.statement.blob;
        let new = TestCommittee::start_epoch(2, code.0, code.1, code.2, registry);
        let encoded = encode(blob.parameters().unwrap(), payload(5000), Dispersal::ByShard).unwrap();
        new.members.iter().for_each(|member| member.know(encoded.commitment().clone()));
        let read = new.client().retrieve(blob.id(), RetrieveOptions::default()).await.unwrap();
        assert_eq!(read.payload, payload(5000));
    }
}

#[tokio::test]
async fn an_epoch_that_cannot_be_read_is_not_one_without_the_blob() {
    let registry = Arc::new(TestRegistry::default());
    let _old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
    let new = TestCommittee::start_epoch(2, 7, 6, 2, Arc::clone(&registry));
    let id = BlobId::from([9; 32]);
    let error = new.client().retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    registry.unreadable.lock().unwrap().insert(1);
    let error = new.client().retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Registry(_)) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn members_that_list_blobs_that_nobody_has_do_not_crowd_out_those_that_are_there() {
    let stored = stored(Dispersal::ByPayload).await;
    for slot in 0..4 {
        stored.committee.lie(slot, Lie::ListsNoise);
    }
    let digest = stored.certificate.statement.blob.payload_digest;
    assert_eq!(stored.client.find(digest).await.unwrap(), [stored.id]);
}

#[tokio::test]
async fn an_answer_of_many_empty_parts_is_refused_by_its_size() {
    let stored = stored(Dispersal::ByShard).await;
    for slot in 0..6 {
        stored.committee.lie(slot, Lie::Bloated);
    }
    let mut refused = 0;
    for _ in 0..7 {
        let read = stored.read_by_id().await.unwrap();
        assert_eq!(read.payload, stored.payload);
        let by_size = |reason: &FailureReason| matches!(reason, FailureReason::Refused { code, .. } if *code == tonic::Code::OutOfRange);
        refused += read.failures.iter().filter(|failure| by_size(&failure.reason)).count();
    }
    assert!(refused > 0, "no such answer was asked for");
}
