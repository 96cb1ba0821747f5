//! Logs after a power cut, and logs that are not what was signed.

use super::*;
use crate::store::mark::{Mark, MarkFile};

const SIGNED: u8 = 10;

/// A stopped store with ten blobs that were signed, and an eleventh in the log that was not: its write was under way.
struct Scene {
    folder: tempfile::TempDir,
    log: PathBuf,
    /// Bytes of the log that are synced and signed for.
    signed: usize,
    /// The log with all that was written.
    bytes: Vec<u8>,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        for seed in 0..SIGNED {
            hold(&store, &large(seed), 1, RETAIN).await.expect("held");
        }
        let mark_file = folder.path().join(mark::FILE);
        let then = fs::read(&mark_file).expect("a mark");
        hold(&store, &large(SIGNED), 1, RETAIN).await.expect("held");
        drop(store);
        fs::write(mark_file, then).expect("written");
        let Mark { log, end, .. } = mark(folder.path());
        let log = folder.path().join(format!("db/{log:06}.log"));
        let bytes = fs::read(&log).expect("read");
        Self { signed: usize::try_from(end).expect("small"), log, bytes, folder }
    }

    fn put(&self, bytes: &[u8]) {
        fs::write(&self.log, bytes).expect("written");
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Starts, and has all that was signed.
    async fn starts(&self, what: &str) {
        let store = open(self.dir());
        for seed in 0..SIGNED {
            let encoded = large(seed);
            assert_eq!(store.shard(&encoded.id(), 1).expect(what), expected(&encoded), "{what}: {seed}");
        }
        // The one under way: all of it or nothing, and it can be stored again.
        let last = large(SIGNED);
        match store.shard(&last.id(), 1) {
            Ok(bytes) => assert_eq!(bytes, expected(&last), "{what}"),
            Err(error) => assert!(matches!(error, Error::NotFound { .. }), "{what}: {error}"),
        }
        hold(&store, &last, 1, RETAIN).await.expect(what);
        drop(store);
        let store = open(self.dir());
        assert_eq!(store.shard(&last.id(), 1).expect(what), expected(&last), "{what}");
        store.close().await.expect("closes");
    }
}

fn mark(dir: &Path) -> Mark {
    let id = Marker::read(dir).expect("read").expect("a marker").id;
    MarkFile::open(dir, id, true).expect("a mark").1
}

/// Larger than a block of the log, and than a page.
fn large(seed: u8) -> EncodedBlob {
    let payload: Vec<u8> = (0..90_000u32).map(|i| i.wrapping_mul(0x9e37_79b1).to_be_bytes()[0] ^ seed).collect();
    encode(Parameters::new(2, 5).expect("good"), payload.into(), Dispersal::ByShard).expect("encodes")
}

fn expected(encoded: &EncodedBlob) -> Bytes {
    encoded.shard(encoded.commitment().parameters().index(1).expect("in range"))
}

