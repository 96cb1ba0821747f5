//! The power goes under a real file system: ext4 and xfs, each in an image file.
//!
//! The image lies on a file system that can clone files (xfs, else btrfs). A clone of it, taken at a random instant while a store
//! is written to, is what a disk would have if the power went: all that the file system had given to it, and nothing that it
//! still kept in memory. The clone is mounted, which replays its journal, a store opened there, and every promise that had been
//! given out is looked for. In a control the syncs of one kind of file do not reach the file system, and something is missed.
//!
//! All mounts are made in a name space of a process of its own, and are gone with it however it ends. It needs root, loop
//! devices, and `mkfs.xfs` or `mkfs.btrfs` for the outer file system; what is missing is named, and nothing is tested then.
//!
//! `HOLDFAST_IMAGE_CUTS` sets how many cuts there are for each file system (`make soak`: 1,000, and every control).

#![cfg(target_os = "linux")]
#![allow(clippy::cast_possible_truncation, reason = "small random numbers")]
#![expect(unsafe_code, reason = "two functions of the C library are replaced in this process")]

#[path = "power_cut/errno.rs"]
mod errno;
#[path = "power_cut_images/image.rs"]
mod image;
#[path = "power_cut/lie.rs"]
mod lie;
#[path = "power_cut/oracle.rs"]
mod oracle;
#[path = "power_cut/random.rs"]
mod random;
#[path = "power_cut_images/sync.rs"]
mod sync;
#[path = "power_cut/worker.rs"]
mod worker;

use std::{
    path::Path,
    process::Command,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use image::{Cloning, Inner};
use lie::Lie;
use oracle::{Signed, missing, open};
use random::Random;
use worker::{Orders, some, store_some};

/// Cuts when nobody says otherwise.
const CUTS: usize = 12;
/// Cuts within which a control must find what is planted.
const CONTROL_CUTS: usize = 200;
/// Cuts of one image before a new one is begun.
const CUTS_OF_ONE: usize = 25;
/// Says to this program that it has a mount name space of its own.
const INSIDE: &str = "HOLDFAST_IMAGE_INSIDE";

/// Stores, stops in order, is killed, starts again, until it is told to stop.
fn work(dir: &Path, seed: u64, signed: &Mutex<Vec<Signed>>, orders: &Orders) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut random = Random(seed);
    while !orders.stop.load(Ordering::SeqCst) {
        let store = open(dir).expect("opens, with the power there");
        let seeds = some(&mut random);
        runtime.block_on(async {
            let refused = store_some(&store, seeds, &mut random, signed, orders).await;
            assert!(refused.is_empty(), "{refused:?}");
            if random.coin() {
                store.close().await.expect("closes");
            }
        });
        drop(store);
    }
}

/// Cuts the power `cuts` times, or until something signed is missed: how often, and what.
fn cut(cloning: &Cloning, inner: Inner, cuts: usize, seed: u64, lie: Option<Lie>) -> (usize, Option<String>) {
    let (mut random, mut done) = (Random(seed), 0);
    while done < cuts {
        let disk = cloning.disk(inner);
        let live = disk.mount();
        let dir = live.path().join("data");
        sync::lie(None);
        drop(open(&dir).expect("opens"));
        drop(open(&dir).expect("free again"));
        live.sync();
        sync::lie(lie);
        let (signed, orders) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Orders::default()));
        let worker = {
            let (dir, signed, orders) = (dir.clone(), Arc::clone(&signed), Arc::clone(&orders));
            let seed = random.next();
            std::thread::spawn(move || work(&dir, seed, &signed, &orders))
        };
        let mut found = None;
        for _ in 0..CUTS_OF_ONE.min(cuts - done) {
            std::thread::sleep(Duration::from_micros(random.next() % 200_000));
            // First what was signed, then what the disk has: all of the one must be in the other.
            let known = signed.lock().expect("no panic").clone();
            let clone = disk.clone_now();
            orders.wait.store(true, Ordering::SeqCst);
            let left = clone.mount();
            done += 1;
            found = missing(&left.path().join("data"), &known);
            drop(left);
            orders.wait.store(false, Ordering::SeqCst);
            if found.is_some() {
                break;
            }
        }
        orders.stop.store(true, Ordering::SeqCst);
        worker.join().expect("the store works while the power is there");
        sync::lie(None);
        drop(live);
        if found.is_some() {
            return (done, found);
        }
    }
    (done, None)
}

/// Runs the test of this name again, in a process with a mount name space of its own.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if let Some(missing) = image::lacking() {
        println!("{test}: NOT tested: {missing}");
        return false;
    }
    let itself = std::env::current_exe().expect("this program");
    let mut again = Command::new("unshare");
    let again = again.args(["--mount", "--"]).arg(itself).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    assert!(again.status().expect("starts").success(), "{test}: see above");
    false
}

fn on(inner: Inner, test: &str) {
    if !inside(test) {
        return;
    }
    let Some(cloning) = Cloning::make() else { return };
    let asked = std::env::var("HOLDFAST_IMAGE_CUTS").ok().map(|text| text.parse().expect("a number of cuts"));
    let (cuts, started) = (asked.unwrap_or(CUTS), Instant::now());
    assert_eq!(cut(&cloning, inner, cuts, 1, None), (cuts, None));
    println!("{inner:?} on {}: {cuts} cuts in {:?}", cloning.kind(), started.elapsed());
    let all = [(2, Lie::Log), (3, Lie::Table), (4, Lie::Blob), (5, Lie::Manifest)];
    // What a table, a blob file or the manifest lacks shows only after some flushes.
    for (seed, lie) in all.into_iter().take(if asked.is_some() { all.len() } else { 1 }) {
        let (cuts, found) = cut(&cloning, inner, CONTROL_CUTS, seed, Some(lie));
        let found = found.unwrap_or_else(|| panic!("{inner:?}, {lie:?}: not found in {cuts} cuts"));
        println!("{inner:?}, {lie:?}: found after {cuts} cuts: {found}");
    }
}

#[test]
fn whenever_the_power_goes_under_ext4_all_that_was_signed_is_there() {
    on(Inner::Ext4, "whenever_the_power_goes_under_ext4_all_that_was_signed_is_there");
}

#[test]
fn whenever_the_power_goes_under_xfs_all_that_was_signed_is_there() {
    on(Inner::Xfs, "whenever_the_power_goes_under_xfs_all_that_was_signed_is_there");
}

/// The folder for images: in memory where there is such a place, since nothing here has to outlive this process.
fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a folder")
}
