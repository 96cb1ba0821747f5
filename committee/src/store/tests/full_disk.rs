//! A disk that is full, and one that is read-only. Both are mounted in a name space of a child process of their own, for which
//! no rights are needed where the system lets users have one; where it does not, the test says so.

use std::process::Command;

use super::*;

const FOLDER: &str = "HOLDFAST_TEST_SMALL_DISK";
/// Bytes of the small disk.
const SIZE: u64 = 160 << 20;

/// Runs the child `test` with a small disk mounted at the folder that it is given.
fn on_a_small_disk(test: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!(
        "mount -t tmpfs -o size={SIZE} tmpfs \"${FOLDER}\" || exit 42; exec \"$0\" --exact {test} --ignored --nocapture"
    );
    let ran = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(std::env::current_exe().expect("this test"))
        .env(FOLDER, folder.path())
        .output();
    let output = match ran {
        Ok(output) if output.status.code() != Some(42) => output,
        other => return eprintln!("not run: nothing can be mounted here ({other:?})"),
    };
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && text[0].contains("1 passed"), "{}\n{}", text[0], text[1]);
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var(FOLDER).expect("run by the tests below only"))
}

/// Large enough that a few fill the disk.
fn large(seed: u8) -> EncodedBlob {
    of_length(seed, 4_000_000)
}

fn of_length(seed: u8, length: u32) -> EncodedBlob {
    let payload: Vec<u8> = (0..length).map(|i| i.wrapping_mul(0x9e37_79b1).to_be_bytes()[0] ^ seed).collect();
    encode(Parameters::new(2, 5).expect("good"), payload.into(), Dispersal::ByShard).expect("encodes")
}

