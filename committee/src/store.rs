//! What a member keeps: commitments, promises, certificates, shards and whole payloads, in one database: a RocksDB.
//!
//! # Durable before signed
//!
//! [`Store::hold`] returns a [`Durable`] only after data, commitment and promise are written in one batch and synced;
//! nothing else makes one, and a signature is made only from one.
//!
//! # Nothing dropped early
//!
//! Data lies in the bucket of the latest day promised for it, over all statements. A bucket is dropped whole, and only
//! when its last hour is over and no namespace in it is held on L1.
//!
//! # Right bytes or none
//!
//! A read is checked against the recorded root before it is returned; damage is [`Error::Damaged`], never other bytes.

mod archived;
mod change;
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
mod checksum;
mod covered;
mod current;
mod damage;
mod database;
mod disabled;
mod dropped;
pub mod engine;
mod error;
mod expiry;
mod folder;
mod ground;
mod holds;
mod keeper;
mod keys;
mod lack;
mod mark;
mod marker;
mod options;
mod probe;
mod read;
mod records;
mod resume;
mod rocks;
mod room;
mod scrub;
mod statements;
mod survey;
mod tamper;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bytes::Bytes;
use holdfast_certificate::{Domain, PublicKey, StatementDigest};
use holdfast_erasure::{AcceptedShard, Blob, BlobId, Commitment, EncodedBlob, ShardIndex, keccak256};
use holdfast_transport::blocking;
use tokio::sync::{mpsc, oneshot, watch};

use database::{Database, Legacy};
use engine::Disk;
use ground::Ground;
use keeper::Keeper;
use marker::Marker;
use records::Held;
use writer::{Copy, Hold, Job, QUEUE, Shared};

pub(crate) use archived::Content;
pub(crate) use change::{Change, Kept, Restored, promised_until};
pub use disabled::{Disabled, Why};
pub use error::Error;
pub use expiry::GRACE;
pub(crate) use expiry::{DROP_INTERVAL, SteadyClock};
pub use folder::IfMissing;
pub(crate) use holds::Answer;
pub use marker::StoreId;
pub(crate) use read::Given;
pub use read::Listed;
pub use records::{Identity, Promise};
pub(crate) use records::{ListRead, Unfillable, commitment as encode_commitment, decode_commitment};
pub use resume::Resume;
pub use rocks::rocksdb_in;
pub(crate) use room::{free, occupied};
pub(crate) use scrub::Step;
pub use survey::files_needed;

/// A member's store. Reads are blocking and belong off the async threads; writes go through one thread.
pub struct Store {
    ground: Ground,
    marker: Mutex<Marker>,
    id: StoreId,
    lost: Lost,
    jobs: mpsc::Sender<Job>,
    writer: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

/// How much is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Shards, or whole payloads, wherever they are.
    pub items: u64,
    /// Bytes of those that are on the disk.
    pub bytes: u64,
    /// Those that are in the archive.
    pub archived: u64,
    /// Their bytes.
    pub archived_bytes: u64,
    /// Bytes of those that are in none.
    pub waiting_bytes: u64,
}

impl Usage {
    fn add(&mut self, held: &Held) {
        let length = u64::from(held.length);
        self.items += 1;
        if held.place.is_here() {
            self.bytes += length;
        }
        if held.place.is_archived() {
            self.archived += 1;
            self.archived_bytes += length;
        } else {
            self.waiting_bytes += length;
        }
    }

    fn remove(&mut self, held: &Held) {
        let length = u64::from(held.length);
        self.items = self.items.saturating_sub(1);
        if held.place.is_here() {
            self.bytes = self.bytes.saturating_sub(length);
        }
        if held.place.is_archived() {
            self.archived = self.archived.saturating_sub(1);
            self.archived_bytes = self.archived_bytes.saturating_sub(length);
        } else {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(length);
        }
    }
}

/// Proof that data, commitment and promise are on the disk, written and synced. Only [`Store::hold`] and
/// [`Store::promised`] make one.
#[derive(Debug)]
pub struct Durable {
    digest: StatementDigest,
    slot: u16,
}

impl Durable {
    /// The statement that may now be signed.
    #[must_use]
    pub fn digest(&self) -> &StatementDigest {
        &self.digest
    }

    /// The member's slot in the statement's epoch.
    #[must_use]
    pub fn slot(&self) -> u16 {
        self.slot
    }
}

