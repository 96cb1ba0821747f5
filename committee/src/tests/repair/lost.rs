//! Stores that are lost, too old, or there twice.

use std::{fs, path::Path};

use tonic::Code;

use super::{super::*, OTHER, committee::Committee};

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_disk_is_whole_again_under_load_and_until_then_nothing_was_never_stored() {
    let mut committee = Committee::start().await;
    let mut put = Vec::new();
    for seed in 0..12 {
        let dispersal = if seed % 3 == 0 { Dispersal::ByPayload } else { Dispersal::ByShard };
        let payload = payload(20_000 + 1000 * usize::from(seed), seed);
        put.push((committee.put(payload.clone(), dispersal).await, payload));
    }
    for (certificate, _) in &put {
        committee.until_held(SLOT, certificate).await;
    }
    committee.down(SLOT).await;
    committee.wipe(SLOT);
    let refused = committee.member(SLOT, committee.config(SLOT), IfMissing::Refuse).launch().await;
    assert!(refused.expect_err("an empty folder").to_string().contains("holds no store"));
    // With one peer it cannot hear enough lists.
    for slot in [0, 2, 4] {
        committee.down(slot).await;
    }
    committee.up_as(SLOT, IfMissing::Replace).await;
    let peer = Peer::connect(&committee.members[&SLOT]).await;
    let unknown = coded(1, 99, Dispersal::ByShard).id();
    assert_eq!(peer.get_blob(unknown).await.expect_err("not here").code(), Code::DataLoss);
    committee.until(SLOT, "what one peer lists", |repair| repair.queued == 12).await;
    assert!(committee.members[&SLOT].store().lost_at().is_some());
    for slot in [0, 2, 4] {
        committee.up(slot).await;
    }
    // Others go on storing.
    for seed in 100..110 {
        let payload = payload(30_000, seed);
        put.push((committee.put(payload.clone(), Dispersal::ByShard).await, payload));
    }
    until(|| committee.members[&SLOT].store().lost_at().is_none()).await;
    assert_eq!(peer.get_blob(unknown).await.expect_err("not here").code(), Code::NotFound);
    for (certificate, _) in &put {
        committee.until_held(SLOT, certificate).await;
    }
    committee.only([SLOT, OTHER]).await;
    for (certificate, payload) in &put {
        committee.reads(certificate, payload).await;
    }
    // It stays so.
    committee.down(SLOT).await;
    committee.up(SLOT).await;
    assert_eq!(committee.members[&SLOT].store().lost_at(), None);
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_nobody_has_any_more_keeps_the_loss_open_until_it_expires() {
    let mut committee = Committee::start().await;
    let certificate = committee.put(payload(20_000, 1), Dispersal::ByShard).await;
    let sound = committee.put(payload(20_000, 2), Dispersal::ByShard).await;
    for slot in 0..MEMBERS {
        committee.until_held(slot, &certificate).await;
        committee.until_held(slot, &sound).await;
    }
    for slot in 0..MEMBERS {
        committee.down(slot).await;
    }
    committee.wipe(SLOT);
    let id = certificate.statement.blob.id();
    for slot in (0..MEMBERS).filter(|slot| *slot != SLOT) {
        crate::fault::flip_bit(&committee.data(slot), &id).await.expect("flipped");
        committee.up(slot).await;
    }
    committee.up_as(SLOT, IfMissing::Replace).await;
    committee.until_held(SLOT, &sound).await;
    committee.until(SLOT, "set aside", |repair| repair.set_aside == 1 && repair.queued == 0).await;
    assert!(committee.members[&SLOT].store().lost_at().is_some());
    let peer = Peer::connect(&committee.members[&SLOT]).await;
    assert_eq!(peer.get_blob(id).await.expect_err("lost").code(), Code::DataLoss);
    committee.clock.set(certificate.statement.retain_until);
    until(|| committee.members[&SLOT].store().lost_at().is_none()).await;
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_backup_is_found_out_and_made_good() {
    let mut committee = Committee::start().await;
    let first = committee.put(payload(10_000, 1), Dispersal::ByShard).await;
    committee.until_held(SLOT, &first).await;
    committee.down(SLOT).await;
    let backup = tempfile::tempdir().expect("a folder");
    copy(&committee.data(SLOT), backup.path());
    committee.up(SLOT).await;
    let second = committee.put(payload(10_000, 2), Dispersal::ByShard).await;
    committee.until_held(SLOT, &second).await;
    let signed = second.signer_slots().contains(&SLOT);
    committee.down(SLOT).await;
    committee.wipe(SLOT);
    copy(backup.path(), &committee.data(SLOT));
    committee.up(SLOT).await;
    committee.until_held(SLOT, &second).await;
    if signed {
        // The loss was seen, and is over.
        until(|| committee.members[&SLOT].store().lost_at().is_none()).await;
    }
    assert!(committee.holds(SLOT, &first).await);
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_with_the_same_key_is_named() {
    let committee = Committee::start().await;
    let twin_folder = tempfile::tempdir().expect("a folder");
    let mut config = committee.config(SLOT);
    config.data_dir = twin_folder.path().join("data");
    let twin = committee.member(SLOT, config, IfMissing::Create).launch().await.expect("starts");
    let own = committee.members[&SLOT].endpoint();
    committee.registry.put(SLOT, twin.endpoint());
    let named = |running: &Running| running.shared().repair.twin();
    until(|| named(&committee.members[&SLOT]) == Some(twin.endpoint())).await;
    let peer = Peer::connect(&committee.members[&SLOT]).await;
    let info = v1::node_client::NodeClient::new(peer.channel.clone()).get_info(v1::GetInfoRequest {}).await;
    assert_eq!(info.expect("info").into_inner().twin, twin.endpoint());
    // It may have looked before it was there itself.
    until(|| named(&twin).is_none()).await;
    committee.registry.put(SLOT, own.clone());
    until(|| named(&committee.members[&SLOT]).is_none() && named(&twin) == Some(own.clone())).await;
    twin.stop().await.expect("stops");
    committee.stop().await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
