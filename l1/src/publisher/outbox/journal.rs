//! The records on disk: a folder per chain and account, a file per job.
//!
//! A record is replaced as a whole: written beside, synced, renamed over, and the folder synced. So a crash leaves the
//! old one or the new one, and a file that does not read is damage, over which nothing is sent.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Mutex,
};

use alloy::primitives::{Address, B256, keccak256};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{identity::Mark, record::Record};
use crate::publisher::error::Error;

const VERSION: u32 = 1;

/// The longest record that is read: a hundred attempts at the largest contract's creation have less.
const MAX_BYTES: u64 = 32 << 20;

const HEAD: &str = "journal.json";
const LOCK: &str = "lock";

/// Where records are kept.
#[derive(Debug)]
pub(super) enum Journal {
    /// Nowhere: what is not final when the process ends is forgotten.
    Memory,
    Disk(Disk),
}

/// Whose records they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) chain_id: u64,
    pub(super) account: Address,
}

/// What stands at the head of a journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Head {
    Now(Marked),
    /// Of journals of the first version.
    First(First),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Marked {
    chain_id: u64,
    account: Address,
    /// By what the chain is known: development chains share their ids.
    mark: Option<Mark>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct First {
    chain_id: u64,
    genesis: B256,
    account: Address,
}

impl Head {
    fn parts(&self) -> (Owner, Option<Mark>) {
        match *self {
            Self::Now(Marked { chain_id, account, mark }) => (Owner { chain_id, account }, mark),
            Self::First(First { chain_id, genesis, account }) => {
                (Owner { chain_id, account }, Some(Mark::Genesis(genesis)))
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    owner: Owner,
    /// Held for as long as the journal is open.
    _lock: File,
    /// Why nothing is written any more: after a failed write or sync it is not known what the disk has.
    failed: Mutex<Option<String>>,
}

/// A file's content.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<T> {
    version: u32,
    /// Keccak-256 of the content's JSON.
    checksum: B256,
    content: T,
}

impl Journal {
    /// Opens or creates the journal of `owner` below `base`, and reads every record, and by what it knows its chain.
    pub(super) fn open(base: &Path, owner: Owner) -> Result<(Self, Vec<Record>, Option<Mark>), Error> {
        let folder = base.join(format!("{}-{:#x}", owner.chain_id, owner.account));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| Error::Journal { path, reason: error.to_string() }
        };
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let lock = folder.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock).map_err(failed(&lock))?;
        file.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => Error::JournalLocked { path: folder.clone() },
            fs::TryLockError::Error(error) => failed(&lock)(error),
        })?;
        let disk = Disk { folder, owner, _lock: file, failed: Mutex::new(None) };
        let (records, mark) = disk.read_all()?;
        Ok((Self::Disk(disk), records, mark))
    }

    /// Its folder, if it has one.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Memory => Path::new("(in memory)"),
            Self::Disk(disk) => &disk.folder,
        }
    }

    /// Knows its chain by this from now on.
    pub(super) fn mark(&self, mark: Mark) -> Result<(), Error> {
        match self {
            Self::Memory => Ok(()),
            Self::Disk(disk) => disk.guarded(|disk| disk.replace(HEAD, &disk.head(Some(mark)))),
        }
    }

    /// Writes a record so that it survives a crash. Blocks until the disk has it.
    pub(super) fn write(&self, record: &Record) -> Result<(), Error> {
        match self {
            Self::Memory => Ok(()),
            Self::Disk(disk) => disk.guarded(|disk| disk.replace(&file_name(record.id), record)),
        }
    }

    /// Removes a record that nothing is asked about any more.
    pub(super) fn remove(&self, id: B256) -> Result<(), Error> {
        match self {
            Self::Memory => Ok(()),
            Self::Disk(disk) => disk.guarded(|disk| {
                fs::remove_file(disk.folder.join(file_name(id)))?;
                sync_folder(&disk.folder)
            }),
        }
    }
}

impl Disk {
    fn head(&self, mark: Option<Mark>) -> Head {
        Head::Now(Marked { chain_id: self.owner.chain_id, account: self.owner.account, mark })
    }