/// Behind each whole record of a log.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("000001.log");
    fs::write(&file, bytes).expect("written");
    let mut log = survey::Log::open(&file).expect("opens");
    let mut ends = Vec::new();
    while let Ok(Some(_)) = log.next().expect("read") {
        ends.push(usize::try_from(log.end()).expect("small"));
    }
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_power_cut_leaves_behind_what_was_signed_the_member_starts_with_all_of_it() {
    let base = Scene::new().await;
    let (signed, length) = (base.signed, base.bytes.len());
    assert!(length > signed + 40_000);
    let page = signed.next_multiple_of(4096);
    let kept = |to: usize, tail: &[u8]| [&base.bytes[..to], tail].concat();
    let garbage: Vec<u8> = (0..length - page).map(|i| u8::try_from(i * 7 % 251).expect("small")).collect();
    let first = ends(&base.bytes)[0];
    let mut hole = base.bytes.clone();
    hole[page..page + 8192].fill(0);
    let tails = [
        ("nothing of it", kept(signed, &[])),
        ("one byte", kept(signed + 1, &[])),
        ("a head and no more", kept(signed + 7, &[])),
        ("half of it", kept((signed + length) / 2, &[])),
        ("all but a byte", kept(length - 1, &[])),
        ("all of it", kept(length, &[])),
        ("the full length in zeros", kept(signed, &vec![0; length - signed])),
        ("zeros from a page on", kept(page, &vec![0; length - page])),
        ("garbage from a page on", kept(page, &garbage)),
        ("a page that is missing in the middle", hole),
        ("what an older file had there", kept(page, &base.bytes[..length - page])),
        ("a whole record of an older file", kept(signed, &base.bytes[..first])),
        ("its own record twice", kept(length, &base.bytes[signed..])),
    ];
    for (what, bytes) in tails {
        let scene = Scene::new().await;
        scene.put(&bytes);
        scene.starts(what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_from_which_something_signed_is_gone_is_refused_by_its_name_and_left_as_it_is() {
    let scene = Scene::new().await;
    let signed = scene.signed;
    let ends = ends(&scene.bytes);
    let last = ends[ends.iter().position(|end| *end == signed).expect("a record ends there") - 1];
    let changed = |at: usize| {
        let mut bytes = scene.bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let zeroed = |from: usize| [&scene.bytes[..from], &vec![0; scene.bytes.len() - from]].concat();
    let cases = [
        ("emptied", Vec::new(), 0),
        ("cut between two records", scene.bytes[..last].to_vec(), last),
        ("cut in the last record", scene.bytes[..signed - 1].to_vec(), signed - 1),
        ("zeros over the last record", zeroed(last), last),
        ("zeros over its last page", zeroed((signed - 1) / 4096 * 4096), signed),
        ("a bit in the last record", changed(signed - 10), signed),
        ("a bit in the middle, with sound records behind it", changed(signed / 2), signed / 2),
        ("a bit at the very beginning", changed(0), 0),
    ];
    for (what, bytes, most) in cases {
        scene.put(&bytes);
        match refused(scene.dir(), IfMissing::Create) {
            Error::Broken { file, at, reason } => {
                assert_eq!(file, scene.log, "{what}");
                assert!(at <= most as u64, "{what}: {at} {reason}");
                assert!(reason.contains(&format!("was signed for up to byte {signed}")), "{what}: {reason}");
            }
            error => panic!("{what}: {error}"),
        }
    }
    fs::remove_file(&scene.log).expect("removed");
    let error = refused(scene.dir(), IfMissing::Replace);
    assert!(matches!(&error, Error::Missing { file } if *file == scene.log), "{error}");
    scene.put(&scene.bytes);
    scene.starts("put back").await;
}

/// A stopped store with three logs that are all needed, and what was held in each.
async fn with_three_logs() -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for seed in 0..SIGNED {
        hold(&store, &large(seed), 1, RETAIN + u64::from(seed % 3) * DAY).await.expect("held");
        if seed % 4 == 3 {
            // One family goes into a table, and a new log is begun; the old one is still needed for the others.
            let database = store.database().expect("open");
            database.db.flush(keys::ORDER).expect("flushed");
        }
    }
    drop(store);
    let files = fs::read_dir(folder.path().join("db")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut logs: Vec<_> = files.filter(|file| mark::number_of(file, "log").is_some()).collect();
    logs.sort();
    (folder, logs)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_logs_is_missed_when_it_is_gone_short_or_damaged() {
    let (folder, logs) = with_three_logs().await;
    assert_eq!(logs.len(), 3, "{logs:?}");
    for log in &logs {
        let bytes = fs::read(log).expect("read");
        let ends = ends(&bytes);
        let mut damaged = bytes.clone();
        damaged[bytes.len() - 5] ^= 1;
        for changed in [Some(vec![]), Some(bytes[..ends[ends.len() - 2]].to_vec()), Some(damaged), None] {
            match &changed {
                Some(changed) => fs::write(log, changed).expect("written"),
                None => fs::remove_file(log).expect("removed"),
            }
            let error = refused(folder.path(), IfMissing::Create);
            let named = matches!(&error, Error::Missing { file } | Error::Broken { file, .. } if file == log);
            assert!(named, "{}: {error}", log.display());
        }
        fs::write(log, bytes).expect("written");
    }
    let store = open(folder.path());
    for seed in 0..SIGNED {
        assert_eq!(store.shard(&large(seed).id(), 1).expect("held"), expected(&large(seed)));
    }
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_change_of_a_manifest_that_was_not_synced_is_cut_off_and_one_that_was_is_missed() {
    let (folder, _) = with_three_logs().await;
    let database = folder.path().join("db");
    let name = fs::read_to_string(database.join("CURRENT")).expect("read");
    let manifest = database.join(name.trim());
    let bytes = fs::read(&manifest).expect("read");
    // A change under way, of which RocksDB has heard nothing yet.
    for tail in [vec![0; 300], vec![0xff; 300], bytes[..20].to_vec(), bytes[bytes.len() - 9..bytes.len() - 1].to_vec()]
    {
        let copy = copy(folder.path());
        let file = copy.path().join("db").join(name.trim());
        fs::write(&file, [&bytes[..], &tail].concat()).expect("written");
        let store = open(copy.path());
        for seed in 0..SIGNED {
            assert_eq!(store.shard(&large(seed).id(), 1).expect("held"), expected(&large(seed)));
        }
        store.close().await.expect("closes");
    }
    // Without a change that was synced, a family or table that the logs need is unknown, or a table is there for nothing.
    let ends = ends(&bytes);
    let mut noticed = 0;
    for end in ends.iter().rev().skip(1) {
        fs::write(&manifest, &bytes[..*end]).expect("written");
        let copy = copy(folder.path());
        match Store::open(copy.path(), &identity(), IfMissing::Refuse) {
            Err(_) => noticed += 1,
            Ok(store) => {
                for seed in 0..SIGNED {
                    assert_eq!(
                        store.shard(&large(seed).id(), 1).expect("held"),
                        expected(&large(seed)),
                        "cut at {end}"
                    );
                }
                store.close().await.expect("closes");
            }
        }
    }
    assert!(noticed > 0);
}

/// The same folder once more.
fn copy(folder: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("a folder");
    for (file, bytes) in snapshot(folder) {
        let place = to.path().join(file.strip_prefix(folder).expect("inside"));
        fs::create_dir_all(place.parent().expect("a folder")).expect("made");
        fs::write(place, bytes).expect("written");
    }
    to
}
