//! What RocksDB's manifest says (its `db/version_edit.h`): which column families and files there are, and which logs are
//! still needed. Read without changing anything, so that a folder that is not whole is refused before RocksDB tidies it up.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::log::{Damage, Log};
use crate::store::Error;

const CURRENT: &str = "CURRENT";
const DEFAULT: &str = "default";

/// A blob file: how many values it has, and how many of them nothing points at any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct BlobFile {
    values: u64,
    garbage: u64,
}

/// A column family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Family {
    name: String,
    /// Logs before this one have nothing for it that is not in its tables.
    log: u64,
    /// Tables by number, with their lengths.
    tables: BTreeMap<u64, u64>,
    blobs: BTreeMap<u64, BlobFile>,
}

/// The state that a manifest describes, as far as it can be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Manifest {
    pub(super) file: PathBuf,
    /// The end of the last whole edit.
    pub(super) end: u64,
    /// Why nothing behind the end was read, if there is something.
    pub(super) damage: Option<Damage>,
    families: BTreeMap<u32, Family>,
    /// Every table and blob file that was ever in use.
    named: BTreeSet<u64>,
    /// Logs that were closed and synced, with their lengths then.
    logs: BTreeMap<u64, u64>,
    least_log: u64,
    largest_family: u32,
}

/// One change.
#[derive(Clone, Debug, Default)]
struct Edit {
    family: u32,
    added: Option<String>,
    dropped: bool,
    log: Option<u64>,
    least_log: Option<u64>,
    largest_family: Option<u32>,
    tables: Vec<(u64, u64)>,
    gone: Vec<u64>,
    blobs: Vec<(u64, u64)>,
    garbage: Vec<(u64, u64)>,
    logs: Vec<(u64, u64)>,
    logs_gone_before: u64,
    /// Edits of the same atomic group that follow.
    more: u32,
}

impl Manifest {
    /// Reads the manifest that is in force in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let current = folder.join(CURRENT);
        let name = fs::read_to_string(&current).map_err(|e| match e.kind() {
            ErrorKind::NotFound => missing(&current),
            _ => Error::file(&current, &e),
        })?;
        let name = name.trim_end_matches('\n');
        if name.strip_prefix("MANIFEST-").is_none_or(|number| number.parse::<u64>().is_err()) {
            let reason = format!("{name:?} is not the name of a manifest");
            return Err(Error::Broken { file: current, at: 0, reason });
        }
        let file = folder.join(name);
        let mut log = Log::open(&file).map_err(|e| match e.kind() {
            ErrorKind::NotFound => missing(&file),
            _ => Error::file(&file, &e),
        })?;
        let mut manifest = Self { file: file.clone(), ..Self::default() };
        manifest.families.insert(0, Family { name: DEFAULT.into(), ..Family::default() });
        let mut group = Vec::new();
        loop {
            let begin = log.end();
            match log.next().map_err(|e| Error::file(&file, &e))? {
                Ok(None) => break,
                Ok(Some(record)) => match Edit::decode(record) {
                    Some(edit) => {
                        let last = edit.more == 0;
                        group.push(edit);
                        if last {
                            group.drain(..).for_each(|edit| manifest.apply(edit));
                            manifest.end = log.end();
                        }
                    }
                    None => {
                        let reason = "an entry that this version does not understand".into();
                        return Err(Error::Broken { file, at: begin, reason });
                    }
                },
                Err(damage) => {
                    manifest.damage = Some(damage);
                    break;
                }
            }
        }
        if manifest.end == 0 {
            let (at, reason) = manifest.damage.map_or((0, "it is empty".into()), |damage| (damage.at, damage.reason));
            return Err(Error::Broken { file, at, reason });
        }
        Ok(manifest)
    }

    /// The names of all column families.
    pub(super) fn families(&self) -> impl Iterator<Item = &str> {
        self.families.values().map(|family| family.name.as_str())
    }

    /// Logs before this one are in tables altogether.
    pub(super) fn first_log(&self) -> u64 {
        let unflushed = self.families.values().map(|family| family.log).min().unwrap_or_default();
        self.least_log.max(unflushed)
    }

    /// Logs that were closed and synced and are still needed, with their lengths then.
    pub(super) fn closed_logs(&self) -> impl Iterator<Item = (u64, u64)> {
        let first = self.first_log();
        self.logs.iter().filter(move |(number, _)| **number >= first).map(|(number, length)| (*number, *length))
    }

    /// Tables in use, with the names of their column families, their numbers and lengths.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.families
            .values()
            .flat_map(|family| family.tables.iter().map(|(number, length)| (family.name.as_str(), *number, *length)))
    }

    /// Blob files in use, with the names of their column families and their numbers.
    pub(super) fn blob_files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.families.values().flat_map(|family| {
            let used = family.blobs.iter().filter(|(_, file)| file.garbage < file.values);
            used.map(|(number, _)| (family.name.as_str(), *number))
        })
    }

    /// Whether a table or blob file of this number was ever in use.
    pub(super) fn has_named(&self, number: u64) -> bool {
        self.named.contains(&number)
    }

    /// Whether there ever was a column family of this number.
    pub(super) fn knows_family(&self, number: u32) -> bool {
        number <= self.largest_family
    }

    fn apply(&mut self, edit: Edit) {
        self.least_log = self.least_log.max(edit.least_log.unwrap_or_default());
        self.largest_family = self.largest_family.max(edit.largest_family.unwrap_or_default()).max(edit.family);
        self.logs.retain(|number, _| *number >= edit.logs_gone_before);
        self.logs.extend(edit.logs);
        self.named.extend(edit.tables.iter().chain(&edit.blobs).map(|(number, _)| number));
        if edit.dropped {
            self.families.remove(&edit.family);
            return;
        }
        if let Some(name) = edit.added {
            self.families.insert(edit.family, Family { name, ..Family::default() });
        }
        // An edit of a family that is not there is one of a family dropped meanwhile.
        let Some(family) = self.families.get_mut(&edit.family) else { return };
        family.log = family.log.max(edit.log.unwrap_or_default());
        for number in edit.gone {
            family.tables.remove(&number);
        }
        family.tables.extend(edit.tables);
        for (number, values) in edit.blobs {
            family.blobs.insert(number, BlobFile { values, garbage: 0 });
        }
        for (number, garbage) in edit.garbage {
            if let Some(file) = family.blobs.get_mut(&number) {
                file.garbage += garbage;
            }
        }
    }
}

