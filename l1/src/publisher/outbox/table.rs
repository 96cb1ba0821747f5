//! All jobs of one account, and what this process knows of them beyond their records.

use std::{collections::BTreeMap, fmt};

use alloy::primitives::B256;

use super::record::{Record, Stage};

/// The most finished jobs that are remembered, so that each is done once, in a few megabytes: eight weeks of a certificate
/// every ten minutes.
const MAX_FINISHED: usize = 8192;

/// The jobs by their ids.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<B256, Entry>,
    sequence: u64,
    /// The account's next nonce as final blocks have shown it to this process, at least.
    used: u64,
    /// The account's next nonce, while it belongs to no job and later ones do, and the head at which that was first found.
    pub(super) gap_since: Option<(u64, u64)>,
}

/// A job.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) live: Live,
}

/// What is known of a job only while this process runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    /// The head when the node was last given the newest attempt, and whether it took it.
    pub(super) given: Option<(u64, bool)>,
    /// The head at which a dry run of a job that has a nonce was first refused, without success since.
    pub(super) refused_since: Option<u64>,
    /// The head's hash and the finalized block at the last look at a mined job.
    pub(super) looked: Option<(B256, u64)>,
    /// The last final block that has been searched for the job's transactions in vain.
    pub(super) searched: Option<u64>,
    pub(super) note: Option<Note>,
}

/// Why a job does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    Unfunded {
        balance: u128,
        needed: u128,
    },
    Waits(String),
    /// Somebody has to do something first: no use in waiting for it.
    Held(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfunded { balance, needed } => write!(f, "funds: it has {balance} wei, and {needed} wei are needed"),
            Self::Waits(what) | Self::Held(what) => f.write_str(what),
        }
    }
}

impl Table {
    pub(super) fn new(records: Vec<Record>) -> Self {
        let mut table = Self::default();
        for record in records {
            table.put(record);
        }
        table
    }

    pub(super) fn get(&self, id: &B256) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// What is known of a job besides its record.
    pub(super) fn live(&self, id: &B256) -> Live {
        self.entries.get(id).map(|entry| entry.live.clone()).unwrap_or_default()
    }

    /// Changes what is known of a job besides its record.
    pub(super) fn with_live<T>(&mut self, id: &B256, change: impl FnOnce(&mut Live) -> T) -> Option<T> {
        self.entries.get_mut(id).map(|entry| change(&mut entry.live))
    }

    pub(super) fn note(&mut self, id: &B256, note: Option<Note>) {
        self.with_live(id, |live| live.note = note);
    }

    /// Inserts or replaces a record. A job that has come further, or back, is looked at with fresh eyes.
    pub(super) fn put(&mut self, record: Record) {
        self.sequence = self.sequence.max(record.sequence);
        self.entries.insert(record.id, Entry { record, live: Live::default() });
    }

    pub(super) fn remove(&mut self, id: &B256) {
        self.entries.remove(id);
    }

    /// The place in the order of a new job.
    pub(super) fn next_sequence(&self) -> u64 {
        self.sequence + 1
    }

    /// The nonce after the last one that belongs to a job.
    pub(super) fn next_nonce(&self) -> u64 {
        self.nonces().max().map_or(0, |nonce| nonce + 1)
    }

    /// A final block has used a nonce.
    pub(super) fn use_up(&mut self, nonce: u64) {
        self.used = self.used.max(nonce + 1);
    }

    /// The account's next nonce as final blocks have shown it, at least: who gives a lower one is behind.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Whether a nonce belongs to no job, while a later one does.
    pub(super) fn is_gap(&self, nonce: u64) -> bool {
        self.nonces().all(|bound| bound != nonce) && self.nonces().any(|bound| bound > nonce)
    }

    fn nonces(&self) -> impl Iterator<Item = u64> {
        self.entries.values().filter_map(|entry| Some(entry.record.bound()?.nonce))
    }

    /// How many jobs' transactions wait for a block.
    pub(super) fn in_flight(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.record.stage, Stage::Sent(_))).count()
    }

    /// Jobs that are neither final nor failed: those with a nonce first, by nonce, then by submission.
    pub(super) fn unfinished(&self) -> Vec<Record> {
        let open = self.entries.values().filter(|entry| !entry.record.is_finished());
        let mut records: Vec<Record> = open.map(|entry| entry.record.clone()).collect();
        records.sort_by_key(|record| (record.bound().map_or(u64::MAX, |bound| bound.nonce), record.sequence));
        records
    }

    pub(super) fn is_idle(&self) -> bool {
        self.entries.values().all(|entry| entry.record.is_finished())
    }

    /// The oldest of too many finished jobs.
    pub(super) fn surplus(&self) -> Vec<B256> {
        let finished = self.entries.values().filter(|entry| entry.record.is_finished());
        let mut finished: Vec<_> = finished.map(|entry| (entry.record.sequence, entry.record.id)).collect();
        let surplus = finished.len().saturating_sub(MAX_FINISHED);
        finished.sort_unstable();
        finished.into_iter().take(surplus).map(|(_, id)| id).collect()
    }
}
