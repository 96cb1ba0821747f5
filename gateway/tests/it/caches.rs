//! What is kept of what was read.

use std::time::{Duration, Instant};

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

/// Requests that a prover has under way.
const AT_ONCE: usize = 256;

/// What a prover asks for: 1,400 reads, half of them twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_1400_reads_half_of_them_twice_asks_members_once_each() {
    let committee = Committee::start().await;
    let writer = committee.gateway().await;
    let payloads: Vec<_> = (0..700).map(|seed| payload(2_000, seed)).collect();
    stream::iter(&payloads).for_each_concurrent(16, |payload| async { drop(writer.op_put(payload).await.ok()) }).await;
    let limit = Duration::from_secs(44);
    let reader = committee.gateway_with(|config| config.limits.read_deadline = limit).await;
    let begun = Instant::now();
    // Each twice in a row, so that the second comes while the first is being fetched.
    let read = |number: usize| {
        let (reader, payload) = (&reader, &payloads[number / 2]);
        async move {
            let read = reader.get("op", &format!("/get/0x{}", commitment(payload))).await.ok();
            assert!(read.body == *payload);
        }
    };
    stream::iter(0..1400).for_each_concurrent(AT_ONCE, read).await;
    let took = begun.elapsed();
    println!("1,400 reads of 700 payloads in {took:?}");
    assert!(took < limit, "{took:?}");
    let fetched = reader.metric("holdfast_gateway_stage_seconds_count{stage=\"Retrieve\"}").await;
    assert_eq!(fetched, 700.0);
}

/// Bytes of the small disk below: not two payloads of the test.
const SMALL_DISK: u64 = 600 << 10;
const SMALL_DISK_FOLDER: &str = "HOLDFAST_TEST_SMALL_DISK";

/// Runs the test below in a child process that has a small disk of its own at a folder. No rights are needed for it where
/// the system lets users have a name space; where it does not, the test says so.
#[test]
fn a_full_disk_under_the_cache_only_slows_reads() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size={SMALL_DISK} tmpfs \"${SMALL_DISK_FOLDER}\" || exit 42; \
         exec \"$0\" --exact caches::fill_up --ignored --nocapture"
    );
    let ran = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK_FOLDER, folder.path())
        .output();
    let output = match ran {
        Ok(output) if output.status.code() != Some(42) => output,
        other => return eprintln!("not run: nothing can be mounted here ({other:?})"),
    };
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && text[0].contains("1 passed"), "{}\n{}", text[0], text[1]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of the test above"]
async fn fill_up() {
    let folder = std::path::PathBuf::from(std::env::var(SMALL_DISK_FOLDER).unwrap());
    let committee = Committee::start().await;
    let gateway = committee
        .gateway_with(|config| {
            config.cache = Cache { memory_mib: 0, disk_dir: Some(folder.join("cache")), ..Cache::default() };
        })
        .await;
    // The first one fits, the second fills the disk in its middle.
    for seed in 0..5 {
        let payload = payload(400_000, seed);
        gateway.op_put(&payload).await.ok();
        for _ in 0..2 {
            assert!(gateway.get("op", &format!("/get/0x{}", commitment(&payload))).await.ok().body == payload);
        }
    }
    eventually("the failure is counted", || async {
        gateway.metric("holdfast_gateway_cache_failures_total").await >= 1.0
    })
    .await;
    let left = std::fs::read_dir(folder.join("cache")).unwrap().map(|file| file.unwrap().file_name());
    let unfinished: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with(".new")).collect();
    assert!(unfinished.is_empty(), "what did not fit is removed: {unfinished:?}");
    gateway.running.stop().await;
    committee.stop().await;
}

/// The folder of the cache is gone, and no file can be made where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_cannot_be_written_only_keeps_nothing() {
    let committee = Committee::start().await;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    let gateway = committee
        .gateway_with(|config| {
            config.cache = Cache { memory_mib: 0, disk_dir: Some(cache.clone()), ..Cache::default() };
        })
        .await;
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
