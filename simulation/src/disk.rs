//! A disk that can lose power, fail, rot and lie, and the database on it.
//!
//! # What a power cut leaves
//!
//! All that was synced, and of the batches written since either the first few or any of them, as the seed says: more than
//! RocksDB's log, which is cut off at one place, would let happen. A batch is there whole or not at all. Families are made
//! and dropped at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use holdfast_committee::store::engine::{Batch, DEFAULT, Disk, Engine, Failure, Records};
use rand::{Rng, seq::IndexedRandom as _};

use crate::cursor::{Cursor, Family, unreadable};

type Families = BTreeMap<String, Arc<Family>>;

/// One member's disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Clone, Debug)]
struct State {
    marker: Option<Vec<u8>>,
    /// What a power cut leaves in any case.
    synced: Families,
    /// What was written since, and whether it can be read: a write that has failed may be there after the next start.
    written: Vec<(Batch, bool)>,
    /// What is read.
    seen: Families,
    /// Records that cannot be read.
    bad: BTreeSet<(String, Vec<u8>)>,
    sequence: u64,
    /// How often it was opened, or lost power: what was opened before is of no use.
    opened: u64,
    /// Nothing can be written.
    fails: bool,
    /// It says that it has synced, and has not.
    lies: bool,
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimulatedDisk {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            marker: None,
            synced: empty(),
            written: Vec::new(),
            seen: empty(),
            bad: BTreeSet::new(),
            sequence: 0,
            opened: 0,
            fails: false,
            lies: false,
        })))
    }

    /// Cuts the power; tells how many batches were not synced, and how many of them are left.
    pub fn cut(&self, chance: &mut impl Rng) -> (usize, usize) {
        let mut state = self.state();
        let written = std::mem::take(&mut state.written);
        let unsynced = written.len();
        let kept: Vec<Batch> = if chance.random_bool(0.5) {
            let kept = chance.random_range(0..=unsynced);
            written.into_iter().take(kept).map(|(batch, _)| batch).collect()
        } else {
            written.into_iter().filter(|_| chance.random_bool(0.5)).map(|(batch, _)| batch).collect()
        };
        let left = kept.len();
        for batch in kept {
            apply(&mut state.synced, &batch);
        }
        state.seen = state.synced.clone();
        state.opened += 1;
        (unsynced, left)
    }

    /// From now on nothing can be written, or it can again.
    pub fn fail(&self, fails: bool) {
        self.state().fails = fails;
    }

    /// From now on it says that it has synced without doing so.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// Another disk with nothing on it is in its place.
    pub fn wipe(&self) {
        let mut state = self.state();
        let (opened, lies) = (state.opened + 1, state.lies);
        let fresh = Self::new();
        let mut other = fresh.state();
        std::mem::swap(&mut *state, &mut other);
        (state.opened, state.lies) = (opened, lies);
    }

    /// Changes bits in one record of a bucket of shards; tells its key, if there is one.
    pub fn rot(&self, chance: &mut impl Rng) -> Option<Vec<u8>> {
        let mut state = self.state();
        let (family, key) = state.any_shard(chance)?;
        state.change(&family, &key, |value| {
            let at = value.len() / 2;
            value[at] ^= 0x10;
        });
        Some(key)
    }

    /// Makes one record of a bucket of shards unreadable; tells its key, if there is one.
    pub fn spoil(&self, chance: &mut impl Rng) -> Option<Vec<u8>> {
        let mut state = self.state();
        let (family, key) = state.any_shard(chance)?;
        state.bad.insert((family, key.clone()));
        Some(key)
    }

    /// Changes every shard, and the record of each so that the member takes it for sound: it lies from then on. `root` is what a
    /// record has of a shard. Tells how many there are.
    pub fn replace_shards(&self, root: impl Fn(&[u8]) -> [u8; 32]) -> usize {
        let mut state = self.state();
        let shards: Vec<(String, Vec<u8>)> = state.shards();
        for (family, key) in &shards {
            let mut put = [0; 32];
            state.change(family, key, |value| {
                value.iter_mut().for_each(|byte| *byte ^= 0x5a);
                put = root(value);
            });
            // A record of what is held ends with the root.
            state.change("held", key, |value| {
                let at = value.len() - 32;
                value[at..].copy_from_slice(&put);
            });
        }
        shards.len()
    }

    /// Another disk, which works, with the same on it.
    #[must_use]
    pub fn image(&self) -> Self {
        let state = State { fails: false, ..self.state().clone() };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn shards(&self) -> Vec<(String, Vec<u8>)> {
        let buckets = self.seen.iter().filter(|(name, _)| name.starts_with("shards-"));
        buckets.flat_map(|(name, family)| family.keys().map(|key| (name.clone(), key.clone()))).collect()
    }

    fn any_shard(&self, chance: &mut impl Rng) -> Option<(String, Vec<u8>)> {
        self.shards().choose(chance).cloned()
    }

    /// Where it lies already, synced or not.
    fn change(&mut self, family: &str, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
        let Some(value) = self.seen.get(family).and_then(|family| family.get(key)) else { return };
        let mut value = value.to_vec();
        change(&mut value);
        let value = Bytes::from(value);
        for families in [&mut self.seen, &mut self.synced] {
            if let Some(there) = families.get_mut(family).and_then(|family| Arc::make_mut(family).get_mut(key)) {
                *there = value.clone();
            }
        }
        for (batch, _) in &mut self.written {
            let changed = batch.puts().iter().cloned().map(|mut put| {
                if put.family == family && put.key == key && put.value.is_some() {
                    put.value = Some(value.clone());
                }
                put
            });
            *batch = changed.collect();
        }
    }
}

