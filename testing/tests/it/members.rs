//! The client against real members, with their stores on disk.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use holdfast_certificate::CheckpointProof;
use holdfast_client::{Client, DisperseOptions, Error, Fault, Observer, Progress, RenewOptions, RetrieveOptions, Way};
use holdfast_committee::fault;
use holdfast_testing::{Committee, Setup};

fn client(committee: &Committee) -> Client {
    let builder = Client::builder().registry(committee.registry()).namespace(committee.namespace());
    builder.disperser(committee.disperser()).build().unwrap()
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from(i * i % 251).unwrap()).collect()
}

#[tokio::test]
async fn what_is_put_is_read_back_by_shard_and_by_payload_with_three_of_five_gone() {
    let mut members = Committee::start().await.unwrap();
    let client = client(&members);
    let mut put = Vec::new();
    for options in [DisperseOptions::by_shard(), DisperseOptions::by_payload()] {
        for length in [1, 255, 256, 257, 8191, 1_000_000, 5 << 20] {
            let dispersed = client.disperse(payload(length), options).await.unwrap();
            assert!(dispersed.failures.is_empty());
            put.push((length, dispersed.certificate));
        }
    }
    client.drain().await;
    for slot in [0, 2, 3] {
        members.stop(slot).await.unwrap();
    }
    for (length, certificate) in &put {
        let read = client.retrieve(certificate, RetrieveOptions::default()).await.unwrap();
        assert!(read.payload == payload(*length), "{length}");
        let by_shard = certificate.statement.whole_until == 0;
        assert_eq!(read.way, if by_shard { Way::Shards } else { Way::Whole });
        let id = certificate.statement.blob.id();
        let read = client.retrieve(id, RetrieveOptions::default()).await.unwrap();
        assert!(read.payload == payload(*length), "{length} by id");
        let audited = RetrieveOptions::default().audit();
        let read = client.retrieve(id, audited).await.unwrap();
        assert!(read.payload == payload(*length) && read.way == Way::Shards, "{length} audited");
        assert!(read.faults.is_empty());
        if !by_shard {
            assert!(client.find(certificate.statement.blob.payload_digest).await.unwrap().contains(&id));
        }
    }
    let error = client.disperse(payload(10), DisperseOptions::default()).await.unwrap_err();
    let Error::QuorumNotReached { needed: 4, attested: 2, failures } = &error else { panic!("{error}") };
    assert_eq!(failures.iter().map(|failure| failure.slot).collect::<Vec<_>>(), [0, 2, 3]);
    // Started again, they have what they had, and the dispersal that failed succeeds.
    for slot in [0, 2, 3] {
        members.restart(slot).await.unwrap();
    }
    let only = RetrieveOptions::default().only([0, 2, 3]);
    for (length, certificate) in &put {
        assert!(client.retrieve(certificate, only.clone()).await.unwrap().payload == payload(*length));
    }
    client.disperse(payload(10), DisperseOptions::default()).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn a_member_that_replaced_its_shard_and_one_with_a_flipped_bit_are_named() {
    let mut members = Committee::start().await.unwrap();
    let client = client(&members);
    let put = client.disperse(payload(300_000), DisperseOptions::by_shard()).await.unwrap();
    client.drain().await;
    let id = put.certificate.statement.blob.id();
    members.stop(1).await.unwrap();
    fault::replace_shard(&members.data_dir(1), &id).await.unwrap();
    members.restart(1).await.unwrap();
    members.stop(4).await.unwrap();
    fault::flip_bit(&members.data_dir(4), &id).await.unwrap();
    members.restart(4).await.unwrap();
    let audited = RetrieveOptions::default().audit();
    let read = client.retrieve(&put.certificate, audited).await.unwrap();
    assert!(read.payload == payload(300_000));
    let mut faults = read.faults;
    faults.sort_by_key(|fault| fault.slot);
    assert_eq!(faults.iter().map(|fault| fault.slot).collect::<Vec<_>>(), [1, 4], "{faults:?}");
    assert!(matches!(faults[0].reason, Fault::WrongShard(_)), "{}", faults[0]);
    assert!(matches!(faults[1].reason, Fault::Damaged { .. }), "{}", faults[1]);
}

#[tokio::test]
async fn a_checkpoint_is_signed_over_what_is_held_and_a_blob_that_is_not_is_named() {
    let mut members = Committee::start().await.unwrap();
    let client = client(&members);
    let mut ids = Vec::new();
    let mut retain_until = u64::MAX;
    for length in [1, 70_000, 300_000] {
        let put = client.disperse(payload(length), DisperseOptions::by_shard()).await.unwrap();
        ids.push(put.certificate.statement.blob.id());
        retain_until = retain_until.min(put.certificate.statement.retain_until);
    }
    client.drain().await;
    members.stop(3).await.unwrap();
    let signed = client.checkpoint(None, &ids, retain_until).await.unwrap();
    assert_eq!(signed.attested, [0, 1, 2, 4]);
    for id in &ids {
        CheckpointProof::build(signed.certificate.checkpoint, &signed.ids, id).unwrap().verify(id).unwrap();
    }
    let absent = holdfast_erasure::BlobId::from([0xee; 32]);
    ids.push(absent);
    let error = client.checkpoint(None, &ids, retain_until).await.unwrap_err();
    let Error::QuorumNotReached { attested: 0, failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 5);
    for failure in failures.iter().filter(|failure| failure.slot != 3) {
        assert!(failure.reason.to_string().contains(&absent.to_string()), "{failure}");
    }
}

#[tokio::test]
async fn what_is_renewed_is_held_longer_and_a_damaged_copy_mended_on_the_way() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    // All must sign. With fewer, who lacks its part is left to its repair once the quorum is there.
    let mut members = Committee::start_with(Setup::of(5, 5, 2)).await.unwrap();
    let client = client(&members);
    for options in [DisperseOptions::by_shard(), DisperseOptions::by_payload()] {
        let put = client.disperse(payload(300_000), options.retain_for(3 * DAY)).await.unwrap();
        client.drain().await;
        let first = put.certificate.statement;
        let id = first.blob.id();
        members.stop(1).await.unwrap();
        fault::flip_bit(&members.data_dir(1), &id).await.unwrap();
        members.restart(1).await.unwrap();
        let renewed = client.renew(id, RenewOptions::default().retain_for(40 * DAY)).await.unwrap();
        client.drain().await;
        let statement = renewed.certificate.statement;
        assert_eq!(statement.blob, first.blob);
        assert!(statement.retain_until >= first.retain_until + 36 * DAY.as_secs());
        let audited = client.retrieve(&renewed.certificate, RetrieveOptions::default().audit()).await.unwrap();
        assert!(audited.payload == payload(300_000) && audited.faults.is_empty(), "{:?}", audited.faults);
        let listing = client.list(None, Duration::from_secs(10)).await.unwrap();
        let of_it: Vec<_> = listing.listed.iter().filter(|listed| listed.statement.blob.id() == id).collect();
        assert!(listing.complete && of_it.len() == 2, "{of_it:?}");
        assert!(of_it.iter().all(|listed| listed.certified && listed.members == 5 && listed.witnessed), "{of_it:?}");
    }
    members.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_not_found_for_certain() {
    let members = Committee::start().await.unwrap();
    let id = holdfast_erasure::BlobId::from([3; 32]);
    let error = client(&members).retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let status = client(&members).status().await.unwrap();
    assert!(
        status.iter().all(|member| member.info.as_ref().is_ok_and(|info| info.slot == Some(member.slot))),
        "{status:?}"
    );
}

#[tokio::test]
async fn a_client_learns_what_members_promise_before_it_asks_for_too_much() {
    let members = Committee::start().await.unwrap();
    for member in client(&members).status().await.unwrap() {
        let policy = member.info.unwrap().policy.expect("every member says so");
        assert_eq!(policy.max_retention.as_secs(), 90 * 24 * 3600);
        assert_eq!(policy.max_whole.as_secs(), 30 * 24 * 3600);
        assert_eq!(policy.namespace_quota, 30_720 * (1 << 30) * 24 * 3600);
        assert!(policy.serves(&members.namespace()));
    }
    members.close().await.unwrap();
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Progress>>);

impl Observer for Heard {
    fn observe(&self, progress: &Progress) {
        self.0.lock().unwrap().push(*progress);
    }
}

#[tokio::test]
async fn who_waits_hears_how_far_a_call_has_come() {
    let mut members = Committee::start().await.unwrap();
    members.stop(2).await.unwrap();
    let heard = Arc::new(Heard::default());
    let builder = Client::builder().registry(members.registry()).namespace(members.namespace());
    let client = builder.disperser(members.disperser()).observer(heard.clone()).build().unwrap();
    let put = client.disperse(payload(1000), DisperseOptions::by_shard()).await.unwrap();
    client.retrieve(&put.certificate, RetrieveOptions::default()).await.unwrap();
    let heard = heard.0.lock().unwrap().clone();
    assert_eq!(heard[0], Progress::Asked { members: 5 });
    let attested = (1..=4).map(|attested| Progress::Attested { attested, needed: 4 });
    let accepted = (1..=2).map(|accepted| Progress::Accepted { accepted, needed: 2 });
    assert_eq!(heard[1..], attested.chain(accepted).collect::<Vec<_>>());
}
