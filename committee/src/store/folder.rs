//! The data folder around the database: who has it, and what must be there.
//!
//! ```text
//! store.json   that there is a store, and whose (marker.rs)
//! mark         how far was signed (mark.rs)
//! reserve      room for the next start (room.rs)
//! probe        for a moment, whether the disk can be written again (probe.rs)
//! hold.json    until when the operator has nothing dropped (operator.rs, above the store)
//! db/          RocksDB
//! db.new/      a database in the making, of which nothing has been signed
//! ```
//!
//! # Nothing is made over what is there
//!
//! A store is made only where there is none of these, and only on request; whatever else the folder looks like is refused
//! and left as it is.

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use holdfast_certificate::PublicKey;
use rocksdb::{Cache, ColumnFamilyDescriptor, DB};

use super::{
    Error, Identity, keys,
    mark::{self, LiveLog, Mark, MarkFile},
    marker::{self, Marker},
    options::{self, Purpose},
};
use crate::files::sync_folder;

/// The database's folder.
pub(super) const DATABASE: &str = "db";
const DATABASE_IN_THE_MAKING: &str = "db.new";

/// What is done about a folder in which there is no store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfMissing {
    /// It is refused: a disk may not be mounted.
    #[default]
    Refuse,
    /// A store is made, for a key that has never signed anything.
    Create,
    /// A store is made in the place of one that is lost. It says from then on that it may not have what was signed before.
    Replace,
}

/// Takes the folder for this process, until the file is dropped. The lock is on the folder itself, so that there is no lock
/// file that anybody could delete.
pub(super) fn lock(dir: &Path, missing: IfMissing) -> Result<File, Error> {
    if missing != IfMissing::Refuse {
        fs::create_dir_all(dir).map_err(|e| Error::file(dir, &e))?;
    }
    let folder = File::open(dir).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::NoStore { dir: dir.into() },
        _ => Error::file(dir, &e),
    })?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { dir: dir.into() }),
        Err(TryLockError::Error(e)) => Err(Error::file(dir, &e)),
    }
}

/// Whether a lock is that of the folder that is at `dir` now.
pub(super) fn is_of(lock: &File, dir: &Path) -> bool {
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (lock.metadata(), fs::metadata(dir)) {
        (Ok(locked), Ok(there)) => place(locked) == place(there),
        _ => false,
    }
}

/// The marker of the store in a locked folder.
pub(super) fn marker(dir: &Path, missing: IfMissing, key: Option<&PublicKey>) -> Result<Marker, Error> {
    if let Some(marker) = Marker::read(dir)? {
        return Ok(marker);
    }
    let here = |name: &str| dir.join(name).symlink_metadata().is_ok();
    if here(DATABASE) || here(mark::FILE) {
        // Half a copy, or the folder of a version that knew no marker.
        return Err(Error::Missing { file: dir.join(marker::FILE) });
    }
    let marker = new_marker(dir, missing, key)?;
    marker.write(dir)?;
    Ok(marker)
}

/// The marker of a store that is to be made where there is none, if that is what is to be done.
pub(super) fn new_marker(dir: &Path, missing: IfMissing, key: Option<&PublicKey>) -> Result<Marker, Error> {
    match (missing, key) {
        (IfMissing::Create | IfMissing::Replace, Some(key)) => Marker::new(*key, missing == IfMissing::Replace),
        _ => Err(Error::NoStore { dir: dir.into() }),
    }
}

/// Makes the database of a store that has none yet. It takes its place in one step, when it is whole.
pub(super) fn make_database(dir: &Path, marker: &Marker, identity: &Identity, cache: &Cache) -> Result<(), Error> {
    let new = dir.join(DATABASE_IN_THE_MAKING);
    match fs::remove_dir_all(&new) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::file(&new, &e)),
        _ => {}
    }
    let failed = |e: rocksdb::Error| Error::opening(dir, &e.into());
    let names = keys::FIXED.into_iter().chain(["default"]);
    let families = names.map(|name| ColumnFamilyDescriptor::new(name, options::column_family(name, cache)));
    let db = DB::open_cf_descriptors(&options::database(Purpose::Make), &new, families).map_err(failed)?;
    db.put_opt(keys::IDENTITY, identity.encode(marker.id), &options::synced()).map_err(failed)?;
    let (log, end) = LiveLog::of(&new).after_write().map_err(|e| Error::file(&new, &e))?;
    MarkFile::create(dir, marker.id, Mark { log, end, sequence: db.latest_sequence_number() })?;
    drop(db);
    let placed = fs::rename(&new, dir.join(DATABASE)).and_then(|()| sync_folder(dir));
    placed.map_err(|e| Error::file(&new, &e))
}
