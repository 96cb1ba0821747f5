//! SIGKILL between every two steps of write and signature: after a restart nothing that was signed is missing.
//!
//! A kill leaves to the system what was written and not synced; that nothing rests on it, `tests/power_cut.rs` shows.
//!
//! The test runs itself again as a child process, which prints every signature that it was given and then kills itself
//! at the place under test, with the data folder open.

use std::{
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::*;
use crate::failpoint;

const FOLDER: &str = "HOLDFAST_TEST_CRASH_FOLDER";
const PLACE: &str = "HOLDFAST_TEST_CRASH_PLACE";
const SIGKILL: i32 = 9;
const SIGNED: u8 = 6;

/// Blobs of both kinds and several sizes; the last one is under way when the process is killed.
fn blobs() -> Vec<EncodedBlob> {
    (0..=SIGNED)
        .map(|seed| {
            let dispersal = if seed % 2 == 0 { Dispersal::ByShard } else { Dispersal::ByPayload };
            coded(1000 << seed, seed, dispersal)
        })
        .collect()
}

#[test]
#[ignore = "a child process of the tests below"]
fn child() {
    let (Ok(folder), Ok(place)) = (std::env::var(FOLDER), std::env::var(PLACE)) else {
        panic!("run by the crash tests only, with {FOLDER} and {PLACE} set");
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (world, clock) = (World::new(), TestClock::at(NOW));
        let member = world.start(&PathBuf::from(folder), &clock).await;
        let peer = Peer::connect(&member).await;
        for encoded in blobs() {
            if encoded.id() == blobs()[usize::from(SIGNED)].id() {
                failpoint::arm(&place);
            }
            let attestation = peer.store(&world, &encoded, &world.statement(&encoded)).await;
            println!("signed {} {}", encoded.id(), hex::encode(attestation.signature));
        }
        panic!("not killed at {place}");
    });
}

/// Runs a member until it is killed at `place`; gives the signatures it gave out, by blob id.
fn crash(folder: &Path, place: &str) -> Vec<(String, String)> {
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "tests::crash::child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(PLACE, place)
        .stderr(Stdio::piped())
        .output()
        .expect("runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGKILL), "{place}: {} {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once("signed ")?.1.split_once(' '))
        .map(|(id, signature)| (id.to_owned(), signature.to_owned()))
        .collect()
}

async fn nothing_signed_is_missing(place: &str, promised: Option<bool>) {
    let folder = tempfile::tempdir().expect("a folder");
    let signed = crash(folder.path(), place);
    assert_eq!(signed.len(), usize::from(SIGNED), "{place}");
    let (world, clock) = (World::new(), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let blobs = blobs();
    for (encoded, (id, signature)) in blobs.iter().zip(&signed) {
        assert_eq!(&encoded.id().to_string(), id);
        let blob = peer.get_blob(encoded.id()).await.expect("known");
        let attestation = blob.statements[0].attestation.clone().expect("an attestation");
        assert_eq!(&hex::encode(attestation.signature), signature);
        assert_eq!(peer.get_shard(encoded.id(), index(encoded)).await.expect("held"), shard(encoded));
        if encoded.blob().is_by_payload() {
            assert_eq!(peer.get_payload(encoded.id()).await.expect("whole"), *encoded.payload());
        }
    }
    // The one under way: all of it or nothing, and it can be stored again.
    let last = &blobs[usize::from(SIGNED)];
    let known = peer.get_blob(last.id()).await.is_ok();
    if let Some(promised) = promised {
        assert_eq!(known, promised, "{place}");
    }
    if known {
        assert_eq!(peer.get_shard(last.id(), index(last)).await.expect("held"), shard(last));
    }
    peer.store(&world, last, &world.statement(last)).await;
    assert_eq!(peer.list().await.len(), blobs.len());
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_write() {
    nothing_signed_is_missing("before-write", Some(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_write_and_sync() {
    // Whether the kernel has written it by itself is up to the kernel.
    nothing_signed_is_missing("between-write-and-sync", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_sync_and_its_mark() {
    nothing_signed_is_missing("between-sync-and-mark", Some(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_sync() {
    nothing_signed_is_missing("after-sync", Some(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sync_and_signature() {
    nothing_signed_is_missing("between-sync-and-signature", Some(true)).await;
}
