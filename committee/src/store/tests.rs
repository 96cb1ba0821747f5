//! The store by itself: what holds on any folder it is opened on.

mod damage;
mod fixture;
mod folder;
mod full_disk;
mod logs;
mod resume;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use futures::future::join_all;
use holdfast_certificate::{Address, DisperserKey, Domain, HOUR, Namespace, SecretKey, Statement};
use holdfast_erasure::{Digest, Dispersal, Parameters, encode};
use proptest::prelude::*;

use super::{
    keys::Bucket,
    records::{Held, Place},
    *,
};

const RETAIN: u64 = 500_000 * HOUR;
const DAY: u64 = 24 * HOUR;

fn identity() -> Identity {
    let public_key = SecretKey::derive_master(&[7; 32]).expect("a key").public_key();
    Identity { public_key, domain: Domain { chain_id: 1, registry: Address::from([2; 20]) } }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, &identity(), IfMissing::Create).expect("opens")
}

/// All files under a folder, as they are.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.append(&mut snapshot(&path));
        } else {
            let bytes = fs::read(&path).expect("read");
            files.insert(path, bytes);
        }
    }
    files
}

/// Opening is refused, again and again, and changes nothing; gives the error.
fn refused(folder: &Path, missing: IfMissing) -> Error {
    let before = snapshot(folder);
    let error = Store::open(folder, &identity(), missing).expect_err("refused");
    assert_eq!(Store::open(folder, &identity(), missing).expect_err("again").to_string(), error.to_string());
    assert!(snapshot(folder) == before, "{error}: the folder was changed");
    error
}

fn blob(seed: u8, dispersal: Dispersal) -> EncodedBlob {
    let payload = vec![seed; 1000 + usize::from(seed)];
    encode(Parameters::new(2, 5).expect("good"), payload.into(), dispersal).expect("encodes")
}

fn promise(encoded: &EncodedBlob, retain_until: u64) -> (Promise, StatementDigest) {
    let blob = *encoded.blob();
    let whole_until = if blob.is_by_payload() { retain_until - DAY } else { 0 };
    let statement = Statement { namespace: Namespace::from([3; 32]), epoch: 1, blob, whole_until, retain_until };
    let digest = statement.digest(&identity().domain);
    let disperser = DisperserKey::from_bytes(&[9; 32]).expect("in range");
    (Promise { statement, disperser_signature: disperser.sign(&digest), slot: 1 }, digest)
}

fn holding(encoded: &EncodedBlob, index: u16) -> Holding {
    let index = encoded.commitment().parameters().index(index).expect("in range");
    if encoded.blob().is_by_payload() {
        Holding::by_payload(encoded, index)
    } else {
        Holding::by_shard(encoded.commitment().clone(), encoded.accepted(index))
    }
}

async fn hold(store: &Store, encoded: &EncodedBlob, index: u16, retain_until: u64) -> Result<Durable, Error> {
    let (promise, digest) = promise(encoded, retain_until);
    store.hold(promise, digest, holding(encoded, index)).await
}

/// Drops what has expired, with no namespace held.
async fn drop_expired(store: &Store, now: u64) {
    let due = store.due(now).expect("read");
    let answers = due.namespaces().into_iter().map(|namespace| (namespace, Answer::HeldUntil(0))).collect();
    store.drop_due(&due, &answers, now).await.expect("dropped");
}

/// Dropping a store ends it as a crash does: what is in the log stays in the log. Nothing is at work when that returns, or
/// a process that ends then would be aborted.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_store_is_closed_when_the_drop_returns() {
    let folder = tempfile::tempdir().expect("a folder");
    for day in 0..20 {
        let store = open(folder.path());
        let encoded = blob(day, Dispersal::ByShard);
        hold(&store, &encoded, 4, RETAIN).await.expect("held");
        drop(store);
    }
    assert_eq!(open(folder.path()).usage().items, 20);
}

/// A wiped member whose archive has a shard in place of one that no disperser ever made: it is not over at once.
#[test]
fn what_is_held_in_place_of_a_shard_that_cannot_be_had_is_restored_for_as_long_as_that_is_promised() {
    let encoded = blob(1, Dispersal::ByPayload);
    let (promise, digest) = promise(&encoded, RETAIN);
    let commitment = encoded.commitment().clone();
    let own = commitment.parameters().shard_of_slot(promise.slot, &promise.statement.blob.shards_root).get();
    let restored = |index| Restored {
        commitment: commitment.clone(),
        index,
        length: 1,
        promises: vec![(promise.clone(), digest, [5; 48])],
        certificates: Vec::new(),
    };
    assert_eq!(restored(Some(own)).until(), RETAIN);
    assert_eq!(restored(Some((own + 1) % 5)).until(), RETAIN);
    assert_eq!(restored(None).until(), RETAIN - DAY, "kept whole for less long");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_time_wins_whatever_the_order_within_one_batch() {
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        let encoded = blob(1, dispersal);
        let days = [3u64, 40, 7, 1, 39, 40, 2, 12, 40, 5];
        for durable in join_all(days.iter().map(|day| hold(&store, &encoded, 4, RETAIN + day * DAY))).await {
            durable.expect("held");
        }
        assert_eq!(store.promises(&encoded.id(), None).expect("read").len(), 8, "one for each statement");
        drop_expired(&store, RETAIN + 38 * DAY).await;
        let index = encoded.commitment().parameters().index(4).expect("in range");
        assert_eq!(store.shard(&encoded.id(), 4).expect("held"), encoded.shard(index));
        if dispersal == Dispersal::ByPayload {
            assert_eq!(store.whole(&encoded.id()).expect("whole"), *encoded.payload());
        }
        let again = hold(&store, &blob(9, dispersal), 4, RETAIN).await.expect_err("that bucket is gone");
        assert!(matches!(again, Error::BucketDropped { .. }), "{again}");
        let usage = store.usage();
        drop(store);
        reopened(folder.path(), &encoded, usage).await;
    }
}

