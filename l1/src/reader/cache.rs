//! What a [`ChainRegistry`](super::ChainRegistry) remembers, and for how long.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::B256;
use holdfast_certificate::Namespace;
use holdfast_registry::{EpochRecord, NamespaceRecord};

use super::options::ReaderOptions;
use crate::{error::Error, node::BlockPoint};

/// The most epochs that are kept: members and clients work with a handful.
const MAX_EPOCHS: usize = 64;

/// The most namespaces that are kept, those that do not exist included.
const MAX_NAMESPACES: usize = 1024;

/// Locked only for a look-up, never while a node is asked.
#[derive(Debug)]
pub(super) struct Cache {
    seen: Option<Seen>,
    /// When the nodes were last asked for their finalized block in vain, since they last answered.
    failure: Option<(Instant, Error)>,
    stalled: bool,
    /// The number of epochs at a block, as it was last asked for.
    epoch_count: Option<(B256, u64)>,
    /// The epoch that is active at a time as a block has it, 0 for none, as it was last asked for.
    active_epoch: Option<(B256, u64, u64)>,
    pub(super) epochs: Shelf<u64, Arc<EpochRecord>>,
    pub(super) namespaces: Shelf<Namespace, NamespaceRecord>,
}

/// The finalized block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) block: BlockPoint,
    /// When it was first seen.
    pub(super) since: Instant,
    /// When enough nodes last said that it is the finalized block.
    confirmed: Instant,
    confirmed_at: SystemTime,
    /// When the nodes last answered, be it with an older block.
    looked: Instant,
}

/// Records by their key, of a bounded number.
#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    records: BTreeMap<K, Held<V>>,
    capacity: usize,
}

/// A record as it was read; `None` for one that does not exist.
#[derive(Debug, Clone)]
pub(super) struct Held<V> {
    pub(super) value: Option<V>,
    /// The finalized block it was read at.
    pub(super) block: u64,
    /// When it was read.
    read: Instant,
    /// When its block was last known to be the finalized one, if there is a newer one.
    good: Instant,
    /// The last attempt to read it anew, if that failed.
    pub(super) failure: Option<(Instant, Error)>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            seen: None,
            failure: None,
            stalled: false,
            epoch_count: None,
            active_epoch: None,
            epochs: Shelf::new(MAX_EPOCHS),
            namespaces: Shelf::new(MAX_NAMESPACES),
        }
    }
}

impl Cache {
    pub(super) fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// What is known without asking: the finalized block, or that nodes do not answer. `None` if it is time to ask.
    pub(super) fn known(&self, now: Instant, options: &ReaderOptions) -> Option<Result<Seen, Error>> {
        if let Some((tried, error)) = &self.failure {
            return (now.duration_since(*tried) < options.refresh).then(|| Err(error.clone()));
        }
        self.seen.filter(|seen| now.duration_since(seen.looked) < options.refresh).map(Ok)
    }

