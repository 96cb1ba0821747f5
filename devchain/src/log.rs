//! The chain on disk: a log of blocks, one JSON line each, from which a restarted chain is replayed.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use alloy::primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

use super::error::Error;

/// The first line: what must be the same for a replay to give the same blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Head {
    pub(super) version: u32,
    pub(super) chain_id: u64,
    pub(super) hardfork: String,
    pub(super) genesis_timestamp: u64,
}

/// One block after the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) timestamp: u64,
    /// Seconds that the chain's clock is ahead of the wall clock.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) ahead: u64,
    /// The transaction, if the block has one, and the block's hash, which the replay must reach again.
    #[serde(flatten)]
    pub(super) mined: Option<Logged>,
}

/// A logged transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Logged {
    pub(super) transaction: Bytes,
    pub(super) hash: B256,
}

/// The open log. A lock on the file keeps a second chain from writing to it.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    failed: bool,
}

impl Log {
    /// Opens or creates the log; gives its head and records, or writes `head` if it is new.
    ///
    /// A last line without its end was cut off by a crash: it is dropped. Any other damage is an error.
    pub(super) fn open(path: &Path, head: Head) -> Result<(Self, Head, Vec<Record>), Error> {
        let failed = |source| Error::StateFile { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        file.try_lock().map_err(|error| failed(error.into()))?;

        let bad = |line: usize, reason: String| Error::BadStateFile { path: path.to_owned(), line, reason };
        let mut lines = Vec::new();
        let mut whole = 0;
        let mut reader = BufReader::new(&file);
        loop {
            let mut line = Vec::new();
            let length = reader.read_until(b'\n', &mut line).map_err(failed)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            whole += length as u64;
            lines.push(line);
        }
        let (found, records) = match lines.split_first() {
            None => (None, Vec::new()),
            Some((first, rest)) => {
                let found: Head = serde_json::from_slice(first).map_err(|error| bad(1, error.to_string()))?;
                let mut records = Vec::with_capacity(rest.len());
                for (index, line) in rest.iter().enumerate() {
                    let record: Record =
                        serde_json::from_slice(line).map_err(|error| bad(index + 2, error.to_string()))?;
                    records.push(record);
                }
                (Some(found), records)
            }
        };
        file.set_len(whole).map_err(failed)?;
        let mut log = Self { path: path.to_owned(), file, failed: false };
        log.file.seek(SeekFrom::Start(whole)).map_err(failed)?;
        let head = match found {
            Some(found) => found,
            None => {
                log.write(&head).map_err(failed)?;
                head
            }
        };
        Ok((log, head, records))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one block. After a failed write nothing more is written: the file may end in half a line.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        self.write(record)
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes);
        self.failed = written.is_err();
        written
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a child process that was begun just now and has not let go of its copies yet.
        let _ends_with_the_file_at_last = self.file.unlock();
    }
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