async fn reopened(folder: &Path, encoded: &EncodedBlob, usage: Usage) {
    let store = open(folder);
    assert_eq!(store.promises(&encoded.id(), None).expect("read").len(), 8);
    let (listed, next) = store.list(None, 0, 100).expect("listed");
    assert_eq!((listed.len(), next), (8, None));
    assert_eq!(store.usage(), usage);
    assert_eq!(usage.items, 1);
    drop_expired(&store, RETAIN + 60 * DAY).await;
    let error = store.shard(&encoded.id(), 4).expect_err("expired");
    assert!(matches!(error, Error::Expired { until, .. } if until == RETAIN + 40 * DAY), "{error}");
    assert_eq!(store.usage(), Usage::default());
    store.close().await.expect("closes");
    assert!(matches!(store.shard(&encoded.id(), 4), Err(Error::Closed)));
    assert!(matches!(hold(&store, encoded, 4, RETAIN + 90 * DAY).await, Err(Error::Closed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_index_is_another_shard() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let encoded = blob(1, Dispersal::ByShard);
    hold(&store, &encoded, 1, RETAIN).await.expect("held");
    let index = |index| encoded.commitment().parameters().index(index).expect("in range");
    assert!(store.recall(&encoded.id(), index(2)).expect("read").is_none());
    assert!(matches!(store.shard(&encoded.id(), 2), Err(Error::NotFound { .. })));
    assert!(store.recall(&encoded.id(), index(1)).expect("read").is_some());
    hold(&store, &encoded, 2, RETAIN + DAY).await.expect("held");
    assert_eq!(store.indices(&encoded.id()).expect("read"), (vec![1, 2], false));
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_of_one_blob_are_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let encoded = blob(1, Dispersal::ByShard);
    let most = u64::try_from(writer::MAX_STATEMENTS).expect("small");
    for result in join_all((0..most).map(|hour| hold(&store, &encoded, 1, RETAIN + hour * HOUR))).await {
        result.expect("held");
    }
    let error = hold(&store, &encoded, 1, RETAIN + most * HOUR).await.expect_err("one too many");
    assert!(matches!(error, Error::TooManyStatements { .. }), "{error}");
    hold(&store, &encoded, 1, RETAIN).await.expect("known ones can be had again");
    // Those whose time is over do not count: a blob can be renewed for ever.
    drop_expired(&store, RETAIN + 3 * DAY).await;
    hold(&store, &encoded, 1, RETAIN + most * HOUR).await.expect("some are over");
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_namespace_cannot_use_up_the_statements_of_another_for_the_same_blob() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let encoded = blob(1, Dispersal::ByPayload);
    let hold_for = async |namespace: u8, retain_until: u64| {
        let (mut promise, _) = promise(&encoded, retain_until);
        promise.statement.namespace = Namespace::from([namespace; 32]);
        let digest = promise.statement.digest(&identity().domain);
        store.hold(promise, digest, holding(&encoded, 1)).await
    };
    let most = u64::try_from(writer::MAX_STATEMENTS).expect("small");
    hold_for(1, RETAIN).await.expect("held");
    for result in join_all((1..=most).map(|hour| hold_for(2, RETAIN + hour * HOUR))).await {
        result.expect("held");
    }
    assert!(hold_for(2, RETAIN + (most + 1) * HOUR).await.is_err(), "one too many");
    hold_for(1, RETAIN + HOUR).await.expect("this namespace has two");
    // Nor is what this one was promised, and has paid for, forgotten among the other's.
    let until = store.promised_until(&encoded.id(), &Namespace::from([1; 32])).expect("read");
    assert_eq!(until, (RETAIN + HOUR, RETAIN + HOUR - DAY));
    assert_eq!(store.promised_until(&encoded.id(), &Namespace::from([9; 32])).expect("read"), (0, 0));
    store.close().await.expect("closes");
}

#[test]
fn the_layouts_are_these() {
    let held = Held {
        day: 0x0102_0304,
        length: 0x0506_0708,
        until: 0x090a,
        root: Digest::from([0xcc; 32]),
        place: Place::Here,
    };
    assert_eq!(hex::encode(held.encode()), format!("010102030405060708000000000000090a{}", "cc".repeat(32)));
    let identity = identity();
    let key = hex::encode(identity.public_key.to_bytes());
    let store = StoreId::from([5; 16]);
    let expected = format!("02{key}0000000000000001{}{}", "02".repeat(20), "05".repeat(16));
    assert_eq!(hex::encode(identity.encode(store)), expected);
    let encoded = blob(1, Dispersal::ByPayload);
    let (promise, digest) = promise(&encoded, 2 * DAY);
    let b = encoded.blob();
    let blob_hex = format!(
        "000003e9{}00020005{}{}",
        hex::encode(b.payload_digest.as_bytes()),
        hex::encode(b.shards_root.as_bytes()),
        hex::encode(b.fingerprints_hash.as_bytes())
    );
    let times = format!("{:016x}{:016x}", DAY, 2 * DAY);
    let signature = hex::encode(promise.disperser_signature.to_bytes());
    let expected = format!("01{}0000000000000001{blob_hex}{times}{signature}0001", "03".repeat(32));
    assert_eq!(hex::encode(promise.encode()), expected);
    let roots: String = encoded.commitment().shard_roots().iter().map(|root| hex::encode(root.as_bytes())).collect();
    let expected = format!("01{blob_hex}{roots}{}", hex::encode(encoded.commitment().fingerprints()));
    assert_eq!(hex::encode(records::commitment(encoded.commitment())), expected);
    let id = encoded.id();
    let expected = format!("01{}{}", hex::encode(id.as_bytes()), hex::encode(digest.as_bytes()));
    assert_eq!(hex::encode(records::order(&id, &digest)), expected);
    assert_eq!(Bucket::of(keys::Kind::Shards, RETAIN).to_string(), "shards-20833");
}

#[test]
fn records_decode_to_what_was_encoded_and_not_with_a_byte_more_or_less() {
    let encoded = blob(1, Dispersal::ByPayload);
    let (promise, digest) = promise(&encoded, RETAIN);
    let bytes = promise.encode();
    assert_eq!(Promise::decode(&bytes).expect("decodes").statement, promise.statement);
    let commitment = records::commitment(encoded.commitment());
    assert_eq!(records::decode_commitment(&commitment).expect("decodes").id(), encoded.id());
    let order = records::order(&encoded.id(), &digest);
    assert_eq!(records::decode_order(&order).expect("decodes"), (encoded.id(), digest));
    for (bytes, decode) in [
        (bytes, (|bytes| Promise::decode(bytes).is_ok()) as fn(&[u8]) -> bool),
        (commitment, |bytes| records::decode_commitment(bytes).is_ok()),
        (order, |bytes| records::decode_order(bytes).is_ok()),
        (identity().encode(StoreId::from([5; 16])), |bytes| Identity::decode(bytes).is_ok()),
    ] {
        assert!(decode(&bytes));
        assert!(!decode(&bytes[..bytes.len() - 1]));
        assert!(!decode(&[&bytes[..], &[0]].concat()));
        assert!(!decode(&[&[9], &bytes[1..]].concat()), "another version");
    }
}

proptest! {
    #[test]
    fn decoding_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), versioned: bool) {
        if versioned && !bytes.is_empty() {
            bytes[0] = 1;
        }
        let _ = (Promise::decode(&bytes), Held::decode(&bytes), Identity::decode(&bytes));
        let _ = (records::decode_commitment(&bytes), records::decode_order(&bytes));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_from_before_there_were_holds_keeps_nothing_past_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let (early, late) = (blob(1, Dispersal::ByShard), blob(2, Dispersal::ByShard));
    hold(&store, &early, 4, RETAIN).await.expect("held");
    hold(&store, &late, 4, RETAIN + 5 * DAY).await.expect("held");
    // A marker and no set beside it, as such a member left them when it was cut off before the drop itself.
    let marker = keys::day_of(RETAIN + DAY).to_be_bytes();
    let database = store.database().expect("open");
    let mut batch = engine::Batch::default();
    batch.put(engine::DEFAULT, keys::DROPPED_BEFORE, marker.to_vec());
    database.db.write(batch, true).expect("written");
    assert!(database.get(engine::DEFAULT, keys::KEPT).expect("read").is_none());
    drop(database);
    drop(store);
    let store = open(folder.path());
    assert!(matches!(store.shard(&early.id(), 4), Err(Error::Expired { .. })));
    assert!(store.shard(&late.id(), 4).is_ok());
    let buckets = store.database().expect("open").buckets();
    assert_eq!(buckets.into_iter().collect::<Vec<_>>(), [Bucket::of(keys::Kind::Shards, RETAIN + 5 * DAY)]);
    store.close().await.expect("closes");
}
