//! What a [`ChainRegistry`](super::ChainRegistry) remembers, and for how long.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::B256;
use holdfast_certificate::Namespace;
use holdfast_registry::{EpochRecord, NamespaceRecord};

use super::{moment::Moment, options::ReaderOptions};
use crate::{error::Error, node::BlockPoint};

/// The most epochs that are kept: members and clients work with a handful.
const MAX_EPOCHS: usize = 64;

/// The most namespaces that are kept, those that do not exist included.
const MAX_NAMESPACES: usize = 1024;

/// The longest time from one look at the finalized block to the next: what a slot of Ethereum takes.
const LONGEST_REFRESH: Duration = Duration::from_secs(12);

/// The most questions of which a look consists, one after the other: the finalized block, whether the chain goes on, and
/// the block before.
const LOOK_CALLS: u32 = 3;

/// How long after it was last asked for a record is kept up to date.
const IN_USE: Duration = Duration::from_secs(600);

/// Locked only for a look-up, never while a node is asked.
#[derive(Debug)]
pub(super) struct Cache {
    seen: Option<Seen>,
    /// When the nodes were last asked for their finalized block in vain, since they last answered.
    failure: Option<(Moment, Error)>,
    stalled: bool,
    /// Whether the nodes' finalized block is behind the one that they had called final.
    behind: bool,
    /// Whether it was logged that what is held is too old.
    expired: bool,
    /// The time from one block to the next, as the last two finalized blocks show it.
    pace: Option<Duration>,
    /// The number of epochs at a block, as it was last asked for.
    epoch_count: Option<(B256, u64)>,
    pub(super) epochs: Shelf<u64, Arc<EpochRecord>>,
    pub(super) namespaces: Shelf<Namespace, NamespaceRecord>,
}

/// The finalized block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) block: BlockPoint,
    /// When it was first seen.
    pub(super) since: Moment,
    /// When enough nodes last said that it is the finalized block.
    confirmed: Moment,
    /// When the nodes last answered, be it with an older block.
    looked: Moment,
}

/// Records by their key, of a bounded number.
#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    records: BTreeMap<K, Held<V>>,
    capacity: usize,
}

/// Why something cannot be read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// The nodes do not say which block is final, or do not answer.
    Answer,
    /// They say that the block is the finalized one, and lack its state.
    State,
}

/// A record as it was read; `None` for one that does not exist.
#[derive(Debug, Clone)]
pub(super) struct Held<V> {
    pub(super) value: Option<V>,
    /// The finalized block it was read at.
    pub(super) block: u64,
    /// When it was read.
    read: Moment,
    /// When its block was last known to be the finalized one, if there is a newer one.
    good: Moment,
    /// When it was last asked for.
    asked: Moment,
    /// The last attempt to read it anew, if that failed.
    pub(super) failure: Option<(Moment, Error)>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            seen: None,
            failure: None,
            stalled: false,
            behind: false,
            expired: false,
            pace: None,
            epoch_count: None,
            epochs: Shelf::new(MAX_EPOCHS),
            namespaces: Shelf::new(MAX_NAMESPACES),
        }
    }
}

impl Cache {
    pub(super) fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// How long after a look the next one is due: as long as the chain takes for a block, within bounds.
    pub(super) fn pace(&self, options: &ReaderOptions) -> Duration {
        self.pace.unwrap_or_default().clamp(options.refresh, options.refresh.max(LONGEST_REFRESH))
    }

    /// When the next look is due; `None` for now.
    pub(super) fn due(&self, options: &ReaderOptions) -> Option<Moment> {
        let looked = self.seen.map(|seen| seen.looked);
        let tried = self.failure.as_ref().map(|(tried, _)| *tried);
        Some(looked.max(tried)? + self.pace(options))
    }

    /// How long after a look its outcome stands: until the next one is over, also where it takes as long as it may. Nothing
    /// stands where every call is to ask.
    fn standing(&self, options: &ReaderOptions) -> Duration {
        if options.refresh.is_zero() {
            Duration::ZERO
        } else {
            self.pace(options) + options.call_limit.saturating_mul(LOOK_CALLS)
        }
    }

