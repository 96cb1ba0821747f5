//! A store that an earlier version has written is opened by every later one of the same format: `testdata/store/FORMAT`.

use super::*;

const BLOBS: u8 = 6;

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/store").join(records::FORMAT.to_string())
}

/// As it was written: every second by payload, two promises for each, in tables, in blob files and, of the last two, in the
/// log.
fn of(seed: u8) -> (EncodedBlob, [u64; 2]) {
    let dispersal = if seed.is_multiple_of(2) { Dispersal::ByShard } else { Dispersal::ByPayload };
    let until = RETAIN + u64::from(seed) * DAY;
    (blob(seed, dispersal), [until, until + 5 * DAY])
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copied(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_an_earlier_version_wrote_is_opened_with_all_that_is_in_it_and_written_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("data");
    copied(&kept(), &dir);
    for restart in 0..2 {
        let store = Store::open(&dir, &identity(), IfMissing::Refuse).expect("opens");
        for seed in 0..BLOBS {
            let (encoded, times) = of(seed);
            let id = encoded.id();
            let index = encoded.commitment().parameters().index(4).expect("in range");
            assert_eq!(store.shard(&id, 4).expect("held"), encoded.shard(index));
            let commitment = store.commitment(&id).expect("read").expect("there");
            assert_eq!(records::commitment(&commitment), records::commitment(encoded.commitment()));
            for until in times {
                let (promise, digest) = promise(&encoded, until);
                let read = store.promise(&id, &digest).expect("read").expect("there");
                assert_eq!(read.encode(), promise.encode());
                assert_eq!(store.attestation(&digest).expect("read").as_deref(), Some(&[seed; 48][..]));
                assert_eq!(store.certificate(&digest).expect("read").as_deref(), Some(&[seed; 210][..]));
            }
            if encoded.blob().is_by_payload() {
                assert_eq!(store.whole(&id).expect("whole"), *encoded.payload());
                let namespace = Namespace::from([3; 32]);
                assert_eq!(store.find(&namespace, &encoded.blob().payload_digest).expect("read"), [id]);
            }
        }
        let (listed, next) = store.list(None, 0, 100).expect("listed");
        assert_eq!((listed.len(), next), (2 * usize::from(BLOBS) + restart, None));
        let mut after = None;
        while let Some(step) = store.scrub(after.as_ref()).expect("looked") {
            after = Some(step.next);
        }
        assert_eq!(store.damaged(), 0);
        hold(&store, &blob(100, Dispersal::ByPayload), 4, RETAIN).await.expect("written on");
        store.close().await.expect("closes");
    }
}

/// Writes the fixture of this version: once for each format, and never again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes testdata/store"]
async fn write_the_fixture() {
    let dir = kept();
    assert!(!dir.exists(), "{} is what an earlier version wrote", dir.display());
    let written = tempfile::tempdir().expect("a folder");
    for part in [0..2, 2..4, 4..BLOBS] {
        let store = open(written.path());
        let last = part.end == BLOBS;
        for seed in part {
            let (encoded, times) = of(seed);
            for until in times {
                let durable = hold(&store, &encoded, 4, until).await.expect("held");
                store.remember(&durable, [seed; 48]);
                store.put_certificates(vec![(*durable.digest(), vec![seed; 210].into())]).await.expect("put");
            }
        }
        if !last {
            store.close().await.expect("closes");
        }
    }
    copied(written.path(), &dir);
    fs::remove_file(dir.join("reserve")).expect("nothing is in it");
    for (file, _) in snapshot(&dir) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        // What RocksDB writes for people, with this machine's paths.
        if name == "LOCK" || name.starts_with("LOG") || name.starts_with("OPTIONS") {
            fs::remove_file(file).expect("removed");
        }
    }
}
