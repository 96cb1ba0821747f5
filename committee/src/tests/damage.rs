//! Disks that flip bits, fill up, or are tampered with.

use std::sync::atomic::Ordering;

use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use super::*;
use crate::fault;

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_data_loss_and_storing_again_repairs_it() {
    for (length, dispersal) in
        [(1, Dispersal::ByShard), (3_000_000, Dispersal::ByShard), (3_000_000, Dispersal::ByPayload)]
    {
        let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
        let member = world.start(folder.path(), &clock).await;
        let peer = Peer::connect(&member).await;
        let encoded = coded(length, 1, dispersal);
        let sound = coded(length, 2, dispersal);
        let statement = world.statement(&encoded);
        let attestation = peer.store(&world, &encoded, &statement).await;
        peer.store(&world, &sound, &world.statement(&sound)).await;
        let data = folder.path().join("data");
        let busy = fault::flip_bit(&data, &encoded.id()).await.expect_err("running");
        assert!(busy.to_string().contains("in use"), "{busy}");
        member.stop().await.expect("stops");
        assert!(!fault::flip_bit(&data, &encoded.id()).await.expect("flipped").is_empty());

        let member = world.start(folder.path(), &clock).await;
        let peer = Peer::connect(&member).await;
        // What is no longer held is not promised again, though the statement is still told.
        let blob = peer.get_blob(encoded.id()).await.expect("known");
        assert!(blob.statements.len() == 1 && blob.statements[0].attestation.is_none());
        assert!(peer.get_blob(sound.id()).await.expect("known").statements[0].attestation.is_some());
        let status = peer.get_shard(encoded.id(), index(&encoded)).await.expect_err("damaged");
        assert_eq!(status.code(), Code::DataLoss, "{status}");
        let leaf = v1::GetLeafRequest {
            blob_id: Bytes::copy_from_slice(encoded.id().as_bytes()),
            shard_index: index(&encoded).into(),
            leaf_number: 0,
        };
        assert_eq!(peer.retrieval.clone().get_leaf(leaf).await.expect_err("damaged").code(), Code::DataLoss);
        assert_eq!(peer.get_shard(sound.id(), index(&sound)).await.expect("the other is sound"), shard(&sound));
        assert_eq!(peer.store(&world, &encoded, &statement).await, attestation);
        assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("repaired"), shard(&encoded));
        assert!(peer.get_blob(encoded.id()).await.expect("known").statements[0].attestation.is_some());
        member.stop().await.expect("stops");
        let member = world.start(folder.path(), &clock).await;
        let peer = Peer::connect(&member).await;
        assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("for good"), shard(&encoded));
        member.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_shard_is_served_as_if_it_were_right_and_only_the_blob_id_tells() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let encoded = coded(100_000, 1, Dispersal::ByShard);
    peer.store(&world, &encoded, &world.statement(&encoded)).await;
    member.stop().await.expect("stops");
    let data = folder.path().join("data");
    let unknown = coded(1, 9, Dispersal::ByShard).id();
    assert!(fault::replace_shard(&data, &unknown).await.is_err());
    assert_eq!(fault::replace_shard(&data, &encoded.id()).await.expect("replaced"), [index(&encoded)]);

    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let lie = peer.get_shard(encoded.id(), index(&encoded)).await.expect("served");
    assert_eq!(lie.len(), shard(&encoded).len());
    let position = encoded.commitment().parameters().index(index(&encoded)).expect("in range");
    assert!(encoded.commitment().accept(position, lie.into()).is_err(), "a reader must see it");
    // The member itself sees it too when it is to sign again, and takes the right shard instead.
    peer.store(&world, &encoded, &world.statement(&encoded)).await;
    assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("repaired"), shard(&encoded));
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_damaged_on_purpose_is_undone_and_what_was_stored_since_is_left_alone() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let data = folder.path().join("data");
    let blobs = [1, 2].map(|seed| coded(20_000, seed, Dispersal::ByShard));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    for encoded in &blobs {
        peer.store(&world, encoded, &world.statement(encoded)).await;
    }
    member.stop().await.expect("stops");
    for flipped in [false, true] {
        let mut flips = Vec::new();
        for encoded in &blobs {
            match flipped {
                true => flips.extend(fault::flip_bit(&data, &encoded.id()).await.expect("flipped")),
                false => drop(fault::replace_shard(&data, &encoded.id()).await.expect("replaced")),
            }
        }
        // One of both is stored again meanwhile.
        let member = world.start(folder.path(), &clock).await;
        let peer = Peer::connect(&member).await;
        peer.store(&world, &blobs[0], &world.statement(&blobs[0])).await;
        assert!(peer.get_shard(blobs[1].id(), index(&blobs[1])).await.ok() != Some(shard(&blobs[1]).to_vec()));
        member.stop().await.expect("stops");
        match flipped {
            true => assert!(fault::flip_back(&data, &flips).await.expect("undone") >= 1),
            false => {
                assert_eq!(
                    fault::restore_shard(&data, &blobs[0].id()).await.expect("nothing to undo"),
                    Vec::<u16>::new()
                );
                let restored = fault::restore_shard(&data, &blobs[1].id()).await.expect("undone");
                assert_eq!(restored, [index(&blobs[1])]);
            }
        }
        let member = world.start(folder.path(), &clock).await;
        let peer = Peer::connect(&member).await;
        for encoded in &blobs {
            assert_eq!(peer.get_shard(encoded.id(), index(encoded)).await.expect("as it was"), shard(encoded));
        }
        member.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_write_nothing_is_signed_and_all_is_read_until_it_writes_again_by_itself() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let (first, second) = (coded(1000, 1, Dispersal::ByShard), coded(1000, 2, Dispersal::ByShard));
    peer.store(&world, &first, &world.statement(&first)).await;
    member.store().faults().disk_full.store(true, Ordering::SeqCst);
    let header = world.shard_header(&world.statement(&second), &second);
    let status = peer.store_shard(header.clone(), shard(&second)).await.expect_err("disk full");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("no space left"), "{status}");
    let status = peer.store_shard(header, shard(&second)).await.expect_err("disabled");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    member.store().writes_disabled().wait_for(Option::is_some).await.expect("recorded");
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while super::lifecycle::health(&peer, "holdfast.v1.Dispersal").await != ServingStatus::NotServing {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("health turns");
    assert_eq!(super::lifecycle::health(&peer, "holdfast.v1.Retrieval").await, ServingStatus::Serving);
    assert_eq!(peer.get_shard(first.id(), index(&first)).await.expect("reads go on"), shard(&first));
    assert_eq!(peer.get_blob(second.id()).await.expect_err("not stored").code(), Code::NotFound);
    let info = async || {
        let mut node = v1::node_client::NodeClient::new(peer.channel.clone());
        node.get_info(v1::GetInfoRequest {}).await.expect("info").into_inner()
    };
    let told = info().await.writes_disabled;
    assert!(told.contains("no space left") && told.contains("the disk is tried every"), "{told}");
    let page = member.metrics_page().await;
    assert!(page.contains("holdfast_member_writes_disabled{reason=\"full\"} 1"), "{page}");

    // The disk has room again: no restart, no word from anybody.
    member.store().faults().disk_full.store(false, Ordering::SeqCst);
    let enabled = tokio::time::timeout(Duration::from_secs(60), async {
        member.store().writes_disabled().wait_for(Option::is_none).await.map(drop)
    });
    enabled.await.expect("in time").expect("written again");
    peer.store(&world, &second, &world.statement(&second)).await;
    for encoded in [&first, &second] {
        assert_eq!(peer.get_shard(encoded.id(), index(encoded)).await.expect("read"), shard(encoded));
    }
    assert_eq!((info().await.writes_disabled.as_str(), info().await.blobs), ("", 2));
    until_async(async || super::lifecycle::health(&peer, "holdfast.v1.Dispersal").await == ServingStatus::Serving)
        .await;
    let page = member.metrics_page().await;
    assert!(page.contains("holdfast_member_writes_disabled{reason=\"full\"} 0"), "{page}");
    assert!(page.contains("holdfast_member_store_reopened 1"), "{page}");
    // Quotas and budget know what is held.
    let charge = crate::quota::charges(&world.statement(&first), 0, 0);
    let used = member.shared().attestor.quota.used(world.namespace, NOW);
    assert_eq!(used, 2 * u128::from(charge[0].bytes) * u128::from(RETAIN - NOW));
    member.stop().await.expect("stops");
}

