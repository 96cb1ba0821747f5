//! How far was signed: a small file beside the database, which is overwritten in place and synced after each synced write
//! and before anything of it is signed.
//!
//! # A lost log is not an empty one
//!
//! A log that is gone, emptied, or cut between two records looks like one that was never written. The mark says up to
//! which byte of which log everything was synced; less than that is damage.
//!
//! # Never more than is synced
//!
//! The mark is written after the sync of what it speaks of. Behind it there can be only what was never signed, so a torn
//! end of the log is cut off there without asking anybody.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{Error, StoreId};

/// The file's name.
pub(super) const FILE: &str = "mark";

/// Both slots are written in turn, each a block of its own: a torn write leaves the one before.
const SLOT: usize = 4096;
const MAGIC: &[u8; 16] = b"holdfast mark 2\n";
const LENGTH: usize = 16 + 16 + 4 * 8;

/// What a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Number of the log, as in its name.
    pub(super) log: u64,
    /// Bytes of it that are synced; a record ends there.
    pub(super) end: u64,
    /// RocksDB's sequence number of the last entry before that.
    pub(super) sequence: u64,
}

/// The file, open for the store's life.
#[derive(Debug)]
pub(super) struct MarkFile {
    path: PathBuf,
    file: File,
    id: StoreId,
    ordinal: u64,
}

impl MarkFile {
    /// Makes the file anew with both slots, and syncs it; its folder is not synced.
    pub(super) fn create(dir: &Path, id: StoreId, mark: Mark) -> Result<(), Error> {
        let path = dir.join(FILE);
        let failed = |e: std::io::Error| Error::file(&path, &e);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).map_err(failed)?;
        for ordinal in [1, 0] {
            file.write_all_at(&slot(id, ordinal, mark), place(ordinal)).map_err(failed)?;
        }
        file.sync_all().map_err(failed)
    }

    /// Opens the file, for reading only where `read_only`, and reads the newer of both slots.
    pub(super) fn open(dir: &Path, id: StoreId, read_only: bool) -> Result<(Self, Mark), Error> {
        let path = dir.join(FILE);
        let mut file = OpenOptions::new().read(true).write(!read_only).open(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::Missing { file: path.clone() },
            _ => Error::file(&path, &e),
        })?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file)
            .take(2 * SLOT as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Error::file(&path, &e))?;
        let newest = bytes.chunks(SLOT).filter_map(parse).max_by_key(|(_, ordinal, _)| *ordinal);
        let broken = |reason: &str| Error::Broken { file: path.clone(), at: 0, reason: reason.into() };
        let Some((got, ordinal, mark)) = newest else {
            return Err(broken("neither of its two entries can be read, so nobody knows how far was signed"));
        };
        if got != id {
            return Err(broken(&format!("it is that of store {got}, expected {id}")));
        }
        Ok((Self { path, file, id, ordinal }, mark))
    }

    /// Writes and syncs the mark. What was there stays until then.
    pub(super) fn advance(&mut self, mark: Mark) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("{}: {e}", self.path.display());
        let ordinal = self.ordinal + 1;
        self.file.write_all_at(&slot(self.id, ordinal, mark), place(ordinal)).map_err(failed)?;
        self.file.sync_data().map_err(failed)?;
        self.ordinal = ordinal;
        Ok(())
    }
}

fn place(ordinal: u64) -> u64 {
    ordinal % 2 * SLOT as u64
}

/// Magic, store, ordinal, log, end and sequence, then CRC-32C of all of it; little-endian, filled up with zeros.
fn slot(id: StoreId, ordinal: u64, mark: Mark) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(id.as_bytes());
    for number in [ordinal, mark.log, mark.end, mark.sequence] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.resize(SLOT, 0);
    bytes
}

fn parse(slot: &[u8]) -> Option<(StoreId, u64, Mark)> {
    let (bytes, rest) = slot.split_at_checked(LENGTH)?;
    let crc = u32::from_le_bytes(*rest.first_chunk()?);
    if !bytes.starts_with(MAGIC) || crc32c::crc32c(bytes) != crc {
        return None;
    }
    let id = StoreId::from(*bytes.get(16..)?.first_chunk::<16>()?);
    let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(32 + 8 * at..)?.first_chunk()?));
    Some((id, number(0)?, Mark { log: number(1)?, end: number(2)?, sequence: number(3)? }))
}