    fn read_all(&self) -> Result<(Vec<Record>, Option<Mark>), Error> {
        let owner = &self.owner;
        let failed = |error: io::Error| Error::Journal { path: self.folder.clone(), reason: error.to_string() };
        let mut records = Vec::new();
        let mut has_head = false;
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name == HEAD {
                has_head = true;
            } else if name.ends_with(".tmp") {
                // A crash came before the rename: the record beside it, if any, is the valid one.
                fs::remove_file(&path).map_err(failed)?;
            } else if name != LOCK {
                let record: Record = read(&path)?;
                let bad = |reason: String| Error::BadJournal { path: path.clone(), reason };
                if file_name(record.id) != name {
                    return Err(bad(format!("expected the record of its name, got that of {}", record.id)));
                }
                record.check(owner.chain_id, owner.account).map_err(bad)?;
                records.push(record);
            }
        }
        let path = self.folder.join(HEAD);
        let mut mark = None;
        if has_head {
            let (found, known) = read::<Head>(&path)?.parts();
            if found != *owner {
                let reason = format!("the journal of another account or chain id: expected {owner:?}, got {found:?}");
                return Err(Error::BadJournal { path, reason });
            }
            mark = known;
        } else if records.is_empty() {
            self.replace(HEAD, &self.head(None)).map_err(failed)?;
            // The folder itself, and the one it may have been created in.
            sync_folder(self.folder.parent().unwrap_or(&self.folder)).map_err(failed)?;
        } else {
            return Err(Error::BadJournal { path, reason: "records without it".to_owned() });
        }
        records.sort_by_key(|record| record.sequence);
        no_shared_nonce(&records).map_err(|reason| Error::BadJournal { path: self.folder.clone(), reason })?;
        Ok((records, mark))
    }

    fn replace(&self, name: &str, content: &impl Serialize) -> io::Result<()> {
        let checksum = keccak256(serde_json::to_vec(content)?);
        let bytes = serde_json::to_vec(&Sealed { version: VERSION, checksum, content })?;
        let beside = self.folder.join(format!("{name}.tmp"));
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&beside, self.folder.join(name))?;
        sync_folder(&self.folder)
    }

    fn guarded(&self, write: impl FnOnce(&Self) -> io::Result<()>) -> Result<(), Error> {
        let mut failed = self.failed.lock().expect("no code panics while it holds this");
        if failed.is_none() {
            match write(self) {
                Ok(()) => return Ok(()),
                Err(error) => *failed = Some(error.to_string()),
            }
        }
        let reason = failed.clone().unwrap_or_default();
        Err(Error::Journal { path: self.folder.clone(), reason })
    }
}

fn file_name(id: B256) -> String {
    format!("{id:x}.json")
}

fn read<T: Serialize + DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let failed = |error: io::Error| Error::Journal { path: path.to_owned(), reason: error.to_string() };
    let bad = |reason: String| Error::BadJournal { path: path.to_owned(), reason };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > MAX_BYTES {
        return Err(bad(format!("expected at most {MAX_BYTES} bytes, got {length}")));
    }
    let bytes = fs::read(path).map_err(failed)?;
    let sealed: Sealed<T> = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if sealed.version != VERSION {
        return Err(bad(format!("expected version {VERSION}, got {}", sealed.version)));
    }
    let content = serde_json::to_vec(&sealed.content).map_err(|error| bad(error.to_string()))?;
    if keccak256(content) != sealed.checksum {
        return Err(bad("its checksum differs".to_owned()));
    }
    Ok(sealed.content)
}

fn no_shared_nonce(records: &[Record]) -> Result<(), String> {
    let mut nonces: Vec<u64> = records.iter().filter_map(|record| Some(record.bound()?.nonce)).collect();
    nonces.sort_unstable();
    match nonces.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two jobs have nonce {}", pair[0])),
        None => Ok(()),
    }
}