/// A stop is not held up by a disk that stays full, whatever is being tried.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_waits_for_room_stops_at_once_and_has_all_that_it_signed() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    for round in 0..3u8 {
        let member = world.start(folder.path(), &clock).await;
        let peer = Peer::connect(&member).await;
        let (signed, late) = (coded(1000, round, Dispersal::ByShard), coded(1000, 100 + round, Dispersal::ByShard));
        peer.store(&world, &signed, &world.statement(&signed)).await;
        member.store().faults().disk_full.store(true, Ordering::SeqCst);
        let header = world.shard_header(&world.statement(&late), &late);
        peer.store_shard(header, shard(&late)).await.expect_err("disk full");
        if round > 0 {
            // In the middle of what it does then.
            member.store().faults().disk_full.store(false, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(990 + 10 * u64::from(round))).await;
        }
        let started = std::time::Instant::now();
        let stopped = member.stop().await;
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}: {stopped:?}", started.elapsed());
    }
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    for round in 0..3 {
        let signed = coded(1000, round, Dispersal::ByShard);
        assert_eq!(peer.get_shard(signed.id(), index(&signed)).await.expect("read"), shard(&signed));
    }
    member.stop().await.expect("stops");
}

async fn until_async(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), met).await.expect("the condition is met in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scrub_finds_what_nobody_reads_and_says_so_until_it_is_stored_again() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let encoded = coded(3_000_000, 1, Dispersal::ByShard);
    let statement = world.statement(&encoded);
    Peer::connect(&member).await.store(&world, &encoded, &statement).await;
    member.stop().await.expect("stops");
    fault::flip_bit(&folder.path().join("data"), &encoded.id()).await.expect("flipped");
    let mut config = World::config(folder.path());
    config.policy.scrub_period = Duration::from_secs(2);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let mut node = v1::node_client::NodeClient::new(peer.channel.clone());
    let seen = async |damaged: u64, node: &mut v1::node_client::NodeClient<Channel>| {
        tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let info = node.get_info(v1::GetInfoRequest {}).await.expect("info").into_inner();
                if info.damaged == damaged && info.scrubbed_at == clock.now() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the scrub comes past");
    };
    seen(1, &mut node).await;
    peer.store(&world, &encoded, &statement).await;
    clock.set(NOW + 60);
    seen(0, &mut node).await;
    member.stop().await.expect("stops");
}
