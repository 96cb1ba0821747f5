//! What is promised and not here. Blocking.

use bytes::Bytes;
use holdfast_certificate::{PublicKey, Statement, StatementDigest};
use holdfast_erasure::{BlobId, Digest};

use super::{
    Error, Store,
    database::Database,
    engine::DEFAULT,
    keys::{self, Bucket},
    records::{Held, ListRead, Promise, Unfillable},
    writer::Job,
};

/// A damaged item, and the promise on whose account it is kept longest.
#[derive(Clone, Debug)]
pub(crate) struct Damage {
    pub(crate) digest: StatementDigest,
    pub(crate) promise: Promise,
}

impl Store {
    /// Whether a statement is promised, and its shard `index`, and the payload while it is to be there whole at `now`, are here
    /// and not known to be damaged. It looks at records only.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when the disk cannot be read.
    pub(crate) fn is_whole(
        &self,
        statement: &Statement,
        digest: &StatementDigest,
        index: u16,
        now: u64,
    ) -> Result<bool, Error> {
        let id = statement.blob.id();
        let database = self.database()?;
        let promised = readable(self.promise(&id, digest))?.flatten().is_some();
        let whole = statement.whole_until <= now || database.has(&id, keys::WHOLE)?;
        Ok(promised && whole && database.has(&id, index)?)
    }

    /// Damage to what is still promised at `now`, at most so much at once. What is promised no longer is forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when the disk cannot be read.
    pub(crate) fn damage(&self, most: usize, now: u64) -> Result<Vec<Damage>, Error> {
        let database = self.database()?;
        let mut damage = Vec::new();
        for key in database.damages.first(most) {
            let id = BlobId::from(*key.first_chunk::<32>().expect("keys have 34 bytes"));
            match database.latest_of(&id, keys::held_index(&key).unwrap_or(keys::WHOLE), now)? {
                Some(found) => damage.push(found),
                None => {
                    let record = readable(database.get(keys::HELD, &key))?.flatten();
                    let held = record.and_then(|bytes| Held::decode(&bytes).ok());
                    if held.is_none_or(|held| held.until <= now) {
                        database.damages.forget(&key);
                    }
                }
            }
        }
        Ok(damage)
    }

    /// How far the list of a peer was read before, in search of these namespaces, as recorded.
    pub(crate) fn list_read(&self, peer: &PublicKey, served: Digest) -> Option<ListRead> {
        self.read_before(&keys::list_read(peer), served)
    }

    /// Where it cannot be read, or was of other namespaces, it is read from its start.
    fn read_before(&self, key: &[u8], served: Digest) -> Option<ListRead> {
        let bytes = self.database().ok()?.db.get(DEFAULT, key).ok()??;
        ListRead::decode(&bytes).ok().filter(|read| read.served == served)
    }

    /// Records how far it was read. Not synced: it can be read again.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when the store is closing.
    pub(crate) async fn record_list_read(&self, peer: &PublicKey, read: ListRead) -> Result<(), Error> {
        self.jobs.send(Job::ListRead(keys::list_read(peer), read)).await.map_err(|_| Error::Closed)
    }

    /// The first block of L1 whose publish events of these namespaces are yet to be looked after, as far as it was recorded.
    pub(crate) fn events_read(&self, served: Digest) -> Option<u64> {
        let read = self.read_before(&keys::events_read(), served)?;
        read.place.as_ref().try_into().ok().map(u64::from_be_bytes)
    }

    /// Records that block. Not synced: the events can be read again.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when the store is closing.
    pub(crate) async fn record_events_read(&self, block: u64, served: Digest) -> Result<(), Error> {
        let (store, place) = (*self.id().as_bytes(), Bytes::copy_from_slice(&block.to_be_bytes()));
        let read = ListRead { begun: 0, store, served, place };
        self.jobs.send(Job::ListRead(keys::events_read(), read)).await.map_err(|_| Error::Closed)
    }

    /// What shows that a position can never be filled, if that was found out.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when the disk cannot be read.
    pub(crate) fn unfillable(&self, id: &BlobId, index: u16) -> Result<Option<Unfillable>, Error> {
        let database = self.database()?;
        let record = database.get(DEFAULT, &keys::unfillable(id, index));
        Ok(readable(record)?.flatten().and_then(|bytes| Unfillable::decode(&bytes).ok()))
    }
}

impl Database {
    /// Whether something is recorded as held now and not known to be damaged.
    fn has(&self, id: &BlobId, index: u16) -> Result<bool, Error> {
        let key = keys::held(id, index);
        if self.damages.has(&key) {
            return Ok(false);
        }
        let record = readable(self.get(keys::HELD, &key))?.flatten();
        let Some(held) = record.and_then(|bytes| Held::decode(&bytes).ok()) else { return Ok(false) };
        let bucket = Bucket::of_held(&key, held.day);
        Ok(!self.dropped()?.has(bucket) && self.has_bucket(bucket))
    }

    /// The promise on whose account an item is kept longest, if its time is not over.
    fn latest_of(&self, id: &BlobId, index: u16, now: u64) -> Result<Option<Damage>, Error> {
        let mut latest: Option<(u64, Damage)> = None;
        self.each_promise_of(id, |digest, promise| {
            let Statement { blob, whole_until, retain_until, .. } = promise.statement;
            let until = if index == keys::WHOLE { whole_until } else { retain_until };
            let own = blob.parameters().is_ok_and(|code| {
                index == keys::WHOLE || code.shard_of_slot(promise.slot, &blob.shards_root).get() == index
            });
            if own && until > now && latest.as_ref().is_none_or(|(best, _)| until > *best) {
                latest = Some((until, Damage { digest, promise }));
            }
        })?;
        Ok(latest.map(|(_, damage)| damage))
    }
}

/// `None` for a record that is damaged: it counts as missing.
fn readable<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Error::Record { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
