//! The one task that writes, in a thread of its own. It takes everything that waits, up to a bound, writes it as one batch with one sync, and
//! then answers all. Decisions that read before they write (which bucket, which place in the order) need no lock, since
//! nobody else writes.

mod archive;
mod copy;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use holdfast_certificate::{Namespace, StatementDigest};
use holdfast_erasure::{AcceptedShard, BlobId, Commitment, Digest};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Error, Usage, UsageByBucket,
    change::Change,
    current::Current,
    database::Database,
    disabled::Disabled,
    dropped::Dropped,
    engine::{self, Batch, DEFAULT},
    holds::Decision,
    keys::{self, Bucket, Kind},
    mark::Seal,
    records::{self, Held, ListRead, Place, Promise, Scrub, Unfillable},
    room::Room,
};
use crate::failpoint;

/// Writes that may wait. Their bytes are bounded by the member's budget for bodies in flight.
pub(super) const QUEUE: usize = 1024;
/// A batch is closed when it has this many bytes; one larger write goes alone.
const MAX_GROUP_BYTES: usize = 64 << 20;

/// Statements of one blob for one namespace whose time is not over: retries in other hours and renewals need a few, and nobody
/// needs more. For each
/// namespace by itself, or one namespace's disperser could use up what another needs for the same blob.
pub(super) const MAX_STATEMENTS: usize = 256;

pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Data with the promise to keep it.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) promise: Promise,
    pub(super) digest: StatementDigest,
    pub(super) commitment: Commitment,
    pub(super) shard: AcceptedShard,
    /// The payload and its keccak256, by payload.
    pub(super) whole: Option<(Bytes, Digest)>,
    /// The bytes came from the disperser, not from this store: they replace the copy that is there.
    pub(super) fresh: bool,
}

/// A shard in the place of one that cannot be filled.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) commitment: Commitment,
    pub(super) shard: AcceptedShard,
    pub(super) unfillable: Unfillable,
}

#[derive(Debug)]
pub(super) enum Job {
    Hold(Box<Hold>, Reply<()>),
    Copy(Box<Copy>, Reply<()>),
    /// Written without a sync of its own: no promise is in them.
    Certificates(Vec<(StatementDigest, Bytes)>, Reply<()>),
    /// What has come to be in the archive, or is no longer there.
    Archive(Box<Change>, Reply<()>),
    /// Written without a sync of its own: it can do a little twice.
    Scrub(Scrub),
    /// Written without a sync of its own: it can be read again.
    ListRead(Vec<u8>, ListRead),
    DropBefore(u32, Decision, Reply<Vec<String>>),
    /// The database is to be opened anew.
    Reopen(Reply<()>),
    Stop(oneshot::Sender<()>),
}

