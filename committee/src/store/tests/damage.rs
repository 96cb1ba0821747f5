//! Disks that lose bits and files: what is sound is served, what is not is named, and nothing is dropped on a guess.

use super::{promise as promise_of, records::Scrub, *};

const BLOBS: u8 = 200;

/// A stopped store of many blobs, all in tables, with a signature and a certificate for each.
async fn scene() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for durable in join_all(blobs().iter().map(|encoded| hold(&store, encoded, 1, RETAIN))).await {
        let durable = durable.expect("held");
        store.remember(&durable, signature(durable.digest()));
        store.put_certificates(vec![(*durable.digest(), certificate(durable.digest()))]).await.expect("put");
    }
    store.close().await.expect("closes");
    folder
}

fn blobs() -> Vec<EncodedBlob> {
    (0..BLOBS).map(|seed| blob(seed, Dispersal::ByPayload)).collect()
}

fn signature(digest: &StatementDigest) -> [u8; 48] {
    let mut signature = [0x51; 48];
    signature[..32].copy_from_slice(digest.as_bytes());
    signature
}

fn certificate(digest: &StatementDigest) -> Bytes {
    Bytes::from([&[0xce; 40], digest.as_bytes().as_slice()].concat())
}

fn held_record(encoded: &EncodedBlob) -> Held {
    Held {
        day: keys::day_of(RETAIN),
        length: u32::try_from(holding(encoded, 1).shard.bytes().len()).expect("small"),
        until: RETAIN,
        root: encoded.commitment().shard_roots()[1],
        place: records::Place::Here,
    }
}

fn digest_of(encoded: &EncodedBlob) -> Digest {
    encoded.blob().payload_digest
}

