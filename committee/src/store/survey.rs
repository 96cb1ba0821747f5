//! Looking at a closed database before it is opened, without changing anything: is all there that was signed?
//!
//! RocksDB tidies up when it opens: it replays logs and deletes them, and removes every file that its manifest does not
//! name. On a folder that is not whole that destroys what could still be saved, so it is opened only after this.
//!
//! # Whole or refused
//!
//! Every table of the manifest is there, every log that is still needed is there, and the logs can be read, one entry after
//! the other without a gap, up to the [`Mark`]. Behind the mark nothing was signed: a torn end is cut off.

mod log;
mod manifest;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Error,
    mark::{Mark, name_of, number_of},
};
use log::Damage;
pub(super) use log::Log;
use manifest::Manifest;

/// What was found, and what is to be done before the database is opened.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Names of the column families.
    pub(super) families: Vec<String>,
    /// Ends to cut off, of what was written and never synced.
    pub(super) cuts: Vec<Cut>,
    /// Blob files that are gone: what was in them is lost, and nothing else.
    pub(super) lost: Vec<PathBuf>,
    /// Files that nothing ever referred to, such as tables that were half written when the disk was full.
    pub(super) unreferenced: Vec<PathBuf>,
    /// Bytes of logs that will be replayed.
    pub(super) log_bytes: u64,
    /// The logs have entries behind the mark: nobody knows whether these were ever synced.
    pub(super) unsynced: bool,
}

/// The end of a file that was being written when the power went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) file: PathBuf,
    /// Bytes that stay.
    pub(super) to: u64,
    /// Bytes that there are.
    pub(super) from: u64,
    /// Why what follows is not read.
    pub(super) reason: String,
}

/// The files of a database, by their numbers.
#[derive(Debug, Default)]
struct Files {
    logs: BTreeMap<u64, PathBuf>,
    tables: BTreeMap<u64, (PathBuf, u64)>,
    blobs: BTreeMap<u64, PathBuf>,
    others: Vec<PathBuf>,
}

/// Names of the tables, blob files and closed logs that the manifest in force in `folder` needs, with the bytes that must be in them:
/// for tests of what a loss of power leaves.
///
/// # Errors
///
/// [`Error::Missing`] or [`Error::Broken`] where there is no manifest that can be read.
pub fn files_needed(folder: &Path) -> Result<Vec<(String, u64)>, Error> {
    let manifest = Manifest::read(folder)?;
    let tables = manifest.tables().map(|(_, number, length)| (name_of(number, "sst"), length));
    // How long a blob file is, its own end says.
    let blobs = manifest.blob_files().map(|(_, number)| (name_of(number, "blob"), 1));
    let logs = manifest.closed_logs().map(|(number, length)| (name_of(number, "log"), length));
    Ok(tables.chain(blobs).chain(logs).collect())
}

/// Looks at the database in `folder`.
///
/// # Errors
///
/// [`Error::Missing`] or [`Error::Broken`] when something is not there that was signed, or that RocksDB needs to find it.
pub(super) fn survey(folder: &Path, mark: &Mark) -> Result<Survey, Error> {
    let manifest = Manifest::read(folder)?;
    let files = Files::list(folder)?;
    let mut survey = Survey::default();
    let checked = tables(folder, &manifest, &files).and_then(|()| logs(folder, &manifest, &files, mark, &mut survey));
    match (checked, &manifest.damage) {
        (Ok(()), None) => {}
        // The last change to the manifest was cut off. It was not acted upon, since without it all is there.
        (Ok(()), Some(damage)) => survey.cut(&manifest.file, manifest.end, &damage.reason)?,
        (Err(error), None) => return Err(error),
        (Err(error), Some(damage)) => {
            // That nothing has been changed is said once.
            let error = error.to_string();
            let error = error.split("; nothing has been changed").next().unwrap_or_default();
            let reason = format!("{}; as far as it can be read, {error}", damage.reason);
            return Err(Error::Broken { file: manifest.file, at: damage.at, reason });
        }
    }
    survey.families = manifest.families().map(str::to_owned).collect();
    for (_, number) in manifest.blob_files() {
        if !files.blobs.contains_key(&number) {
            survey.lost.push(folder.join(name_of(number, "blob")));
        }
    }
    survey.unreferenced = files.unreferenced(&manifest);
    Ok(survey)
}

impl Survey {
    fn cut(&mut self, file: &Path, to: u64, reason: &str) -> Result<(), Error> {
        let from = fs::metadata(file).map_err(|e| Error::file(file, &e))?.len();
        if to < from {
            self.cuts.push(Cut { file: file.into(), to, from, reason: reason.into() });
        }
        Ok(())
    }
}

impl Files {
    fn list(folder: &Path) -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::file(folder, &e);
        let mut files = Self::default();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if let Some(number) = number_of(&path, "log") {
                files.logs.insert(number, path);
            } else if let Some(number) = number_of(&path, "sst") {
                files.tables.insert(number, (path, entry.metadata().map_err(failed)?.len()));
            } else if let Some(number) = number_of(&path, "blob") {
                files.blobs.insert(number, path);
            } else {
                files.others.push(path);
            }
        }
        Ok(files)
    }

    /// What was left half written: nothing has ever referred to it. What the manifest has named and lets go of is left to RocksDB,
    /// which removes it when its next manifest is on the disk: that of this one may not be, for what is read here is what was
    /// written, and a sync of its last changes may have failed. Nor are logs looked at, or its own text logs.
    fn unreferenced(self, manifest: &Manifest) -> Vec<PathBuf> {
        let stale = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            (name.starts_with("MANIFEST-") && *path != manifest.file) || name.ends_with(".dbtmp")
        };
        let tables = self.tables.into_iter().map(|(number, (path, _))| (number, path));
        let never_named = tables.chain(self.blobs).filter(|(number, _)| !manifest.has_named(*number));
        never_named.map(|(_, path)| path).chain(self.others.into_iter().filter(stale)).collect()
    }
}

