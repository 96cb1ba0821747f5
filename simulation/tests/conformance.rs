//! What a store relies on of an engine, tested on both: RocksDB and the simulated disk.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::future::join_all;
use holdfast_certificate::{Address, DisperserKey, Domain, Namespace, SecretKey, Statement, StatementDigest};
use holdfast_committee::store::{
    Durable, Error, Holding, Identity, IfMissing, Promise, Store,
    engine::{Batch, DEFAULT, Disk, Engine},
    rocksdb_in,
};
use holdfast_erasure::{Dispersal, EncodedBlob, Parameters, encode};
use holdfast_simulation::SimulatedDisk;
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

const FAMILIES: [&str; 3] = [DEFAULT, "blobs", "shards-20000"];

/// A place where an engine is opened again and again.
enum Place {
    Folder(tempfile::TempDir),
    Disk(SimulatedDisk),
}

impl Place {
    fn both() -> [Self; 2] {
        [Self::Folder(tempfile::tempdir().expect("a folder")), Self::Disk(SimulatedDisk::new())]
    }

    fn data(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("data")
    }

    fn engine(&self) -> Box<dyn Engine> {
        match self {
            Self::Folder(folder) => rocksdb_in(&Self::data(folder)).expect("opens"),
            Self::Disk(disk) => disk.open().expect("opens"),
        }
    }

    fn store(&self, identity: &Identity, missing: IfMissing) -> Result<Store, Error> {
        match self {
            Self::Folder(folder) => Store::open(&Self::data(folder), identity, missing),
            Self::Disk(disk) => Store::open_on(Arc::new(disk.clone()), identity, missing),
        }
    }
}

/// All records of a family, forwards and backwards alike.
fn all(engine: &dyn Engine, family: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut records = engine.records(family).expect("a family");
    let (mut forwards, mut backwards) = (Vec::new(), Vec::new());
    records.seek(&[]);
    while let Some((key, value)) = records.item() {
        forwards.push((key.to_vec(), value.to_vec()));
        records.next();
    }
    records.seek_to_last();
    while let Some((key, value)) = records.item() {
        backwards.push((key.to_vec(), value.to_vec()));
        records.prev();
    }
    records.status().expect("no damage");
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards
}

#[derive(Clone, Debug)]
enum Step {
    /// Records with a value, or without one where it is removed; and whether it is synced.
    Write(Vec<(usize, u8, Option<u8>)>, bool),
    Create(usize),
    Drop(usize),
    Compact(usize),
    Look(usize, u8),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let put = (0..FAMILIES.len(), 0..20u8, proptest::option::weighted(0.8, any::<u8>()));
    prop_oneof![
        6 => (proptest::collection::vec(put, 0..6), any::<bool>()).prop_map(|(puts, sync)| Step::Write(puts, sync)),
        2 => (1..FAMILIES.len()).prop_map(Step::Create),
        1 => (1..FAMILIES.len()).prop_map(Step::Drop),
        1 => (0..FAMILIES.len()).prop_map(Step::Compact),
        4 => (0..FAMILIES.len(), 0..22u8).prop_map(|(family, key)| Step::Look(family, key)),
        1 => Just(Step::Reopen),
    ]
}

/// What both must give, in a few lines.
#[derive(Debug, Default)]
struct Model(BTreeMap<usize, BTreeMap<Vec<u8>, Vec<u8>>>);

fn key(key: u8) -> Vec<u8> {
    vec![key / 4, key % 4]
}

fn played(place: &Place, steps: &[Step]) {
    let mut model = Model(BTreeMap::from([(0, BTreeMap::new())]));
    let mut engine = place.engine();
    for step in steps {
        match step {
            Step::Write(puts, sync) => {
                let mut batch = Batch::default();
                for (family, k, value) in puts {
                    match value {
                        Some(value) => batch.put(FAMILIES[*family], key(*k), vec![*value]),
                        None => batch.remove(FAMILIES[*family], key(*k)),
                    }
                }
                let there = puts.iter().all(|(family, ..)| model.0.contains_key(family));
                let before = engine.sequence();
                assert_eq!(engine.write(batch, *sync).is_ok(), there, "all of a batch or nothing");
                if there {
                    assert!(engine.sequence() >= before + puts.len() as u64);
                    for (family, k, value) in puts {
                        let records = model.0.entry(*family).or_default();
                        match value {
                            Some(value) => drop(records.insert(key(*k), vec![*value])),
                            None => drop(records.remove(&key(*k))),
                        }
                    }
                }
            }
            Step::Create(family) => {
                let new = !model.0.contains_key(family);
                assert_eq!(engine.create_family(FAMILIES[*family]).is_ok(), new);
                model.0.entry(*family).or_default();
            }
            Step::Drop(family) => {
                let there = model.0.remove(family).is_some();
                assert_eq!(engine.drop_family(FAMILIES[*family]).is_ok(), there);
            }
            Step::Compact(family) => {
                engine.sync().expect("synced");
                let there = model.0.contains_key(family);
                assert!(!there || engine.compact(FAMILIES[*family]).is_ok());
            }
            Step::Look(family, k) => looked(&*engine, &model, *family, &key(*k)),
            Step::Reopen => {
                engine.sync().expect("synced");
                drop(engine);
                engine = place.engine();
            }
        }
        for (number, name) in FAMILIES.iter().enumerate() {
            assert_eq!(engine.has(name), model.0.contains_key(&number));
        }
    }
    for (number, records) in &model.0 {
        assert_eq!(all(&*engine, FAMILIES[*number]), records.clone().into_iter().collect::<Vec<_>>());
    }
}