    /// Whether a record is answered with at once. It is while its block stands as the finalized one, while it is being read
    /// anew at the next one, and while the nodes are known not to answer and it is not too old.
    pub(super) fn is_ready<V>(&self, held: &Held<V>, now: Moment, options: &ReaderOptions) -> bool {
        let Some(seen) = self.seen else { return false };
        let standing = self.standing(options);
        let stands = |since: Moment| now.since(since) < standing;
        if let Some((tried, _)) = &self.failure {
            return stands(*tried) && self.may_bridge(held, Lack::Answer, now, options);
        }
        if !stands(seen.looked) {
            return false;
        }
        match &held.failure {
            _ if held.block == seen.block.number => true,
            None => held.value.is_some() && stands(held.good),
            Some((tried, error)) => stands(*tried) && self.may_bridge(held, Lack::of(error), now, options),
        }
    }

    /// The finalized block, where it stands.
    pub(super) fn standing_block(&self, now: Moment, options: &ReaderOptions) -> Option<BlockPoint> {
        let standing = self.standing(options);
        let seen = self.seen.filter(|seen| now.since(seen.looked) < standing)?;
        self.failure.is_none().then_some(seen.block)
    }

    /// Why the nodes are known not to answer, where that stands.
    pub(super) fn standing_failure(&self, now: Moment, options: &ReaderOptions) -> Option<&Error> {
        let standing = self.standing(options);
        self.failure.as_ref().filter(|(tried, _)| now.since(*tried) < standing).map(|(_, e)| e)
    }

