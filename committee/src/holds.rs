//! Dropping what has expired, but for what the guardian holds on L1 (docs/protocol.md section 6).

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use holdfast_certificate::Namespace;
use holdfast_registry::Registry;
use tokio::time::{Instant, timeout_at};

use crate::{
    error::Error,
    store::{Answer, Store},
};

/// Namespaces looked up at once.
const LOOKUPS: usize = 8;
/// How long one lookup may take.
const LOOKUP: Duration = Duration::from_secs(20);
/// How long all of one pass may take; what is not known by then is unknown, and asked again in the next.
const ALL_LOOKUPS: Duration = Duration::from_secs(600);

/// How far ahead the contract lets a namespace be held: what is said beyond is a node's lie, and would fill a disk for ever.
const LONGEST_HOLD: u64 = 90 * 86_400;

/// Drops every bucket in which all has expired at `now` and nothing is held, and names them.
pub(crate) async fn drop_expired(
    store: Arc<Store>,
    registry: Arc<dyn Registry>,
    now: u64,
) -> Result<Vec<String>, Error> {
    let reader = Arc::clone(&store);
    let due =
        tokio::task::spawn_blocking(move || reader.due(now)).await.map_err(|e| Error::Server(e.to_string()))??;
    let deadline = Instant::now() + ALL_LOOKUPS;
    // In another order each time: where time is too short for all, none is left out for ever.
    let mut namespaces: Vec<Namespace> = due.namespaces().into_iter().collect();
    let order = RandomState::new();
    namespaces.sort_by_key(|namespace| order.hash_one(namespace));
    let answers: BTreeMap<Namespace, Answer> = stream::iter(namespaces)
        .map(|namespace| {
            let registry = Arc::clone(&registry);
            async move { (namespace, ask(&*registry, &namespace, now, deadline).await) }
        })
        .buffer_unordered(LOOKUPS)
        .collect()
        .await;
    Ok(store.drop_due(&due, &answers, now).await?)
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
