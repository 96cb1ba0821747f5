//! What is kept of what was read.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use holdfast_gateway::config::Cache;

use crate::support::{Committee, Line, commitment, eventually, payload};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_served_from_memory_and_after_a_restart_from_disk_without_any_member() {
    let committee = Committee::start().await;
    let folder = tempfile::tempdir().unwrap();
    let cached = |config: &mut holdfast_gateway::Config| {
        config.cache = Cache { disk_dir: Some(folder.path().join("cache")), ..Cache::default() };
        config.limits.read_deadline = Duration::from_secs(2);
    };
    let (one, two) = (payload(300_000, 1), payload(200_000, 2));
    let gateway = committee.gateway_with(cached).await;
    let id = gateway.put("/v1/blobs", &one).await.ok().json()["blobId"].as_str().unwrap().to_owned();
    let shard_id = gateway.put("/v1/blobs?by=shard", &two).await.ok().json()["blobId"].as_str().unwrap().to_owned();
    let files = || std::fs::read_dir(folder.path().join("cache")).unwrap().count();
    eventually("both are on disk", || async { files() == 2 }).await;
    committee.lines(0..4, Line::Cut);
    let paths =
        [format!("/v1/blobs/{id}"), format!("/v1/blobs/{}", &commitment(&one)[4..]), format!("/v1/blobs/{shard_id}")];
    for path in &paths {
        gateway.get("http", path).await.ok();
    }
    gateway.running.stop().await;
    let gateway = committee.gateway_with(cached).await;
    assert!(gateway.get("http", &paths[1]).await.ok().body == one);
    assert!(gateway.get("http", &paths[2]).await.ok().body == two);
    gateway.get("http", &format!("/v1/blobs/0x{}", "ab".repeat(32))).await.fails(503, "unavailable");
    gateway.running.stop().await;
    // Its disk is nothing that anybody would miss.
    std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
    committee.lines(0..4, Line::Good);
    let gateway = committee.gateway_with(cached).await;
    eventually("members are back", || async { gateway.get("http", &paths[0]).await.status == 200 }).await;
    gateway.running.stop().await;
}

/// What a prover asks for: 1,400 reads, half of them twice, all at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_1400_reads_half_of_them_twice_asks_members_once_each() {
    let committee = Committee::start().await;
    let writer = committee.gateway().await;
    let payloads: Vec<_> = (0..700).map(|seed| payload(2_000, seed)).collect();
    stream::iter(&payloads).for_each_concurrent(16, |payload| async { drop(writer.op_put(payload).await.ok()) }).await;
    let reader = Arc::new(committee.gateway().await);
    let begun = Instant::now();
    let burst: Vec<_> = (0..1400)
        .map(|number| {
            let (reader, payload) = (Arc::clone(&reader), payloads[number % 700].clone());
            tokio::spawn(async move {
                let read = reader.get("op", &format!("/get/0x{}", commitment(&payload))).await.ok();
                assert!(read.body == payload);
            })
        })
        .collect();
    for read in burst {
        read.await.unwrap();
    }
    let took = begun.elapsed();
    println!("1,400 reads of 700 payloads in {took:?}");
    assert!(took < Duration::from_secs(44), "{took:?}");
    let fetched = reader.metric("holdfast_gateway_stage_seconds_count{stage=\"Retrieve\"}").await;
    assert_eq!(fetched, 700.0);
}

/// A file system of 256 KiB under the cache: it fills up in the middle of a payload.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_cache_only_keeps_nothing() {
    let committee = Committee::start().await;
    let folder = tempfile::tempdir().unwrap();
    // What a full disk says: every write to this device is ENOSPC.
    let cache = folder.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    let gateway = committee
        .gateway_with(|config| {
            config.cache = Cache { memory_mib: 0, disk_dir: Some(cache.clone()), ..Cache::default() };
        })
        .await;
    // No file can be made in a folder that is a file.
    std::fs::remove_dir(&cache).unwrap();
    std::fs::write(&cache, "").unwrap();
    for seed in 0..4 {
        let payload = payload(400_000, seed);
        gateway.op_put(&payload).await.ok();
        assert!(gateway.get("op", &format!("/get/0x{}", commitment(&payload))).await.ok().body == payload);
    }
    eventually("the failure is counted", || async {
        gateway.metric("holdfast_gateway_cache_failures_total").await >= 1.0
    })
    .await;
    gateway.running.stop().await;
}
