//! Reads. All of them block; callers run them off the async threads.

use std::{collections::BTreeMap, ops::ControlFlow, sync::atomic::Ordering};

use bytes::Bytes;
use holdfast_certificate::{Namespace, StatementDigest};
use holdfast_erasure::{BlobId, Commitment, Digest, ShardIndex, merkle};

use super::{
    Durable, Error, Holding, Store, UsageByBucket,
    database::{self, Database},
    dropped::Dropped,
    engine::{DEFAULT, Failure},
    keys::{self, Bucket, Kind},
    payload_digest,
    records::{self, Held, Promise},
    statements::{self, Signed},
};
use crate::heartbeat::Heartbeat;

/// Entries of the signing order that one page looks at.
const MAX_PAGE: usize = 1000;
/// Blob ids that one search returns.
const MAX_FOUND: usize = 100;

/// One place in the signing order.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The blob.
    pub id: BlobId,
    /// The statement's digest.
    pub digest: StatementDigest,
    /// What was signed.
    pub promise: Promise,
    /// Whether a certificate is known.
    pub certified: bool,
}

/// What was read from the archive of what a blob's recall needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) shard: Option<Bytes>,
    pub(crate) whole: Option<Bytes>,
}

impl Store {
    /// The commitment of a blob that was ever stored here.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when it is no longer consistent.
    pub fn commitment(&self, id: &BlobId) -> Result<Option<Commitment>, Error> {
        let damaged = |reason: String| Error::Damaged { id: *id, what: "the commitment".into(), reason };
        let bytes = self.database()?.get(keys::BLOBS, id.as_bytes()).map_err(|e| damaging(e, &damaged))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let commitment = records::decode_commitment(&bytes).map_err(|e| damaged(e.to_string()))?;
        if commitment.id() != *id {
            return Err(damaged(format!("it is that of blob {}", commitment.id())));
        }
        Ok(Some(commitment))
    }

    /// Indices of the shards of a blob that are held now, and whether the payload is held whole.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn indices(&self, id: &BlobId) -> Result<(Vec<u16>, bool), Error> {
        let database = self.database()?;
        let dropped = database.dropped()?;
        let (mut shards, mut whole) = (Vec::new(), false);
        database.walk(keys::HELD, id.as_bytes(), id.as_bytes(), |key, value| {
            if !dropped.has(Bucket::of_held(key, Held::decode(value)?.day)) {
                match keys::held_index(key) {
                    Some(keys::WHOLE) => whole = true,
                    Some(index) => shards.push(index),
                    None => {}
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((shards, whole))
    }

    /// A shard's bytes, checked against the root recorded for it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Expired`] or [`Error::Damaged`].
    pub fn shard(&self, id: &BlobId, index: u16) -> Result<Bytes, Error> {
        let what = || format!("shard {index}");
        self.data(Kind::Shards, id, index, &what, merkle::shard_root)
    }

    /// The payload, checked against its keccak256, while it is kept whole.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] (also for a blob that was dispersed by shard), [`Error::Expired`] or [`Error::Damaged`].
    pub fn whole(&self, id: &BlobId) -> Result<Bytes, Error> {
        self.data(Kind::Whole, id, keys::WHOLE, &|| "the whole payload".into(), payload_digest)
    }

    /// Length and root of a shard, or with [`None`] of the whole payload, that is held now.
    ///
    /// # Errors
    ///
    /// As [`Self::shard`] and [`Self::whole`], but for damage to the bytes themselves.
    pub(crate) fn recorded(&self, id: &BlobId, index: Option<u16>) -> Result<(u32, Digest), Error> {
        let database = self.database()?;
        let (kind, at) = index.map_or((Kind::Whole, keys::WHOLE), |index| (Kind::Shards, index));
        let what = || index.map_or_else(|| "the whole payload".into(), |index| format!("shard {index}"));
        let held = live(&database, kind, id, at, &what)?;
        Ok((held.length, held.root))
    }

    /// Bytes of a shard, or with [`None`] of the whole payload, as recorded; `None` if it was never held.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn length(&self, id: &BlobId, index: Option<u16>) -> Result<Option<u32>, Error> {
        let key = keys::held(id, index.unwrap_or(keys::WHOLE));
        let record = self.database()?.get(keys::HELD, &key)?;
        Ok(record.map(|bytes| Held::decode(&bytes)).transpose()?.map(|held| held.length))
    }

    /// Whether nothing was ever stored of a blob, where memory is enough to tell: false may mean that the disk must be asked. Does
    /// not block.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub(crate) fn is_surely_new(&self, id: &BlobId) -> Result<bool, Error> {
        let database = self.database()?;
        Ok(matches!(database.db.peek(keys::BLOBS, id.as_bytes()), Ok(None)))
    }

    /// Whether a statement was promised, and whether its certificate is known, where memory is enough to tell. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub(crate) fn in_memory(&self, id: &BlobId, digest: &StatementDigest) -> Result<Option<(bool, bool)>, Error> {
        let database = self.database()?;
        let look = |family, key: &[u8]| database.db.peek(family, key).ok();
        let Some(promise) = look(keys::PROMISES, &keys::promise(id, digest)) else { return Ok(None) };
        let Some(promise) = promise else { return Ok(Some((false, false))) };
        let certificate = look(keys::CERTIFICATES, digest.as_bytes());
        Ok(match (Promise::decode(&promise), certificate) {
            (Ok(_), Some(None)) => Some((true, false)),
            (Ok(_), Some(Some(bytes))) if records::decode_opaque("certificate", &bytes).is_ok() => Some((true, true)),
            // What is there and makes no sense is dealt with by whoever reads it from the disk.
            _ => None,
        })
    }

