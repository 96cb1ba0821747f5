//! A write fails, and the store is written again without a restart.

use std::sync::atomic::Ordering;

use super::*;
use crate::failpoint::Meanwhile;

/// Opened anew, counted, and written again.
pub(super) async fn resumed(store: &Store) {
    store.resume().await.expect("opened anew");
    assert!(matches!(store.writable(), Err(Error::Counting)), "nothing is written before it is counted");
    store.count().expect("counted");
    store.enable();
    assert!(store.writable().is_ok());
}

fn fails(store: &Store, fails: bool) {
    store.faults().disk_full.store(fails, Ordering::SeqCst);
}

fn reads(store: &Store, encoded: &EncodedBlob) {
    let index = encoded.commitment().parameters().index(4).expect("in range");
    assert_eq!(store.shard(&encoded.id(), 4).expect("read"), encoded.shard(index));
}

/// A blob of which a write has failed: nothing is signed, and writes are disabled.
async fn failed(store: &Store, seed: u8) -> EncodedBlob {
    fails(store, true);
    let encoded = blob(seed, Dispersal::ByShard);
    let error = hold(store, &encoded, 4, RETAIN).await.expect_err("the disk is full");
    assert!(matches!(error, Error::WritesDisabled { .. }), "{error}");
    assert_eq!(store.writes_disabled().borrow().as_ref().expect("disabled").why, Why::Full);
    encoded
}

/// The same, and the disk takes writes again.
async fn mended(store: &Store, seed: u8) -> EncodedBlob {
    let encoded = failed(store, seed).await;
    fails(store, false);
    encoded
}

