//! The open database: opened for one identity, closed when the last user lets go.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rocksdb::{Cache, ColumnFamilyDescriptor, DB, ErrorKind, Options};
use tokio::sync::oneshot;

use super::{
    Error, Identity, IfMissing, Lost, StoreId,
    damage::Damages,
    engine::{Batch, DEFAULT, Disk, Engine, Failure},
    folder::{self, DATABASE},
    keys::{self, Bucket},
    mark::{Mark, MarkFile},
    marker::Marker,
    options::{self, Purpose},
    records,
    rocks::Rocks,
    room,
    survey::{Survey, survey},
};

/// What errors call a disk that is not a folder.
pub(super) const DISK: &str = "(disk)";

/// An open database. Dropping the last reference closes it; the receiver that [`open`] returns resolves then.
#[derive(Debug)]
pub(super) struct Database {
    // Fields are dropped in order: the database first, then the lock on its folder, then the sender that says so.
    pub(super) db: Box<dyn Engine>,
    buckets: Mutex<BTreeSet<Bucket>>,
    pub(super) damages: Arc<Damages>,
    pub(super) lost: Lost,
    /// All that is in it is known to be on the disk.
    pub(super) vouches: bool,
    /// Whoever reads for long stops.
    halted: AtomicBool,
    /// On the folder, where it lies in one.
    lock: Option<Arc<File>>,
    _closed: oneshot::Sender<()>,
}

/// What goes over from a database to the one that is opened in its place, in the same process.
#[derive(Clone, Debug)]
pub(super) struct Legacy {
    id: StoreId,
    damages: Arc<Damages>,
    lost: Lost,
    /// Nobody else gets the folder in between.
    lock: Option<Arc<File>>,
}

impl Legacy {
    pub(super) fn of(database: &Database, id: StoreId) -> Self {
        let Database { damages, lost, lock, .. } = database;
        Self { id, damages: Arc::clone(damages), lost: Arc::clone(lost), lock: lock.clone() }
    }

    /// Of which store it is.
    pub(super) fn id(&self) -> StoreId {
        self.id
    }
}

/// How it is to be opened.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// To be written, where that can be.
    Write,
    /// To be read only, for this reason.
    Read(String),
}

/// What [`open`] has found.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) closed: oneshot::Receiver<()>,
    pub(super) marker: Marker,
    /// Where to say how far was signed, and what it says, in a folder.
    pub(super) mark: Option<(MarkFile, Mark)>,
    /// Why nothing can be written, if so.
    pub(super) read_only: Option<String>,
}

/// Opens the store in `dir`, and checks whose it is before anything is written to it.
pub(super) fn open(
    dir: &Path,
    identity: Option<&Identity>,
    missing: IfMissing,
    cache: &Cache,
) -> Result<Opened, Error> {
    let lock = Arc::new(folder::lock(dir, missing)?);
    open_locked(dir, identity, missing, cache, Access::Write, lock, None)
}

/// Opens anew what was open in this process. As at any start, nothing is believed but what is found; beside that, what was
/// known of damage stays known.
///
/// # Errors
///
/// As [`open`]; [`Error::Corrupt`] where the folder is that of another store by now.
pub(super) fn open_anew(
    dir: &Path,
    identity: Option<&Identity>,
    cache: &Cache,
    access: Access,
    before: &Legacy,
) -> Result<Opened, Error> {
    let missing = IfMissing::Refuse;
    // A disk that was mounted anew is another folder, of which nobody has the lock yet.
    let lock = match before.lock.as_ref().filter(|lock| folder::is_of(lock, dir)) {
        Some(lock) => Arc::clone(lock),
        None => Arc::new(folder::lock(dir, missing)?),
    };
    open_locked(dir, identity, missing, cache, access, lock, Some(before))
}

/// What a start would find, without changing anything: bytes of the logs that it would replay.
///
/// # Errors
///
/// As [`open`], also where files come and go because the database is open.
pub(super) fn look(dir: &Path, id: StoreId) -> Result<u64, Error> {
    let (_, mark) = MarkFile::open(dir, id, true)?;
    Ok(survey(&dir.join(DATABASE), &mark)?.log_bytes)
}

