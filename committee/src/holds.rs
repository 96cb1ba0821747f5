//! Dropping what has expired, but for what the guardian holds on L1 (docs/protocol.md section 6).

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use holdfast_certificate::Namespace;
use holdfast_registry::Registry;
use holdfast_transport::blocking;
use tokio::time::{Instant, timeout_at};

use crate::{
    clock::Clock,
    error::Error,
    operator::Operator,
    peer_time::PeerTime,
    store::{Answer, GRACE, Store},
};

/// Namespaces looked up at once.
const LOOKUPS: usize = 8;
/// How long one lookup may take.
const LOOKUP: Duration = Duration::from_secs(20);
/// How long all of one pass may take; what is not known by then is unknown, and asked again in the next.
const ALL_LOOKUPS: Duration = Duration::from_secs(600);

/// How far the clock may be ahead of what L1 says before it is logged: a block is some minutes old when it is final.
const DISAGREEMENT: u64 = 6 * 3600;

/// How far the clock may be off from those of most other members, in seconds, before nothing is dropped.
const PEERS_DISAGREEMENT: u64 = 3600;

/// How far ahead the contract lets a namespace be held: what is said beyond is a node's lie, and would fill a disk for ever.
const LONGEST_HOLD: u64 = 90 * 86_400;

/// What drops, and by which time.
///
/// # A clock is not enough
///
/// What is dropped does not come back, and a clock that is set ahead makes everything look expired. So where there is an L1
/// the time must have come by both: by this machine's clock, and by the time of a block that was final, plus what has
/// passed since it was seen by the steady clock that nobody sets. A member that has not heard of L1 since its start drops
/// nothing, nor does one whose clock most other members contradict by more than an hour.
#[derive(Debug)]
pub(crate) struct Retention {
    pub(crate) store: Arc<Store>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) clock: Arc<dyn Clock>,
    peers: PeerTime,
    operator: Arc<Operator>,
    /// Seconds past its time and the hour that clocks may differ, before anything is dropped.
    grace: u64,
    /// The time of the latest final block, and the steady clock when it was first seen.
    seen: Mutex<(u64, Duration)>,
}

impl Retention {
    /// Keeps everything for `grace` past its time, an hour at least.
    pub(crate) fn new(
        store: Arc<Store>,
        registry: Arc<dyn Registry>,
        (clock, peers): (Arc<dyn Clock>, PeerTime),
        operator: Arc<Operator>,
        grace: Duration,
    ) -> Self {
        let grace = grace.as_secs().saturating_sub(GRACE);
        Self { store, registry, clock, peers, operator, grace, seen: Mutex::default() }
    }

    /// Drops every bucket in which all has expired and nothing is held, and names them. None while the operator holds all.
    pub(crate) async fn drop_expired(&self) -> Result<Vec<String>, Error> {
        if let Some(until) = self.operator.held_until(self.clock.now()) {
            tracing::info!(until, "store.keep_expired: by the operator's order");
            return Ok(Vec::new());
        }
        let ahead = self.peers.ahead(&*self.clock);
        if ahead.unsigned_abs() > PEERS_DISAGREEMENT {
            tracing::error!(
                ahead,
                "store.drop_expired: the clock is off from those of most other members, so nothing is dropped"
            );
            return Ok(Vec::new());
        }
        let now = self.time().await;
        let kept_since = now.saturating_sub(self.grace);
        let reader = Arc::clone(&self.store);
        let due = blocking(move || reader.due(kept_since)).await.map_err(|e| Error::Server(e.to_string()))??;
        let deadline = Instant::now() + ALL_LOOKUPS;
        // In another order each time: where time is too short for all, none is left out for ever.
        let mut namespaces: Vec<Namespace> = due.namespaces().into_iter().collect();
        let order = RandomState::new();
        namespaces.sort_by_key(|namespace| order.hash_one(namespace));
        let answers: BTreeMap<Namespace, Answer> = stream::iter(namespaces)
            .map(|namespace| {
                let registry = Arc::clone(&self.registry);
                async move { (namespace, ask(&*registry, &namespace, now, deadline).await) }
            })
            .buffer_unordered(LOOKUPS)
            .collect()
            .await;
        Ok(self.store.drop_due(&due, &answers, kept_since).await?)
    }

    /// The latest time that has surely come.
    async fn time(&self) -> u64 {
        let now = self.clock.now();
        // It looks at the finalized block, if L1 answers.
        let _epoch = tokio::time::timeout(LOOKUP, self.registry.active_epoch(now)).await;
        let Some(finality) = self.registry.finality() else { return now };
        let steady = self.clock.steady();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let least = |(time, at): (u64, Duration)| time.saturating_add(steady.saturating_sub(at).as_secs());
        if finality.timestamp > least(*seen) || seen.0 == 0 {
            *seen = (finality.timestamp, steady);
        }
        let least = if seen.0 == 0 { 0 } else { least(*seen) };
        if now.saturating_sub(least) > DISAGREEMENT {
            tracing::error!(now, l1 = least, "store.drop_expired: the clock is ahead of L1, by whose time it goes");
        }
        now.min(least)
    }
}

async fn ask(registry: &dyn Registry, namespace: &Namespace, now: u64, deadline: Instant) -> Answer {
    let limit = deadline.min(Instant::now() + LOOKUP);
    match timeout_at(limit, registry.namespace(namespace)).await {
        // While nothing becomes final, no hold that was made since can be seen.
        Ok(Ok(record)) if record.hold_until <= now && registry.finality().is_some_and(|finality| finality.stalled) => {
            tracing::warn!(%namespace, "registry.hold: finality stalls");
            Answer::Unknown
        }
        Ok(Ok(record)) => Answer::HeldUntil(record.hold_until.min(now.saturating_add(LONGEST_HOLD))),
        Ok(Err(holdfast_registry::Error::UnknownNamespace { .. })) => Answer::HeldUntil(0),
        Ok(Err(error)) => {
            tracing::warn!(%namespace, %error, "registry.hold");
            Answer::Unknown
        }
        Err(_) => {
            tracing::warn!(%namespace, "registry.hold: no answer in time");
            Answer::Unknown
        }
    }
}