/// A store that holds one blob.
async fn holding() -> (tempfile::TempDir, Store, EncodedBlob) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let signed = blob(1, Dispersal::ByShard);
    hold(&store, &signed, 4, RETAIN).await.expect("held");
    (folder, store, signed)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_write_all_that_was_signed_is_read_and_what_failed_is_signed_on_the_next_try() {
    let (folder, store, signed) = holding().await;
    for seed in 10..14 {
        let late = failed(&store, seed).await;
        // As long as the disk is full the database that is open is left as it is.
        let open = store.database().expect("open");
        let error = store.resume().await.expect_err("still full");
        assert!(matches!(error, Resume::NotYet(_)), "{error}");
        assert!(Arc::ptr_eq(&open, &store.database().expect("open")));
        drop(open);
        reads(&store, &signed);
        assert!(matches!(hold(&store, &late, 4, RETAIN).await, Err(Error::WritesDisabled { .. })));
        // A disk that takes writes again is no reason by itself: the handle is not written again.
        fails(&store, false);
        assert!(matches!(hold(&store, &late, 4, RETAIN).await, Err(Error::WritesDisabled { .. })));
        resumed(&store).await;
        reads(&store, &signed);
        assert!(matches!(store.shard(&late.id(), 4), Err(Error::NotFound { .. })), "it was not signed");
        hold(&store, &late, 4, RETAIN).await.expect("held");
        reads(&store, &late);
    }
    assert_eq!((store.usage().items, store.reopened()), (5, 4));
    store.resume().await.expect("nothing to do");
    assert_eq!(store.reopened(), 4, "what is written is not opened anew");
    store.close().await.expect("closes");
    let store = self::open(folder.path());
    assert_eq!(store.usage().items, 5);
    reads(&store, &signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_at_work_end_first_and_those_who_come_meanwhile_are_told_to_come_back() {
    let (_folder, store, signed) = holding().await;
    let store = Arc::new(store);
    mended(&store, 2).await;
    let reader = store.database().expect("open");
    let resuming = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.resume().await }
    });
    crate::tests::until(|| matches!(store.shard(&signed.id(), 4), Err(Error::Reopening))).await;
    assert_eq!(
        reader.get(keys::BLOBS, signed.id().as_bytes()).expect("still open").map(|it| it.is_empty()),
        Some(false)
    );
    // Who reads for long is told to end.
    let walked = reader.walk(keys::HELD, &[], &[], |_, _| Ok(std::ops::ControlFlow::Continue(())));
    assert!(matches!(walked, Err(Error::Reopening)), "{walked:?}");
    drop(reader);
    resuming.await.expect("no panic").expect("opened anew");
    reads(&store, &signed);
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_end_keeps_its_database_and_the_next_try_is_made() {
    let (_folder, store, signed) = holding().await;
    mended(&store, 2).await;
    let reader = store.database().expect("open");
    let error = store.resume().await.expect_err("it is being read");
    assert!(matches!(&error, Resume::NotYet(Error::Read(reason)) if reason.contains("still being read")), "{error}");
    reads(&store, &signed);
    assert!(reader.walk(keys::HELD, &[], &[], |_, _| Ok(std::ops::ControlFlow::Continue(()))).is_ok());
    drop(reader);
    resumed(&store).await;
    reads(&store, &signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_to_be_written_is_read_until_it_can() {
    let (_folder, store, signed) = holding().await;
    let late = mended(&store, 2).await;
    store.faults().no_open.store(2, Ordering::SeqCst);
    for _ in 0..2 {
        let error = store.resume().await.expect_err("cannot be opened");
        assert!(matches!(error, Resume::Failed(_)), "{error}");
        reads(&store, &signed);
        let disabled = store.writes_disabled().borrow().clone().expect("nothing is written");
        assert!(disabled.reason.contains("cannot be opened"), "{disabled}");
        store.enable();
        assert!(matches!(hold(&store, &late, 4, RETAIN).await, Err(Error::WritesDisabled { .. })));
        store.count().expect("it is counted to be shown");
        assert_eq!(store.usage().items, 1);
    }
    resumed(&store).await;
    hold(&store, &late, 4, RETAIN).await.expect("held");
    store.close().await.expect("closes");
}

/// What a failed sync left in a log is read where it can only be read, and nothing is signed on that account.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_on_the_disk_is_not_vouched_for_until_it_was_written_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let durable = hold(&store, &blob(1, Dispersal::ByShard), 4, RETAIN).await.expect("held");
    assert!(store.vouches());
    mended(&store, 2).await;
    store.faults().no_open.store(1, Ordering::SeqCst);
    store.resume().await.expect_err("cannot be opened to be written");
    assert!(store.vouches(), "nothing stands behind the last sync");
    resumed(&store).await;
    // Written, and not synced.
    store.put_certificates(vec![(*durable.digest(), vec![7; 200].into())]).await.expect("written");
    mended(&store, 3).await;
    store.faults().no_open.store(1, Ordering::SeqCst);
    store.resume().await.expect_err("cannot be opened to be written");
    assert!(store.certificate(durable.digest()).expect("read").is_some() && !store.vouches());
    resumed(&store).await;
    assert!(store.certificate(durable.digest()).expect("read").is_some() && store.vouches());
    store.close().await.expect("closes");
}

/// Something that was signed is gone from under the open database: it is not closed, for it could not be opened.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_which_a_start_would_miss_something_is_read_on_as_it_is() {
    let (folder, store, signed) = holding().await;
    mended(&store, 2).await;
    let current = folder.path().join("db/CURRENT");
    let aside = folder.path().join("aside");
    fs::rename(&current, &aside).expect("moved");
    let error = store.resume().await.expect_err("not whole");
    assert!(matches!(&error, Resume::NotYet(_)) && error.to_string().contains("CURRENT"), "{error}");
    reads(&store, &signed);
    fs::rename(&aside, &current).expect("moved");
    // Another store in its place is no better.
    let marker = folder.path().join("store.json");
    let text = fs::read_to_string(&marker).expect("read");
    let other = text.replace(&store.id().to_string(), &StoreId::from([9; 16]).to_string());
    fs::write(&marker, other).expect("written");
    store.resume().await.expect_err("another store");
    fs::write(&marker, text).expect("written");
    resumed(&store).await;
    reads(&store, &signed);
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_meanwhile_waits_for_nobody_and_opens_nothing() {
    let (folder, store, signed) = holding().await;
    let store = Arc::new(store);
    mended(&store, 2).await;
    let reader = store.database().expect("open");
    let resuming = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.resume().await }
    });
    crate::tests::until(|| matches!(store.shard(&signed.id(), 4), Err(Error::Reopening))).await;
    let closing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.close().await }
    });
    assert!(resuming.await.expect("no panic").is_err());
    assert_eq!(store.reopened(), 0);
    drop(reader);
    closing.await.expect("no panic").expect("closes");
    assert!(matches!(store.shard(&signed.id(), 4), Err(Error::Closed)));
    drop(store);
    reads(&open(folder.path()), &signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_to_be_damaged_or_lost_still_is() {
    let (_folder, store, signed) = holding().await;
    store.set_lost(Some(77)).expect("recorded");
    let database = store.database().expect("open");
    database.damaged(Bucket::of(keys::Kind::Shards, RETAIN), &signed.id(), 4, "a test");
    drop(database);
    mended(&store, 2).await;
    resumed(&store).await;
    assert_eq!((store.damaged(), store.lost_at()), (1, Some(77)));
    let missing = store.shard(&blob(9, Dispersal::ByShard).id(), 4).expect_err("not here");
    assert!(matches!(missing, Error::Lost { at: 77, .. }), "{missing}");
    store.set_lost(None).expect("recorded");
    let missing = store.shard(&blob(9, Dispersal::ByShard).id(), 4).expect_err("not here");
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    reads(&store, &signed);
    assert_eq!(store.damaged(), 0, "read soundly");
    store.close().await.expect("closes");
}

/// The process keeps the folder for itself while no database is open in it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_the_folder_in_between() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let dir = folder.path().to_owned();
    let locked = Arc::new(std::sync::Mutex::new(Vec::new()));
    for seed in 1..4 {
        mended(&store, seed).await;
        let (stop, taken, dir) =
            (Arc::new(std::sync::atomic::AtomicBool::new(false)), Arc::clone(&locked), dir.clone());
        let intruder = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::SeqCst) {
                    let error = Store::open(&dir, &identity(), IfMissing::Refuse).expect_err("in use");
                    if !matches!(error, Error::Locked { .. }) {
                        taken.lock().expect("no panic").push(error.to_string());
                    }
                }
            }
        });
        resumed(&store).await;
        stop.store(true, Ordering::SeqCst);
        intruder.join().expect("it never gets in");
    }
    assert_eq!(*locked.lock().expect("no panic"), Vec::<String>::new());
    store.close().await.expect("closes");
}

/// Something else is done in the member's own thread right before the next write.
pub(super) fn meanwhile(store: &Store, act: impl FnOnce() + Send + 'static) {
    *store.faults().meanwhile.lock().expect("no panic") = Some(Meanwhile(Box::new(act)));
}