/// Data that belongs to its blob: it is made only from what has passed the check of its kind.
#[derive(Debug)]
pub struct Holding {
    commitment: Commitment,
    shard: AcceptedShard,
    whole: Option<Bytes>,
    /// Sent by a disperser just now, not read back from here: it replaces the copy that may be damaged.
    fresh: bool,
}

impl Holding {
    /// A shard, accepted under `commitment`.
    ///
    /// # Panics
    ///
    /// When the shard was accepted under another commitment.
    #[must_use]
    pub fn by_shard(commitment: Commitment, shard: AcceptedShard) -> Self {
        assert_eq!(commitment.id(), shard.blob_id(), "a shard goes with the commitment it was accepted under");
        Self { commitment, shard, whole: None, fresh: true }
    }

    /// A payload and the shard that was computed from it.
    #[must_use]
    pub fn by_payload(encoded: &EncodedBlob, index: ShardIndex) -> Self {
        Self {
            commitment: encoded.commitment().clone(),
            shard: encoded.accepted(index),
            whole: Some(encoded.payload().clone()),
            fresh: true,
        }
    }

    /// The same without the payload: its time to be kept whole is over.
    #[must_use]
    pub(crate) fn without_whole(self) -> Self {
        Self { whole: None, ..self }
    }

    /// The blob.
    #[must_use]
    pub fn id(&self) -> BlobId {
        self.commitment.id()
    }

    /// What commits to the blob, without the shards' roots.
    #[must_use]
    pub fn blob(&self) -> &Blob {
        self.commitment.blob()
    }

    /// The shard's index.
    #[must_use]
    pub fn index(&self) -> ShardIndex {
        self.shard.index()
    }

    /// Whether it was sent just now, not read back from here.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }
}

impl Store {
    /// Opens the store in `dir`; what is done where there is none, `missing` says.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::NoStore`], [`Error::WrongIdentity`], [`Error::Format`]; [`Error::Missing`], [`Error::Broken`]
    /// or [`Error::Corrupt`] where something that was signed is not there any more; [`Error::NotPermitted`], [`Error::File`]
    /// or [`Error::Open`]. Nothing has been stored or changed then.
    pub fn open(dir: &Path, identity: &Identity, missing: IfMissing) -> Result<Self, Error> {
        Self::open_as(Ground::folder(dir), Some(identity), missing)?.and_counted()
    }

    /// The same without counting what is held: it is read at once, and nothing is written until that is done
    /// ([`Self::count`], [`Self::enable`]).
    pub(crate) fn open_uncounted(dir: &Path, identity: &Identity, missing: IfMissing) -> Result<Self, Error> {
        Self::open_as(Ground::folder(dir), Some(identity), missing)
    }