/// Every table is there in its length. Damage inside of one is found when it is read.
fn tables(folder: &Path, manifest: &Manifest, files: &Files) -> Result<(), Error> {
    for (_, number, length) in manifest.tables() {
        let Some((file, got)) = files.tables.get(&number) else {
            return Err(Error::Missing { file: folder.join(name_of(number, "sst")) });
        };
        if *got != length {
            let reason = format!("it has {got} bytes, expected {length}");
            return Err(Error::Broken { file: file.clone(), at: length.min(*got), reason });
        }
    }
    Ok(())
}

/// Every log that is needed is there, and all of them can be read up to the mark.
fn logs(folder: &Path, manifest: &Manifest, files: &Files, mark: &Mark, survey: &mut Survey) -> Result<(), Error> {
    let first = manifest.first_log();
    let name = |number: u64| folder.join(name_of(number, "log"));
    let needed = manifest.closed_logs().map(|(number, _)| number).chain((mark.log >= first).then_some(mark.log));
    for number in needed {
        if !files.logs.contains_key(&number) {
            return Err(Error::Missing { file: name(number) });
        }
    }
    for (number, length) in manifest.closed_logs() {
        let file = name(number);
        let at = fs::metadata(&file).map_err(|e| Error::file(&file, &e))?.len();
        if at < length {
            let reason = format!("it ends here, and had {length} bytes when it was closed");
            return Err(Error::Broken { file, at, reason });
        }
    }
    // What lies in tables altogether is not read again.
    let mut reached = mark.log < first;
    let (mut next, mut torn) = (None, false);
    for (number, file) in files.logs.range(first..) {
        if torn {
            survey.cut(file, 0, "it follows a log that was cut off")?;
            continue;
        }
        let mut log = Log::open(file).map_err(|e| Error::file(file, &e))?;
        let mut whole = 0;
        let damage = loop {
            let batch = match log.next().map_err(|e| Error::file(file, &e))? {
                Ok(Some(record)) => Batch::read(record),
                Ok(None) => break None,
                Err(damage) => break Some(damage),
            };
            let Some(batch) = batch.filter(|batch| batch.count == 0 || next.is_none_or(|next| next == batch.sequence))
            else {
                // Such as what an older file had in that place on the disk.
                break Some(Damage { at: whole, reason: "it does not go on from what is before".into() });
            };
            if batch.families.iter().any(|family| !manifest.knows_family(*family)) {
                let reason = format!("it does not know a column family of which {} has data", file.display());
                return Err(Error::Broken { file: manifest.file.clone(), at: manifest.end, reason });
            }
            if batch.count > 0 {
                next = Some(batch.sequence + u64::from(batch.count));
                survey.unsynced |= batch.last().is_some_and(|last| last > mark.sequence);
            }
            if *number == mark.log && log.end() == mark.end {
                if batch.last() != Some(mark.sequence) {
                    let reason = format!("entry {} ends here, expected {}", batch.sequence, mark.sequence);
                    return Err(Error::Broken { file: file.clone(), at: whole, reason });
                }
                reached = true;
            }
            whole = log.end();
        };
        let ended = (*number == mark.log).then(|| Damage { at: log.end(), reason: "it ends here".into() });
        if let (false, Some(damage)) = (reached, damage.clone().or(ended)) {
            let reason =
                format!("{}; {} was signed for up to byte {}", damage.reason, name(mark.log).display(), mark.end);
            return Err(Error::Broken { file: file.clone(), at: damage.at, reason });
        }
        survey.log_bytes += whole;
        if let Some(damage) = damage {
            torn = true;
            survey.cut(file, whole, &format!("{} at byte {}", damage.reason, damage.at))?;
        }
    }
    Ok(())
}

/// What a record of a log says of itself (RocksDB's `db/write_batch.cc`).
struct Batch {
    sequence: u64,
    count: u32,
    /// Column families that it writes to, as far as its entries are of the kinds that this store writes.
    families: Vec<u32>,
}

impl Batch {
    fn read(record: &[u8]) -> Option<Self> {
        const PUT: u8 = 1;
        const PUT_IN_FAMILY: u8 = 5;
        let sequence = u64::from_le_bytes(*record.first_chunk()?);
        let count = u32::from_le_bytes(*record.get(8..)?.first_chunk()?);
        let mut input = manifest::Input(record.get(12..)?);
        let mut families = Vec::new();
        while let Some((kind, rest)) = input.0.split_first() {
            input.0 = rest;
            match *kind {
                PUT => {}
                PUT_IN_FAMILY => families.push(u32::try_from(input.varint()?).ok()?),
                _ => break,
            }
            let _entry = (input.slice()?, input.slice()?);
        }
        families.dedup();
        Some(Self { sequence, count, families })
    }

    fn last(&self) -> Option<u64> {
        Some(self.sequence + u64::from(self.count.checked_sub(1)?))
    }
}