    /// Why the nodes could not be asked the last time.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref().map(|(_, error)| error)
    }

    /// Enough nodes agree that `block` is final.
    ///
    /// # Errors
    /// [`Error::WentBack`] when they have been behind what they had called final for longer than an outage may last.
    pub(super) fn advance(&mut self, block: BlockPoint, now: Instant, options: &ReaderOptions) -> Result<Seen, Error> {
        let clock = SystemTime::now();
        let seen = match self.seen {
            // A pool behind one URL, or a slower node: it takes nothing back, and confirms nothing.
            Some(old) if block.number < old.block.number => {
                if now.duration_since(old.confirmed) > options.outage_limit {
                    return Err(Error::WentBack { known: old.block.number, got: block.number });
                }
                Seen { looked: now, ..old }
            }
            Some(old) if block.number == old.block.number => {
                Seen { looked: now, confirmed: now, confirmed_at: clock, ..old }
            }
            old => {
                if let Some(old) = old {
                    self.epochs.supersede(&old);
                    self.namespaces.supersede(&old);
                }
                Seen { block, since: now, confirmed: now, confirmed_at: clock, looked: now }
            }
        };
        self.seen = Some(seen);
        if self.failure.take().is_some() {
            tracing::info!(block = seen.block.number, "L1 answers again");
        }
        self.note_stall(clock, options.stall_after);
        Ok(seen)
    }

    /// The nodes could not be asked, or did not agree.
    pub(super) fn fail(&mut self, error: Error, now: Instant, options: &ReaderOptions) {
        if self.failure.is_none() && self.seen.is_some() {
            let limit = options.outage_limit.as_secs();
            tracing::warn!(%error, limit_seconds = limit, "L1 does not answer; using the last known registry");
        }
        self.failure = Some((now, error));
    }

    pub(super) fn epoch_count_at(&self, block: BlockPoint) -> Option<u64> {
        self.epoch_count.filter(|(hash, _)| *hash == block.hash).map(|(_, count)| count)
    }

    pub(super) fn keep_epoch_count(&mut self, block: BlockPoint, count: u64) {
        self.epoch_count = Some((block.hash, count));
    }

    pub(super) fn active_epoch_at(&self, block: BlockPoint, at: u64) -> Option<u64> {
        self.active_epoch.filter(|(hash, time, _)| (*hash, *time) == (block.hash, at)).map(|(_, _, epoch)| epoch)
    }

    pub(super) fn keep_active_epoch(&mut self, block: BlockPoint, at: u64, epoch: u64) {
        self.active_epoch = Some((block.hash, at, epoch));
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Whether a record is good without asking: read at a block that is still the finalized one.
    pub(super) fn is_current<V>(&self, held: &Held<V>, now: Instant, options: &ReaderOptions) -> bool {
        matches!(self.known(now, options), Some(Ok(seen)) if seen.block.number == held.block)
    }

    /// Whether a record may still be used although the nodes cannot be asked whether it has changed.
    pub(super) fn may_bridge<V>(&self, held: &Held<V>, error: &Error, now: Instant, options: &ReaderOptions) -> bool {
        let Some(seen) = self.seen else { return false };
        let good = if held.block == seen.block.number { seen.confirmed } else { held.good };
        // Without the block's state nothing newer can be read before the next finalized block: while finality stands
        // still, so does the record's age.
        let until = if matches!(error, Error::NoState { .. }) { seen.since } else { now };
        held.value.is_some() && until.saturating_duration_since(good) <= options.outage_limit
    }

    /// The epoch that is active at unix time `at`, if it is held.
    pub(super) fn active_at(&self, at: u64) -> Option<u64> {
        let active = |held: &Held<Arc<EpochRecord>>| held.value.as_ref().is_some_and(|record| record.is_active(at));
        self.epochs.records.iter().rev().find(|(_, held)| active(held)).map(|(epoch, _)| *epoch)
    }

    fn note_stall(&mut self, clock: SystemTime, after: Duration) {
        let Some(seen) = self.seen else { return };
        let age = unix(clock).saturating_sub(seen.block.timestamp);
        let stalled = age > after.as_secs();
        if stalled && !self.stalled {
            tracing::warn!(
                block = seen.block.number,
                age_seconds = age,
                "L1 finality stalls; the registry is used as it stands at the last finalized block"
            );
        } else if !stalled && self.stalled {
            tracing::info!(block = seen.block.number, "L1 finality goes on");
        }
        self.stalled = stalled;
    }
}

impl Seen {
    /// When enough nodes last said that this is the finalized block, in unix seconds.
    pub(super) fn confirmed_at(&self) -> u64 {
        unix(self.confirmed_at)
    }
}

impl<K: Ord + Copy, V> Shelf<K, V> {
    fn new(capacity: usize) -> Self {
        Self { records: BTreeMap::new(), capacity }
    }

    pub(super) fn get(&self, key: &K) -> Option<&Held<V>> {
        self.records.get(key)
    }

    /// Keeps what was read at a finalized block. What does not exist makes room first, so that asking for things that
    /// are made up drives nothing out that exists.
    pub(super) fn keep(&mut self, key: K, value: Option<V>, block: u64, now: Instant) {
        self.records.insert(key, Held { value, block, read: now, good: now, failure: None });
        if self.records.len() > self.capacity {
            let others = self.records.iter().filter(|(other, _)| **other != key);
            let least = others.min_by_key(|(_, held)| (held.value.is_some(), held.read)).map(|(key, _)| *key);
            least.map(|key| self.records.remove(&key));
        }
    }

    /// Reading it anew has failed. Gives whether that is news.
    pub(super) fn fail(&mut self, key: &K, error: &Error, now: Instant) -> bool {
        let Some(held) = self.records.get_mut(key) else { return false };
        held.failure.replace((now, error.clone())).is_none()
    }

    fn supersede(&mut self, old: &Seen) {
        for held in self.records.values_mut().filter(|held| held.block == old.block.number) {
            held.good = old.confirmed;
        }
    }
}

/// A time as chains have it, in unix seconds.
pub(super) fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
