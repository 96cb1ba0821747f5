//! Shards and payloads that are being read, in a bounded memory.
//!
//! # A reader holds nothing
//!
//! The store gives a shard out whole, since only a whole one can be checked. It is put on the shelf, and readers take it
//! from there chunk by chunk. Nothing on the shelf belongs to a reader: what has not been used for the longest is taken
//! off for others, and is read and checked again if somebody still wants it. So a reader that does not read costs the
//! chunk that is on its way and no more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use holdfast_erasure::{BlobId, Digest};
use tokio::sync::Semaphore;

use super::status::Error;
use crate::{
    archive::Archive,
    origin::Origin,
    store::{self, Store},
    workers::Workers,
};

/// The part of the shelf that what one origin reads may take from others: one in so many.
const SHARES: usize = 4;
const UNIT: usize = 1024;

/// Something that the store gives out whole, as it was recorded when it was asked for: what was dropped or repaired since is
/// another item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) id: BlobId,
    /// `None` for the payload.
    pub(crate) index: Option<u16>,
    pub(crate) length: u32,
    pub(crate) root: Digest,
}

impl Item {
    /// What is held now.
    pub(crate) fn find(store: &Store, id: BlobId, index: Option<u16>) -> Result<Self, store::Error> {
        let (length, root) = store.recorded(&id, index)?;
        Ok(Self { id, index, length, root })
    }

    fn read(&self, store: &Store) -> Result<Bytes, store::Error> {
        let bytes = match self.index {
            Some(index) => store.shard(&self.id, index)?,
            None => store.whole(&self.id)?,
        };
        self.is_still(store)?;
        Ok(bytes)
    }

    async fn read_archived(self, store: &Arc<Store>, archive: &Archive, workers: &Workers) -> Result<Bytes, Error> {
        let bytes = archive.read(&self.id, self.index).await?;
        let store = Arc::clone(store);
        workers.disk(move || self.is_still(&store)).await??;
        Ok(bytes)
    }

    fn is_still(&self, store: &Store) -> Result<(), store::Error> {
        if Self::find(store, self.id, self.index)? == *self {
            return Ok(());
        }
        let what = self.index.map_or_else(|| "the whole payload".into(), |index| format!("shard {index}"));
        let reason = "it was stored anew while it was read".into();
        Err(store::Error::Damaged { id: self.id, what, reason })
    }
}

/// The shelf.
#[derive(Debug)]
pub(crate) struct Shelf {
    most: usize,
    state: Mutex<State>,
    /// Memory for what is being read from the store, before it is on the shelf, in KiB.
    loading: Arc<Semaphore>,
    units: u32,
}

#[derive(Debug, Default)]
struct State {
    items: HashMap<Item, Entry>,
    bytes: usize,
    /// Goes up with each use.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    leaves: Option<Arc<[Digest]>>,
    used: u64,
    /// Who had it read.
    by: Option<Origin>,
}

impl Entry {
    fn size(&self) -> usize {
        self.bytes.len() + self.leaves.as_ref().map_or(0, |leaves| leaves.len() * size_of::<Digest>())
    }
}

impl Shelf {
    /// One that takes so many bytes, half of them for what is being read from the store.
    pub(crate) fn new(bytes: usize) -> Self {
        let half = (bytes / 2).max(UNIT);
        let units = u32::try_from(half / UNIT).unwrap_or(u32::MAX);
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { most: half, state: Mutex::default(), loading: Arc::new(Semaphore::new(permits)), units }
    }