fn open_locked(
    dir: &Path,
    identity: Option<&Identity>,
    missing: IfMissing,
    cache: &Cache,
    access: Access,
    lock: Arc<File>,
    before: Option<&Legacy>,
) -> Result<Opened, Error> {
    let mut marker = folder::marker(dir, missing, identity.map(|identity| &identity.public_key))?;
    check(dir, identity, &marker, before)?;
    let path = dir.join(DATABASE);
    let unmade = marker.domain.is_none() && path.symlink_metadata().is_err();
    if unmade {
        let Some(identity) = identity else { return Err(Error::NoStore { dir: dir.into() }) };
        folder::make_database(dir, &marker, identity, cache)?;
    }
    let (mark_file, mark, mut read_only) = match (access, MarkFile::open(dir, marker.id, false)) {
        (Access::Read(reason), _) => {
            let (file, mark) = MarkFile::open(dir, marker.id, true)?;
            (file, mark, Some(reason))
        }
        (Access::Write, Ok((file, mark))) => (file, mark, None),
        (Access::Write, Err(Error::ReadOnly { path })) => {
            let (file, mark) = MarkFile::open(dir, marker.id, true)?;
            (file, mark, Some(Error::ReadOnly { path }.to_string()))
        }
        (Access::Write, Err(error)) => return Err(error),
    };
    let survey = survey(&path, &mark)?;
    for lost in &survey.lost {
        tracing::error!(file = %lost.display(), "store.lost: the data in this file is gone");
    }
    if read_only.is_none() {
        read_only = tidy(dir, &survey)?.err();
    }
    let db = open_database(dir, &survey, if read_only.is_none() { Purpose::Write } else { Purpose::Read }, cache)?;
    let db = Box::new(Rocks::new(db, cache.clone()));
    let (mut database, closed) = Database::over(db, &survey.families, Some(lock), &marker, before);
    // What was replayed to be written was written anew and synced.
    database.vouches = read_only.is_none() || !survey.unsynced;
    let recorded = database.identity(dir, &marker, read_only.is_none())?;
    if let Some(identity) = identity {
        check_identity(dir, identity, &recorded)?;
    }
    if marker.domain != Some(recorded.domain) && read_only.is_none() {
        marker.domain = Some(recorded.domain);
        marker.write(dir)?;
    }
    if let Some(reason) = &mut read_only {
        tracing::error!(reason, "store.read_only");
    }
    Ok(Opened { database, closed, marker, mark: Some((mark_file, mark)), read_only })
}

/// Opens the store on a disk that is not a folder; anew, where there is one `before`.
///
/// # Errors
///
/// As [`open`] and [`open_anew`].
pub(super) fn open_disk(
    disk: &dyn Disk,
    identity: Option<&Identity>,
    missing: IfMissing,
    before: Option<&Legacy>,
) -> Result<Opened, Error> {
    let dir = Path::new(DISK);
    let failed = |failure: Failure| Error::opening(dir, &failure);
    let mut marker = match disk.marker().map_err(failed)? {
        Some(text) => Marker::decode(dir, &text)?,
        None => {
            let marker = folder::new_marker(dir, missing, identity.map(|identity| &identity.public_key))?;
            write_marker(disk, &marker)?;
            marker
        }
    };
    check(dir, identity, &marker, before)?;
    let db = disk.open().map_err(failed)?;
    if marker.domain.is_none() {
        let Some(identity) = identity else { return Err(Error::NoStore { dir: dir.into() }) };
        for name in keys::FIXED.into_iter().filter(|name| !db.has(name)) {
            db.create_family(name).map_err(failed)?;
        }
        let mut batch = Batch::default();
        batch.put(DEFAULT, keys::IDENTITY, identity.encode(marker.id));
        db.write(batch, true).map_err(failed)?;
    }
    let (database, closed) = Database::over(db, &disk.families(), None, &marker, before);
    let recorded = database.identity(dir, &marker, true)?;
    if let Some(identity) = identity {
        check_identity(dir, identity, &recorded)?;
    }
    if marker.domain != Some(recorded.domain) {
        marker.domain = Some(recorded.domain);
        write_marker(disk, &marker)?;
    }
    Ok(Opened { database, closed, marker, mark: None, read_only: None })
}

