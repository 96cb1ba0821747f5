//! What of the store is in the archive, and what is to go there. Blocking, but for what is written.

use std::{collections::BTreeSet, ops::ControlFlow};

use bytes::Bytes;
use holdfast_certificate::StatementDigest;
use holdfast_erasure::{BlobId, Commitment};

use super::{
    Durable, Error, Promise, Store,
    change::{Change, Kept},
    database,
    dropped::Dropped,
    engine::DEFAULT,
    keys::{self, Bucket},
    read,
    records::{self, Held},
    writer::Job,
};

/// Records of the signing order, or of what is held, that one look passes over.
const LOOKED_AT: usize = 4096;

/// What is archived beside the bytes.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) commitment: Commitment,
    /// Every promise that was made of the blob, and its certificate where one is known.
    pub(crate) promises: Vec<(Durable, Promise, Option<Bytes>)>,
}

impl Store {
    /// Which archive is this store's, as recorded.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub(crate) fn archive(&self) -> Result<Option<Bytes>, Error> {
        Ok(self.database()?.get(DEFAULT, keys::ARCHIVE)?.map(Bytes::from))
    }

    /// Something that is held, or is in the archive though its time is over.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub(crate) fn kept(&self, key: &[u8; 34]) -> Result<Option<Kept>, Error> {
        let database = self.database()?;
        let Some(record) = database.get(keys::HELD, key)? else { return Ok(None) };
        Ok(kept(*key, Held::decode(&record)?, &database.dropped()?))
    }

    /// What is held, or is in the archive though its time is over, behind `after`: at most `most`, and where to go on; `None` at
    /// the end.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub(crate) fn kept_after(
        &self,
        after: Option<&[u8; 34]>,
        most: usize,
    ) -> Result<(Vec<Kept>, Option<[u8; 34]>), Error> {
        let database = self.database()?;
        let dropped = database.dropped()?;
        let start = after.map(|after| [after.as_slice(), &[0]].concat()).unwrap_or_default();
        let (mut found, mut last, mut looked) = (Vec::new(), None, 0);
        database.walk(keys::HELD, &[], &start, |key, value| {
            if found.len() == most || looked == LOOKED_AT {
                return Ok(ControlFlow::Break(()));
            }
            looked += 1;
            let Ok(key) = <[u8; 34]>::try_from(key) else { return Ok(ControlFlow::Continue(())) };
            last = Some(key);
            found.extend(kept(key, Held::decode(value)?, &dropped));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((found, last))
    }

    /// What was promised behind `place` of the signing order, in that order, at most `most` promises; and the place of the last.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub(crate) fn promised_after(&self, place: u64, most: usize) -> Result<(Vec<Kept>, u64), Error> {
        let database = self.database()?;
        let dropped = database.dropped()?;
        let start = keys::order(None, place.saturating_add(1));
        let (mut wanted, mut last, mut looked) = (Vec::new(), place, 0);
        database.walk(keys::ORDER, &keys::order_prefix(None), &start, |key, value| {
            if looked == most {
                return Ok(ControlFlow::Break(()));
            }
            looked += 1;
            last = keys::order_sequence(key).unwrap_or(last);
            let (id, digest) = records::decode_order(value)?;
            wanted.push((id, digest));
            Ok(ControlFlow::Continue(()))
        })?;
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        for (id, digest) in wanted {
            for key in self.keys_of(&id, &digest)? {
                if seen.insert(key)
                    && let Ok(Some(record)) = database.get(keys::HELD, &key)
                    && let Ok(held) = Held::decode(&record)
                {
                    found.extend(kept(key, held, &dropped));
                }
            }
        }
        Ok((found, last))
    }

    /// The last place of the signing order.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub(crate) fn last_place(&self) -> Result<u64, Error> {
        read::last_sequence(&*self.database()?)
    }

    /// What is archived beside the bytes of a blob; `None` where its commitment is damaged.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub(crate) fn content(&self, id: &BlobId) -> Result<Option<Content>, Error> {
        let commitment = match self.commitment(id) {
            Ok(Some(commitment)) => commitment,
            Ok(None) | Err(Error::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut promises = Vec::new();
        self.database()?.each_promise_of(id, |digest, promise| {
            promises.push((Durable { digest, slot: promise.slot }, promise, None));
        })?;
        for (durable, _, certificate) in &mut promises {
            *certificate = self.certificate(durable.digest())?;
        }
        Ok(Some(Content { commitment, promises }))
    }

    /// Whether the bytes of a shard, or with [`None`] of the whole payload, are in the archive alone.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] where it is known that they are not there as they should be; [`Error::Record`] or [`Error::Read`].
    pub(crate) fn is_away(&self, id: &BlobId, index: Option<u16>) -> Result<bool, Error> {
        let key = keys::held(id, index.unwrap_or(keys::WHOLE));
        let away = self.kept(&key)?.is_some_and(|kept| !kept.is_here());
        if away && self.database()?.damages.has(&key) {
            let what = index.map_or_else(|| "the whole payload".into(), |index| format!("shard {index}"));
            let reason = "it is not in the archive as it was stored".into();
            return Err(Error::Damaged { id: *id, what, reason });
        }
        Ok(away)
    }

    /// Notes that what is in the archive alone is not there, or is not what was stored: it is repaired as what is damaged here.
    pub(crate) fn note_archive_damage(&self, kept: &Kept, reason: &str) {
        let Ok(database) = self.database() else { return };
        if database.damages.note(kept.key) {
            let (blob, index) = (kept.id(), kept.index());
            tracing::error!(%blob, ?index, reason, "archive.damaged");
        }
    }

    /// It was found as it should be.
    pub(crate) fn forget_archive_damage(&self, kept: &Kept) {
        if let Ok(database) = self.database()
            && !kept.is_here()
        {
            database.damages.forget(&kept.key);
        }
    }

    /// Records what has changed, and syncs it.
    ///
    /// # Errors
    ///
    /// As [`Self::hold`].
    pub(crate) async fn change(&self, change: Change) -> Result<(), Error> {
        self.submit(|reply| Job::Archive(Box::new(change), reply)).await
    }

    /// Gives the disk back what the bytes of these took, where files have nothing else in them. Keys are moved, and no bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], [`Error::Closed`] or [`Error::Reopening`].
    pub(crate) fn compact(&self, items: &[Kept]) -> Result<(), Error> {
        let database = self.database()?;
        let spared = database.damages.spared();
        let buckets: BTreeSet<Bucket> = items.iter().map(Kept::bucket).collect();
        for bucket in buckets.into_iter().filter(|bucket| !spared.contains(&bucket.to_string())) {
            if database.has_bucket(bucket) {
                database.db.compact(&bucket.to_string()).map_err(|failure| database::read(&failure))?;
            }
        }
        Ok(())
    }

    /// The keys of what a promise is about.
    fn keys_of(&self, id: &BlobId, digest: &StatementDigest) -> Result<Vec<[u8; 34]>, Error> {
        let promise = match self.promise(id, digest) {
            Ok(Some(promise)) => promise,
            Ok(None) | Err(Error::Record { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let blob = &promise.statement.blob;
        let Ok(code) = blob.parameters() else { return Ok(Vec::new()) };
        let shard = keys::held(id, code.shard_of_slot(promise.slot, &blob.shards_root).get());
        let whole = blob.is_by_payload().then(|| keys::held(id, keys::WHOLE));
        Ok([shard].into_iter().chain(whole).collect())
    }
}

fn kept(key: [u8; 34], held: Held, dropped: &Dropped) -> Option<Kept> {
    let kept = Kept { key, held, dropped: dropped.has(Bucket::of_held(&key, held.day)) };
    (!kept.dropped || kept.is_archived()).then_some(kept)
}