    /// Opens the store that lies on a disk of another kind, as [`Self::open`] does. Must be called within a Tokio runtime, by
    /// which it is written.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_on(disk: Arc<dyn Disk>, identity: &Identity, missing: IfMissing) -> Result<Self, Error> {
        Self::open_uncounted_on(disk, identity, missing)?.and_counted()
    }

    /// The same without counting what is held.
    pub(crate) fn open_uncounted_on(
        disk: Arc<dyn Disk>,
        identity: &Identity,
        missing: IfMissing,
    ) -> Result<Self, Error> {
        Self::open_as(Ground::Disk(disk), Some(identity), missing)
    }

    /// Opens the store that is in `dir`, whosever it is: for tools that work on a stopped member's folder.
    pub(crate) fn open_any(dir: &Path) -> Result<Self, Error> {
        Self::open_as(Ground::folder(dir), None, IfMissing::Refuse)?.and_counted()
    }

    /// Makes a store in `dir` for a key that has never signed anything, where there is none yet. Its database is made when
    /// it is first opened, for then the chain is known.
    ///
    /// # Errors
    ///
    /// As [`Store::open`]; [`Error::File`] also where there is a store already.
    pub fn create(dir: &Path, public_key: &PublicKey) -> Result<StoreId, Error> {
        let _lock = folder::lock(dir, IfMissing::Create)?;
        if let Some(marker) = Marker::read(dir)? {
            let reason = format!("there is a store already, {}", marker.id);
            return Err(Error::File { file: dir.into(), reason });
        }
        Ok(folder::marker(dir, IfMissing::Create, Some(public_key))?.id)
    }

    /// The chain and registry of the store in `dir`, where there is one that can be told.
    pub(crate) fn recorded_domain(dir: &Path) -> Option<Domain> {
        Marker::read(dir).ok().flatten()?.domain
    }

    fn open_as(ground: Ground, identity: Option<&Identity>, missing: IfMissing) -> Result<Self, Error> {
        let opened = ground.open(identity, missing)?;
        let marker = opened.marker.clone();
        let lost = Arc::clone(&opened.database.lost);
        let shared = Arc::new(Shared::new());
        let keeper = Keeper {
            ground: ground.clone(),
            identity: identity.cloned(),
            legacy: Legacy::of(&opened.database, marker.id),
            shared: Arc::clone(&shared),
        };
        let writer = keeper.begin(opened)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = match &ground {
            Ground::Folder(dir, _) => Some(
                std::thread::Builder::new()
                    .name("store-writer".into())
                    .spawn(move || futures::executor::block_on(keeper.run(writer, queue)))
                    .map_err(|e| Error::Open { dir: dir.clone(), reason: e.to_string() })?,
            ),
            Ground::Disk(_) => {
                tokio::spawn(keeper.run(writer, queue));
                None
            }
        };
        let (id, marker) = (marker.id, Mutex::new(marker));
        Ok(Self { ground, id, lost, marker, jobs, writer: Mutex::new(thread), shared })
    }

    fn and_counted(self) -> Result<Self, Error> {
        self.count()?;
        self.enable();
        Ok(self)
    }

    /// What tells this store from another of the same member.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// When this store took the place of one that was lost, unix seconds: what was promised before may not be in it.
    #[must_use]
    pub fn lost_at(&self) -> Option<u64> {
        Some(self.lost.load(Ordering::SeqCst)).filter(|at| *at > 0)
    }

    /// Records that what was promised may not be here, since unix second `at`, or with `None` that all of it is again.
    ///
    /// # Errors
    ///
    /// [`Error::File`] and the like where it cannot be written; nothing has changed then.
    pub(crate) fn set_lost(&self, at: Option<u64>) -> Result<(), Error> {
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        if marker.lost != at {
            let changed = Marker { lost: at, ..marker.clone() };
            self.ground.write(&changed)?;
            *marker = changed;
            self.lost.store(at.unwrap_or_default(), Ordering::SeqCst);
        }
        Ok(())
    }

    /// Writes and syncs data, commitment and promise, atomically.
    ///
    /// Data that is already held moves to the later of both buckets. The same promise again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::WritesDisabled`] after a failed write or sync, this one or one before; [`Error::BucketDropped`].
    pub async fn hold(&self, promise: Promise, digest: StatementDigest, holding: Holding) -> Result<Durable, Error> {
        let slot = promise.slot;
        let Holding { commitment, shard, whole, fresh } = holding;
        let keccak = commitment.blob().payload_digest;
        let hold = Hold { promise, digest, commitment, shard, whole: whole.map(|bytes| (bytes, keccak)), fresh };
        self.submit(|reply| Job::Hold(Box::new(hold), reply)).await?;
        Ok(Durable { digest, slot })
    }

    /// Remembers a signature, so that it need not be made again. It is written with the next write, whatever that is, and not
    /// synced: it follows from the promise. No more than 4096 wait; one that finds no room is made again when it is
    /// asked for.
    pub fn remember(&self, durable: &Durable, signature: [u8; 48]) {
        let mut signatures = self.shared.signatures();
        if signatures.len() < MOST_UNWRITTEN {
            signatures.insert(durable.digest, signature);
        }
    }

    /// Stores verified certificates of promised statements. Of a statement that has one already the first one stays: any is as
    /// good. Not synced by itself: they carry no promise of this member's, and whoever gave them can give them again.
    ///
    /// # Errors
    ///
    /// [`Error::WritesDisabled`] after a failed write.
    pub async fn put_certificates(&self, certificates: Vec<(StatementDigest, Bytes)>) -> Result<(), Error> {
        self.submit(|reply| Job::Certificates(certificates, reply)).await
    }

    /// Keeps an accepted shard in the place of one that can never be filled, until the statement's time is over, with what shows
    /// that the disperser lied. Nothing is promised by it.
    ///
    /// # Errors
    ///
    /// As [`Self::hold`].
    pub(crate) async fn keep_copy(
        &self,
        commitment: Commitment,
        shard: AcceptedShard,
        unfillable: Unfillable,
    ) -> Result<(), Error> {
        let copy = Copy { commitment, shard, unfillable };
        self.submit(|reply| Job::Copy(Box::new(copy), reply)).await
    }

    /// Why nothing is written; `None` while all is well.
    #[must_use]
    pub fn writes_disabled(&self) -> watch::Receiver<Option<Disabled>> {
        self.shared.disabled.subscribe()
    }

    /// Whether something can be written now.
    ///
    /// # Errors
    ///
    /// [`Error::WritesDisabled`] or [`Error::Counting`] if not.
    pub fn writable(&self) -> Result<(), Error> {
        self.shared.writable()
    }

    /// Whether the disk has room for anything more, at the least. Others may fill it, so it is asked each time.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] if not.
    pub fn room(&self) -> Result<(), Error> {
        self.ground.room_left(self.shared.log_bytes.load(Ordering::Relaxed))
    }

    /// Shards held, and all else of shards and whole payloads together; as it was before while they are counted anew.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let usage = self.shared.usage();
        let mut all = Usage::default();
        for (bucket, of) in usage.iter() {
            if bucket.kind == keys::Kind::Shards {
                all.items += of.items;
            }
            all.bytes += of.bytes;
            all.archived += of.archived;
            all.archived_bytes += of.archived_bytes;
            all.waiting_bytes += of.waiting_bytes;
        }
        all
    }

    /// Shards and whole payloads that are in no archive.
    pub(crate) fn waiting(&self) -> u64 {
        self.shared.usage().values().map(|usage| usage.items.saturating_sub(usage.archived)).sum()
    }

    /// Finishes waiting writes, flushes, and closes the database; resolves when the folder's lock is free.
    ///
    /// # Errors
    ///
    /// [`Error::WritesDisabled`] if the final flush fails: what was synced before is still in the log.
    pub async fn close(&self) -> Result<(), Error> {
        self.shared.closing.store(true, Ordering::SeqCst);
        let (reply, stopped) = oneshot::channel();
        if self.jobs.send(Job::Stop(reply)).await.is_ok() {
            let _stopped = stopped.await;
        }
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let database = self.shared.current.close();
        if let Some(database) = &database {
            database.halt(true);
        }
        let closed = self.shared.closed.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Where nothing may be written there is nothing to flush.
        let flushes = self.shared.disabled.borrow().is_none();
        let flushed = blocking(move || {
            let joined = thread.map(JoinHandle::join);
            debug_assert!(joined.is_none_or(|joined| joined.is_ok()));
            database.filter(|_| flushes).map_or(Ok(()), |database| database.flush())
        })
        .await;
        if let Some(closed) = closed {
            // Readers that are still at work hold the database open until they are done.
            let _closed = closed.await;
        }
        match flushed {
            Ok(flushed) => flushed,
            Err(e) => Err(Error::Read(e.to_string())),
        }
    }

    async fn submit<T>(&self, job: impl FnOnce(writer::Reply<T>) -> Job) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    fn database(&self) -> Result<Arc<Database>, Error> {
        self.shared.current.get()
    }

    /// As if so many bytes of logs had been written.
    #[cfg(test)]
    pub(crate) fn set_log_bytes(&self, bytes: u64) {
        self.shared.log_bytes.store(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn faults(&self) -> &crate::failpoint::Faults {
        &self.shared.faults
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dir", &self.ground.dir()).field("id", &self.id).finish_non_exhaustive()
    }
}

/// How long a store that is dropped waits for its writer, which is far longer than a disk needs that does not hang.
const DROP_LIMIT: Duration = Duration::from_secs(2);
/// Signatures that wait for the next write, at most.
const MOST_UNWRITTEN: usize = 4096;

/// Waits for the writer as [`Store::close`] does, but flushes nothing: a process that ends while a thread closes a database is
/// aborted. A disk that hangs is not waited for.
impl Drop for Store {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let database = self.shared.current.close();
        if let Some(database) = &database {
            database.halt(true);
        }
        drop(database);
        let (nobody, _) = mpsc::channel(1);
        self.jobs = nobody;
        if let Some(thread) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let started = Instant::now();
            while !thread.is_finished() && started.elapsed() < DROP_LIMIT {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// The day, since 1970, with which data lies that is promised until then.
pub(crate) fn day_of(until: u64) -> u32 {
    keys::Bucket::of(keys::Kind::Shards, until).day
}

/// The key under which a shard lies in its bucket.
pub(crate) fn held_key(id: &BlobId, index: u16) -> [u8; 34] {
    keys::held(id, index)
}

/// The digest that a whole payload is checked against.
fn payload_digest(payload: &[u8]) -> holdfast_erasure::Digest {
    keccak256(payload)
}

/// When the store took the place of one that is lost, unix seconds; zero if it did not.
type Lost = Arc<AtomicU64>;

type UsageByBucket = BTreeMap<keys::Bucket, Usage>;