    /// Everything that is held here of a blob for `index`, if all of it passes its full check again; `None` when
    /// something is missing or damaged.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when the disk cannot be read; [`Error::Archived`] for what is in the archive alone.
    pub fn recall(&self, id: &BlobId, index: ShardIndex) -> Result<Option<Holding>, Error> {
        self.recall_with(id, index, &Given::default())
    }

    /// The same with what was read from the archive before.
    pub(crate) fn recall_with(&self, id: &BlobId, index: ShardIndex, given: &Given) -> Result<Option<Holding>, Error> {
        let Some(commitment) = sound(self.commitment(id))?.flatten() else { return Ok(None) };
        let shard = given.shard.clone().map_or_else(|| self.shard(id, index.get()), Ok);
        let Some(bytes) = sound(shard)? else { return Ok(None) };
        let Ok(shard) = commitment.accept(index, bytes) else { return Ok(None) };
        let mut whole = None;
        if commitment.blob().is_by_payload() {
            let read = given.whole.clone().map_or_else(|| self.whole(id), Ok);
            let Some(bytes) = sound(read)? else { return Ok(None) };
            // The recorded digest is checked by the read; this one is the blob's.
            if payload_digest(&bytes) != commitment.blob().payload_digest {
                return Ok(None);
            }
            whole = Some(bytes);
        }
        Ok(Some(Holding { commitment, shard, whole, fresh: false }))
    }

