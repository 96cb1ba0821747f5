//! What the archive changes, written.
//!
//! # Nothing let go that is not elsewhere
//!
//! Bytes are deleted here only of what is recorded as read back from the archive, in the same synced batch that says so; and what
//! was promised or stored anew meanwhile is recorded as in no archive by the write that did it.
//!
//! # What is on the disk stays there
//!
//! What is found in the archive with a longer promise, as beside an old copy of a store, is not called away where the disk has it:
//! the copy on the disk goes to the later day, and is archived anew.

use std::collections::BTreeSet;

use bytes::Bytes;
use holdfast_erasure::merkle;

use super::{
    Error, Group, Writer,
    engine::DEFAULT,
    keys::{self, Bucket},
    readable,
    records::{self, Held, Place},
};
use crate::store::{
    change::{Change, Kept, Restored},
    payload_digest,
};

impl Writer {
    /// Puts what changes into the batch, as far as it is still so.
    pub(super) fn stage_archive(&mut self, group: &mut Group, change: &Change) -> Result<(), Error> {
        self.writable()?;
        match change {
            Change::Of(record) => {
                group.batch.put(DEFAULT, keys::ARCHIVE, record.clone());
            }
            Change::Stored(items, now) => {
                for (item, promises) in items {
                    if self.is_still(group, item)? && self.promises_of(group, item)? == *promises {
                        self.place(group, item, Place::Both(*now));
                    }
                }
            }
            Change::LetGo(items) => {
                for item in items.iter().filter(|item| item.in_both_since().is_some()) {
                    let bucket = item.bucket();
                    let sound = self.database.has_bucket(bucket) && !self.database.damages.has(&item.key);
                    if sound && self.is_still(group, item)? {
                        group.batch.remove(bucket.to_string(), item.key);
                        self.place(group, item, Place::Away(item.in_both_since().unwrap_or_default()));
                    }
                }
            }
            Change::Gone(items) => {
                for item in items {
                    // What is nowhere else stays recorded as it is, and is repaired.
                    if (item.dropped || item.is_here()) && self.is_still(group, item)? {
                        self.place(group, item, Place::Here);
                    }
                }
            }
            Change::Restored(items, now) => {
                for item in items {
                    self.stage_restored(group, item, *now)?;
                }
            }
        }
        group.sync = true;
        Ok(())
    }

    fn place(&self, group: &mut Group, item: &Kept, place: Place) {
        let held = Held { place, ..item.held };
        group.batch.put(keys::HELD, item.key, held.encode());
        group.held.insert(item.key, held);
        if !self.dropped.has(item.bucket()) {
            group.placed.push((Some(item.held), held, item.bucket().kind));
        }
    }

    /// Whether it is recorded as it was when it was looked at.
    fn is_still(&self, group: &Group, item: &Kept) -> Result<bool, Error> {
        Ok(self.held(group, &item.id(), &item.key)? == Some(item.held)
            && self.dropped.has(item.bucket()) == item.dropped)
    }

    /// How many promises there are of its blob.
    fn promises_of(&self, group: &Group, item: &Kept) -> Result<usize, Error> {
        let (id, mut keys) = (item.id(), BTreeSet::new());
        self.database.each_promise_of(&id, |digest, _| {
            keys.insert(keys::promise(&id, &digest));
        })?;
        keys.extend(group.promises.keys().filter(|key| key.starts_with(id.as_bytes())));
        Ok(keys.len())
    }

    /// Records what the archive has, where it is not recorded.
    fn stage_restored(&mut self, group: &mut Group, item: &Restored, now: u64) -> Result<(), Error> {
        let (id, key, until) = (item.commitment.id(), item.key(), item.until());
        let before = self.held(group, &id, &key)?;
        let live = before.filter(|held| !self.dropped.has(Bucket { kind: item.kind(), day: held.day }));
        if live.is_none_or(|held| held.until < until) {
            let bucket = Bucket::of(item.kind(), until);
            let expired = self.dropped.has(bucket);
            let here = live.filter(|_| !expired).map(|live| self.on_disk(item, &live)).transpose()?.flatten();
            let place = if here.is_some() { Place::Here } else { Place::Away(now) };
            let held = Held { day: bucket.day, length: item.length, until, root: item.root(), place };
            if !expired {
                self.create(bucket)?;
                // What is known to be damaged was so on the disk.
                group.moved.push((key, live, held, item.kind()));
            }
            if let Some(bytes) = here.filter(|_| live.is_none_or(|live| live.day != bucket.day)) {
                group.batch.put(bucket.to_string(), key, bytes);
            }
            group.batch.put(keys::HELD, key, held.encode());
            group.held.insert(key, held);
        }
        let database = std::sync::Arc::clone(&self.database);
        if readable(database.get(keys::BLOBS, id.as_bytes()))?.flatten().is_none() {
            group.batch.put(keys::BLOBS, *id.as_bytes(), records::commitment(&item.commitment));
        }
        for (promise, digest, signature) in &item.promises {
            let statement = &promise.statement;
            let promise_key = keys::promise(&id, digest);
            if group.promises.contains_key(&promise_key)
                || readable(database.get(keys::PROMISES, &promise_key))?.flatten().is_some()
            {
                continue;
            }
            group.batch.put(keys::PROMISES, promise_key, promise.encode());
            let entry = records::order(&id, digest);
            for namespace in [None, Some(&statement.namespace)] {
                group.batch.put(keys::ORDER, keys::order(namespace, self.next_sequence), entry.clone());
            }
            self.next_sequence += 1;
            if statement.blob.is_by_payload() {
                let payload =
                    keys::payload(&statement.namespace, &statement.blob.payload_digest, statement.retain_until, &id);
                group.batch.put(keys::PAYLOADS, payload, Bytes::new());
            }
            self.stage_opaque(group, keys::ATTESTATIONS, digest, signature);
            group.promises.insert(promise_key, statement.namespace);
        }
        self.stage_certificates(group, &item.certificates)
    }

    /// The copy on the disk of what the archive has, if it is one.
    fn on_disk(&self, item: &Restored, live: &Held) -> Result<Option<Bytes>, Error> {
        let bucket = Bucket { kind: item.kind(), day: live.day };
        if !live.place.is_here() || !self.database.has_bucket(bucket) {
            return Ok(None);
        }
        let bytes = readable(self.database.get(&bucket.to_string(), &item.key()))?.flatten().map(Bytes::from);
        let root = |bytes: &Bytes| match item.index {
            Some(_) => merkle::shard_root(bytes),
            None => payload_digest(bytes),
        };
        Ok(bytes.filter(|bytes| bytes.len() == item.length as usize && root(bytes) == item.root()))
    }
}