fn missing(file: &Path) -> Error {
    Error::Missing { file: file.into() }
}

impl Edit {
    /// `None` for what cannot be an edit, or has something in it that must not be passed over.
    fn decode(bytes: &[u8]) -> Option<Self> {
        /// A reader that does not know the tag may pass over the entry.
        const IGNORABLE: u32 = 1 << 13;
        /// In the custom fields of tables and blob files: a reader must know the tag.
        const MUST_KNOW: u32 = 1 << 6;
        /// Which of several folders a table is in; here there is one.
        const PATH: u32 = 65;
        let mut edit = Self::default();
        let mut input = Input(bytes);
        while !input.0.is_empty() {
            match u32::try_from(input.varint()?).ok()? {
                // Comparator.
                1 => drop(input.slice()?),
                2 => edit.log = Some(input.varint()?),
                // Next file number, last sequence number, previous log.
                3 | 4 | 9 => drop(input.varint()?),
                // Where the next compaction of a level begins.
                5 => drop((input.varint()?, input.slice()?)),
                6 => {
                    let _level = input.varint()?;
                    edit.gone.push(input.varint()?);
                }
                10 => edit.least_log = Some(input.varint()?),
                103 => {
                    let _level = input.varint()?;
                    let (number, length) = (input.varint()?, input.varint()?);
                    // Smallest and largest key, smallest and largest sequence number.
                    let _range = (input.slice()?, input.slice()?, input.varint()?, input.varint()?);
                    loop {
                        match u32::try_from(input.varint()?).ok()? {
                            1 => break,
                            3 => edit.least_log = Some(u64::from_le_bytes(input.slice()?.try_into().ok()?)),
                            tag if tag & MUST_KNOW != 0 && tag != PATH => return None,
                            _ => drop(input.slice()?),
                        }
                    }
                    edit.tables.push((number, length));
                }
                200 => edit.family = u32::try_from(input.varint()?).ok()?,
                201 => edit.added = Some(String::from_utf8(input.slice()?.to_vec()).ok()?),
                202 => edit.dropped = true,
                203 => edit.largest_family = Some(u32::try_from(input.varint()?).ok()?),
                300 => edit.more = u32::try_from(input.varint()?).ok()?,
                400 => {
                    let (number, values, _bytes) = (input.varint()?, input.varint()?, input.varint()?);
                    let _checksum = (input.slice()?, input.slice()?);
                    input.fields(MUST_KNOW)?;
                    edit.blobs.push((number, values));
                }
                401 => {
                    let (number, values, _bytes) = (input.varint()?, input.varint()?, input.varint()?);
                    input.fields(MUST_KNOW)?;
                    edit.garbage.push((number, values));
                }
                // Forms that are no longer written, and without a length.
                8194..=8197 => return None,
                // Logs closed and synced, and those no longer needed.
                tag if tag == IGNORABLE + 7 => {
                    let mut log = Input(input.slice()?);
                    let number = log.varint()?;
                    if log.varint()? == 2 {
                        edit.logs.push((number, log.varint()?));
                    }
                }
                tag if tag == IGNORABLE + 8 => edit.logs_gone_before = Input(input.slice()?).varint()?,
                tag if tag & IGNORABLE != 0 => drop(input.slice()?),
                _ => return None,
            }
        }
        Some(edit)
    }
}

/// What is still to be decoded.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn slice(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (slice, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(slice)
    }

    /// Custom fields up to their end, none of which is one that must be known.
    fn fields(&mut self, must_know: u32) -> Option<()> {
        loop {
            match u32::try_from(self.varint()?).ok()? {
                0 => return Some(()),
                tag if tag & must_know != 0 => return None,
                _ => drop(self.slice()?),
            }
        }
    }
}
