//! What stores while the power may go.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream};
use holdfast_committee::store::{Error, Store};

use super::{
    oracle::{Signed, hold},
    random::Random,
};

/// Stores that go on at once while the power is there.
const AT_ONCE: usize = 4;

/// What the worker is told.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) stop: AtomicBool,
    /// Nothing new is begun while what was left by a cut waits to be looked at: the store would only grow.
    pub(crate) wait: AtomicBool,
}

/// What is stored between two starts.
pub(crate) fn some(random: &mut Random) -> Vec<u64> {
    let count = 1 + random.below(40);
    (0..count).map(|_| random.next()).collect()
}

/// Stores these, or as many as a kill that comes at some time lets through; gives what may not be signed.
pub(crate) async fn store_some(
    store: &Store,
    seeds: Vec<u64>,
    random: &mut Random,
    signed: &Mutex<Vec<Signed>>,
    orders: &Orders,
) -> Vec<(Signed, Error)> {
    let refused = Mutex::new(Vec::new());
    let stored = stream::iter(seeds).for_each_concurrent(AT_ONCE, async |seed| {
        while orders.wait.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let outcome = hold(store, seed, signed).await;
        refused.lock().expect("no panic").extend(outcome);
    });
    // A kill does not wait for what is under way.
    let limit = Duration::from_millis(if random.coin() { 10_000 } else { 1 + random.next() % 60 });
    let _cut_short = tokio::time::timeout(limit, stored).await;
    refused.into_inner().expect("no panic")
}