/// Why a writer stops.
#[derive(Debug)]
pub(super) enum End {
    Reopen(Reply<()>),
    Stop(oneshot::Sender<()>),
    /// Nobody can send any more.
    Abandoned,
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Hold(hold, _) => hold.shard.bytes().len() + hold.whole.as_ref().map_or(0, |(bytes, _)| bytes.len()),
            Self::Copy(copy, _) => copy.shard.bytes().len(),
            _ => 0,
        }
    }

    /// Whether a batch must end before it.
    fn is_barrier(&self) -> bool {
        matches!(self, Self::DropBefore(..) | Self::Reopen(..) | Self::Stop(..))
    }

    /// Tells whoever waits for it that it is not done.
    pub(super) fn refuse(self, error: Error) {
        match self {
            Self::Hold(_, reply) | Self::Copy(_, reply) | Self::Certificates(_, reply) | Self::Archive(_, reply) => {
                let _gone = reply.send(Err(error));
            }
            Self::DropBefore(_, _, reply) => {
                let _gone = reply.send(Err(error));
            }
            Self::Scrub(_) | Self::ListRead(..) => {}
            Self::Reopen(_) | Self::Stop(_) => unreachable!("these are never refused"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    /// Why nothing is written: since the first failed write, and until what is held is counted.
    pub(super) disabled: watch::Sender<Option<Disabled>>,
    /// What is read.
    pub(super) current: Current,
    /// Resolves when the database that is open is closed.
    pub(super) closed: Mutex<Option<oneshot::Receiver<()>>>,
    /// What is held was counted since the database was opened.
    pub(super) counted: AtomicBool,
    /// How often the database was closed to be opened anew.
    pub(super) openings: AtomicU64,
    /// Bytes of the logs at the last write.
    pub(super) log_bytes: AtomicU64,
    /// The store is closing: nothing is opened any more.
    pub(super) closing: AtomicBool,
    pub(super) usage: Mutex<BTreeMap<Bucket, Usage>>,
    /// Signatures that are written with the next write.
    pub(super) signatures: Mutex<HashMap<StatementDigest, [u8; 48]>>,
    pub(super) faults: failpoint::Faults,
}

impl Shared {
    /// Of a store that is yet to be opened.
    pub(super) fn new() -> Self {
        Self {
            disabled: watch::Sender::new(Some(Disabled::counting())),
            current: Current::default(),
            closed: Mutex::default(),
            counted: AtomicBool::new(false),
            openings: AtomicU64::new(0),
            log_bytes: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            usage: Mutex::default(),
            signatures: Mutex::default(),
            faults: Default::default(),
        }
    }

    pub(super) fn writable(&self) -> Result<(), Error> {
        self.disabled.borrow().as_ref().map_or(Ok(()), |disabled| Err(disabled.error()))
    }

    pub(super) fn usage(&self) -> MutexGuard<'_, BTreeMap<Bucket, Usage>> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn signatures(&self) -> MutexGuard<'_, HashMap<StatementDigest, [u8; 48]>> {
        self.signatures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Writer {
    pub(super) database: Arc<Database>,
    pub(super) shared: Arc<Shared>,
    /// In a folder that is written, else there is none.
    pub(super) seal: Option<Seal>,
    /// In a folder.
    pub(super) room: Option<Room>,
    pub(super) next_sequence: u64,
    pub(super) dropped: Dropped,
}

/// One batch in the making, with what reads of the database do not show yet.
#[derive(Default)]
struct Group {
    batch: Batch,
    held: HashMap<[u8; 34], Held>,
    promises: HashMap<[u8; 64], Namespace>,
    moved: Vec<([u8; 34], Option<Held>, Held, Kind)>,
    /// Records that change without their bytes being written.
    placed: Vec<(Option<Held>, Held, Kind)>,
    sync: bool,
}

impl Writer {
    /// Runs until told to stop, until the database is to be opened anew, or until nobody can send.
    pub(super) async fn run(&mut self, jobs: &mut mpsc::Receiver<Job>) -> End {
        let mut next = jobs.recv().await;
        while let Some(job) = next.take() {
            match job {
                Job::DropBefore(day, decision, reply) => {
                    let _gone = reply.send(self.drop_before(day, &decision));
                }
                Job::Reopen(reply) => return End::Reopen(reply),
                Job::Stop(reply) => {
                    self.write(Vec::new());
                    return End::Stop(reply);
                }
                first => {
                    let mut bytes = first.bytes();
                    let mut group = vec![first];
                    while bytes < MAX_GROUP_BYTES {
                        match jobs.try_recv() {
                            Ok(job) if job.is_barrier() || bytes + job.bytes() > MAX_GROUP_BYTES => {
                                next = Some(job);
                                break;
                            }
                            Ok(job) => {
                                bytes += job.bytes();
                                group.push(job);
                            }
                            Err(_) => break,
                        }
                    }
                    self.write(group);
                }
            }
            if next.is_none() {
                next = jobs.recv().await;
            }
        }
        End::Abandoned
    }

    /// Writes and syncs one group, then answers its jobs.
    fn write(&mut self, jobs: Vec<Job>) {
        let mut group = Group::default();
        // Without a sync of their own: they can be made again from the promises.
        for (digest, signature) in std::mem::take(&mut *self.shared.signatures()) {
            self.stage_opaque(&mut group, keys::ATTESTATIONS, &digest, signature.as_slice());
        }
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let (staged, reply) = match job {
                Job::Hold(hold, reply) => (self.stage_hold(&mut group, &hold), Some(reply)),
                Job::Copy(copy, reply) => (self.stage_copy(&mut group, &copy), Some(reply)),
                Job::Certificates(certificates, reply) => {
                    (self.stage_certificates(&mut group, &certificates), Some(reply))
                }
                Job::Archive(change, reply) => (self.stage_archive(&mut group, &change), Some(reply)),
                Job::Scrub(state) => {
                    group.batch.put(DEFAULT, keys::SCRUB, records::scrub(&state));
                    (Ok(()), None)
                }
                Job::ListRead(key, read) => {
                    group.batch.put(DEFAULT, key, read.encode());
                    (Ok(()), None)
                }
                Job::DropBefore(..) | Job::Reopen(..) | Job::Stop(..) => unreachable!("barriers are never grouped"),
            };
            answers.push((staged, reply));
        }
        let written = self.commit(group);
        for (staged, reply) in answers {
            if let Some(reply) = reply {
                let _gone = reply.send(staged.and_then(|()| written.clone()));
            }
        }
    }

    fn commit(&mut self, group: Group) -> Result<(), Error> {
        self.writable()?;
        if group.batch.is_empty() {
            return Ok(());
        }
        let log_bytes = self.seal.as_ref().map_or(0, Seal::log_bytes);
        self.shared.log_bytes.store(log_bytes, Ordering::Relaxed);
        self.room.as_mut().map_or(Ok(()), |room| room.take(log_bytes, group.batch.bytes()))?;
        if group.sync {
            failpoint::reach("before-write");
        }
        self.put(group.batch, group.sync).map_err(|reason| self.disable(reason))?;
        let mut usage = self.shared.usage();
        for (key, before, after, kind) in group.moved {
            self.database.damages.forget(&key);
            count(&mut usage, before, after, kind);
        }
        for (before, after, kind) in group.placed {
            count(&mut usage, before, after, kind);
        }
        Ok(())
    }

    /// Writes, syncs, and says so in the mark: only then may anything of it be signed.
    fn put(&mut self, batch: Batch, sync: bool) -> Result<(), String> {
        self.shared.faults.write(sync)?;
        if sync && failpoint::is_armed("between-write-and-sync") {
            self.database.db.write(batch, false).map_err(|e| e.to_string())?;
            failpoint::reach("between-write-and-sync");
            return Ok(());
        }
        self.database.db.write(batch, sync).map_err(|e| e.to_string())?;
        if sync {
            failpoint::reach("between-sync-and-mark");
        }
        // No other thread writes, so the last sequence number is that of this batch.
        let sequence = sync.then(|| self.database.db.sequence());
        self.seal.as_mut().map_or(Ok(()), |seal| seal.wrote(sequence))?;
        if sync {
            failpoint::reach("after-sync");
        }
        Ok(())
    }

    /// Puts data, commitment and promise into the batch. On an error nothing of it is in the batch.
    fn stage_hold(&mut self, group: &mut Group, hold: &Hold) -> Result<(), Error> {
        self.writable()?;
        let id = hold.commitment.id();
        let statement = &hold.promise.statement;
        let namespace = statement.namespace;
        let index = hold.shard.index().get();
        let root = hold.commitment.shard_roots()[usize::from(index)];
        let mut places = vec![(Kind::Shards, keys::held(&id, index), hold.shard.bytes(), root, statement.retain_until)];
        if let Some((bytes, digest)) = &hold.whole {
            places.push((Kind::Whole, keys::held(&id, keys::WHOLE), bytes, *digest, statement.whole_until));
        }
        let promise_key = keys::promise(&id, &hold.digest);
        let promised = group.promises.contains_key(&promise_key)
            || readable(self.database.get(keys::PROMISES, &promise_key))?.flatten().is_some();
        let mut plans = Vec::with_capacity(2);
        for (kind, key, bytes, root, until) in places {
            let before = self.held(group, &id, &key)?;
            // What was dropped is no longer anywhere; it starts anew.
            let live = before.filter(|held| !self.dropped.has(Bucket { kind, day: held.day }));
            let until = live.map_or(until, |held| held.until.max(until));
            let bucket = Bucket::of(kind, until);
            if self.dropped.has(bucket) {
                return Err(Error::BucketDropped { day: bucket.day, dropped_before: self.dropped.before });
            }
            let length = u32::try_from(bytes.len()).expect("payloads are at most 2^30 bytes, shards no longer");
            // What is promised anew goes to the archive anew, with all that is promised of it by then.
            let put =
                hold.fresh || live.is_none_or(|live| live.day != bucket.day || (!promised && !live.place.is_here()));
            let place = live.filter(|_| promised && !put).map_or(Place::Here, |live| live.place);
            let held = Held { day: bucket.day, length, until, root, place };
            plans.push((key, bucket, live, held, put.then_some(bytes)));
        }
        let known = readable(self.database.get(keys::BLOBS, id.as_bytes()))?.flatten().is_some();
        if !promised {
            let staged = group.promises.iter().filter(|(key, of)| key.starts_with(id.as_bytes()) && **of == namespace);
            let mut signed = staged.count();
            // Of what was never stored there are none. What has been dropped is over: a blob that is renewed for ever has ever
            // more of those.
            if plans.iter().any(|(_, _, live, ..)| live.is_some()) || known {
                self.database.each_promise_of(&id, |_, Promise { statement, .. }| {
                    let over = keys::day_of(statement.retain_until) < self.dropped.before;
                    signed += usize::from(statement.namespace == namespace && !over);
                })?;
            }
            if signed >= MAX_STATEMENTS {
                return Err(Error::TooManyStatements { id, namespace, most: MAX_STATEMENTS });
            }
        }
        let committed = !hold.fresh && known;
        for (_, bucket, _, _, put) in &plans {
            if put.is_some() {
                self.create(*bucket)?;
            }
        }

        for (key, bucket, live, held, put) in plans {
            if let Some(bytes) = put {
                group.batch.put(bucket.to_string(), key, bytes.clone());
            }
            group.batch.put(keys::HELD, key, held.encode());
            group.held.insert(key, held);
            group.moved.push((key, live, held, bucket.kind));
        }
        if !committed {
            group.batch.put(keys::BLOBS, *id.as_bytes(), records::commitment(&hold.commitment));
        }
        if !promised {
            group.batch.put(keys::PROMISES, promise_key, hold.promise.encode());
            let entry = Bytes::from(records::order(&id, &hold.digest));
            for namespace in [None, Some(&statement.namespace)] {
                group.batch.put(keys::ORDER, keys::order(namespace, self.next_sequence), entry.clone());
            }
            self.next_sequence += 1;
            if statement.blob.is_by_payload() {
                let key =
                    keys::payload(&statement.namespace, &statement.blob.payload_digest, statement.retain_until, &id);
                group.batch.put(keys::PAYLOADS, key, Bytes::new());
            }
            group.promises.insert(promise_key, namespace);
        }
        group.sync = true;
        Ok(())
    }

    fn stage_certificates(&self, group: &mut Group, certificates: &[(StatementDigest, Bytes)]) -> Result<(), Error> {
        self.writable()?;
        for (digest, bytes) in certificates {
            let there = self.database.get(keys::CERTIFICATES, digest.as_bytes());
            let there =
                there.and_then(|bytes| bytes.map(|bytes| records::decode_opaque("certificate", &bytes)).transpose());
            if readable(there)?.flatten().is_none() {
                self.stage_opaque(group, keys::CERTIFICATES, digest, bytes);
            }
        }
        Ok(())
    }

    fn stage_opaque(&self, group: &mut Group, family: &'static str, digest: &StatementDigest, bytes: &[u8]) {
        group.batch.put(family, *digest.as_bytes(), records::opaque(bytes));
    }

    fn held(&self, group: &Group, id: &BlobId, key: &[u8; 34]) -> Result<Option<Held>, Error> {
        if let Some(held) = group.held.get(key) {
            return Ok(Some(*held));
        }
        let read = self.database.get(keys::HELD, key);
        match read.and_then(|bytes| bytes.map(|bytes| Held::decode(&bytes)).transpose()) {
            // It is made anew, for the latest time that is still known to be promised.
            Err(Error::Record { .. }) => {
                let mut until = 0;
                self.database.each_promise_of(id, |_, promise| {
                    let whole = keys::held_index(key) == Some(keys::WHOLE);
                    until =
                        until.max(if whole { promise.statement.whole_until } else { promise.statement.retain_until });
                })?;
                let day = keys::day_of(until);
                Ok((until > 0).then_some(Held {
                    day,
                    length: 0,
                    until,
                    root: Digest::from([0; 32]),
                    place: Place::Here,
                }))
            }
            other => other,
        }
    }

    fn create(&self, bucket: Bucket) -> Result<(), Error> {
        self.database.make_bucket(bucket).map_err(|e| self.disable(e.to_string()))
    }

    /// Drops the buckets of days before `day` as decided; one that nobody decided about is kept until somebody does. What is
    /// dropped is recorded first, so that a reader can tell "expired" from "damaged", and so that the next open or the next
    /// drop finishes what a crash cut off.
    fn drop_before(&mut self, day: u32, decision: &Decision) -> Result<Vec<String>, Error> {
        self.writable()?;
        let there = self.database.buckets();
        let before = day.max(self.dropped.before);
        let seen =
            |bucket: &Bucket| decision.keep.get(bucket).or(self.dropped.kept.get(bucket)).copied().unwrap_or_default();
        let kept = there
            .iter()
            .filter(|bucket| bucket.day < before && !self.dropped.has(**bucket) && !decision.drop.contains(bucket))
            .map(|bucket| (*bucket, seen(bucket)))
            .collect();
        let dropped = Dropped { before, kept };
        if dropped != self.dropped {
            self.put(dropped.record(), true).map_err(|reason| self.disable(reason))?;
            self.dropped = dropped;
        }
        failpoint::reach("between-record-and-drop");
        let mut names = Vec::new();
        for bucket in there.into_iter().filter(|bucket| self.dropped.has(*bucket)) {
            self.database.drop_bucket(bucket).map_err(|e| self.disable(e.to_string()))?;
            self.shared.usage().remove(&bucket);
            names.push(bucket.to_string());
        }
        Ok(names)
    }

    fn writable(&self) -> Result<(), Error> {
        self.shared.writable()
    }

    /// After a failed write or sync nobody knows what is on the disk, so this handle never writes again.
    fn disable(&self, reason: String) -> Error {
        self.shared.disabled.send_if_modified(|disabled| {
            let first = disabled.is_none();
            if first {
                tracing::error!(reason, "store.disable_writes");
                *disabled = Some(Disabled::by(&reason));
            }
            first
        });
        Error::WritesDisabled { reason }
    }
}

/// What is held is this now, and was that before.
fn count(usage: &mut UsageByBucket, before: Option<Held>, after: Held, kind: Kind) {
    if let Some(before) = before {
        usage.entry(Bucket { kind, day: before.day }).or_default().remove(&before);
    }
    usage.entry(Bucket { kind, day: after.day }).or_default().add(&after);
}

/// `None` for a record that is damaged: it is written anew.
fn readable<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Error::Record { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
