//! Room on the disk. A start has to write the log once more, into tables, before RocksDB lets go of it: on a full disk it
//! would never come up again. So room for that is kept in a file that a start may give up.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};

use super::{Error, folder::DATABASE};

/// The file that keeps room.
const FILE: &str = "reserve";
/// For manifests, indices, and what else is written beside the data.
const SPARE: u64 = 16 << 20;
/// The reserve grows in steps, so that it is rarely touched.
const STEP: u64 = 16 << 20;

/// Makes room for a start that has to write `log_bytes` into tables, or says why there is too little.
pub(super) fn prepare(dir: &Path, log_bytes: u64, unreferenced: &[PathBuf]) -> Result<Result<(), String>, Error> {
    if !unreferenced.is_empty() {
        // Which manifest is in force must be on the disk before another one is gone.
        let database = dir.join(DATABASE);
        let synced = File::open(&database).and_then(|folder| folder.sync_all());
        synced.map_err(|e| Error::file(&database, &e))?;
    }
    for file in unreferenced {
        tracing::warn!(file = %file.display(), "store.sweep: nothing refers to this file");
        fs::remove_file(file).map_err(|e| Error::file(file, &e))?;
    }
    let needed = log_bytes + SPARE;
    let failed = |e: io::Error| Error::file(dir, &e);
    if free(dir).map_err(failed)? >= needed {
        return Ok(Ok(()));
    }
    let reserve = dir.join(FILE);
    let kept = reserved(dir);
    if free(dir).map_err(failed)? + kept < needed {
        let free = free(dir).map_err(failed)? + kept;
        return Ok(Err(format!("the disk is full: a start needs {needed} bytes, {free} are free")));
    }
    tracing::warn!(bytes = kept, "store.reserve: given up, since the disk is full");
    fs::remove_file(&reserve).map_err(|e| Error::file(&reserve, &e))?;
    Ok(Ok(()))
}

/// Whether a start that has to write `log_bytes` into tables would find room, with what is reserved for it.
pub(super) fn enough(dir: &Path, log_bytes: u64) -> Result<(), Error> {
    let needed = log_bytes + SPARE;
    let free = free(dir).map_err(|e| Error::file(dir, &e))?.saturating_add(reserved(dir));
    if free < needed { Err(Error::NoRoom { dir: dir.into(), needed, free }) } else { Ok(()) }
}

/// Whether anything more could be taken behind `log_bytes` of logs.
pub(super) fn left(dir: &Path, log_bytes: u64) -> Result<(), Error> {
    let needed = log_bytes + SPARE;
    // Where the file system does not say how much is free, it will say when it is full.
    let free = free(dir).unwrap_or(u64::MAX);
    if free < needed { Err(Error::NoRoom { dir: dir.into(), needed, free }) } else { Ok(()) }
}

fn reserved(dir: &Path) -> u64 {
    fs::metadata(dir.join(FILE)).map_or(0, |metadata| metadata.blocks() * 512)
}

/// What keeps room while the store is open.
#[derive(Debug)]
pub(super) struct Room {
    dir: PathBuf,
    reserve: Option<(File, u64)>,
}

impl Room {
    /// Keeps what a start with an empty log needs, if there is so much.
    pub(super) fn open(dir: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join(FILE));
        let opened = file.and_then(|file| file.metadata().map(|metadata| (file, metadata.len())));
        let reserve = opened.inspect_err(|error| tracing::warn!(%error, "store.reserve: there is none")).ok();
        let mut room = Self { dir: dir.into(), reserve };
        if let Err(error) = room.reserve(SPARE) {
            tracing::warn!(%error, "store.reserve");
        }
        room
    }

    /// Before a write of `bytes` behind `log_bytes` of logs: what is in them must still fit into tables, and a start after
    /// that must find as much again.
    pub(super) fn take(&mut self, log_bytes: u64, bytes: u64) -> Result<(), Error> {
        self.reserve(log_bytes + bytes + SPARE)?;
        left(&self.dir, log_bytes + bytes)
    }

    fn reserve(&mut self, bytes: u64) -> Result<(), Error> {
        let Some((file, kept)) = &mut self.reserve else { return Ok(()) };
        if bytes <= *kept {
            return Ok(());
        }
        let length = bytes.next_multiple_of(STEP);
        match fallocate(&*file, FallocateFlags::empty(), *kept, length - *kept) {
            Ok(()) => *kept = length,
            Err(Errno::NOSPC | Errno::DQUOT) => {
                // What was allocated before it failed is given back.
                let _cut = file.set_len(*kept);
                let free = free(&self.dir).unwrap_or_default();
                return Err(Error::NoRoom { dir: self.dir.clone(), needed: length - *kept, free });
            }
            Err(error) => {
                tracing::warn!(%error, "store.reserve: this file system keeps no room");
                self.reserve = None;
            }
        }
        Ok(())
    }
}

/// Bytes of the disk that the store in `dir` has taken.
pub(crate) fn occupied(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for folder in [dir.to_owned(), dir.join(DATABASE)] {
        for entry in fs::read_dir(folder)? {
            match entry?.metadata() {
                Ok(metadata) if metadata.is_file() => bytes += metadata.blocks() * 512,
                Ok(_) => {}
                // RocksDB removes files whenever it likes.
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(bytes)
}

/// Bytes that this user can still write.
pub(crate) fn free(dir: &Path) -> io::Result<u64> {
    match statvfs(dir) {
        Ok(stat) => Ok(stat.f_bavail.saturating_mul(stat.f_frsize)),
        Err(Errno::NOSYS | Errno::OPNOTSUPP) => Err(ErrorKind::Unsupported.into()),
        Err(errno) => Err(errno.into()),
    }
}
