//! What was signed, and whether all of it is there in what the power has left.

use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use holdfast_certificate::{Address, DisperserKey, Domain, HOUR, Namespace, SecretKey, Statement, StatementDigest};
use holdfast_committee::store::{Error, Holding, Identity, IfMissing, Promise, Store};
use holdfast_erasure::{BlobId, Dispersal, Parameters, encode};

use super::random::Random;

const DAY: u64 = 24 * HOUR;
const RETAIN: u64 = 500_000 * HOUR;
/// The shard that is held.
pub(crate) const INDEX: u16 = 1;

/// What was signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    pub(crate) id: BlobId,
    pub(crate) digest: StatementDigest,
    pub(crate) whole: bool,
}

fn identity() -> Identity {
    let public_key = SecretKey::derive_master(&[7; 32]).expect("a key").public_key();
    Identity { public_key, domain: Domain { chain_id: 1, registry: Address::from([2; 20]) } }
}

/// Opens the store, once whoever had it has let go.
pub(crate) fn open(dir: &Path) -> Result<Store, Error> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match Store::open(dir, &identity(), IfMissing::Create) {
            Err(Error::Locked { .. }) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            other => return other,
        }
    }
}

/// Stores one blob and notes it once it may be signed; gives it where it may not.
pub(crate) async fn hold(store: &Store, seed: u64, signed: &Mutex<Vec<Signed>>) -> Option<(Signed, Error)> {
    let mut random = Random(seed);
    let most = [200, 5000, 60_000, 400_000][random.below(4)];
    let length = 1 + random.below(most);
    let payload: Vec<u8> = (0..length).map(|_| random.next().to_be_bytes()[0]).collect();
    let dispersal = if random.coin() { Dispersal::ByShard } else { Dispersal::ByPayload };
    let encoded = encode(Parameters::new(2, 5).expect("good"), payload.into(), dispersal).expect("encodes");
    let blob = *encoded.blob();
    let retain_until = RETAIN + [0, 1, 2, 3, 4][random.below(5)] * DAY;
    let whole_until = if blob.is_by_payload() { retain_until - DAY } else { 0 };
    let statement = Statement { namespace: Namespace::from([3; 32]), epoch: 1, blob, whole_until, retain_until };
    let digest = statement.digest(&identity().domain);
    let disperser_signature = DisperserKey::from_bytes(&[9; 32]).expect("in range").sign(&digest);
    let index = encoded.commitment().parameters().index(INDEX).expect("in range");
    let holding = if blob.is_by_payload() {
        Holding::by_payload(&encoded, index)
    } else {
        Holding::by_shard(encoded.commitment().clone(), encoded.accepted(index))
    };
    let promise = Promise { statement, disperser_signature, slot: 1 };
    let item = Signed { id: encoded.id(), digest, whole: blob.is_by_payload() };
    match store.hold(promise, digest, holding).await {
        Ok(durable) => {
            signed.lock().expect("no panic").push(item);
            store.remember(&durable, [5; 48]);
            None
        }
        Err(error) => Some((item, error)),
    }
}

/// What is missing in what the power has left, if something is.
pub(crate) fn missing(image: &Path, signed: &[Signed]) -> Option<String> {
    let store = match open(image) {
        Ok(store) => store,
        Err(error) => return Some(format!("it does not open: {error}")),
    };
    let found = signed.iter().find_map(|item| {
        let promised = store.promised(&item.id, &item.digest);
        let whole = if item.whole { store.whole(&item.id).map(drop) } else { Ok(()) };
        match (promised, store.shard(&item.id, INDEX), whole) {
            (Ok(Some(_)), Ok(_), Ok(())) => None,
            (promised, shard, whole) => Some(format!(
                "{item:?}: promised {promised:?}, shard {:?}, whole {whole:?}",
                shard.map(|bytes| bytes.len())
            )),
        }
    });
    if found.is_none() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let more = Mutex::new(Vec::new());
        runtime.block_on(async {
            let _refused = hold(&store, u64::MAX, &more).await;
            store.close().await.expect("closes");
        });
        assert_eq!(more.into_inner().expect("no panic").len(), 1, "it takes what is new");
    }
    found
}
