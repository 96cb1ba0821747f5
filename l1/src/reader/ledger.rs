//! Answers from what is remembered, and asks the nodes where it must.
//!
//! # Nobody waits where there is an answer
//!
//! What is remembered is answered with at once while it stands: see [`Cache::is_ready`](super::cache::Cache::is_ready). It
//! stands until the next look at the chain can be over, and the [keeper](super::keeper) looks before.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use futures::{StreamExt as _, stream};
use holdfast_contracts::bindings::CommitteeRegistry::activeEpochCall;
use holdfast_registry::{self as registry, EpochRecord, Fault, Finality};
use tokio::sync::Notify;

use super::{
    cache::{Held, Lack, Seen, unix},
    flights::Flights,
    look,
    moment::Moment,
    options::ReaderOptions,
    records::Record,
    source::{Read, Source},
};
use crate::{error::Error, node::BlockPoint};

/// How long after the last question the chain is no longer looked at.
const IDLE: Duration = Duration::from_secs(600);

/// How many records are kept up to date side by side.
const RENEWED_AT_ONCE: usize = 8;

/// The most epochs, counted back from the last proposed one, that are looked at for one that has begun.
const NEWEST_LOOKED_AT: usize = 32;

/// Who asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Known,
    /// Whoever made it up, perhaps.
    Stranger,
}

/// The memory of a registry, and the way to its nodes.
#[derive(Debug)]
pub(super) struct Ledger {
    source: Arc<Source>,
    options: ReaderOptions,
    looks: Flights<(), Result<Seen, Error>>,
    asked: Mutex<Moment>,
    /// Told of questions that come after a time without.
    awake: Notify,
}

impl Ledger {
    pub(super) fn new(source: Arc<Source>, options: ReaderOptions) -> Self {
        let asked = Mutex::new(Moment::now());
        Self { source, options, looks: Flights::default(), asked, awake: Notify::new() }
    }

    /// One of the records, from what is remembered or from L1.
    pub(super) async fn record<R: Record>(&self, key: R) -> Result<R::Value, Error> {
        self.find(key, Asker::Known).await
    }

    /// The same of a key that may be made up.
    pub(super) async fn look_up<R: Record>(&self, key: R) -> Result<R::Value, Error> {
        self.find(key, Asker::Stranger).await
    }

    async fn find<R: Record>(&self, key: R, asker: Asker) -> Result<R::Value, Error> {
        self.note_question();
        if let Some(known) = self.remembered(key) {
            return known;
        }
        match self.block().await {
            Ok(block) => self.read(key, block, asker).await,
            Err(error) => self.bridge(&key, Lack::Answer, error),
        }
    }

