//! The power goes, at any moment: whatever is left on the disk, the store opens and has all that was signed.
//!
//! A store is written to, closed, killed and opened again while `disk.rs` takes the power at random instants. What is left
//! is opened, and every promise that had been given out is looked for; besides, `disk/hazard.rs` looks with every call at what a cut
//! could take away. Some syncs fail, after which nothing of their files comes to the disk any more though the system says so; the
//! store is opened anew and written on. Controls show that the method finds a sync that is missing: with the syncs of one kind of
//! file not honoured something signed is missed.
//!
//! `HOLDFAST_POWER_CUTS` sets how many cuts there are (`make soak`: 10,000).

#![cfg(target_os = "linux")]
#![allow(clippy::cast_possible_truncation, reason = "small random numbers")]
#![expect(unsafe_code, reason = "four functions of the C library are replaced in this process")]

#[path = "power_cut/disk.rs"]
mod disk;
#[path = "power_cut/errno.rs"]
mod errno;
#[path = "power_cut/lie.rs"]
mod lie;
#[path = "power_cut/oracle.rs"]
mod oracle;
#[path = "power_cut/random.rs"]
mod random;
#[path = "power_cut/worker.rs"]
mod worker;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use holdfast_committee::store::{Error, Store};
use lie::Lie;
use oracle::{INDEX, Signed, hold, missing, open};
use random::Random;
use worker::{Orders, some, store_some};

/// Cuts when nobody says otherwise.
const CUTS: usize = 200;
/// Cuts within which a control must find what is planted.
const CONTROL_CUTS: usize = 300;
/// Cuts of one store before a new one is begun.
const CUTS_OF_ONE: usize = 25;

/// After a failed sync: opens the store anew, which may fail once in its turn. What counts as promised from then on is signed
/// when it is asked for again, so it has to last, whatever came of its first write.
async fn write_again(store: &Store, failed: &[Signed], signed: &Mutex<Vec<Signed>>, random: &mut Random) {
    let kinds = [None, Some(Lie::Table), Some(Lie::Blob), Some(Lie::Manifest), Some(Lie::Log)];
    disk::fail(kinds[random.below(kinds.len())].map(|kind| (kind, random.below(3))));
    for tries in 0.. {
        match store.resume().await {
            Ok(()) => break,
            Err(error) => assert!(tries < 3, "not opened: {error}"),
        }
        disk::fail(None);
    }
    store.count().expect("counted");
    store.enable();
    for item in failed {
        let whole = !item.whole || store.whole(&item.id).is_ok();
        if store.promised(&item.id, &item.digest).expect("read").is_some()
            && store.shard(&item.id, INDEX).is_ok()
            && whole
        {
            signed.lock().expect("no panic").push(*item);
        }
    }
    // A table is synced in the background, so the sync that is to fail may be one of those: then it is disabled once more.
    for _ in 0..1 + random.below(3) {
        let Some((_, error)) = hold(store, random.next(), signed).await else { continue };
        assert!(matches!(error, Error::WritesDisabled { .. }), "{error}");
        disk::fail(None);
        store.resume().await.expect("opened again");
        store.count().expect("counted");
        store.enable();
        let refused = hold(store, random.next(), signed).await;
        assert!(refused.is_none(), "{refused:?}");
    }
    disk::fail(None);
}

/// Stores, stops in order, is killed, starts again, until it is told to stop: how often a store was opened anew after a sync that
/// failed.
fn work(dir: &Path, seed: u64, signed: &Mutex<Vec<Signed>>, orders: &Orders) -> usize {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (mut random, mut resumed) = (Random(seed), 0);
    while !orders.stop.load(Ordering::SeqCst) {
        let store = open(dir).expect("opens, with the power there");
        let seeds = some(&mut random);
        if random.below(3) == 0 {
            disk::fail(Some((Lie::Log, random.below(8))));
        }
        runtime.block_on(async {
            let refused = store_some(&store, seeds, &mut random, signed, orders).await;
            disk::fail(None);
            let failing = store.writable().is_err();
            if failing {
                let failed: Vec<Signed> = refused.into_iter().map(|(item, _)| item).collect();
                write_again(&store, &failed, signed, &mut random).await;
                resumed += 1;
            }
            if random.coin() {
                // A table that could not be synced in the background is told of by the last flush.
                let closed = store.close().await;
                assert!(closed.is_ok() || failing, "{closed:?}");
            }
        });
        drop(store);
    }
    resumed
}