/// Fills the disk to the last byte. What a store that was just ended had open is given back a moment later.
fn fill(dir: &Path, filler: &str) {
    let mut file = fs::File::create(dir.join(filler)).expect("made");
    let mut full = 0;
    while full < 10 {
        let left = free(dir);
        full = if left < 4096 { full + 1 } else { 0 };
        std::io::Write::write_all(&mut file, &vec![1; usize::try_from(left).expect("small")]).expect("written");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn free(dir: &Path) -> u64 {
    let stat = rustix::fs::statvfs(dir).expect("statvfs");
    stat.f_bavail * stat.f_frsize
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of the test below"]
async fn fill_up() {
    let folder = folder();
    let dir = folder.join("data");
    let store = open(&dir);
    // Until the member itself says that there is too little room left for more.
    let mut signed = Vec::new();
    let refused = loop {
        let encoded = large(u8::try_from(signed.len()).expect("a small disk"));
        match hold(&store, &encoded, 1, RETAIN).await {
            Ok(_) => signed.push(encoded),
            Err(error) => break error,
        }
    };
    let Error::NoRoom { needed, free: left, .. } = refused else { panic!("{refused}") };
    assert!(needed > left && signed.len() > 5, "{needed} {left} {}", signed.len());
    assert!(store.writes_disabled().borrow().is_none(), "it goes on when there is room again");
    drop(store);
    // Something else fills the disk to the last byte.
    let filler = folder.join("filler");
    fill(&folder, "filler");
    // Half-written tables of starts that failed, and a reserve for one that does not.
    let has_all = |store: &Store| {
        for encoded in &signed {
            assert!(store.shard(&encoded.id(), 1).is_ok());
        }
    };
    let store = open(&dir);
    assert!(store.writes_disabled().borrow().is_none(), "{:?}", store.writes_disabled().borrow());
    has_all(&store);
    drop(store);

    // The same without a reserve: it is read from, and the number is said.
    let _given_up = fs::remove_file(dir.join("reserve"));
    let store = open(&dir);
    let more = large(200);
    while hold(&store, &more, 1, RETAIN).await.is_err() {
        let length = fs::metadata(&filler).expect("there").len();
        fs::File::options().write(true).open(&filler).expect("opens").set_len(length - (8 << 20)).expect("cut");
    }
    drop(store);
    let _given_up = fs::remove_file(dir.join("reserve"));
    let half = dir.join("db/999999.sst");
    fs::write(&half, b"half a table").expect("written");
    fill(&folder, "filler2");
    let store = open(&dir);
    assert!(!half.exists(), "what nothing refers to is swept before");
    let reason = store.writes_disabled().borrow().clone().expect("nothing can be written").reason;
    assert!(reason.contains("a start needs") && reason.contains("are free"), "{reason}");
    has_all(&store);
    assert!(matches!(hold(&store, &large(201), 1, RETAIN).await, Err(Error::WritesDisabled { .. })));
    store.close().await.expect("closes");
    // Room is made in steps, each with a start: none of them eats it up.
    fs::remove_file(folder.join("filler2")).expect("removed");
    let mut starts = 0;
    loop {
        let store = open(&dir);
        has_all(&store);
        let up = store.writes_disabled().borrow().is_none();
        store.close().await.expect("closes");
        starts += 1;
        if up {
            break;
        }
        assert!(starts < 40, "never comes up");
        let length = fs::metadata(&filler).expect("there").len();
        fs::File::options().write(true).open(&filler).expect("opens").set_len(length - (4 << 20)).expect("cut");
    }
    println!("up after {starts} starts");
}

#[test]
fn a_full_disk_is_refused_in_time_and_a_member_on_it_starts_and_serves() {
    on_a_small_disk("store::tests::full_disk::fill_up");
}

/// The disk fills up under the very write, is freed in part, fills up again, and is freed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of the test below"]
async fn fill_and_resume() {
    let folder = folder();
    let dir = folder.join("data");
    // So that there is no room for RocksDB to set aside for a whole log.
    fs::write(folder.join("ballast"), vec![1; 91 << 20]).expect("written");
    let store = open(&dir);
    let mut signed = Vec::new();
    for round in 0..3 {
        // The first log has some room that was set aside for it.
        let (late, error) = loop {
            let seed = u8::try_from(signed.len()).expect("few");
            let (encoded, full) = (of_length(seed, 1_000_000), folder.clone());
            resume::meanwhile(&store, move || fill(&full, "filler"));
            match hold(&store, &encoded, 1, RETAIN).await {
                Ok(_) => signed.push(encoded),
                Err(error) => break (encoded, error),
            }
            fs::remove_file(folder.join("filler")).expect("removed");
            assert!(signed.len() < 40, "round {round}: the disk never fills up");
        };
        assert!(matches!(&error, Error::WritesDisabled { reason } if reason.contains("No space left")), "{error}");
        assert_eq!(store.writes_disabled().borrow().as_ref().expect("disabled").why, Why::Full);
        let has_all = |store: &Store| signed.iter().for_each(|it| assert!(store.shard(&it.id(), 1).is_ok()));
        has_all(&store);
        // Still full, with room for less than a look, and with room for a look and no more.
        let filler = folder.join("filler");
        let shorten = |bytes: u64| {
            let length = fs::metadata(&filler).expect("there").len();
            fs::File::options().write(true).open(&filler).expect("opens").set_len(length - bytes).expect("cut");
        };
        for freed in [0, 400 << 10] {
            shorten(freed);
            let error = store.resume().await.expect_err("full");
            assert!(matches!(&error, Resume::NotYet(Error::File { .. })), "{error}");
            has_all(&store);
            assert!(!dir.join("probe").exists(), "a look leaves nothing that takes room");
        }
        shorten(2 << 20);
        // There is a reserve for a start, so it is opened anew; and then takes nothing for which there is no room.
        resume::resumed(&store).await;
        has_all(&store);
        let error = hold(&store, &late, 1, RETAIN).await.expect_err("too little room");
        assert!(matches!(error, Error::NoRoom { .. }), "{error}");
        assert!(store.writable().is_ok(), "it goes on when there is room");
        fs::remove_file(&filler).expect("removed");
        hold(&store, &late, 1, RETAIN).await.expect("held");
        signed.push(late);
    }
    store.close().await.expect("closes");
    let store = open(&dir);
    assert_eq!(store.usage().items, signed.len() as u64);
    signed.iter().for_each(|it| assert!(store.shard(&it.id(), 1).is_ok()));
}

#[test]
fn a_disk_that_fills_up_under_a_write_is_written_again_when_there_is_room_as_often_as_that_happens() {
    on_a_small_disk("store::tests::full_disk::fill_and_resume");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of the test below"]
async fn read_only() {
    let folder = folder();
    let dir = folder.join("data");
    let store = open(&dir);
    hold(&store, &large(1), 1, RETAIN).await.expect("held");
    drop(store);
    // What the store had open is given back a moment later; until then the disk is busy.
    let remount = || Command::new("mount").args(["-o", "remount,ro"]).arg(&folder).status().expect("runs").success();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !remount() {
        assert!(std::time::Instant::now() < end, "the disk stays busy");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let store = open(&dir);
    assert!(store.shard(&large(1).id(), 1).is_ok());
    let reason = store.writes_disabled().borrow().clone().expect("nothing can be written").reason;
    assert!(reason.contains("read-only"), "{reason}");
    assert!(matches!(hold(&store, &large(2), 1, RETAIN).await, Err(Error::WritesDisabled { .. })));
    assert_eq!(store.writes_disabled().borrow().as_ref().expect("disabled").why, Why::ReadOnly);
    let error = store.resume().await.expect_err("still read-only");
    assert!(matches!(error, Resume::NotYet(Error::ReadOnly { .. })), "{error}");
    assert!(Command::new("mount").args(["-o", "remount,rw"]).arg(&folder).status().expect("runs").success());
    resume::resumed(&store).await;
    hold(&store, &large(2), 1, RETAIN).await.expect("held");
    assert!(store.shard(&large(1).id(), 1).is_ok());
    store.close().await.expect("closes");
    assert!(remount());
    let error = Store::open(&folder.join("new"), &identity(), IfMissing::Create).expect_err("read-only");
    assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
}

#[test]
fn a_read_only_disk_is_read_from_and_named() {
    on_a_small_disk("store::tests::full_disk::read_only");
}

#[test]
fn what_the_system_says_is_told_apart() {
    use std::io::{Error as Io, ErrorKind as K};
    let path = Path::new("data/mark");
    assert!(matches!(Error::file(path, &Io::from(K::PermissionDenied)), Error::NotPermitted { .. }));
    assert!(matches!(Error::file(path, &Io::from(K::ReadOnlyFilesystem)), Error::ReadOnly { .. }));
    assert!(matches!(Error::file(path, &Io::from(K::StorageFull)), Error::File { .. }));
}