    /// The epoch that is active at unix time `at`.
    pub(super) async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        let newest = self.newest_epoch(at).await?;
        if newest.is_active(at) { Ok(newest) } else { Err(registry::Error::NoActiveEpoch { at }.into()) }
    }

    /// The epoch that is active at unix time `at`, or else the newest that has begun by then.
    ///
    /// All of it is remembered, so that a time without an active epoch costs no call before the next block or epoch.
    pub(super) async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        // At any time at most one epoch is active, so a record that says it is settles it.
        let held = self.source.cache().active_at(at);
        if let Some(epoch) = held {
            let record = self.record(epoch).await?;
            if record.is_active(at) {
                return Ok(record);
            }
        }
        let count = self.epoch_count().await?;
        for epoch in (1..=count).rev().take(NEWEST_LOOKED_AT) {
            match self.record(epoch).await {
                Ok(record) if record.active_from <= at => return Ok(record),
                // Proposed and not begun, or cancelled before.
                Ok(_) | Err(Error::Registry(registry::Error::UnknownEpoch { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        if count <= NEWEST_LOOKED_AT as u64 {
            return Err(registry::Error::NoActiveEpoch { at }.into());
        }
        let block = self.block().await?;
        match self.source.call(activeEpochCall { atTime: at }, block).await? {
            0 => Err(registry::Error::NoActiveEpoch { at }.into()),
            epoch => self.record(epoch).await,
        }
    }

    /// The finalized block at which the registry is read, and how sure that is.
    pub(super) fn finality(&self) -> Finality {
        self.note_question();
        let cache = self.source.cache();
        let seen = cache.seen();
        Finality {
            block: seen.map_or(0, |seen| seen.block.number),
            timestamp: seen.map_or(0, |seen| seen.block.timestamp),
            read_at: seen.map_or(0, |seen| seen.confirmed_at()),
            stalled: cache.is_stalled(),
            expired: cache.is_expired(unix(SystemTime::now()), Moment::now(), &self.options),
            failure: cache.failure().map(ToString::to_string),
            dissenters: self.source.nodes().dissenters(),
        }
    }

    /// The finalized block as the nodes have it now: all who ask at the same time ask once.
    pub(super) async fn look(&self) -> Result<Seen, Error> {
        let (source, options) = (Arc::clone(&self.source), self.options.clone());
        let looking = self.looks.join((), || async move {
            let last = source.cache().seen().map(|seen| seen.block);
            let found = look::finalized(source.nodes(), source.domain().chain_id, last, &options).await;
            let mut cache = source.cache();
            let found = found.and_then(|block| cache.advance(block, Moment::now(), &options));
            if let Err(error) = &found {
                cache.fail(error.clone(), Moment::now(), &options);
            }
            cache.note_expiry(Moment::now(), &options);
            found
        });
        looking.await.unwrap_or_else(|| Err(Error::broken_off("the look at the finalized block")))
    }

    /// Looks at the chain, and reads anew what is in use and was read at another block.
    pub(super) async fn renew(&self) {
        let Ok(seen) = self.look().await else { return };
        let (epochs, namespaces) = {
            let (cache, now) = (self.source.cache(), Moment::now());
            (cache.epochs_in_use(unix(SystemTime::now()), now), cache.namespaces_in_use(now))
        };
        // What goes wrong is remembered with each record.
        stream::iter(epochs).for_each_concurrent(RENEWED_AT_ONCE, |epoch| self.renew_one(epoch, seen.block)).await;
        let renewals = stream::iter(namespaces);
        renewals.for_each_concurrent(RENEWED_AT_ONCE, |namespace| self.renew_one(namespace, seen.block)).await;
        self.source.cache().note_expiry(Moment::now(), &self.options);
    }

    /// When the next look is due.
    pub(super) fn due(&self) -> Instant {
        self.source.cache().due(&self.options).map_or_else(Instant::now, Moment::steady)
    }

    /// Returns at once if something was asked lately, else with the next question.
    pub(super) async fn wanted(&self) {
        let is_idle = |now: Moment| now.since(*self.lock_asked()) >= IDLE;
        while is_idle(Moment::now()) {
            self.awake.notified().await;
        }
    }

    fn note_question(&self) {
        *self.lock_asked() = Moment::now();
        self.awake.notify_one();
    }

    fn lock_asked(&self) -> std::sync::MutexGuard<'_, Moment> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of epochs.
    async fn epoch_count(&self) -> Result<u64, Error> {
        let block = self.block().await?;
        self.source.epoch_count(block).await
    }

    /// The finalized block, for whoever asks about what lies before it.
    pub(super) async fn final_block(&self) -> Result<BlockPoint, Error> {
        self.note_question();
        self.block().await
    }

    /// The finalized block.
    async fn block(&self) -> Result<BlockPoint, Error> {
        let (block, failure) = {
            let (cache, now) = (self.source.cache(), Moment::now());
            (cache.standing_block(now, &self.options), cache.standing_failure(now, &self.options).cloned())
        };
        match (block, failure) {
            (Some(block), _) => Ok(block),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(self.look().await?.block),
        }
    }

    /// A record that is answered with at once, be it that there is none.
    fn remembered<R: Record>(&self, key: R) -> Option<Result<R::Value, Error>> {
        let mut cache = self.source.cache();
        let now = Moment::now();
        let held = R::shelf(&mut cache).ask(&key, now)?.clone();
        cache.is_ready(&held, now, &self.options).then(|| held.value.ok_or_else(|| key.unknown()))
    }

    /// A record as it stands at this block.
    async fn read<R: Record>(&self, key: R, block: BlockPoint, asker: Asker) -> Result<R::Value, Error> {
        let held = R::shelf(&mut self.source.cache()).get(&key).cloned();
        if let Some(held) = held.as_ref().filter(|held| held.block == block.number) {
            return held.value.clone().ok_or_else(|| key.unknown());
        }
        let failed = held.as_ref().and_then(|held| held.failure.clone());
        if let Some((tried, error)) = failed
            && Moment::now().since(tried) < self.options.refresh
        {
            return self.bridge(&key, Lack::of(&error), error);
        }
        match self.reading(key, block, held, asker).await {
            Ok(value) => value.ok_or_else(|| key.unknown()),
            Err(error) => self.bridge(&key, Lack::of(&error), error),
        }
    }

    async fn renew_one<R: Record>(&self, key: R, block: BlockPoint) {
        let held = R::shelf(&mut self.source.cache()).get(&key).cloned();
        if held.as_ref().is_some_and(|held| held.block != block.number) {
            // Kept, or remembered as failed.
            let _ = self.reading(key, block, held, Asker::Known).await;
        }
    }

    /// Asks the nodes for a record, once for all who want it, and remembers what they say.
    async fn reading<R: Record>(
        &self,
        key: R,
        block: BlockPoint,
        held: Option<Held<R::Value>>,
        asker: Asker,
    ) -> Read<R::Value> {
        let value = held.and_then(|held| held.value);
        let source = Arc::clone(&self.source);
        let is_stranger = asker == Asker::Stranger && value.is_none();
        let reading = R::flights(&self.source).join(key, || async move {
            if is_stranger {
                source.strangers.take(Instant::now()).map_err(|wait| registry::Error::TooManyUnknown { wait })?;
            }
            let read = key.read(&source, block, value).await;
            if is_stranger && matches!(read, Ok(Some(_))) {
                source.strangers.give_back();
            }
            let mut cache = source.cache();
            match &read {
                Ok(value) => R::shelf(&mut cache).keep(key, value.clone(), block.number, Moment::now()),
                Err(error) if error.fault() == Fault::L1 => {
                    if R::shelf(&mut cache).fail(&key, error, Moment::now()) {
                        tracing::warn!(record = ?key, %error, "cannot read this of the registry; using what is known of it");
                    }
                }
                Err(_) => {}
            }
            read
        });
        reading.await.unwrap_or_else(|| Err(Error::broken_off("a question to the registry")))
    }

    /// What to do when L1 cannot be asked: use what is held, if it is not too old.
    fn bridge<R: Record>(&self, key: &R, lack: Lack, error: Error) -> Result<R::Value, Error> {
        if error.fault() != Fault::L1 {
            return Err(error);
        }
        let mut cache = self.source.cache();
        let Some(held) = R::shelf(&mut cache).get(key).cloned() else { return Err(error) };
        match held.value.clone() {
            Some(value) if cache.may_bridge(&held, lack, Moment::now(), &self.options) => Ok(value),
            _ => Err(error),
        }
    }
}