    /// The item whole, from the shelf or else from the store, where it is checked.
    pub(crate) async fn take(
        &self,
        item: Item,
        store: &Arc<Store>,
        archive: Option<&Arc<Archive>>,
        workers: &Workers,
    ) -> Result<Bytes, Error> {
        if let Some(bytes) = self.find(&item) {
            return Ok(bytes);
        }
        let (loading, units, from) = (Arc::clone(&self.loading), self.units, Arc::clone(store));
        let runtime = tokio::runtime::Handle::current();
        let read = workers
            .load(move || {
                let wanted = (item.length as usize).div_ceil(UNIT);
                let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).clamp(1, units);
                let _memory = match Arc::clone(&loading).try_acquire_many_owned(wanted) {
                    Ok(memory) => Some(memory),
                    // Whoever has memory here is reading from the store, which ends by itself.
                    Err(_) => runtime.block_on(loading.acquire_many_owned(wanted)).ok(),
                };
                item.read(&from)
            })
            .await?;
        let bytes = match (read, archive) {
            (Err(store::Error::Archived { .. }), Some(archive)) => item.read_archived(store, archive, workers).await?,
            // What the disk has lost the archive may have still.
            (Err(damaged @ store::Error::Damaged { .. }), Some(archive)) => {
                item.read_archived(store, archive, workers).await.map_err(|_| damaged)?
            }
            (read, _) => read?,
        };
        self.put(item, &bytes);
        Ok(bytes)
    }

    /// Bytes on the shelf and being read from the store.
    pub(crate) fn bytes(&self) -> usize {
        let units = usize::try_from(self.units).unwrap_or(usize::MAX);
        self.state().bytes + units.saturating_sub(self.loading.available_permits()) * UNIT
    }

    /// The hashes of a shard's leaves, once they are known.
    pub(crate) fn leaves(&self, item: &Item) -> Option<Arc<[Digest]>> {
        self.state().items.get(item)?.leaves.clone()
    }

    /// Keeps them beside the shard, if that is still there.
    pub(crate) fn put_leaves(&self, item: &Item, leaves: Arc<[Digest]>) {
        let mut state = self.state();
        let more = leaves.len() * size_of::<Digest>();
        if let Some(entry) = state.items.get_mut(item).filter(|entry| entry.leaves.is_none()) {
            entry.leaves = Some(leaves);
            state.bytes += more;
        }
    }

    fn find(&self, item: &Item) -> Option<Bytes> {
        let mut state = self.state();
        state.clock += 1;
        let now = state.clock;
        let entry = state.items.get_mut(item)?;
        entry.used = now;
        Some(entry.bytes.clone())
    }

    fn put(&self, item: Item, bytes: &Bytes) {
        let by = Origin::current();
        let mut state = self.state();
        if state.items.contains_key(&item) {
            return;
        }
        // First what the same origin has had read, if that is more than its share.
        while state.of(by) + bytes.len() > self.most / SHARES && state.evict(|entry| entry.by == by) {}
        while state.bytes + bytes.len() > self.most && state.evict(|_| true) {}
        if state.bytes + bytes.len() > self.most {
            // Larger than the shelf: whoever wants it reads it again.
            return;
        }
        state.clock += 1;
        let used = state.clock;
        state.bytes += bytes.len();
        state.items.insert(item, Entry { bytes: bytes.clone(), leaves: None, used, by });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&self, by: Option<Origin>) -> usize {
        self.items.values().filter(|entry| entry.by == by).map(Entry::size).sum()
    }

    /// Takes off what was used the longest ago among those that `which` names; false if there are none.
    fn evict(&mut self, which: impl Fn(&Entry) -> bool) -> bool {
        let oldest = self.items.iter().filter(|(_, entry)| which(entry)).min_by_key(|(_, entry)| entry.used);
        let Some(item) = oldest.map(|(item, _)| *item) else { return false };
        if let Some(entry) = self.items.remove(&item) {
            self.bytes -= entry.size();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u16) -> Item {
        Item { id: BlobId::from([1; 32]), index: Some(number), length: 0, root: Digest::ZERO }
    }

    fn bytes(length: usize) -> Bytes {
        vec![7; length].into()
    }

    async fn put(shelf: &Shelf, last: u8, number: u16, length: usize) {
        Origin::scope(Some(Origin::of([192, 0, 2, last].into())), async { shelf.put(item(number), &bytes(length)) })
            .await;
    }

    #[tokio::test]
    async fn one_origin_pushes_out_its_own_before_anybody_elses() {
        let shelf = Shelf::new(16 << 10);
        put(&shelf, 1, 0, 1 << 10).await;
        for number in 1..=100 {
            put(&shelf, 2, number, 1 << 10).await;
        }
        assert!(shelf.find(&item(0)).is_some());
        let state = shelf.state();
        assert_eq!((state.items.len(), state.bytes), (3, 3 << 10), "two of the greedy one, one of the other");
    }

    #[tokio::test]
    async fn the_shelf_is_bounded_and_what_is_used_stays_the_longest() {
        let shelf = Shelf::new(16 << 10);
        for number in 0..8 {
            put(&shelf, u8::try_from(number).expect("small"), number, 1 << 10).await;
        }
        assert!(shelf.find(&item(0)).is_some());
        put(&shelf, 100, 100, 2 << 10).await;
        assert!(shelf.find(&item(0)).is_some() && shelf.find(&item(100)).is_some());
        assert!(shelf.find(&item(1)).is_none() && shelf.find(&item(2)).is_none());
        put(&shelf, 101, 101, 9 << 10).await;
        assert!(shelf.find(&item(101)).is_none(), "larger than the shelf");
        let leaves: Arc<[Digest]> = vec![Digest::ZERO; 2].into();
        put(&shelf, 102, 102, 1 << 10).await;
        shelf.put_leaves(&item(102), Arc::clone(&leaves));
        assert_eq!(shelf.leaves(&item(102)).expect("kept"), leaves);
        assert_eq!(shelf.state().bytes, (1 << 10) + 64);
    }
}
