//! Until when data is kept.

use std::sync::Arc;

use tonic::Code;

use super::*;

const DAY: u64 = 24 * HOUR;

#[tokio::test(flavor = "multi_thread")]
async fn data_is_kept_until_its_time_and_then_known_as_expired() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let encoded = coded(10_000, 1, Dispersal::ByPayload);
    let statement = world.statement(&encoded);
    peer.store(&world, &encoded, &statement).await;
    let never = coded(10_000, 2, Dispersal::ByPayload);
    let held = index(&encoded);

    clock.set(WHOLE - 1);
    assert!(member.drop_expired().await.expect("dropped").is_empty());
    assert_eq!(peer.get_payload(encoded.id()).await.expect("still whole"), *encoded.payload());

    clock.set(WHOLE + DAY + HOUR);
    let dropped = member.drop_expired().await.expect("dropped");
    assert_eq!(dropped, [format!("whole-{}", WHOLE / DAY)]);
    assert_eq!(peer.get_payload(encoded.id()).await.expect_err("over").code(), Code::FailedPrecondition);
    assert_eq!(peer.get_shard(encoded.id(), held).await.expect("still held"), shard(&encoded));
    let blob = peer.get_blob(encoded.id()).await.expect("known");
    assert_eq!((blob.whole, blob.shard_indices.len()), (false, 1));

    clock.set(RETAIN - 1);
    assert!(member.drop_expired().await.expect("dropped").is_empty());
    clock.set(RETAIN + DAY + HOUR);
    assert_eq!(member.drop_expired().await.expect("dropped"), [format!("shards-{}", RETAIN / DAY)]);
    member.stop().await.expect("stops");

    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let status = peer.get_shard(encoded.id(), held).await.expect_err("over");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains(&format!("kept until {RETAIN}")), "{status}");
    let blob = peer.get_blob(encoded.id()).await.expect("its commitment and statement stay");
    assert_eq!((blob.shard_indices.len(), blob.statements.len()), (0, 1));
    assert_eq!(peer.get_shard(never.id(), held).await.expect_err("never").code(), Code::NotFound);
    assert_eq!(peer.get_blob(never.id()).await.expect_err("never").code(), Code::NotFound);
    assert_eq!(peer.get_payload(never.id()).await.expect_err("never").code(), Code::NotFound);
    assert_eq!(member.store().usage().bytes, 0);
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_kept_until_the_latest_time_promised() {
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
        let member = world.start(folder.path(), &clock).await;
        let peer = Peer::connect(&member).await;
        let encoded = coded(500_000, 1, dispersal);
        let first = world.statement(&encoded);
        peer.store(&world, &encoded, &first).await;
        let longer = Statement { retain_until: RETAIN + 5 * DAY, ..first };
        peer.store(&world, &encoded, &longer).await;
        // A shorter one afterwards takes nothing back.
        let shorter = Statement { retain_until: RETAIN - 2 * DAY, ..first };
        peer.store(&world, &encoded, &shorter).await;
        assert_eq!(member.store().usage().items, 1);
        assert_eq!(peer.get_blob(encoded.id()).await.expect("known").statements.len(), 3);

        clock.set(RETAIN + 2 * DAY);
        member.drop_expired().await.expect("dropped");
        assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("still held"), shard(&encoded));
        clock.set(longer.retain_until + DAY + HOUR);
        member.drop_expired().await.expect("dropped");
        let status = peer.get_shard(encoded.id(), index(&encoded)).await.expect_err("over");
        assert_eq!(status.code(), Code::FailedPrecondition);
        member.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_needs_no_second_transfer() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let encoded = coded(500_000, 1, Dispersal::ByShard);
    let first = world.statement(&encoded);
    peer.store(&world, &encoded, &first).await;
    let longer = Statement { retain_until: RETAIN + 5 * DAY, ..first };
    let header = v1::store_shard_request::Part::Header(world.shard_header(&longer, &encoded));
    let attestation = peer.send_shard(vec![header]).await.expect("no body is needed");
    world.verify(&longer, &attestation);
    clock.set(RETAIN + 2 * DAY);
    member.drop_expired().await.expect("dropped");
    assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("moved"), shard(&encoded));
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_the_disk_budget_has_no_room_for_are_not_made() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.policy.disk_budget_gib = Some(1);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let encoded = coded(500_000, 1, Dispersal::ByShard);
    let first = world.statement(&encoded);
    peer.store(&world, &encoded, &first).await;
    // As after many extensions by a day: what is held counts once, and its copies fill the disk.
    member.shared().attestor.disk.set_files(3 << 30);
    let day = Statement { retain_until: first.retain_until + DAY, ..first };
    let header = v1::store_shard_request::Part::Header(world.shard_header(&day, &encoded));
    let status = peer.send_shard(vec![header]).await.expect_err("no room for another copy");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("keeps as much as it may"), "{status}");
    // Within its day nothing is copied.
    peer.store(&world, &encoded, &Statement { retain_until: first.retain_until + HOUR, ..first }).await;
    member.shared().attestor.disk.set_files(0);
    peer.store(&world, &encoded, &day).await;
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_room_says_that_it_would_sign_nothing() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.policy.disk_budget_gib = Some(1);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let attestor = &member.shared().attestor;
    let says = async || {
        let mut node = v1::node_client::NodeClient::new(peer.channel.clone());
        let writes = node.get_info(v1::GetInfoRequest {}).await.expect("info").into_inner().writes_disabled;
        (attestor.ready().await.is_ok(), writes)
    };
    assert_eq!(says().await, (true, String::new()));
    attestor.disk.set_files(3 << 30);
    let (ready, writes) = says().await;
    assert!(!ready && writes.contains("keeps as much as it may"), "{writes}");
    attestor.disk.set_files(0);
    assert_eq!(says().await, (true, String::new()));
    // Others may have filled the disk: what is in the logs would not fit into tables.
    member.store().set_log_bytes(u64::MAX / 2);
    let (ready, writes) = says().await;
    assert!(!ready && writes.starts_with("the disk is full: ") && writes.ends_with(" are free"), "{writes}");
    member.store().set_log_bytes(0);
    assert_eq!(says().await, (true, String::new()));
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_over_its_quota_is_refused_also_after_a_restart() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    // 2 MiB for 300 days are 600 MiB days, so two such shards are too many.
    config.policy.namespace_quota_gib_days = 1;
    config.policy.max_retention = std::time::Duration::from_secs(400 * DAY);
    let member = world.member(config.clone(), Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let encoded = coded(4 << 20, 1, Dispersal::ByShard);
    let year = Statement { retain_until: 500_000 * HOUR + 300 * DAY, ..world.statement(&encoded) };
    peer.store(&world, &encoded, &year).await;
    peer.store(&world, &encoded, &year).await;
    let second = coded(4 << 20, 2, Dispersal::ByShard);
    let statement = Statement { retain_until: year.retain_until, ..world.statement(&second) };
    for _ in 0..2 {
        let header = world.shard_header(&statement, &second);
        let status = peer.store_shard(header, shard(&second)).await.expect_err("over");
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
        assert!(status.message().contains("over its quota"), "{status}");
    }
    member.stop().await.expect("stops");
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let header = world.shard_header(&statement, &second);
    assert_eq!(peer.store_shard(header, shard(&second)).await.expect_err("over").code(), Code::ResourceExhausted);
    // Time frees it.
    clock.set(year.retain_until - 40 * DAY);
    let later = Statement { retain_until: year.retain_until + 40 * DAY, ..statement };
    peer.store(&world, &second, &later).await;
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn within_the_grace_for_deletion_a_longer_promise_brings_data_back_and_after_it_data_is_dropped() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.policy.deletion_grace = crate::config::Policy::default().deletion_grace;
    let grace = config.policy.deletion_grace.as_secs();
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let (back, gone) = (coded(10_000, 1, Dispersal::ByShard), coded(10_000, 2, Dispersal::ByShard));
    for encoded in [&back, &gone] {
        peer.store(&world, encoded, &world.statement(encoded)).await;
    }
    let end = (RETAIN / DAY + 1) * DAY;
    clock.set(end + grace - 1);
    assert!(member.drop_expired().await.expect("looked").is_empty());
    for encoded in [&back, &gone] {
        assert_eq!(peer.get_shard(encoded.id(), index(encoded)).await.expect("served"), shard(encoded));
    }
    let longer = Statement { retain_until: (clock.now() / HOUR + 240) * HOUR, ..world.statement(&back) };
    let header = v1::store_shard_request::Part::Header(world.shard_header(&longer, &back));
    peer.send_shard(vec![header]).await.expect("promised anew without another transfer");
    clock.set(end + grace);
    assert_eq!(member.drop_expired().await.expect("dropped"), [format!("shards-{}", RETAIN / DAY)]);
    assert_eq!(peer.get_shard(back.id(), index(&back)).await.expect("kept"), shard(&back));
    let status = peer.get_shard(gone.id(), index(&gone)).await.expect_err("over");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    member.stop().await.expect("stops");
}