impl Disk for SimulatedDisk {
    fn marker(&self) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.state().marker.clone())
    }

    fn set_marker(&self, marker: &[u8]) -> Result<(), Failure> {
        let mut state = self.state();
        state.writable()?;
        state.marker = Some(marker.to_vec());
        Ok(())
    }

    fn open(&self) -> Result<Box<dyn Engine>, Failure> {
        let mut state = self.state();
        state.writable()?;
        // What can be read after a start was written anew and synced by it.
        for (batch, _) in std::mem::take(&mut state.written) {
            apply(&mut state.synced, &batch);
        }
        state.seen = state.synced.clone();
        state.opened += 1;
        Ok(Box::new(Open { disk: self.clone(), opened: state.opened }))
    }

    fn families(&self) -> Vec<String> {
        self.state().seen.keys().cloned().collect()
    }

    fn probe(&self) -> Result<(), Failure> {
        self.state().writable()
    }
}

impl State {
    fn writable(&self) -> Result<(), Failure> {
        if self.fails { Err(Failure::Other("IO error: No space left on device".into())) } else { Ok(()) }
    }
}

/// A database that was opened.
#[derive(Debug)]
struct Open {
    disk: SimulatedDisk,
    opened: u64,
}

impl Open {
    fn state(&self) -> Result<MutexGuard<'_, State>, Failure> {
        let state = self.disk.state();
        if state.opened == self.opened { Ok(state) } else { Err(Failure::Other("the power is off".into())) }
    }
}

impl Engine for Open {
    fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let state = self.state()?;
        if state.bad.contains(&(family.to_owned(), key.to_vec())) {
            return Err(unreadable());
        }
        Ok(state.seen.get(family).and_then(|family| family.get(key)).map(|value| value.to_vec()))
    }

    fn peek(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.get(family, key)
    }

    fn records<'a>(&'a self, family: &str) -> Result<Box<dyn Records + 'a>, Failure> {
        let state = self.state()?;
        let records = state.seen.get(family).ok_or_else(|| Failure::Other(format!("no family {family}")))?;
        let bad = state.bad.iter().filter(|(of, _)| of == family).map(|(_, key)| key.clone()).collect();
        Ok(Box::new(Cursor::new(Arc::clone(records), bad)))
    }

    fn write(&self, batch: Batch, sync: bool) -> Result<(), Failure> {
        let mut state = self.state()?;
        if let Some(put) = batch.puts().iter().find(|put| !state.seen.contains_key(&*put.family)) {
            return Err(Failure::Other(format!("no family {}", put.family)));
        }
        if let Err(failure) = state.writable() {
            // Some of it may have come to the disk, and is read by the next start.
            state.written.push((batch, false));
            return Err(failure);
        }
        state.sequence += batch.puts().len() as u64;
        apply(&mut state.seen, &batch);
        for put in batch.puts() {
            state.bad.remove(&(put.family.to_string(), put.key.clone()));
        }
        state.written.push((batch, true));
        if sync && !state.lies {
            for (batch, _) in std::mem::take(&mut state.written) {
                apply(&mut state.synced, &batch);
            }
        }
        Ok(())
    }

    fn sequence(&self) -> u64 {
        self.disk.state().sequence
    }

    fn has(&self, family: &str) -> bool {
        self.disk.state().seen.contains_key(family)
    }

    fn create_family(&self, family: &str) -> Result<(), Failure> {
        let mut state = self.state()?;
        state.writable()?;
        if state.seen.contains_key(family) {
            return Err(Failure::Other(format!("there is a family {family} already")));
        }
        state.seen.insert(family.to_owned(), Arc::default());
        state.synced.insert(family.to_owned(), Arc::default());
        Ok(())
    }

    fn drop_family(&self, family: &str) -> Result<(), Failure> {
        let mut state = self.state()?;
        state.writable()?;
        state.seen.remove(family).ok_or_else(|| Failure::Other(format!("no family {family}")))?;
        state.synced.remove(family);
        // Of the same name there may be another one later, and nothing of this one is in it.
        state.bad.retain(|(of, _)| of != family);
        for (batch, _) in &mut state.written {
            *batch = batch.puts().iter().filter(|put| put.family != family).cloned().collect();
        }
        Ok(())
    }

    fn flush(&self, _family: &str) -> Result<(), Failure> {
        self.sync()
    }

    fn compact(&self, _family: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn sync(&self) -> Result<(), Failure> {
        self.write(Batch::default(), true)
    }

    fn spare(&self, _family: &str) -> Result<(), Failure> {
        Ok(())
    }
}

fn empty() -> Families {
    BTreeMap::from([(DEFAULT.to_owned(), Arc::default())])
}

fn apply(families: &mut Families, batch: &Batch) {
    for put in batch.puts() {
        // What was meant for a family that is gone is gone with it.
        if let Some(family) = families.get_mut(&*put.family) {
            let family = Arc::make_mut(family);
            match &put.value {
                Some(value) => drop(family.insert(put.key.clone(), value.clone())),
                None => drop(family.remove(&put.key)),
            }
        }
    }
}