/// What came of some cuts.
#[derive(Debug, Default)]
struct Outcome {
    cuts: usize,
    /// Stores that were opened anew after a sync that failed.
    resumed: usize,
    /// What was missed.
    found: Option<String>,
}

/// Cuts the power `cuts` times, or until something signed is missed.
fn cut(cuts: usize, seed: u64, lie: Option<Lie>) -> Outcome {
    let mut random = Random(seed);
    let mut outcome = Outcome::default();
    while outcome.cuts < cuts {
        // In memory where there is such a place: nothing here is really synced.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        let (dir, graves) = (folder.path().join("live"), folder.path().join("graves"));
        std::fs::create_dir_all(&graves).expect("made");
        drop(open(&dir).expect("opens"));
        drop(open(&dir).expect("free again"));
        disk::watch(&dir, &graves, lie);
        let (signed, orders) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Orders::default()));
        let worker = {
            let (dir, signed, orders) = (dir.clone(), Arc::clone(&signed), Arc::clone(&orders));
            let seed = random.next();
            std::thread::spawn(move || work(&dir, seed, &signed, &orders))
        };
        let (send, images) = mpsc::sync_channel::<(PathBuf, Vec<Signed>, String)>(0);
        let checker = std::thread::spawn(move || {
            let mut checked = 0;
            for (image, signed, story) in images {
                checked += 1;
                if let Some(found) = missing(&image, &signed) {
                    return (checked, Some(format!("{found}\n{story}")));
                }
                std::fs::remove_dir_all(image).expect("removed");
            }
            (checked, None)
        });
        for number in 0..CUTS_OF_ONE.min(cuts - outcome.cuts) {
            std::thread::sleep(Duration::from_micros(random.next() % 60_000));
            let image = folder.path().join(format!("image{number}"));
            // First what was signed, then what is durable: all of the one must be in the other.
            let known = signed.lock().expect("no panic").clone();
            let story = disk::cut(&image, &mut random);
            orders.wait.store(true, Ordering::SeqCst);
            let taken = send.send((image, known, story));
            orders.wait.store(false, Ordering::SeqCst);
            if taken.is_err() {
                break;
            }
        }
        drop(send);
        orders.stop.store(true, Ordering::SeqCst);
        let resumed = worker.join().expect("the store works while the power is there");
        let hazard = disk::forget();
        let (checked, found) = checker.join().expect("no panic");
        let found = found.or(hazard);
        outcome.cuts += checked;
        outcome.resumed += resumed;
        if found.is_some() {
            return Outcome { found, ..outcome };
        }
    }
    outcome
}

/// One after the other: the functions of the C library are there once in a process.
#[test]
fn whenever_the_power_goes_all_that_was_signed_is_there_and_a_missing_sync_is_found() {
    let cuts = std::env::var("HOLDFAST_POWER_CUTS").map_or(CUTS, |text| text.parse().expect("a number of cuts"));
    let started = Instant::now();
    let outcome = cut(cuts, 1, None);
    assert!(outcome.found.is_none(), "cut {}: {}", outcome.cuts, outcome.found.unwrap_or_default());
    assert_eq!(outcome.cuts, cuts);
    assert!(outcome.resumed > 0, "{outcome:?}: syncs fail, and it is written on");
    println!("{cuts} cuts in {:?}, and {} syncs that failed", started.elapsed(), outcome.resumed);
    for (seed, lie) in [(2, Lie::Log), (3, Lie::Table), (4, Lie::Blob), (5, Lie::Manifest)] {
        let Outcome { cuts, found, .. } = cut(CONTROL_CUTS, seed, Some(lie));
        let found = found.unwrap_or_else(|| panic!("{lie:?}: not found in {cuts} cuts"));
        println!("{lie:?}: found after {cuts} cuts: {}", found.lines().next().unwrap_or_default());
    }
}