/// Changes a byte of `needle` in every table that has it; tells how many there were.
fn flip(folder: &Path, needle: &[u8]) -> usize {
    let mut flipped = 0;
    for (file, mut bytes) in snapshot(&folder.join("db")) {
        if file.extension().is_some_and(|extension| extension == "sst") {
            let found = bytes.windows(needle.len()).position(|window| window == needle);
            if let Some(at) = found {
                bytes[at + needle.len() / 2] ^= 1;
                fs::write(&file, bytes).expect("written");
                flipped += 1;
            }
        }
    }
    flipped
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_of_any_kind_stands_in_the_way_of_no_other_and_is_mended_by_storing_again() {
    let all = blobs();
    let victim = &all[77];
    let id = victim.id();
    let (promise, digest) = promise_of(victim, RETAIN);
    let held = held_record(victim);
    let cases: [(&str, Vec<u8>); 7] = [
        (keys::HELD, held.encode()),
        (keys::PROMISES, promise.encode()),
        (keys::ATTESTATIONS, records::opaque(&signature(&digest))),
        (keys::CERTIFICATES, records::opaque(&certificate(&digest))),
        (keys::BLOBS, records::commitment(victim.commitment())),
        (keys::ORDER, records::order(&id, &digest)),
        // Of a key, without what it may share with the one before it.
        (keys::PAYLOADS, keys::payload(&promise.statement.namespace, &digest_of(victim), RETAIN, &id)[36..].to_vec()),
    ];
    for (family, needle) in cases {
        let folder = scene().await;
        assert!(flip(folder.path(), &needle) > 0, "{family}: the record is in no table");
        let store = open(folder.path());
        let unreadable = all.iter().filter(|encoded| {
            let id = encoded.id();
            let read = (store.shard(&id, 1), store.whole(&id), store.commitment(&id), store.promises(&id, None));
            let sound = matches!(&read, (Ok(_), Ok(_), Ok(Some(_)), Ok(promises)) if promises.len() == 1);
            if !sound {
                let errors = [read.0.err(), read.1.err(), read.2.err(), read.3.err()];
                assert!(errors.iter().flatten().all(|e| matches!(e, Error::Damaged { .. })), "{family}: {errors:?}");
            }
            !sound
        });
        // A block of a table, and of those that read it back by other ways nothing at all.
        let unreadable = unreadable.count();
        let kept = matches!(family, keys::ATTESTATIONS | keys::CERTIFICATES | keys::ORDER | keys::PAYLOADS);
        assert!(if kept { unreadable == 0 } else { (1..100).contains(&unreadable) }, "{family}: {unreadable}");
        let listed = store.list(None, 0, 1000).expect("listed").0.len();
        assert!(
            listed >= 100 && (listed < 200) == matches!(family, keys::PROMISES | keys::ORDER),
            "{family}: {listed}"
        );

        // Nothing is dropped while nobody knows what a record said.
        let now = RETAIN + 30 * DAY;
        let due = store.due(now).expect("read");
        let answers = due.namespaces().into_iter().map(|namespace| (namespace, Answer::HeldUntil(0))).collect();
        let dropped = store.drop_due(&due, &answers, now).await.expect("decided");
        let guess = matches!(family, keys::HELD | keys::PROMISES);
        assert_eq!(dropped.is_empty(), guess, "{family}: {dropped:?}");
        if guess {
            assert!(store.damaged() > 0);
            hold(&store, victim, 1, RETAIN + 60 * DAY).await.expect("stored again");
            assert!(store.shard(&id, 1).is_ok() && store.whole(&id).is_ok(), "{family}");
            let (_, again) = promise_of(victim, RETAIN + 60 * DAY);
            assert!(store.promised(&id, &again).expect("read").is_some());
        }
        store.close().await.expect("closes");
        open(folder.path()).close().await.expect("and again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_of_the_folder_itself_is_made_anew() {
    let folder = scene().await;
    let store = open(folder.path());
    let id = store.id();
    store.close().await.expect("closes");
    let record = identity().encode(id);
    assert!(flip(folder.path(), &record) > 0);
    let store = open(folder.path());
    for encoded in blobs() {
        assert!(store.shard(&encoded.id(), 1).is_ok());
    }
    hold(&store, &blob(201, Dispersal::ByShard), 1, RETAIN).await.expect("held");
    drop_expired(&store, RETAIN + 30 * DAY).await;
    assert!(matches!(store.shard(&blobs()[0].id(), 1), Err(Error::Expired { .. })));
    store.close().await.expect("closes");
    let store = open(folder.path());
    assert!(matches!(store.shard(&blobs()[0].id(), 1), Err(Error::Expired { .. })));
    store.close().await.expect("closes");
}

/// Destroys the end of the one table that has `needle`: without it no table can be opened.
fn shut(folder: &Path, needle: &[u8]) {
    let tables = snapshot(&folder.join("db")).into_iter();
    let mut tables = tables.filter(|(file, bytes)| {
        let table = file.extension().is_some_and(|extension| extension == "sst");
        table && bytes.windows(needle.len()).any(|window| window == needle)
    });
    let (file, mut bytes) = tables.next().expect("a table with the record");
    let end = bytes.len() - 20;
    bytes[end..].fill(0x77);
    fs::write(file, bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_opened_at_all_keeps_no_member_from_starting() {
    let folder = scene().await;
    shut(folder.path(), &promise_of(&blobs()[77], RETAIN).0.encode());
    let store = open(folder.path());
    let encoded = blob(201, Dispersal::ByShard);
    hold(&store, &encoded, 1, RETAIN).await.expect("held");
    assert!(store.shard(&encoded.id(), 1).is_ok());
    // Nobody can tell what was promised, and it is not said that it is nothing.
    let error = store.each_promise(|_| {}).expect_err("no promise can be read");
    assert!(matches!(error, Error::Record { .. }), "{error}");
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_not_counted_as_nothing_where_the_table_of_it_cannot_be_opened() {
    // Without the order all that is held is counted, and not listed.
    for of_order in [false, true] {
        let folder = scene().await;
        let (victim, (_, digest)) = (&blobs()[77], promise_of(&blobs()[77], RETAIN));
        let needle = if of_order { records::order(&victim.id(), &digest) } else { held_record(victim).encode() };
        shut(folder.path(), &needle);
        let store = Store::open_uncounted(folder.path(), &identity(), IfMissing::Refuse).expect("opens to be read");
        let counted = store.count();
        store.enable();
        assert_eq!((counted.is_ok(), store.writable().is_ok()), (of_order, of_order), "{counted:?}");
        if of_order {
            let error = store.list(None, 0, 1000).expect_err("nobody can tell what was signed");
            assert!(matches!(error, Error::Record { .. }), "{error}");
            assert!(store.shard(&victim.id(), 1).is_ok());
        } else {
            assert_eq!(store.list(None, 0, 1000).expect("listed").0.len(), usize::from(BLOBS));
        }
        store.close().await.expect("closes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_to_the_very_first_records_hides_none_behind_them() {
    let folder = scene().await;
    let victim = blobs().into_iter().min_by_key(EncodedBlob::id).expect("some");
    let (promise, _) = promise_of(&victim, RETAIN);
    assert!(flip(folder.path(), &promise.encode()) > 0);
    assert!(flip(folder.path(), &held_record(&victim).encode()) > 0);
    let store = open(folder.path());
    let mut promises = 0;
    store.each_promise(|_| promises += 1).expect("read");
    let least = usize::from(BLOBS) / 2;
    assert!((least..usize::from(BLOBS)).contains(&promises), "{promises}");
    let items = usize::try_from(store.usage().items).expect("few");
    assert!((least..usize::from(BLOBS)).contains(&items), "{items}");
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_file_that_is_gone_is_damage_to_what_was_in_it_and_storing_again_mends_it() {
    let folder = scene().await;
    let mut gone = 0;
    for file in snapshot(&folder.path().join("db")).into_keys() {
        if file.extension().is_some_and(|extension| extension == "blob") {
            fs::remove_file(file).expect("removed");
            gone += 1;
        }
    }
    assert!(gone >= 2);
    let store = open(folder.path());
    let encoded = &blobs()[5];
    let index = encoded.commitment().parameters().index(1).expect("in range");
    let error = store.shard(&encoded.id(), 1).expect_err("gone");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(store.recall(&encoded.id(), index).expect("no trouble").is_none());
    assert_eq!(store.damaged(), 1, "the shard; nobody has looked at the payload");
    hold(&store, encoded, 1, RETAIN).await.expect("stored again");
    assert!(store.recall(&encoded.id(), index).expect("read").is_some());
    assert_eq!(store.damaged(), 0);
    store.close().await.expect("closes");
    let store = open(folder.path());
    assert!(store.recall(&encoded.id(), index).expect("read").is_some());
    assert!(matches!(store.shard(&blobs()[6].id(), 1), Err(Error::Damaged { .. })));
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrub_looks_at_everything_once_and_finds_each_damaged_item() {
    let folder = scene().await;
    let victims = [&blobs()[3], &blobs()[150]];
    for victim in victims {
        // The key stands before the value in a blob file.
        let record = [keys::held(&victim.id(), 1).as_slice(), holding(victim, 1).shard.bytes()].concat();
        for (file, mut bytes) in snapshot(&folder.path().join("db")) {
            if let Some(at) = bytes.windows(record.len()).position(|window| window == record) {
                bytes[at + record.len() - 3] ^= 1;
                fs::write(file, bytes).expect("written");
            }
        }
    }
    let store = open(folder.path());
    let (mut after, mut steps, mut bytes) = (None, 0, 0);
    while let Some(step) = store.scrub(after.as_ref()).expect("read") {
        assert!(after.is_none_or(|after| after < step.next));
        after = Some(step.next);
        steps += 1;
        bytes += step.bytes;
    }
    assert_eq!((steps, bytes), (2 * u64::from(BLOBS), store.usage().bytes));
    assert_eq!(store.damaged(), 2);
    let state = Scrub { begun: 1, ended: 0, after };
    store.record_scrub(state).await.expect("sent");
    store.close().await.expect("closes");
    let store = open(folder.path());
    // It is not recorded to be past damage, so what is still damaged is found again at once.
    let first = victims.iter().map(|victim| keys::held(&victim.id(), 1)).min().expect("two");
    let recorded = store.scrub_state().expect("read");
    assert_eq!((recorded.begun, recorded.ended), (state.begun, state.ended));
    assert_eq!(store.scrub(recorded.after.as_ref()).expect("read").expect("there").next, first);
    assert_eq!(store.damaged(), 1);
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_replaced_a_lost_one_never_says_that_something_was_never_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), &identity(), IfMissing::Replace).expect("opens");
    let encoded = blob(1, Dispersal::ByShard);
    for error in [store.shard(&encoded.id(), 1).expect_err("lost"), store.absent(&encoded.id(), "the commitment")] {
        assert!(matches!(error, Error::Lost { at, .. } if Some(at) == store.lost_at()), "{error}");
    }
    hold(&store, &encoded, 1, RETAIN).await.expect("held");
    assert!(store.shard(&encoded.id(), 1).is_ok());
    store.close().await.expect("closes");
}
