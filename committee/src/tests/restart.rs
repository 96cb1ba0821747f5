//! How long a member with a large store takes until it serves, and what it does until it has counted what it holds.

use std::time::Instant;

use futures::{StreamExt as _, stream};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use super::{lifecycle::health, *};
use crate::store::{self, Holding, Identity, Promise, Store};

/// How many blobs, by the environment.
const COUNT: &str = "HOLDFAST_RESTART_BLOBS";
/// Payload bytes of each.
const LENGTH: usize = 1000;

fn numbered(number: u32) -> EncodedBlob {
    let mut bytes = vec![0x5a; LENGTH];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    encode(Parameters::new(ORIGINAL, MEMBERS).expect("good"), bytes.into(), Dispersal::ByShard).expect("encodes")
}

async fn hold(world: &World, store: &Store, encoded: &EncodedBlob) {
    let statement = world.statement(encoded);
    let digest = statement.digest(&world.registry.domain());
    let promise = Promise { statement, disperser_signature: world.disperser.sign(&digest), slot: SLOT };
    let index = encoded.commitment().parameters().index(index(encoded)).expect("in range");
    let holding = Holding::by_shard(encoded.commitment().clone(), encoded.accepted(index));
    store.hold(promise, digest, holding).await.expect("held");
}

/// `make soak` does so with a million.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_member_with_many_blobs_serves_soon_after_its_start() {
    let count: u32 = std::env::var(COUNT).ok().and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let config = World::config(folder.path());
    let public_key = world.secrets[usize::from(SLOT)].public_key();
    let identity = Identity { public_key, domain: world.registry.domain() };
    let filling = Instant::now();
    let store = Store::open(&config.data_dir, &identity, IfMissing::Create).expect("opens");
    let held = stream::iter(0..count).map(|number| {
        let (world, store) = (&world, &store);
        async move { hold(world, store, &numbered(number)).await }
    });
    let held: usize = held.buffer_unordered(1024).map(|_| 1_usize).fold(0, |all, one| async move { all + one }).await;
    assert_eq!(held, count as usize);
    drop(store);
    println!("{count} blobs of {LENGTH} bytes stored in {:.1} s", filling.elapsed().as_secs_f64());
    for end in ["a kill", "a stop"] {
        // After a kill what was not flushed stands in the log.
        if end == "a stop" {
            Store::open(&config.data_dir, &identity, IfMissing::Refuse).expect("opens").close().await.expect("closes");
        }
        let started = Instant::now();
        let member = world.start(folder.path(), &clock).await;
        println!("after {end}: started {:.2} s after the start", started.elapsed().as_secs_f64());
        let peer = Peer::connect(&member).await;
        let encoded = numbered(count / 2);
        assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("read"), shard(&encoded));
        let read = started.elapsed();
        member.store().writes_disabled().wait_for(Option::is_none).await.expect("counted");
        assert_eq!(member.store().usage().items, u64::from(count + u32::from(end == "a stop")));
        let again = numbered(count);
        peer.store(&world, &again, &world.statement(&again)).await;
        println!(
            "after {end}: first read {:.2} s after the start, first store {:.2} s",
            read.as_secs_f64(),
            started.elapsed().as_secs_f64()
        );
        member.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn until_all_is_counted_a_member_serves_what_it_holds_and_promises_nothing_new() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let (held, new) = (coded(1000, 1, Dispersal::ByShard), coded(1000, 2, Dispersal::ByShard));
    let statement = world.statement(&held);
    let attestation = Peer::connect(&member).await.store(&world, &held, &statement).await;
    let used = member.shared().attestor.quota.used(world.namespace, NOW);
    let usage = member.store().usage();
    member.stop().await.expect("stops");

    let member = world.member(World::config(folder.path()), Arc::clone(&clock)).counting().launch().await;
    let member = member.expect("starts");
    let peer = Peer::connect(&member).await;
    // Everything that is read is, and what was signed is signed again.
    assert_eq!(peer.get_shard(held.id(), index(&held)).await.expect("read"), shard(&held));
    let blob = peer.get_blob(held.id()).await.expect("known");
    assert_eq!(blob.statements[0].attestation.as_ref(), Some(&attestation));
    assert_eq!(peer.list().await.len(), 1);
    assert_eq!(health(&peer, "holdfast.v1.Retrieval").await, ServingStatus::Serving);
    assert_eq!(health(&peer, "holdfast.v1.Dispersal").await, ServingStatus::NotServing);
    let info = async || {
        let mut node = v1::node_client::NodeClient::new(peer.channel.clone());
        node.get_info(v1::GetInfoRequest {}).await.expect("info").into_inner()
    };
    assert_eq!(info().await.writes_disabled, "what is held is being counted");
    // Nobody knows what more may be promised.
    for encoded in [&new, &held] {
        let header = world.shard_header(&world.statement(encoded), encoded);
        let status = peer.store_shard(header, shard(encoded)).await.expect_err("not yet");
        assert_eq!((status.code(), status.message().contains("being counted")), (Code::Unavailable, true), "{status}");
        let retry = status.metadata().get("grpc-retry-pushback-ms").expect("when to come again");
        assert_eq!(retry, "1000");
    }
    member.store().faults().counts.store(false, Ordering::SeqCst);
    member.store().writes_disabled().wait_for(Option::is_none).await.expect("counted");
    assert_eq!((member.store().usage(), member.shared().attestor.quota.used(world.namespace, NOW)), (usage, used));
    peer.store(&world, &new, &world.statement(&new)).await;
    assert_eq!((info().await.writes_disabled.as_str(), info().await.blobs), ("", 2));
    member.stop().await.expect("stops");
}

/// A stop does not wait until millions are counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_ends_when_the_member_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::new();
    let identity =
        Identity { public_key: world.secrets[usize::from(SLOT)].public_key(), domain: world.registry.domain() };
    let store = Arc::new(Store::open(folder.path(), &identity, IfMissing::Create).expect("opens"));
    hold(&world, &store, &numbered(1)).await;
    store.faults().counts.store(true, Ordering::SeqCst);
    let counting = tokio::task::spawn_blocking({
        let store = Arc::clone(&store);
        move || store.count()
    });
    until(|| store.faults().counted.load(Ordering::SeqCst) == 2).await;
    let closing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.close().await }
    });
    until(|| matches!(store.is_surely_new(&BlobId::from([0; 32])), Err(store::Error::Closed))).await;
    store.faults().counts.store(false, Ordering::SeqCst);
    closing.await.expect("no panic").expect("closes");
    let counted = counting.await.expect("no panic");
    assert!(matches!(counted, Err(store::Error::Reopening)), "{counted:?}");
}