/// The log that RocksDB writes to, found again after each write. Its number is nowhere in RocksDB's interface for C.
#[derive(Debug)]
pub(super) struct LiveLog {
    folder: PathBuf,
    open: Option<(u64, File)>,
    length: u64,
}

impl LiveLog {
    /// The log of the database in `folder`.
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.into(), open: None, length: 0 }
    }

    /// Number and length of the log, right after a write of at least one byte by the only thread that writes.
    ///
    /// RocksDB begins a new log only when it takes a write, and that write then goes there: a log that has not grown is no
    /// longer the one that is written to.
    pub(super) fn after_write(&mut self) -> std::io::Result<(u64, u64)> {
        if let Some((number, file)) = &self.open {
            let length = file.metadata()?.len();
            if length > self.length {
                self.length = length;
                return Ok((*number, length));
            }
        }
        let mut newest: Option<(u64, PathBuf)> = None;
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if let Some(number) = number_of(&path, "log").filter(|n| newest.as_ref().is_none_or(|(old, _)| n > old)) {
                newest = Some((number, path));
            }
        }
        let (number, path) =
            newest.ok_or_else(|| std::io::Error::new(ErrorKind::NotFound, "no log in the database"))?;
        let file = File::open(path)?;
        self.length = file.metadata()?.len();
        self.open = Some((number, file));
        Ok((number, self.length))
    }
}

/// Says how far was signed, after each synced write.
#[derive(Debug)]
pub(super) struct Seal {
    mark: MarkFile,
    log: LiveLog,
}

impl Seal {
    /// Of the database in `folder`.
    pub(super) fn new(mark: MarkFile, folder: &Path) -> Self {
        Self { mark, log: LiveLog::of(folder) }
    }

    /// To be called after each write; `synced` with RocksDB's last sequence number if it was synced.
    pub(super) fn wrote(&mut self, synced: Option<u64>) -> Result<(), String> {
        let (log, end) = self.log.after_write().map_err(|e| format!("the log cannot be found: {e}"))?;
        synced.map_or(Ok(()), |sequence| self.mark.advance(Mark { log, end, sequence }))
    }
}

/// The number in a name of RocksDB's such as `000012.log`.
pub(super) fn number_of(path: &Path, extension: &str) -> Option<u64> {
    if path.extension()?.to_str()? != extension {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> StoreId {
        StoreId::from([7; 16])
    }

    fn opened(dir: &Path) -> Result<Mark, Error> {
        MarkFile::open(dir, id(), false).map(|(_, mark)| mark)
    }

    #[test]
    fn the_last_mark_counts_and_a_torn_one_leaves_the_one_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        let mark = |number| Mark { log: number, end: number * 10, sequence: number * 100 };
        MarkFile::create(dir, id(), mark(1)).expect("made");
        for number in 2..7 {
            let (mut file, before) = MarkFile::open(dir, id(), false).expect("opens");
            assert_eq!(before, mark(number - 1));
            file.advance(mark(number)).expect("written");
            // Any prefix of the write, over what was in the slot.
            let whole = std::fs::read(dir.join(FILE)).expect("read");
            let slot = usize::try_from(place(file.ordinal)).expect("small");
            for torn in [0, 1, 20, 40, 60] {
                let mut bytes = whole.clone();
                bytes[slot + torn..slot + SLOT].fill(0xa5);
                std::fs::write(dir.join(FILE), bytes).expect("written");
                assert_eq!(opened(dir).expect("the other"), mark(number - 1));
            }
            std::fs::write(dir.join(FILE), whole).expect("written");
            assert_eq!(opened(dir).expect("whole again"), mark(number));
        }
    }

    #[test]
    fn a_mark_of_another_store_or_none_at_all_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        assert!(matches!(opened(dir), Err(Error::Missing { .. })));
        MarkFile::create(dir, StoreId::from([8; 16]), Mark { log: 1, end: 2, sequence: 3 }).expect("made");
        assert!(opened(dir).expect_err("another").to_string().contains(&StoreId::from([8; 16]).to_string()));
        for bytes in [vec![], vec![0; 2 * SLOT], vec![0xff; 3 * SLOT]] {
            std::fs::write(dir.join(FILE), bytes).expect("written");
            assert!(matches!(opened(dir), Err(Error::Broken { .. })));
        }
    }
}