    /// Why the nodes could not be asked the last time.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref().map(|(_, error)| error)
    }

    /// Enough nodes agree that `block` is final.
    ///
    /// # Errors
    /// [`Error::WentBack`] when they have been behind what they had called final for longer than an outage may last.
    pub(super) fn advance(&mut self, block: BlockPoint, now: Moment, options: &ReaderOptions) -> Result<Seen, Error> {
        let seen = match self.seen {
            // A pool behind one URL, or a slower node: it takes nothing back, and confirms nothing.
            Some(old) if block.number < old.block.number => {
                if !self.behind {
                    tracing::warn!(known = old.block.number, got = block.number, "L1's finalized block has gone back");
                }
                self.behind = true;
                if now.since(old.confirmed) > options.outage_limit {
                    return Err(Error::WentBack { known: old.block.number, got: block.number });
                }
                Seen { looked: now, ..old }
            }
            Some(old) if block.number == old.block.number => Seen { looked: now, confirmed: now, ..old },
            old => {
                if let Some(old) = old {
                    self.epochs.supersede(&old);
                    self.namespaces.supersede(&old);
                    let (blocks, seconds) =
                        (block.number - old.block.number, block.timestamp.saturating_sub(old.block.timestamp));
                    self.pace = Some(Duration::from_millis(seconds.saturating_mul(1000) / blocks));
                }
                Seen { block, since: now, confirmed: now, looked: now }
            }
        };
        self.seen = Some(seen);
        if self.behind && block.number >= seen.block.number {
            tracing::info!(block = block.number, "L1's finalized block goes on");
            self.behind = false;
        }
        if self.failure.take().is_some() {
            tracing::info!(block = seen.block.number, "L1 answers again");
        }
        self.note_stall(now.day(), options.stall_after);
        Ok(seen)
    }

    /// The nodes could not be asked, or did not agree.
    pub(super) fn fail(&mut self, error: Error, now: Moment, options: &ReaderOptions) {
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

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Whether a record may still be used although the nodes cannot be asked whether it has changed.
    pub(super) fn may_bridge<V>(&self, held: &Held<V>, lack: Lack, now: Moment, options: &ReaderOptions) -> bool {
        let Some(seen) = self.seen else { return false };
        let good = if held.block == seen.block.number { seen.confirmed } else { held.good };
        let until = match lack {
            Lack::Answer => now,
            // Without the block's state nothing newer can be read before the next finalized block: while finality stands
            // still, so does the record's age. Only the nodes' word that the block is the finalized one allows that.
            Lack::State => seen.since,
        };
        held.value.is_some() && until.since(good) <= options.outage_limit
    }

    /// Whether what is held is too old to be answered with, because the nodes do not answer: of the finalized block, or of
    /// the epoch that is active at unix time `at`.
    pub(super) fn is_expired(&self, at: u64, now: Moment, options: &ReaderOptions) -> bool {
        let Some(seen) = self.seen else { return false };
        if self.failure.is_some() && now.since(seen.confirmed) > options.outage_limit {
            return true;
        }
        let active = self.active_at(at).and_then(|epoch| self.epochs.get(&epoch));
        active.is_some_and(|held| match &held.failure {
            Some((_, error)) => !self.may_bridge(held, Lack::of(error), now, options),
            None => false,
        })
    }

    /// Logs when what is held becomes too old, and when it no longer is.
    pub(super) fn note_expiry(&mut self, now: Moment, options: &ReaderOptions) {
        let expired = self.is_expired(unix(now.day()), now, options);
        if expired && !self.expired {
            let limit = options.outage_limit.as_secs();
            tracing::error!(
                limit_seconds = limit,
                "L1 could not be read for too long: the last known registry is no longer used, and nothing is signed by it"
            );
        } else if !expired && self.expired {
            tracing::info!("the registry is read again");
        }
        self.expired = expired;
    }

    /// The epochs that are to be kept up to date and were read at another block: those that were asked for lately, and those
    /// that begin after unix time `at`, so that the next one is known when it begins.
    pub(super) fn epochs_in_use(&self, at: u64, now: Moment) -> Vec<u64> {
        let is_next = |held: &Held<Arc<EpochRecord>>| held.value.as_ref().is_some_and(|epoch| epoch.active_from > at);
        self.due_of(&self.epochs, |held| held.is_in_use(now) || is_next(held))
    }

    /// The namespaces that are to be kept up to date and were read at another block.
    pub(super) fn namespaces_in_use(&self, now: Moment) -> Vec<Namespace> {
        self.due_of(&self.namespaces, |held| held.is_in_use(now))
    }

    fn due_of<K: Ord + Copy, V>(&self, shelf: &Shelf<K, V>, in_use: impl Fn(&Held<V>) -> bool) -> Vec<K> {
        let Some(seen) = self.seen else { return Vec::new() };
        let due = shelf.records.iter().filter(|(_, held)| held.block != seen.block.number && in_use(held));
        due.map(|(key, _)| *key).collect()
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

impl Lack {
    pub(super) fn of(error: &Error) -> Self {
        if matches!(error, Error::NoState { .. }) { Self::State } else { Self::Answer }
    }
}

impl<V> Held<V> {
    /// What does not exist is not kept up to date: it may be made up.
    fn is_in_use(&self, now: Moment) -> bool {
        self.value.is_some() && now.since(self.asked) < IN_USE
    }
}

impl Seen {
    /// When enough nodes last said that this is the finalized block, in unix seconds.
    pub(super) fn confirmed_at(&self) -> u64 {
        unix(self.confirmed.day())
    }
}

impl<K: Ord + Copy, V> Shelf<K, V> {
    fn new(capacity: usize) -> Self {
        Self { records: BTreeMap::new(), capacity }
    }

    pub(super) fn get(&self, key: &K) -> Option<&Held<V>> {
        self.records.get(key)
    }

    /// The record, which is being asked for.
    pub(super) fn ask(&mut self, key: &K, now: Moment) -> Option<&Held<V>> {
        let held = self.records.get_mut(key)?;
        held.asked = now;
        Some(held)
    }

    /// Keeps what was read at a finalized block. What does not exist makes room first, so that asking for things that
    /// are made up drives nothing out that exists.
    pub(super) fn keep(&mut self, key: K, value: Option<V>, block: u64, now: Moment) {
        let asked = self.records.get(&key).map_or(now, |held| held.asked);
        self.records.insert(key, Held { value, block, read: now, good: now, asked, failure: None });
        if self.records.len() > self.capacity {
            let others = self.records.iter().filter(|(other, _)| **other != key);
            let least = others.min_by_key(|(_, held)| (held.value.is_some(), held.read)).map(|(key, _)| *key);
            least.map(|key| self.records.remove(&key));
        }
    }

    /// Reading it anew has failed. Gives whether that is news.
    pub(super) fn fail(&mut self, key: &K, error: &Error, now: Moment) -> bool {
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
