//! Folders that are not what a store left: nothing is made over what is there, and nothing deleted.

use super::*;

/// A stopped store with something in its tables, its log and its blob files.
async fn full() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for seed in 0..2 {
        let store = open(folder.path());
        hold(&store, &blob(seed, Dispersal::ByPayload), 1, RETAIN).await.expect("held");
        store.close().await.expect("closes");
    }
    let store = open(folder.path());
    hold(&store, &blob(2, Dispersal::ByPayload), 1, RETAIN).await.expect("held");
    drop(store);
    folder
}

async fn has_all(folder: &Path) {
    let store = open(folder);
    for seed in 0..3 {
        assert!(store.whole(&blob(seed, Dispersal::ByPayload).id()).is_ok(), "{seed}");
    }
    store.close().await.expect("closes");
}

fn named(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let files = snapshot(folder).into_keys();
    files.filter(|file| file.extension().is_some_and(|found| found == extension)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_lacks_a_part_is_refused_for_ever_and_nothing_in_it_is_touched() {
    let folder = full().await;
    let dir = folder.path();
    let current = fs::read_to_string(dir.join("db/CURRENT")).expect("read");
    let manifest = dir.join("db").join(current.trim());
    let mut parts = vec![dir.join("db/CURRENT"), manifest, dir.join(mark::FILE), dir.join(marker::FILE)];
    parts.extend(named(&dir.join("db"), "sst"));
    parts.extend(named(&dir.join("db"), "log").last().cloned());
    for part in parts {
        let bytes = fs::read(&part).expect("read");
        fs::remove_file(&part).expect("removed");
        let error = refused(dir, IfMissing::Create);
        assert!(matches!(&error, Error::Missing { file } if *file == part), "{}: {error}", part.display());
        fs::write(&part, b"").expect("written");
        let error = refused(dir, IfMissing::Replace);
        assert!(matches!(&error, Error::Broken { file, .. } if *file == part), "{}: {error}", part.display());
        fs::write(&part, bytes).expect("written");
    }
    let aside = tempfile::tempdir().expect("a folder");
    fs::rename(dir.join("db"), aside.path().join("db")).expect("moved");
    for missing in [IfMissing::Refuse, IfMissing::Create, IfMissing::Replace] {
        assert!(matches!(refused(dir, missing), Error::Missing { .. }));
        fs::create_dir(dir.join("db")).expect("made");
        assert!(matches!(refused(dir, missing), Error::Missing { .. }), "an empty one is no better");
        fs::remove_dir(dir.join("db")).expect("removed");
    }
    // Only the database was copied.
    fs::rename(dir.join(marker::FILE), aside.path().join(marker::FILE)).expect("moved");
    assert!(matches!(refused(aside.path(), IfMissing::Create), Error::Missing { .. }));
    fs::rename(aside.path().join(marker::FILE), dir.join(marker::FILE)).expect("moved");
    fs::rename(aside.path().join("db"), dir.join("db")).expect("moved");
    has_all(dir).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_nothing_in_it_needs_a_word_and_says_for_good_what_it_may_have_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("data");
    let not_there = Store::open(&dir, &identity(), IfMissing::Refuse).expect_err("not there");
    assert!(matches!(not_there, Error::NoStore { .. }) && !dir.exists(), "{not_there}");
    fs::create_dir_all(dir.join("lost+found")).expect("made");
    assert!(matches!(refused(&dir, IfMissing::Refuse), Error::NoStore { .. }));
    let store = Store::open(&dir, &identity(), IfMissing::Create).expect("opens");
    assert_eq!(store.lost_at(), None);
    let first = store.id();
    store.close().await.expect("closes");
    // Everything is gone: another disk, or none.
    fs::remove_dir_all(&dir).expect("removed");
    fs::create_dir(&dir).expect("made");
    let store = Store::open(&dir, &identity(), IfMissing::Replace).expect("opens");
    let (second, lost) = (store.id(), store.lost_at().expect("replaced"));
    assert_ne!(first, second);
    store.close().await.expect("closes");
    let store = Store::open(&dir, &identity(), IfMissing::Create).expect("opens");
    assert_eq!((store.id(), store.lost_at()), (second, Some(lost)));
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_only_made_is_opened_for_its_key_alone_and_made_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = Store::create(folder.path(), &identity().public_key).expect("made");
    assert!(
        Store::create(folder.path(), &identity().public_key).expect_err("twice").to_string().contains(&id.to_string())
    );
    let other = SecretKey::derive_master(&[8; 32]).expect("a key").public_key();
    let other = Identity { public_key: other, ..identity() };
    let error = Store::open(folder.path(), &other, IfMissing::Create).expect_err("another key's");
    assert!(matches!(error, Error::WrongIdentity { field: "public key", .. }), "{error}");
    assert!(matches!(Store::open_any(folder.path()), Err(Error::NoStore { .. })), "nothing is in it yet");
    // A first start that was cut off while the database was made.
    let half = folder.path().join("db.new");
    fs::create_dir(&half).expect("made");
    fs::write(half.join("CURRENT"), b"MANIFEST-000001\n").expect("written");
    let store = Store::open(folder.path(), &identity(), IfMissing::Refuse).expect("opens");
    assert_eq!(store.id(), id);
    assert!(!half.exists());
    store.close().await.expect("closes");
    Store::open_any(folder.path()).expect("opens").close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_two_stores_are_not_one() {
    let (first, second) = (full().await, full().await);
    for part in [mark::FILE, marker::FILE] {
        let bytes = fs::read(first.path().join(part)).expect("read");
        fs::write(first.path().join(part), fs::read(second.path().join(part)).expect("read")).expect("written");
        let error = refused(first.path(), IfMissing::Create);
        assert!(error.to_string().contains("store"), "{part}: {error}");
        fs::write(first.path().join(part), bytes).expect("written");
    }
    // The database alone of an older state of the same store: what was signed since is not in it.
    let older = snapshot(&first.path().join("db"));
    let store = open(first.path());
    hold(&store, &blob(7, Dispersal::ByPayload), 1, RETAIN).await.expect("held");
    store.close().await.expect("closes");
    fs::remove_dir_all(first.path().join("db")).expect("removed");
    fs::create_dir(first.path().join("db")).expect("made");
    for (file, bytes) in older {
        fs::write(file, bytes).expect("written");
    }
    assert!(matches!(refused(first.path(), IfMissing::Create), Error::Missing { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_refused_whatever_is_deleted_in_it() {
    let folder = full().await;
    let store = open(folder.path());
    fs::remove_file(folder.path().join("db/LOCK")).expect("removed");
    let error = Store::open(folder.path(), &identity(), IfMissing::Create).expect_err("in use");
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    hold(&store, &blob(9, Dispersal::ByPayload), 1, RETAIN).await.expect("held");
    store.close().await.expect("closes");
    has_all(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_the_format_before_is_refused_as_such() {
    let folder = full().await;
    let file = folder.path().join(marker::FILE);
    let text = fs::read_to_string(&file).expect("read");
    fs::write(&file, text.replace("\"format\": 2", "\"format\": 1")).expect("written");
    assert!(matches!(refused(folder.path(), IfMissing::Create), Error::Format { expected: 2, got: 1, .. }));
    // Before there were markers.
    fs::remove_file(&file).expect("removed");
    fs::remove_file(folder.path().join(mark::FILE)).expect("removed");
    let error = refused(folder.path(), IfMissing::Create);
    assert!(matches!(&error, Error::Missing { file: got } if *got == file), "{error}");
}

fn survey_of(dir: &Path, id: StoreId) -> survey::Survey {
    let (_, mark) = mark::MarkFile::open(dir, id, true).expect("opens");
    survey::survey(&dir.join("db"), &mark).expect("whole")
}

/// The power goes after a sync of the manifest that failed: what is read of it is what was written, and not what is on the disk, where
/// files are still needed that it lets go of. They are left alone until a manifest that does without them is there for certain.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_the_manifest_as_written_lets_go_of_is_not_taken_from_the_one_on_the_disk() {
    let folder = full().await;
    let dir = folder.path();
    let store = open(dir);
    let id = store.id();
    let read = |file: PathBuf| (fs::read(&file).expect("read"), file);
    let before: Vec<_> = named(&dir.join("db"), "sst").into_iter().map(read).collect();
    let database = store.database().expect("open");
    for family in &survey_of(dir, id).families {
        database.db.compact(family).expect("compacted");
    }
    drop(database);
    store.close().await.expect("closes");
    let let_go = before.into_iter().find(|(_, file)| !file.exists());
    let (bytes, let_go) = let_go.expect("a table that was written anew");
    fs::write(&let_go, bytes).expect("written");
    let half = dir.join("db/999999.sst");
    fs::write(&half, b"half a table").expect("written");

    assert_eq!(survey_of(dir, id).unreferenced, std::slice::from_ref(&half));
    has_all(dir).await;
    assert!(!half.exists() && !let_go.exists(), "nothing is left lying about once the store is open");
}
