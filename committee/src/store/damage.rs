//! What is known to be damaged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Damaged items that are remembered one by one; of a disk that has more, the first count.
const MOST: usize = 100_000;

/// Damage found since the store was opened.
#[derive(Debug, Default)]
pub(super) struct Damages(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Shards and whole payloads, by their keys.
    items: BTreeSet<[u8; 34]>,
    /// Places in a column family of records behind which some cannot be read.
    gaps: BTreeMap<&'static str, BTreeSet<Vec<u8>>>,
    /// Column families that are no longer compacted.
    spared: BTreeSet<String>,
}

impl Damages {
    /// Remembers a damaged item; true if it is new.
    pub(super) fn note(&self, key: [u8; 34]) -> bool {
        let mut known = self.known();
        known.items.len() < MOST && known.items.insert(key)
    }

    /// The item was stored anew, read soundly, or is no longer to be kept.
    pub(super) fn forget(&self, key: &[u8; 34]) {
        self.known().items.remove(key);
    }

    /// Whether an item is known to be damaged.
    pub(super) fn has(&self, key: &[u8; 34]) -> bool {
        self.known().items.contains(key)
    }

    /// The first damaged items, so many at most.
    pub(super) fn first(&self, most: usize) -> Vec<[u8; 34]> {
        self.known().items.iter().take(most).copied().collect()
    }

    /// Remembers a place behind which records cannot be read; true if it is new.
    pub(super) fn gap(&self, family: &'static str, behind: &[u8]) -> bool {
        let mut known = self.known();
        let gaps = known.gaps.entry(family).or_default();
        gaps.len() < MOST && gaps.insert(behind.to_vec())
    }

    /// Remembers a column family that is no longer compacted.
    pub(super) fn spare(&self, family: &str) {
        self.known().spared.insert(family.to_owned());
    }

    /// Column families that are no longer compacted.
    pub(super) fn spared(&self) -> BTreeSet<String> {
        self.known().spared.clone()
    }

    /// How much there is of both.
    pub(super) fn count(&self) -> u64 {
        let known = self.known();
        (known.items.len() + known.gaps.values().map(BTreeSet::len).sum::<usize>()) as u64
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
