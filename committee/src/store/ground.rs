//! Where a store lies: in a folder, with a RocksDB in it, or on a [`Disk`] of another kind.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rocksdb::Cache;

use super::{
    Error, Identity, IfMissing, StoreId,
    database::{self, Access, Legacy, Opened},
    engine::Disk,
    folder::DATABASE,
    mark::{Mark, MarkFile, Seal},
    marker::Marker,
    options, probe,
    room::{self, Room},
};

/// Where a store lies.
#[derive(Clone)]
pub(super) enum Ground {
    /// In a folder. The cache is that of its RocksDB, however often that is opened.
    Folder(PathBuf, Cache),
    /// On a disk of another kind.
    Disk(Arc<dyn Disk>),
}

impl Ground {
    pub(super) fn folder(dir: &Path) -> Self {
        Self::Folder(dir.into(), options::cache())
    }

    /// The folder; of a disk of another kind, what errors call it.
    pub(super) fn dir(&self) -> &Path {
        match self {
            Self::Folder(dir, _) => dir,
            Self::Disk(_) => Path::new(database::DISK),
        }
    }

    /// Opens the store, and checks whose it is before anything is written to it.
    pub(super) fn open(&self, identity: Option<&Identity>, missing: IfMissing) -> Result<Opened, Error> {
        match self {
            Self::Folder(dir, cache) => database::open(dir, identity, missing, cache),
            Self::Disk(disk) => database::open_disk(&**disk, identity, missing, None),
        }
    }

    /// Opens anew what was open in this process.
    pub(super) fn open_anew(
        &self,
        identity: Option<&Identity>,
        access: Access,
        before: &Legacy,
    ) -> Result<Opened, Error> {
        match self {
            Self::Folder(dir, cache) => database::open_anew(dir, identity, cache, access, before),
            Self::Disk(disk) => database::open_disk(&**disk, identity, IfMissing::Refuse, Some(before)),
        }
    }

    /// Whether a start would find all that was signed, and room, as far as that is seen while the database is open.
    pub(super) fn look(&self, id: StoreId) -> Result<(), Error> {
        match self {
            Self::Folder(dir, _) => room::enough(dir, database::look(dir, id)?),
            Self::Disk(_) => self.probe(),
        }
    }

    /// Whether the disk can be written, found out beside the database.
    pub(super) fn probe(&self) -> Result<(), Error> {
        match self {
            Self::Folder(dir, _) => probe::probe(dir),
            Self::Disk(disk) => disk.probe().map_err(|e| Error::WritesDisabled { reason: e.to_string() }),
        }
    }

    /// Whether anything more could be taken behind `log_bytes` of logs.
    pub(super) fn room_left(&self, log_bytes: u64) -> Result<(), Error> {
        match self {
            Self::Folder(dir, _) => room::left(dir, log_bytes),
            Self::Disk(_) => Ok(()),
        }
    }

    /// Writes and syncs the marker.
    pub(super) fn write(&self, marker: &Marker) -> Result<(), Error> {
        match self {
            Self::Folder(dir, _) => marker.write(dir),
            Self::Disk(disk) => database::write_marker(&**disk, marker),
        }
    }

    /// What says how far was signed, from where the mark is.
    pub(super) fn seal(&self, mark: Option<(MarkFile, Mark)>) -> Result<Option<Seal>, Error> {
        let start = |(file, mark)| Seal::start(file, mark, &self.dir().join(DATABASE));
        mark.map(start).transpose().map_err(|e| Error::file(self.dir(), &e))
    }

    /// What keeps room for the next start.
    pub(super) fn room(&self) -> Option<Room> {
        match self {
            Self::Folder(dir, _) => Some(Room::open(dir)),
            Self::Disk(_) => None,
        }
    }
}
