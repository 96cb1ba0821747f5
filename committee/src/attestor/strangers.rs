//! Looking up namespaces that have nothing here: for each the registry may have to ask L1, and anybody can make up names.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use holdfast_certificate::Namespace;
use holdfast_registry::{NamespaceRecord, Registry};
use tokio::time::Instant;

use super::error::Error;
use crate::{origin::Origin, workers::Queue};

/// Look-ups at once, and of one origin.
const TURNS: usize = 4;
const EACH: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(1);
/// Look-ups a second that one origin has made, and how many it may save up.
const RATE: NonZeroU32 = NonZeroU32::new(5).expect("above zero");
const BURST: NonZeroU32 = NonZeroU32::new(50).expect("above zero");
/// How long it is remembered that there is no such namespace. One that has just been made must not wait for long.
const REMEMBER: Duration = Duration::from_secs(5);
/// How many of them are.
const REMEMBERED: usize = 4096;

/// The look-ups.
///
/// # A newcomer is not kept waiting by others
///
/// Each origin has its own rate and its own line, so a rollup's first dispersal is looked up while others make up names.
#[derive(Debug)]
pub(crate) struct Strangers {
    turns: Queue,
    rates: DefaultKeyedRateLimiter<Origin>,
    unknown: Mutex<HashMap<Namespace, Instant>>,
}

impl Strangers {
    pub(crate) fn new() -> Self {
        Self {
            turns: Queue::of(TURNS, EACH),
            rates: RateLimiter::keyed(Quota::per_second(RATE).allow_burst(BURST)),
            unknown: Mutex::default(),
        }
    }

    /// A namespace's rules.
    pub(super) async fn look_up(
        &self,
        namespace: &Namespace,
        registry: &dyn Registry,
    ) -> Result<NamespaceRecord, Error> {
        if self.is_unknown(namespace) {
            return Err(Error::UnknownNamespace(*namespace));
        }
        let busy = || Error::TooManyStrangers { namespace: *namespace };
        if let Some(origin) = Origin::current() {
            self.rates.check_key(&origin).map_err(|_| busy())?;
        }
        let turn = tokio::time::timeout(PATIENCE, self.turns.turn()).await;
        let _turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        match registry.look_up(namespace).await {
            Ok(record) => Ok(record),
            Err(holdfast_registry::Error::UnknownNamespace { namespace }) => {
                self.remember(namespace);
                Err(Error::UnknownNamespace(namespace))
            }
            Err(holdfast_registry::Error::TooManyUnknown { .. }) => Err(busy()),
            Err(error) => Err(Error::Registry(error)),
        }
    }

    /// Forgets origins that have their whole allowance again.
    pub(crate) fn forget(&self) {
        self.rates.retain_recent();
        self.rates.shrink_to_fit();
    }

    fn is_unknown(&self, namespace: &Namespace) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.get(namespace).is_some_and(|since| since.elapsed() < REMEMBER)
    }

    fn remember(&self, namespace: Namespace) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= REMEMBERED {
            unknown.retain(|_, since| since.elapsed() < REMEMBER);
        }
        if unknown.len() >= REMEMBERED {
            unknown.clear();
        }
        unknown.insert(namespace, Instant::now());
    }
}