    /// A promise made before.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn promise(&self, id: &BlobId, digest: &StatementDigest) -> Result<Option<Promise>, Error> {
        let bytes = self.database()?.get(keys::PROMISES, &keys::promise(id, digest))?;
        bytes.map(|bytes| Promise::decode(&bytes)).transpose()
    }

    /// Whether a promise is already durable, so that its statement may be signed again.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn promised(&self, id: &BlobId, digest: &StatementDigest) -> Result<Option<Durable>, Error> {
        Ok(self.promise(id, digest)?.map(|promise| Durable { digest: *digest, slot: promise.slot }))
    }

    /// The promises made for a blob, or those for one namespace: at most 100, certified ones first, then each namespace in its
    /// turn, the latest retention first.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn promises(&self, id: &BlobId, namespace: Option<&Namespace>) -> Result<Vec<(Durable, Promise)>, Error> {
        let database = self.database()?;
        let mut signed = Vec::new();
        database.each_promise_of(id, |digest, promise| {
            if namespace.is_none_or(|namespace| promise.statement.namespace == *namespace) {
                let durable = Durable { digest, slot: promise.slot };
                signed.push(Signed { durable, promise, certified: false });
            }
        })?;
        for signed in &mut signed {
            signed.certified = self.certificate(&signed.durable.digest)?.is_some();
        }
        Ok(statements::choose(signed).into_iter().map(|signed| (signed.durable, signed.promise)).collect())
    }

    /// Until when a namespace was promised a blob's shard, and its payload whole: the latest times over all statements, zero
    /// where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn promised_until(&self, id: &BlobId, namespace: &Namespace) -> Result<(u64, u64), Error> {
        let (mut retained, mut whole) = (0, 0);
        self.database()?.each_promise_of(id, |_, Promise { statement, .. }| {
            if statement.namespace == *namespace {
                retained = retained.max(statement.retain_until);
                whole = whole.max(statement.whole_until);
            }
        })?;
        Ok((retained, whole))
    }

    /// Every promise that can be read, in the order of blob ids.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub fn each_promise(&self, mut visit: impl FnMut(Promise)) -> Result<(), Error> {
        self.database()?.walk(keys::PROMISES, &[], &[], |_, value| {
            visit(Promise::decode(value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(())
    }

    /// A signature made before and remembered.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn attestation(&self, digest: &StatementDigest) -> Result<Option<Bytes>, Error> {
        if let Some(signature) = self.shared.signatures().get(digest) {
            return Ok(Some(Bytes::copy_from_slice(signature)));
        }
        self.opaque("attestation", keys::ATTESTATIONS, digest)
    }

    /// The compact certificate of a statement.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn certificate(&self, digest: &StatementDigest) -> Result<Option<Bytes>, Error> {
        self.opaque("certificate", keys::CERTIFICATES, digest)
    }

    /// By-payload blobs of a namespace with this payload, the latest retention first; at most 100.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub fn find(&self, namespace: &Namespace, payload: &Digest) -> Result<Vec<BlobId>, Error> {
        let prefix = keys::payload_prefix(namespace, payload);
        let mut found = Vec::new();
        self.database()?.walk(keys::PAYLOADS, &prefix, &prefix, |key, _| {
            let id: [u8; 32] = key.last_chunk().copied().unwrap_or_default();
            let id = BlobId::from(id);
            if !found.contains(&id) {
                found.push(id);
            }
            Ok(if found.len() == MAX_FOUND { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// What was signed after place `after`, in the order of signing, and the place to go on from if there is more.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub fn list(
        &self,
        namespace: Option<&Namespace>,
        after: u64,
        limit: usize,
    ) -> Result<(Vec<Listed>, Option<u64>), Error> {
        let limit = limit.min(MAX_PAGE);
        let database = self.database()?;
        let prefix = keys::order_prefix(namespace);
        let start = keys::order(namespace, after.saturating_add(1));
        let (mut listed, mut place, mut more) = (Vec::new(), after, false);
        database.walk(keys::ORDER, &prefix, &start, |key, value| {
            if listed.len() == limit {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            place = keys::order_sequence(key).unwrap_or(place);
            let (id, digest) = records::decode_order(value)?;
            let promise = match self.promise(&id, &digest) {
                Ok(Some(promise)) => promise,
                Ok(None) | Err(Error::Record { .. }) => {
                    tracing::error!(blob = %id, statement = %digest, "store.set_aside: its promise cannot be read");
                    return Ok(ControlFlow::Continue(()));
                }
                Err(error) => return Err(error),
            };
            let certified = self.certificate(&digest)?.is_some();
            listed.push(Listed { id, digest, promise, certified });
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((listed, more.then_some(place)))
    }

    /// What can be made or given again; a damaged one counts as none.
    fn opaque(&self, what: &'static str, family: &str, digest: &StatementDigest) -> Result<Option<Bytes>, Error> {
        let read = self.database()?.get(family, digest.as_bytes());
        match read.and_then(|bytes| bytes.map(|bytes| records::decode_opaque(what, &bytes)).transpose()) {
            Err(Error::Record { what, reason }) => {
                tracing::warn!(what, %digest, reason, "store.set_aside");
                Ok(None)
            }
            other => other,
        }
    }

    fn data(
        &self,
        kind: Kind,
        id: &BlobId,
        index: u16,
        what: &dyn Fn() -> String,
        root: impl FnOnce(&[u8]) -> Digest,
    ) -> Result<Bytes, Error> {
        let database = self.database()?;
        let held = live(&database, kind, id, index, what)?;
        if !held.place.is_here() {
            return Err(database.away(id, index, what()));
        }
        let bucket = Bucket { kind, day: held.day };
        let damaged = |reason: String| {
            database.damaged(bucket, id, index, &reason);
            Error::Damaged { id: *id, what: what(), reason }
        };
        let bytes = database.get(&bucket.to_string(), &keys::held(id, index)).map_err(|e| damaging(e, &damaged))?;
        let bytes = match bytes {
            Some(bytes) => Bytes::from(bytes),
            // It may have been dropped since the look above.
            None if database.dropped()?.has(bucket) => {
                return Err(Error::Expired { id: *id, what: what(), until: held.until });
            }
            // Or let go.
            None if !live(&database, kind, id, index, what)?.place.is_here() => {
                return Err(database.away(id, index, what()));
            }
            None => return Err(damaged(format!("it is not in bucket {bucket}"))),
        };
        let got = root(&bytes);
        if got != held.root {
            return Err(damaged(format!("expected root {}, got {got}", held.root)));
        }
        database.damages.forget(&keys::held(id, index));
        Ok(bytes)
    }
}

/// The record of something that is held now.
pub(super) fn live(
    database: &Database,
    kind: Kind,
    id: &BlobId,
    index: u16,
    what: &dyn Fn() -> String,
) -> Result<Held, Error> {
    let damaged = |reason: String| Error::Damaged { id: *id, what: what(), reason };
    let record = database.get(keys::HELD, &keys::held(id, index)).map_err(|e| damaging(e, &damaged))?;
    let Some(record) = record else { return Err(database.absent(id, what())) };
    let held = Held::decode(&record).map_err(|e| damaged(e.to_string()))?;
    let bucket = Bucket { kind, day: held.day };
    let expired = || Error::Expired { id: *id, what: what(), until: held.until };
    if database.dropped()?.has(bucket) {
        return Err(expired());
    }
    if database.has_bucket(bucket) {
        Ok(held)
    } else if database.dropped()?.has(bucket) {
        // The bucket may have been dropped since the look above.
        Err(expired())
    } else {
        Err(damaged(format!("bucket {bucket} is gone")))
    }
}

impl Database {
    pub(super) fn flush(&self) -> Result<(), Error> {
        let failed = |e: Failure| Error::WritesDisabled { reason: e.to_string() };
        self.db.sync().map_err(failed)?;
        for name in keys::FIXED {
            self.db.flush(name).map_err(failed)?;
        }
        for bucket in self.buckets().into_iter().map(|bucket| bucket.to_string()).filter(|name| self.db.has(name)) {
            self.db.flush(&bucket).map_err(failed)?;
        }
        self.db.flush(DEFAULT).map_err(failed)
    }
}

/// Usage by bucket, counted anew, of what can be read.
pub(super) fn usage(database: &Database, dropped: &Dropped) -> Result<UsageByBucket, Error> {
    let mut usage: UsageByBucket = BTreeMap::new();
    let mut heartbeat = Heartbeat::of("shards counted");
    database.walk(keys::HELD, &[], &[], |key, value| {
        heartbeat.beat();
        let held = Held::decode(value)?;
        let bucket = Bucket::of_held(key, held.day);
        if !dropped.has(bucket) {
            usage.entry(bucket).or_default().add(&held);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(usage)
}

/// The last place given out in the signing order, zero if none was. Where it cannot be read, one that is surely behind it:
/// each place is an entry of the database by itself.
pub(super) fn last_sequence(database: &Database) -> Result<u64, Error> {
    let end = keys::order(None, u64::MAX);
    let mut records = database.db.records(keys::ORDER).map_err(|failure| database::read(&failure))?;
    records.seek_back(&end);
    if let Some((key, _)) = records.item() {
        return Ok(keys::order_sequence(key).unwrap_or_default());
    }
    match records.status() {
        Ok(()) => Ok(0),
        Err(failure) if failure.is_damage() => Ok(database.db.sequence()),
        Err(failure) => Err(database::read(&failure)),
    }
}

impl Store {
    /// What is said of something that is not here: that it never was, unless this store took the place of one that is lost.
    #[must_use]
    pub fn absent(&self, id: &BlobId, what: impl Into<String>) -> Error {
        match self.lost_at() {
            None => Error::NotFound { id: *id, what: what.into() },
            Some(at) => Error::Lost { id: *id, what: what.into(), at },
        }
    }
}

impl Database {
    /// What is said of something whose bytes are in the archive alone.
    fn away(&self, id: &BlobId, index: u16, what: String) -> Error {
        if self.damages.has(&keys::held(id, index)) {
            let reason = "it is not in the archive as it was stored".into();
            return Error::Damaged { id: *id, what, reason };
        }
        Error::Archived { id: *id, what, index: Some(index).filter(|index| *index != keys::WHOLE) }
    }

    pub(super) fn absent(&self, id: &BlobId, what: String) -> Error {
        match self.lost.load(Ordering::SeqCst) {
            0 => Error::NotFound { id: *id, what },
            at => Error::Lost { id: *id, what, at },
        }
    }

    /// Every promise made for a blob that can be read; tells whether one could not.
    pub(super) fn each_promise_of(
        &self,
        id: &BlobId,
        mut visit: impl FnMut(StatementDigest, Promise),
    ) -> Result<bool, Error> {
        self.walk(keys::PROMISES, id.as_bytes(), id.as_bytes(), |key, value| {
            visit(digest(key.get(32..).unwrap_or_default())?, Promise::decode(value)?);
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// Corruption that RocksDB itself has found is damage to the item that was read.
fn damaging(error: Error, damaged: &dyn Fn(String) -> Error) -> Error {
    match error {
        Error::Record { reason, .. } => damaged(reason),
        other => other,
    }
}

/// `None` for what is missing, expired or damaged: it can be stored again.
fn sound<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Error::NotFound { .. } | Error::Lost { .. } | Error::Expired { .. } | Error::Damaged { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

fn digest(bytes: &[u8]) -> Result<StatementDigest, Error> {
    StatementDigest::from_bytes(bytes).map_err(|e| Error::Record { what: "promise", reason: e.to_string() })
}