/// Makes renames and removals in a folder survive a crash.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Bytes;

    use super::{
        super::record::{BlockRef, Stage},
        *,
    };

    fn owner() -> Owner {
        Owner { chain_id: 5, account: Address::repeat_byte(2) }
    }

    fn record(id: u8) -> Record {
        let input = Bytes::from(vec![id; 40]);
        Record { sequence: u64::from(id), ..Record::new(B256::repeat_byte(id), Some(Address::repeat_byte(3)), input) }
    }

    fn open(base: &Path) -> Result<(Journal, Vec<Record>), Error> {
        let (journal, records, _) = Journal::open(base, owner())?;
        Ok((journal, records))
    }

    fn path_of(base: &Path, name: &str) -> PathBuf {
        base.join(format!("5-{:#x}", owner().account)).join(name)
    }

    #[test]
    fn records_come_back_in_order_and_a_torn_write_leaves_the_old_one() {
        let base = tempfile::tempdir().expect("a folder");
        let (journal, records) = open(base.path()).expect("new");
        assert_eq!(records, []);
        for id in [3, 1, 2] {
            journal.write(&record(id)).expect("written");
        }
        journal.remove(record(2).id).expect("removed");
        drop(journal);
        let torn = path_of(base.path(), &format!("{}.tmp", file_name(record(1).id)));
        fs::write(&torn, b"{\"version\":1,\"chec").expect("a crash in the middle of a write");

        let (_journal, records) = open(base.path()).expect("opens again");
        assert_eq!(records, [record(1), record(3)]);
        assert!(!torn.exists());
    }

    #[test]
    fn every_damaged_byte_is_found() {
        let base = tempfile::tempdir().expect("a folder");
        let (journal, _) = open(base.path()).expect("new");
        journal.write(&record(1)).expect("written");
        drop(journal);
        for name in [HEAD.to_owned(), file_name(record(1).id)] {
            let path = path_of(base.path(), &name);
            let whole = fs::read(&path).expect("a record");
            for index in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[index] ^= 1;
                fs::write(&path, &damaged).expect("damaged");
                // A letter of a hexadecimal number may change its case and mean the same.
                if let Ok((_journal, records)) = open(base.path()) {
                    assert_eq!(records, [record(1)], "byte {index} of {name}");
                }
            }
            for length in 0..whole.len() {
                fs::write(&path, &whole[..length]).expect("cut");
                let error = open(base.path()).expect_err("cut off");
                assert!(matches!(&error, Error::BadJournal { path: bad, .. } if *bad == path), "{error}");
            }
            fs::write(&path, &whole).expect("whole again");
        }
        open(base.path()).expect("whole again");
    }

    #[test]
    fn another_accounts_journal_and_a_second_user_are_refused() {
        let base = tempfile::tempdir().expect("a folder");
        let (journal, _) = open(base.path()).expect("new");
        let locked = open(base.path()).expect_err("in use");
        assert!(matches!(locked, Error::JournalLocked { .. }), "{locked}");
        drop(journal);
        let other = Owner { account: Address::repeat_byte(9), ..owner() };
        let moved = base.path().join(format!("5-{:#x}", other.account));
        fs::rename(path_of(base.path(), ""), &moved).expect("renamed");
        let error = Journal::open(base.path(), other).expect_err("another account");
        assert!(matches!(error, Error::BadJournal { .. }), "{error}");
    }

    #[test]
    fn a_journal_knows_its_chain_by_what_it_was_marked_with_last_and_one_of_the_first_version_by_its_genesis() {
        let base = tempfile::tempdir().expect("a folder");
        let mark_of = || Journal::open(base.path(), owner()).expect("opens").2;
        assert_eq!(mark_of(), None);
        let first = First { chain_id: 5, genesis: B256::repeat_byte(1), account: owner().account };
        let checksum = keccak256(serde_json::to_vec(&first).expect("JSON"));
        let sealed = Sealed { version: VERSION, checksum, content: first };
        fs::write(path_of(base.path(), HEAD), serde_json::to_vec(&sealed).expect("JSON")).expect("written");
        assert_eq!(mark_of(), Some(Mark::Genesis(first.genesis)));
        for number in [7, 9] {
            let mark = Mark::Block(BlockRef { number, hash: B256::repeat_byte(2) });
            Journal::open(base.path(), owner()).expect("opens").0.mark(mark).expect("written");
            assert_eq!(mark_of(), Some(mark));
        }
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_written() {
        let base = tempfile::tempdir().expect("a folder");
        let (journal, _) = open(base.path()).expect("new");
        let in_the_way = path_of(base.path(), &format!("{}.tmp", file_name(record(1).id)));
        fs::create_dir(&in_the_way).expect("a folder where the file should be");
        assert!(matches!(journal.write(&record(1)), Err(Error::Journal { .. })));
        fs::remove_dir(&in_the_way).expect("gone");
        assert!(matches!(journal.write(&Record { stage: Stage::Built, ..record(2) }), Err(Error::Journal { .. })));
    }
}
