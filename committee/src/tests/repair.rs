//! Members that were away, lost their disk, or have peers that lie, and become whole again.

mod clocks;
mod committee;
mod events;
mod lost;
mod peers;

use committee::Committee;

use super::*;
use crate::fault;

/// Every namespace.
const ALL: holdfast_erasure::Digest = holdfast_erasure::Digest::ZERO;

/// A member that also survives with the repaired one.
const OTHER: u16 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_down_during_a_put_becomes_whole_without_anybodys_doing() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let cases = [(1, Dispersal::ByShard), (700_001, Dispersal::ByShard), (50_000, Dispersal::ByPayload)];
    let mut put = Vec::new();
    for (seed, (length, dispersal)) in (1..).zip(cases) {
        let payload = payload(length, seed);
        put.push((committee.put(payload.clone(), dispersal).await, payload));
    }
    committee.up(SLOT).await;
    for (certificate, _) in &put {
        committee.until_held(SLOT, certificate).await;
    }
    committee.until(SLOT, "all is done", |repair| repair.queued == 0 && repair.repaired == 3).await;
    committee.only([SLOT, OTHER]).await;
    for (certificate, payload) in &put {
        committee.reads(certificate, payload).await;
    }
    let peer = Peer::connect(&committee.members[&SLOT]).await;
    for (certificate, payload) in &put {
        let told = peer.get_blob(certificate.statement.blob.id()).await.expect("known");
        committee.world.verify(&certificate.statement, told.statements[0].attestation.as_ref().expect("signed"));
        assert!(!told.statements[0].certificate.is_empty(), "it gives out the certificate as well");
        if told.whole {
            assert_eq!(peer.get_payload(certificate.statement.blob.id()).await.expect("whole"), **payload);
        }
    }
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_that_the_scrub_finds_is_repaired() {
    for (length, dispersal) in [(300_000, Dispersal::ByShard), (300_000, Dispersal::ByPayload)] {
        let mut committee = Committee::start().await;
        let payload = payload(length, 3);
        let certificate = committee.put(payload.clone(), dispersal).await;
        committee.until_held(SLOT, &certificate).await;
        committee.down(SLOT).await;
        let id = certificate.statement.blob.id();
        assert!(!fault::flip_bit(&committee.data(SLOT), &id).await.expect("flipped").is_empty());
        committee.scrub = Duration::from_secs(1);
        committee.up(SLOT).await;
        committee.until(SLOT, "repaired", |repair| repair.repaired == 1).await;
        assert_eq!(committee.members[&SLOT].store().damaged(), 0);
        assert!(committee.holds(SLOT, &certificate).await);
        committee.only([SLOT, OTHER]).await;
        committee.reads(&certificate, &payload).await;
        committee.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_upload_has_its_time_and_a_store_that_comes_ends_the_wait() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let encoded = coded(100_000, 5, Dispersal::ByShard);
    let certificate = committee.put(encoded.payload().clone(), Dispersal::ByShard).await;
    let mut config = committee.config(SLOT);
    config.policy.repair_delay = Duration::from_secs(600);
    let running = committee.member(SLOT, config, IfMissing::Create).launch().await.expect("starts");
    committee.registry.put(SLOT, running.endpoint());
    committee.members.insert(SLOT, running);
    committee.until(SLOT, "it has learned of it", |repair| repair.queued == 1).await;
    assert!(!committee.holds(SLOT, &certificate).await);
    committee.put(encoded.payload().clone(), Dispersal::ByShard).await;
    assert!(committee.holds(SLOT, &certificate).await);
    assert_eq!(committee.progress(SLOT).repaired, 0);
    // What has come meanwhile is not fetched once more when its turn comes.
    committee.down(SLOT).await;
    committee.up(SLOT).await;
    committee.until(SLOT, "all lists are read", |repair| repair.lists_heard == repair.lists_needed).await;
    assert_eq!((committee.progress(SLOT).queued, committee.progress(SLOT).repaired), (0, 0));
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_given_to_a_member_is_enough_to_learn_of_its_blob() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let certificate = committee.put(payload(1000, 6), Dispersal::ByShard).await;
    for slot in (0..MEMBERS).filter(|slot| *slot != SLOT) {
        committee.down(slot).await;
    }
    committee.up(SLOT).await;
    let peer = Peer::connect(&committee.members[&SLOT]).await;
    let request = v1::PutCertificateRequest { certificate: certificate.encode().into() };
    let status = peer.dispersal.clone().put_certificate(request).await.expect_err("not signed here");
    assert_eq!(status.code(), tonic::Code::NotFound, "{status}");
    assert_eq!(committee.progress(SLOT).queued, 1);
    let mut forged = certificate.encode();
    // Another retention: the signature is not over it.
    let at = forged.len() - 48 - 1 - 8;
    forged[at + 5] ^= 1;
    if let Ok(decoded) = holdfast_certificate::Certificate::decode(&forged) {
        let request = v1::PutCertificateRequest { certificate: decoded.encode().into() };
        peer.dispersal.clone().put_certificate(request).await.expect_err("not signed here");
    }
    for slot in (0..MEMBERS).filter(|slot| *slot != SLOT) {
        committee.up(slot).await;
    }
    committee.until_held(SLOT, &certificate).await;
    committee.until(SLOT, "only the genuine one is stored", |repair| repair.repaired == 1).await;
    let told = peer.get_blob(certificate.statement.blob.id()).await.expect("known");
    assert_eq!(told.statements.len(), 1);
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_in_the_middle_of_a_repair_is_no_trouble() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let payload = payload(200_000, 7);
    let certificate = committee.put(payload.clone(), Dispersal::ByShard).await;
    committee.registry.activate(EPOCH + 1);
    let later = committee.put(payload.clone(), Dispersal::ByShard).await;
    assert_ne!(certificate.statement.epoch, later.statement.epoch);
    committee.up(SLOT).await;
    committee.until_held(SLOT, &certificate).await;
    committee.until(SLOT, "both epochs' statements", |repair| repair.repaired == 2).await;
    committee.only([SLOT, OTHER]).await;
    committee.reads(&certificate, &payload).await;
    committee.reads(&later, &payload).await;
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_repairs_loses_nothing_of_them() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let mut put = Vec::new();
    for seed in 0..6 {
        put.push(committee.put(payload(400_000, seed), Dispersal::ByShard).await);
    }
    let mut config = committee.config(SLOT);
    config.policy.repair_mib_per_second = 1;
    let running = committee.member(SLOT, config, IfMissing::Create).launch().await.expect("starts");
    committee.registry.put(SLOT, running.endpoint());
    committee.members.insert(SLOT, running);
    committee.until(SLOT, "some are done", |repair| repair.repaired > 0 && repair.queued > 0).await;
    assert!(committee.progress(SLOT).eta_seconds.is_some());
    committee.down(SLOT).await;
    committee.up(SLOT).await;
    for certificate in &put {
        committee.until_held(SLOT, certificate).await;
    }
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_read_on_from_where_they_were_read_before_and_from_their_start_after_a_loss() {
    let mut committee = Committee::start().await;
    let mut put = Vec::new();
    for seed in 0..3 {
        put.push(committee.put(payload(1000, seed), Dispersal::ByShard).await);
    }
    for certificate in &put {
        committee.until_held(SLOT, certificate).await;
    }
    let peers: Vec<_> =
        committee.world.secrets.iter().map(SecretKey::public_key).enumerate().filter(|(at, _)| *at != 3).collect();
    let recorded = |member: &Running| peers.iter().all(|(_, key)| member.store().list_read(key, ALL).is_some());
    // A list of one page has its only place at its start; so it is recorded once there is more.
    assert!(!recorded(&committee.members[&SLOT]));
    let member = &committee.members[&SLOT];
    for (_, key) in &peers {
        let read = crate::store::ListRead {
            begun: committee.clock.now(),
            store: [9; 16],
            served: ALL,
            place: vec![0; 8].into(),
        };
        member.store().record_list_read(key, read).await.expect("recorded");
    }
    until(|| recorded(member)).await;
    committee.down(SLOT).await;
    // That of another store is no place in this one: what was missed is found.
    let missed = committee.put(payload(1000, 9), Dispersal::ByShard).await;
    committee.up(SLOT).await;
    committee.until_held(SLOT, &missed).await;
    committee.down(SLOT).await;
    // Of the same store it is: what stands behind is found, what stands before is taken to be here.
    let (_, key) = peers[0];
    let store = *committee.members[&0].store().id().as_bytes();
    let place = crate::store::ListRead {
        begun: committee.clock.now(),
        store,
        served: ALL,
        place: 4u64.to_be_bytes().to_vec().into(),
    };
    committee.up(SLOT).await;
    committee.members[&SLOT].store().record_list_read(&key, place.clone()).await.expect("recorded");
    committee.down(SLOT).await;
    committee.up(SLOT).await;
    assert_eq!(committee.members[&SLOT].store().list_read(&key, ALL), Some(place));
    let behind = committee.put(payload(1000, 10), Dispersal::ByShard).await;
    committee.until_held(SLOT, &behind).await;
    // A lost store reads all of it.
    committee.down(SLOT).await;
    committee.wipe(SLOT);
    committee.up_as(SLOT, IfMissing::Replace).await;
    until(|| committee.members[&SLOT].store().lost_at().is_none()).await;
    for certificate in put.iter().chain([&missed, &behind]) {
        assert!(committee.holds(SLOT, certificate).await);
    }
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_not_repaired_any_more() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let certificate = committee.put(payload(1000, 8), Dispersal::ByShard).await;
    for slot in [0, 2, 4] {
        committee.down(slot).await;
    }
    committee.up(SLOT).await;
    committee.until(SLOT, "one peer is too few", |repair| repair.queued == 1).await;
    committee.clock.set(certificate.statement.retain_until);
    committee.until(SLOT, "its time is over", |repair| repair.queued == 0).await;
    assert_eq!(committee.progress(SLOT).repaired, 0);
    committee.stop().await;
}

/// The disperser commits another shard than the codeword's at the position of the member under test.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_can_never_be_filled_is_marked_and_another_accepted_shard_is_kept() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let (commitment, shards, wrong) = peers::lied_about(SLOT);
    let statement = Statement {
        namespace: committee.world.namespace,
        epoch: EPOCH,
        blob: *commitment.blob(),
        whole_until: 0,
        retain_until: holdfast_certificate::hour_at_or_after(committee.clock.now() + 10 * 86_400),
    };
    for (&slot, running) in &committee.members {
        let index = commitment.parameters().shard_of_slot(slot, &commitment.blob().shards_root).get();
        let header = v1::StoreShardHeader {
            statement: Some((&statement).into()),
            disperser_signature: committee.world.sign(&statement),
            shard_index: index.into(),
            shard_roots: holdfast_proto::digests_to_bytes(commitment.shard_roots()),
            fingerprints: commitment.fingerprints().clone(),
        };
        let peer = Peer::connect(running).await;
        peer.store_shard(header, shards[usize::from(index)].clone()).await.expect("an accepted shard");
    }
    committee.up(SLOT).await;
    committee.until(SLOT, "found out", |repair| repair.unfillable == 1 && repair.queued == 0).await;
    let member = &committee.members[&SLOT];
    let evidence = member.store().unfillable(&commitment.id(), wrong).expect("readable").expect("kept");
    let code = commitment.parameters();
    assert_eq!((evidence.index, evidence.from.len()), (wrong, usize::from(ORIGINAL)));
    assert_eq!(evidence.statement.statement, statement);
    let kept = evidence.from[usize::from(wrong % ORIGINAL)];
    let peer = Peer::connect(member).await;
    let bytes = peer.get_shard(commitment.id(), kept).await.expect("a copy");
    commitment.accept(code.index(kept).expect("in range"), bytes.into()).expect("an accepted shard");
    let told = peer.get_blob(commitment.id()).await.expect("known");
    assert!(told.statements.is_empty(), "nothing is signed for it");
    assert_eq!(told.shard_indices, [u32::from(kept)]);
    // It is never tried again, also not by the next run.
    committee.down(SLOT).await;
    committee.up(SLOT).await;
    committee.until(SLOT, "all lists are read", |repair| repair.lists_heard == repair.lists_needed).await;
    let repair = committee.progress(SLOT);
    assert_eq!((repair.queued, repair.unfillable, repair.set_aside), (0, 0, 0));
    committee.stop().await;
}