fn looked(engine: &dyn Engine, model: &Model, family: usize, key: &[u8]) {
    let records = model.0.get(&family);
    let expected = records.and_then(|records| records.get(key)).cloned();
    assert_eq!(engine.get(FAMILIES[family], key).expect("read"), expected);
    let Some(records) = records else { return assert!(engine.records(FAMILIES[family]).is_err()) };
    if let Ok(peeked) = engine.peek(FAMILIES[family], key) {
        assert_eq!(peeked, expected, "memory says nothing else than the disk");
    }
    let mut cursor = engine.records(FAMILIES[family]).expect("a family");
    cursor.seek(key);
    let behind = records.range(key.to_vec()..).next();
    assert_eq!(cursor.item(), behind.map(|(key, value)| (key.as_slice(), value.as_slice())));
    cursor.seek_back(key);
    let before = records.range(..=key.to_vec()).next_back();
    assert_eq!(cursor.item(), before.map(|(key, value)| (key.as_slice(), value.as_slice())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_do_what_the_model_does(steps in proptest::collection::vec(step(), 1..40)) {
        for place in Place::both() {
            played(&place, &steps);
        }
    }
}

#[test]
fn what_was_in_a_family_that_was_dropped_is_in_none_of_its_name_made_later() {
    for sync in [false, true] {
        let write = Step::Write(vec![(2, 0, Some(7)), (0, 0, Some(7))], sync);
        let steps = [Step::Create(2), write, Step::Drop(2), Step::Create(2), Step::Look(2, 0), Step::Reopen];
        for place in Place::both() {
            played(&place, &steps);
        }
    }
}

#[test]
fn the_simulated_one_keeps_what_was_synced_whole_batches_of_the_rest_and_nothing_else() {
    let (mut kept, mut lost, mut gaps) = (0, 0, 0);
    for seed in 0..200 {
        let disk = SimulatedDisk::new();
        let engine = disk.open().expect("opens");
        let put = |number: u8, sync| {
            let mut batch = Batch::default();
            batch.put(DEFAULT, vec![number, 0], vec![number]);
            batch.put(DEFAULT, vec![number, 1], vec![number]);
            engine.write(batch, sync).expect("written");
        };
        put(0, false);
        put(1, true);
        (2..6).for_each(|number| put(number, false));
        disk.cut(&mut StdRng::seed_from_u64(seed));
        assert!(engine.get(DEFAULT, &[1, 0]).is_err(), "what was open before the cut is of no use");
        let engine = disk.open().expect("opens");
        let there = |number: u8| {
            let both = [0, 1].map(|part| engine.get(DEFAULT, &[number, part]).expect("read").is_some());
            assert_eq!(both[0], both[1], "a batch is whole or not there");
            both[0]
        };
        assert!(there(0) && there(1), "what was synced, and all before it");
        let rest: Vec<bool> = (2..6).map(there).collect();
        kept += usize::from(rest.iter().all(|there| *there));
        lost += usize::from(rest.iter().all(|there| !there));
        gaps += usize::from(rest.windows(2).any(|pair| pair == [false, true]));
    }
    assert!(kept > 0 && lost > 0 && gaps > 0, "{kept} {lost} {gaps}: all that can happen does");
}

fn identity() -> Identity {
    let key = SecretKey::derive_master(&[7; 32]).expect("a key");
    Identity { public_key: key.public_key(), domain: Domain { chain_id: 1, registry: Address::from([2; 20]) } }
}

fn blob(seed: u8, dispersal: Dispersal) -> EncodedBlob {
    let payload: Bytes = (0..1001u32).map(|at| at.to_be_bytes()[3] ^ seed).collect();
    encode(Parameters::new(2, 5).expect("good"), payload, dispersal).expect("encodes")
}

const DAY: u64 = 86_400;
const RETAIN: u64 = 20_833 * DAY;

fn promise(encoded: &EncodedBlob, retain_until: u64) -> (Promise, StatementDigest) {
    let blob = *encoded.blob();
    let whole_until = if blob.is_by_payload() { retain_until - DAY } else { 0 };
    let statement = Statement { namespace: Namespace::from([3; 32]), epoch: 1, blob, whole_until, retain_until };
    let digest = statement.digest(&identity().domain);
    let disperser_signature = DisperserKey::from_bytes(&[9; 32]).expect("a key").sign(&digest);
    (Promise { statement, disperser_signature, slot: 1 }, digest)
}

async fn hold(store: &Store, encoded: &EncodedBlob, index: u16, retain_until: u64) -> Result<Durable, Error> {
    let (promise, digest) = promise(encoded, retain_until);
    let index = encoded.commitment().parameters().index(index).expect("in range");
    let holding = match encoded.blob().is_by_payload() {
        true => Holding::by_payload(encoded, index),
        false => Holding::by_shard(encoded.commitment().clone(), encoded.accepted(index)),
    };
    store.hold(promise, digest, holding).await
}

#[tokio::test]
async fn a_store_gives_back_what_was_held_in_it_on_either_also_when_it_is_opened_again() {
    for place in Place::both() {
        assert!(
            matches!(place.store(&identity(), IfMissing::Refuse), Err(Error::NoStore { .. })),
            "none is made unasked"
        );
        let store = place.store(&identity(), IfMissing::Create).expect("made");
        let (id, usage) = (store.id(), filled(&store).await);
        store.close().await.expect("closes");
        drop(store);
        let key = SecretKey::derive_master(&[8; 32]).expect("a key").public_key();
        let another = place.store(&Identity { public_key: key, ..identity() }, IfMissing::Refuse);
        assert!(matches!(another, Err(Error::WrongIdentity { .. })), "it is another member's");
        let store = place.store(&identity(), IfMissing::Refuse).expect("opens");
        assert_eq!((store.id(), store.usage()), (id, usage));
        given_back(&store);
        store.close().await.expect("closes");
        assert!(matches!(store.shard(&blob(0, Dispersal::ByShard).id(), 1), Err(Error::Closed)));
    }
}

/// Blobs of both kinds, two promises of each, at once and one after the other.
async fn filled(store: &Store) -> holdfast_committee::store::Usage {
    let blobs: Vec<EncodedBlob> = (0..6).map(kind).collect();
    for held in join_all(blobs.iter().map(|encoded| hold(store, encoded, 1, RETAIN))).await {
        store.remember(&held.expect("held"), [5; 48]);
    }
    for encoded in &blobs {
        let durable = hold(store, encoded, 1, RETAIN + 5 * DAY).await.expect("held");
        store.put_certificates(vec![(*durable.digest(), vec![6; 210].into())]).await.expect("put");
    }
    given_back(store);
    store.usage()
}

fn kind(seed: u8) -> EncodedBlob {
    blob(seed, if seed.is_multiple_of(2) { Dispersal::ByShard } else { Dispersal::ByPayload })
}

fn given_back(store: &Store) {
    for encoded in (0..6).map(kind) {
        let (id, index) = (encoded.id(), encoded.commitment().parameters().index(1).expect("in range"));
        assert_eq!(store.shard(&id, 1).expect("held"), encoded.shard(index));
        assert_eq!(store.commitment(&id).expect("read").expect("there").id(), id);
        assert_eq!(store.promises(&id, None).expect("read").len(), 2);
        assert!(store.recall(&id, index).expect("read").is_some());
        assert!(matches!(store.shard(&id, 2), Err(Error::NotFound { .. })));
        let first = promise(&encoded, RETAIN).1;
        assert_eq!(store.attestation(&first).expect("read").as_deref(), Some(&[5; 48][..]));
        assert_eq!(store.certificate(&first).expect("read"), None);
        let second = promise(&encoded, RETAIN + 5 * DAY).1;
        assert_eq!(store.certificate(&second).expect("read").as_deref(), Some(&[6; 210][..]));
        if encoded.blob().is_by_payload() {
            assert_eq!(store.whole(&id).expect("whole"), *encoded.payload());
            let digest = &encoded.blob().payload_digest;
            assert_eq!(store.find(&Namespace::from([3; 32]), digest).expect("read"), [id]);
        }
    }
    let (listed, next) = store.list(None, 0, 100).expect("listed");
    assert_eq!((listed.len(), next), (12, None));
    assert_eq!(listed.iter().filter(|of| of.certified).count(), 6);
}