/// Writes the marker of a store that is not in a folder.
///
/// # Errors
///
/// [`Error::Open`].
pub(super) fn write_marker(disk: &dyn Disk, marker: &Marker) -> Result<(), Error> {
    disk.set_marker(&marker.encode()?).map_err(|failure| Error::opening(Path::new(DISK), &failure))
}

/// Cuts off what was never synced, and makes room; or says why there is none.
fn tidy(dir: &Path, survey: &Survey) -> Result<Result<(), String>, Error> {
    for cut in &survey.cuts {
        tracing::warn!(
            file = %cut.file.display(), from = cut.from, to = cut.to, reason = cut.reason,
            "store.cut: the end of this file was not synced, and nothing in it was signed"
        );
        let file = fs::OpenOptions::new().write(true).open(&cut.file);
        let done = file.and_then(|file| file.set_len(cut.to).and_then(|()| file.sync_all()));
        done.map_err(|e| Error::file(&cut.file, &e))?;
    }
    room::prepare(dir, survey.log_bytes, &survey.unreferenced)
}

fn open_database(dir: &Path, survey: &Survey, purpose: Purpose, cache: &Cache) -> Result<DB, Error> {
    let open = |settings: &Options| {
        let names = &survey.families;
        let families = names.iter().map(|name| ColumnFamilyDescriptor::new(name, options::column_family(name, cache)));
        match purpose {
            Purpose::Make | Purpose::Write => DB::open_cf_descriptors(settings, dir.join(DATABASE), families),
            Purpose::Read => DB::open_cf_descriptors_read_only(settings, dir.join(DATABASE), families, false),
        }
    };
    let mut settings = options::database(purpose);
    let opened = open(&settings).or_else(|error| {
        if error.kind() != ErrorKind::Corruption {
            return Err(error);
        }
        // The logs are whole. It is a table, and the rest of them can be read.
        tracing::error!(%error, "store.damaged: a table cannot be opened");
        settings.set_paranoid_checks(false);
        open(&settings)
    });
    let db = opened.map_err(|e| Error::opening(dir, &e.into()))?;
    match keys::FIXED.into_iter().find(|name| db.cf_handle(name).is_none()) {
        None => Ok(db),
        Some(name) => Err(Error::Corrupt { dir: dir.into(), reason: format!("column family {name} is missing") }),
    }
}

impl Database {
    /// Over an engine that was opened, and all of which is on the disk.
    fn over(
        db: Box<dyn Engine>,
        families: &[String],
        lock: Option<Arc<File>>,
        marker: &Marker,
        before: Option<&Legacy>,
    ) -> (Self, oneshot::Receiver<()>) {
        let (sender, closed) = oneshot::channel();
        let buckets = Mutex::new(families.iter().filter_map(|name| Bucket::parse(name)).collect());
        let (damages, lost) = match before {
            Some(before) => (Arc::clone(&before.damages), Arc::clone(&before.lost)),
            None => (Arc::default(), Lost::new(marker.lost.unwrap_or_default().into())),
        };
        let halted = AtomicBool::new(false);
        let database = Self { db, buckets, damages, lost, vouches: true, halted, lock, _closed: sender };
        for family in database.damages.spared() {
            database.spare(&family);
        }
        (database, closed)
    }

    /// Those who read for long are to stop, or need not any more.
    pub(super) fn halt(&self, halted: bool) {
        self.halted.store(halted, Ordering::SeqCst);
    }

    /// Whether who reads for long must stop.
    pub(super) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    pub(super) fn has_bucket(&self, bucket: Bucket) -> bool {
        self.db.has(&bucket.to_string())
    }

    /// Buckets that there are.
    pub(super) fn buckets(&self) -> BTreeSet<Bucket> {
        self.lock_buckets().clone()
    }

