//! How long a member with a large store takes until it serves.

use std::time::Instant;

use futures::{StreamExt as _, stream};

use super::*;
use crate::store::{Holding, Identity, Promise, Store};

/// How many blobs, by the environment.
const COUNT: &str = "HOLDFAST_RESTART_BLOBS";
/// Payload bytes of each.
const LENGTH: usize = 1000;

fn numbered(number: u32) -> EncodedBlob {
    let mut bytes = vec![0x5a; LENGTH];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    encode(Parameters::new(ORIGINAL, MEMBERS).expect("good"), bytes.into(), Dispersal::ByShard).expect("encodes")
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
        async move {
            let encoded = numbered(number);
            let statement = world.statement(&encoded);
            let digest = statement.digest(&world.registry.domain());
            let promise = Promise { statement, disperser_signature: world.disperser.sign(&digest), slot: SLOT };
            let index = encoded.commitment().parameters().index(index(&encoded)).expect("in range");
            let holding = Holding::by_shard(encoded.commitment().clone(), encoded.accepted(index));
            store.hold(promise, digest, holding).await.expect("held")
        }
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
        let peer = Peer::connect(&member).await;
        let encoded = numbered(count / 2);
        assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("read"), shard(&encoded));
        let read = started.elapsed();
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
