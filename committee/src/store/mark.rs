//! How far was signed: a small file beside the database that is overwritten in place after each synced write.
//!
//! # A lost log is not an empty one
//!
//! A log that is gone, emptied, or cut between two records looks like one that was never written. The mark says up to
//! which byte of which log everything was synced; less than that is damage.
//!
//! # Never more than is synced
//!
//! The mark is written after the sync of what it speaks of, and handed to the system before anything of it is signed: a
//! process that is killed leaves it exact. It is synced behind the signature's back and not for each, so after a power cut it may
//! be some tens of milliseconds old. Nobody waits for that sync, though the disk does it beside those of the log; and nothing is
//! lost by it: what was synced is in the log all the same. Only damage to the log's last tens of milliseconds, on top of the
//! power cut, would pass for a torn end.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use super::{Error, StoreId};

/// The file's name.
pub(super) const FILE: &str = "mark";

/// Each slot is a block of its own. One is synced, one is being synced and not written meanwhile, one is written: a torn
/// write leaves one that is sound.
const SLOTS: usize = 3;
const SLOT: usize = 4096;
/// From one sync to the next: under load one does for the marks of several writes.
const PAUSE: Duration = Duration::from_millis(50);
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
    newest: usize,
}

impl MarkFile {
    /// Makes the file anew with every slot, and syncs it; its folder is not synced.
    pub(super) fn create(dir: &Path, id: StoreId, mark: Mark) -> Result<(), Error> {
        let path = dir.join(FILE);
        let failed = |e: std::io::Error| Error::file(&path, &e);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).map_err(failed)?;
        file.write_all_at(&slot(id, 0, mark).repeat(SLOTS), 0).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// Opens the file, for reading only where `read_only`, and reads the newest slot.
    pub(super) fn open(dir: &Path, id: StoreId, read_only: bool) -> Result<(Self, Mark), Error> {
        let path = dir.join(FILE);
        let mut file = OpenOptions::new().read(true).write(!read_only).open(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::Missing { file: path.clone() },
            _ => Error::file(&path, &e),
        })?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file)
            .take((SLOTS * SLOT) as u64)
            .read_to_end(&mut bytes)
            .map_err(|e| Error::file(&path, &e))?;
        if bytes.len() < SLOTS * SLOT {
            // The newest entry may be what is gone, and an older one would pass for it.
            let reason = format!("it has {} bytes, and is written with {}", bytes.len(), SLOTS * SLOT);
            return Err(Error::Broken { file: path, at: bytes.len() as u64, reason });
        }
        let slots = bytes.chunks(SLOT).enumerate().filter_map(|(place, slot)| Some((place, parse(slot)?)));
        let broken = |reason: &str| Error::Broken { file: path.clone(), at: 0, reason: reason.into() };
        let Some((newest, (got, ordinal, mark))) = slots.max_by_key(|(_, (_, ordinal, _))| *ordinal) else {
            return Err(broken("none of its entries can be read, so nobody knows how far was signed"));
        };
        if got != id {
            return Err(broken(&format!("it is that of store {got}, expected {id}")));
        }
        Ok((Self { path, file, id, ordinal, newest }, mark))
    }
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
    others: u64,
}

impl LiveLog {
    /// The log of the database in `folder`.
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.into(), open: None, length: 0, others: 0 }
    }

    /// Bytes of all logs, as of the last write and the last time that a new log was begun.
    fn bytes(&self) -> u64 {
        self.others + self.length
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
    shared: Arc<Shared>,
    log: LiveLog,
    syncing: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    file: MarkFile,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    ordinal: u64,
    /// The slot that is written.
    open: usize,
    /// The slot that is synced and has not been written since.
    synced: usize,
    written: bool,
    /// The thread that syncs waits for something to be written.
    idle: bool,
    closing: bool,
    failed: Option<String>,
}

impl Seal {
    /// Of the database in `folder`. What the file says is written once more and synced first: after a sync that failed, what
    /// is read back may never have come to the disk, and a second sync alone would not bring it there.
    pub(super) fn start(file: MarkFile, mark: Mark, folder: &Path) -> std::io::Result<Self> {
        let (ordinal, synced) = (file.ordinal + 1, (file.newest + 1) % SLOTS);
        file.file.write_all_at(&slot(file.id, ordinal, mark), (synced * SLOT) as u64)?;
        file.file.sync_data()?;
        let open = (synced + 1) % SLOTS;
        let state = State { ordinal, open, synced, written: false, idle: false, closing: false, failed: None };
        let shared = Arc::new(Shared { file, state: Mutex::new(state), changed: Condvar::new() });
        let behind = Arc::clone(&shared);
        let syncing = std::thread::Builder::new().name("store-mark".into()).spawn(move || behind.sync())?;
        Ok(Self { shared, log: LiveLog::of(folder), syncing: Some(syncing) })
    }

    /// To be called after each write; `synced` with RocksDB's last sequence number if it was synced.
    pub(super) fn wrote(&mut self, synced: Option<u64>) -> Result<(), String> {
        let (log, end) = self.log.after_write().map_err(|e| format!("the log cannot be found: {e}"))?;
        synced.map_or(Ok(()), |sequence| self.shared.write(Mark { log, end, sequence }))
    }

