//! What a [`ChainRegistry`](super::ChainRegistry) remembers, and for how long.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use holdfast_certificate::Namespace;

use super::ReaderOptions;
use crate::{EpochRecord, NamespaceRecord};

/// The most epochs that are kept: members and clients work with a handful.
const MAX_EPOCHS: usize = 64;

/// The most namespaces that are kept.
const MAX_NAMESPACES: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Cache {
    /// The newest finalized block known, and when the node was asked.
    pub(super) finalized: Option<(u64, Instant)>,
    /// The number of epochs at that block.
    pub(super) epoch_count: u64,
    pub(super) epochs: BTreeMap<u64, Held>,
    pub(super) namespaces: BTreeMap<Namespace, (NamespaceRecord, Instant)>,
    /// When the node last failed to answer.
    pub(super) failed: Option<Instant>,
}

/// An epoch as it was read.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) record: Arc<EpochRecord>,
    /// The finalized block it was read at.
    pub(super) block: u64,
    pub(super) read: Instant,
    pub(super) endpoints_read: Instant,
}

impl Cache {
    /// Whether something read at `read` can be used without asking: it is fresh, or the node has just failed to answer
    /// and it is not older than an outage may last.
    pub(super) fn is_usable(&self, read: Instant, now: Instant, options: &ReaderOptions) -> bool {
        let age = now.duration_since(read);
        age < options.refresh || (self.in_outage(now, options.refresh) && age <= options.outage_limit)
    }

    /// Whether the node failed so recently that asking again would only make callers wait.
    pub(super) fn in_outage(&self, now: Instant, refresh: Duration) -> bool {
        self.failed.is_some_and(|failed| now.duration_since(failed) < refresh)
    }

    /// The record of the epoch that is active at unix time `at`, if it is held.
    pub(super) fn active_at(&self, at: u64) -> Option<(Arc<EpochRecord>, Instant)> {
        let active = self.epochs.values().rev().find(|held| held.record.is_active(at))?;
        Some((Arc::clone(&active.record), active.read))
    }

    pub(super) fn keep_epoch(&mut self, epoch: u64, held: Held) {
        self.failed = None;
        self.epochs.insert(epoch, held);
        if self.epochs.len() > MAX_EPOCHS {
            // Asked for least recently, so that old epochs that are still read from stay.
            let oldest = self.epochs.iter().min_by_key(|(_, held)| held.read).map(|(&epoch, _)| epoch);
            oldest.map(|epoch| self.epochs.remove(&epoch));
        }
    }

    pub(super) fn keep_namespace(&mut self, namespace: Namespace, record: NamespaceRecord, read: Instant) {
        self.failed = None;
        self.namespaces.insert(namespace, (record, read));
        if self.namespaces.len() > MAX_NAMESPACES {
            let oldest = self.namespaces.iter().min_by_key(|(_, (_, read))| *read).map(|(&id, _)| id);
            oldest.map(|id| self.namespaces.remove(&id));
        }
    }
}