    /// Makes a bucket where there is none.
    pub(super) fn make_bucket(&self, bucket: Bucket) -> Result<(), Failure> {
        let mut buckets = self.lock_buckets();
        if !buckets.contains(&bucket) {
            self.db.create_family(&bucket.to_string())?;
            buckets.insert(bucket);
        }
        Ok(())
    }

    /// Removes a bucket and all that is in it.
    pub(super) fn drop_bucket(&self, bucket: Bucket) -> Result<(), Failure> {
        let mut buckets = self.lock_buckets();
        self.db.drop_family(&bucket.to_string())?;
        buckets.remove(&bucket);
        Ok(())
    }

    fn lock_buckets(&self) -> MutexGuard<'_, BTreeSet<Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.db.get(family, key).map_err(|failure| read(&failure))
    }

    /// Whose database it is. It must be that of the marker beside it; a record that is damaged is made anew from that, for
    /// the mark has shown already that both belong together.
    fn identity(&self, dir: &Path, marker: &Marker, writable: bool) -> Result<Identity, Error> {
        let broken = |reason: String| Error::Corrupt { dir: dir.into(), reason };
        let bytes = match (self.db.get(DEFAULT, keys::IDENTITY), marker.domain) {
            (Err(error), Some(domain)) if error.is_damage() => {
                tracing::error!(%error, "store.set_aside: whose database it is, and what was dropped last");
                let identity = Identity { public_key: marker.public_key, domain };
                if writable {
                    let mut batch = Batch::default();
                    batch.put(DEFAULT, keys::IDENTITY, identity.encode(marker.id));
                    self.db.write(batch, true).map_err(|e| Error::opening(dir, &e))?;
                    self.spare(DEFAULT);
                }
                return Ok(identity);
            }
            (bytes, _) => bytes.map_err(|e| Error::opening(dir, &e))?,
        };
        let bytes = bytes.ok_or_else(|| broken("it does not say whose it is".into()))?;
        let format = bytes.first().copied().unwrap_or_default();
        if format != records::FORMAT {
            return Err(Error::Format { dir: dir.into(), expected: records::FORMAT, got: format });
        }
        let (identity, store) = Identity::decode(&bytes).map_err(|e| broken(e.to_string()))?;
        if store != marker.id {
            return Err(broken(format!("it is that of store {store}, and the folder is that of store {}", marker.id)));
        }
        Ok(identity)
    }
}

/// Whether the marker is that of the store that is looked for: of this identity, and that which was open before.
fn check(dir: &Path, expected: Option<&Identity>, marker: &Marker, before: Option<&Legacy>) -> Result<(), Error> {
    if let Some(before) = before.filter(|before| before.id != marker.id) {
        let reason = format!("it is that of store {} now, and was that of {}", marker.id, before.id);
        return Err(Error::Corrupt { dir: dir.into(), reason });
    }
    let Some(expected) = expected else { return Ok(()) };
    let domain = marker.domain.unwrap_or(expected.domain);
    check_identity(dir, expected, &Identity { public_key: marker.public_key, domain })
}

fn check_identity(dir: &Path, expected: &Identity, got: &Identity) -> Result<(), Error> {
    let wrong = |field, expected: String, got: String| Error::WrongIdentity { dir: dir.into(), field, expected, got };
    if got.public_key != expected.public_key {
        return Err(wrong("public key", expected.public_key.to_string(), got.public_key.to_string()));
    }
    if got.domain.chain_id != expected.domain.chain_id {
        return Err(wrong("chain id", expected.domain.chain_id.to_string(), got.domain.chain_id.to_string()));
    }
    if got.domain.registry != expected.domain.registry {
        return Err(wrong("registry", expected.domain.registry.to_string(), got.domain.registry.to_string()));
    }
    Ok(())
}

pub(super) fn read(failure: &Failure) -> Error {
    if failure.is_damage() {
        Error::Record { what: "the database", reason: failure.to_string() }
    } else {
        Error::Read(failure.to_string())
    }
}