    /// Bytes of all logs.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log.bytes()
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        let joined = self.syncing.take().map(JoinHandle::join);
        debug_assert!(joined.is_none_or(|joined| joined.is_ok()));
    }
}

impl Shared {
    fn write(&self, mark: Mark) -> Result<(), String> {
        let mut state = self.lock();
        if let Some(reason) = &state.failed {
            return Err(reason.clone());
        }
        state.ordinal += 1;
        let bytes = slot(self.file.id, state.ordinal, mark);
        self.file.file.write_all_at(&bytes, (state.open * SLOT) as u64).map_err(|e| self.failed(&e))?;
        state.written = true;
        if state.idle {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Syncs what was written, until the store closes.
    fn sync(&self) {
        loop {
            let mut state = self.lock();
            while !state.written && !state.closing {
                state.idle = true;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.idle = false;
            if !state.written {
                return;
            }
            let frozen = state.open;
            state.open = SLOTS - frozen - state.synced;
            state.written = false;
            drop(state);
            match self.file.file.sync_data() {
                Ok(()) => {
                    let mut state = self.lock();
                    state.synced = frozen;
                    let rested = self.changed.wait_timeout_while(state, PAUSE, |state| !state.closing);
                    drop(rested.unwrap_or_else(PoisonError::into_inner));
                }
                Err(e) => {
                    self.lock().failed = Some(self.failed(&e));
                    return;
                }
            }
        }
    }

    fn failed(&self, error: &std::io::Error) -> String {
        format!("{}: {error}", self.file.path.display())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RocksDB's name of a file, such as `000012.log`.
pub(super) fn name_of(number: u64, extension: &str) -> String {
    format!("{number:06}.{extension}")
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

    /// A folder in which a log grows, and a mark beside it.
    fn scene() -> (tempfile::TempDir, File) {
        let folder = tempfile::tempdir().expect("a folder");
        MarkFile::create(folder.path(), id(), Mark { log: 1, end: 0, sequence: 0 }).expect("made");
        let log = File::create(folder.path().join("000001.log")).expect("made");
        (folder, log)
    }

    #[test]
    fn the_last_mark_counts_and_torn_writes_leave_one_that_was_synced() {
        let (folder, mut log) = scene();
        let dir = folder.path();
        let mut sequence = 0;
        for _ in 0..20 {
            let (file, before) = MarkFile::open(dir, id(), false).expect("opens");
            assert_eq!(before, Mark { log: 1, end: 10 * sequence, sequence });
            let mut seal = Seal::start(file, before, dir).expect("starts");
            for _ in 0..5 {
                sequence += 1;
                std::io::Write::write_all(&mut log, &[0; 10]).expect("written");
                seal.wrote(Some(sequence)).expect("written");
                // A process that is killed here has said so.
                assert_eq!(opened(dir).expect("read").sequence, sequence);
                // With the power gone, all but the synced slot may be torn.
                let synced = seal.shared.lock().synced;
                let mut bytes = std::fs::read(dir.join(FILE)).expect("read");
                for place in (0..SLOTS).filter(|place| *place != synced) {
                    bytes[place * SLOT + 20..(place + 1) * SLOT].fill(0xa5);
                }
                let torn = tempfile::tempdir().expect("a folder");
                std::fs::write(torn.path().join(FILE), bytes).expect("written");
                assert!(opened(torn.path()).expect("one is sound").sequence <= sequence);
            }
            drop(seal);
        }
    }

    #[test]
    fn the_log_is_found_again_when_a_new_one_is_begun() {
        let (folder, mut log) = scene();
        let mut live = LiveLog::of(folder.path());
        let write = |log: &mut File| std::io::Write::write_all(log, &[0; 7]).expect("written");
        write(&mut log);
        assert_eq!(live.after_write().expect("found"), (1, 7));
        write(&mut log);
        assert_eq!(live.after_write().expect("found"), (1, 14));
        let mut next = File::create(folder.path().join("000012.log")).expect("made");
        write(&mut next);
        assert_eq!(live.after_write().expect("found"), (12, 7));
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

    #[test]
    fn a_mark_that_is_cut_short_is_damage_and_no_older_one() {
        let (folder, mut log) = scene();
        let dir = folder.path();
        let (file, before) = MarkFile::open(dir, id(), false).expect("opens");
        let mut seal = Seal::start(file, before, dir).expect("starts");
        std::io::Write::write_all(&mut log, &[0; 10]).expect("written");
        seal.wrote(Some(1)).expect("written");
        drop(seal);
        let whole = std::fs::read(dir.join(FILE)).expect("read");
        for length in [100, SLOT, 2 * SLOT, 3 * SLOT - 1] {
            std::fs::write(dir.join(FILE), &whole[..length]).expect("written");
            assert!(matches!(opened(dir), Err(Error::Broken { at, .. }) if at == length as u64), "{length}");
        }
        std::fs::write(dir.join(FILE), &whole).expect("written");
        assert_eq!(opened(dir).expect("whole again").sequence, 1);
    }
}
