//! The two lists of a bundle: files that only grow, a line for each thing, so that a line more costs nothing of what is there.
//!
//! `published.jsonl` has the publish events of L1 in L1's order, `held.txt` the ids of the blobs whose payload is there, in the order
//! in which they came. What is not ended by a line feed was being written when the power went, and is none.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    path::Path,
};

use anyhow::Context as _;
use holdfast_certificate::{Address, Namespace, StatementDigest};
use holdfast_erasure::{BlobId, Digest};
use holdfast_registry::{Position, Publication};
use serde::{Deserialize, Serialize};

/// The longest line that is read.
const MOST_LINE_BYTES: u64 = 4096;

/// A line of `published.jsonl`: a publish event, as L1 nodes gave it. Whose namespace it is stands in the head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Published {
    pub(crate) block: u64,
    pub(crate) log_index: u64,
    pub(crate) block_hash: Digest,
    pub(crate) transaction: Digest,
    pub(crate) blob_id: BlobId,
    /// What the members signed.
    pub(crate) statement: StatementDigest,
    pub(crate) payload_digest: Digest,
    pub(crate) publisher: Address,
    pub(crate) epoch: u64,
    pub(crate) retain_until: u64,
}

/// The sound lines of a list: those before the first that is cut off or says nothing.
#[derive(Debug)]
pub(crate) struct Lines<T> {
    pub(crate) lines: Vec<T>,
    /// Bytes of these lines.
    pub(crate) bytes: u64,
    /// Whether nothing follows them but a line that is cut off.
    pub(crate) whole: bool,
}

impl Published {
    /// Its place in L1's order.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.block, self.log_index)
    }

    pub(crate) fn publication(&self, namespace: Namespace) -> Publication {
        let Self { block, log_index, block_hash, transaction, .. } = *self;
        Publication {
            position: Position { block, log_index, block_hash, transaction },
            blob_id: self.blob_id,
            namespace,
            payload_digest: self.payload_digest,
            publisher: self.publisher,
            statement: self.statement,
            epoch: self.epoch,
            retain_until: self.retain_until,
        }
    }
}

impl From<&Publication> for Published {
    fn from(of: &Publication) -> Self {
        let Position { block, log_index, block_hash, transaction } = of.position;
        Self {
            block,
            log_index,
            block_hash,
            transaction,
            blob_id: of.blob_id,
            statement: of.statement,
            payload_digest: of.payload_digest,
            publisher: of.publisher,
            epoch: of.epoch,
            retain_until: of.retain_until,
        }
    }
}

/// A line of `published.jsonl`.
pub(crate) fn published(line: &str) -> Option<Published> {
    serde_json::from_str(line).ok()
}

/// A line of `held.txt`.
pub(crate) fn held(line: &str) -> Option<BlobId> {
    line.parse().ok()
}

/// The sound lines of a list; none of one that is not there.
pub(crate) fn read<T>(file: &Path, parse: impl Fn(&str) -> Option<T>) -> anyhow::Result<Lines<T>> {
    let mut found = Lines { lines: Vec::new(), bytes: 0, whole: true };
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let mut reader = BufReader::new(opened);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("cannot read {}", file.display()))? as u64;
        if read == 0 {
            return Ok(found);
        }
        if line.pop() != Some(b'\n') {
            found.whole = read < MOST_LINE_BYTES;
            return Ok(found);
        }
        let Some(parsed) = std::str::from_utf8(&line).ok().and_then(&parse) else {
            found.whole = false;
            return Ok(found);
        };
        found.lines.push(parsed);
        found.bytes += read;
    }
}

/// Appends to the first `keep` bytes of a list, and has all of it on the disk; gives its new length.
pub(crate) fn append(file: &Path, keep: u64, lines: &str) -> anyhow::Result<u64> {
    let shown = || format!("cannot write {}", file.display());
    let mut opened = OpenOptions::new().create(true).append(true).open(file).with_context(shown)?;
    opened.set_len(keep).with_context(shown)?;
    opened.write_all(lines.as_bytes()).with_context(shown)?;
    opened.sync_all().with_context(shown)?;
    Ok(keep + lines.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_power_cut_off_is_none_and_one_that_says_nothing_ends_the_list() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("held.txt");
        let ids = [1, 2, 3].map(|it| BlobId::from([it; 32]));
        assert!(read(&file, held).expect("nothing is there").whole);
        let lines = format!("{}\n{}\n", ids[0], ids[1]);
        let length = append(&file, 0, &lines).expect("written");
        assert_eq!(length, lines.len() as u64);
        for cut in 1..ids[2].to_string().len() {
            append(&file, length, &ids[2].to_string()[..cut]).expect("written");
            let found = read(&file, held).expect("readable");
            assert_eq!((found.lines.as_slice(), found.bytes, found.whole), (&ids[..2], length, true));
        }
        append(&file, length, &format!("{}\n", ids[2])).expect("written");
        assert_eq!(read(&file, held).expect("readable").lines, ids);
        let endless = "x".repeat(10_000);
        for damage in ["\n", "0xab\n", "\u{0}\u{0}\n", endless.as_str()] {
            append(&file, length, &format!("{damage}{}\n", ids[2])).expect("written");
            let found = read(&file, held).expect("readable");
            assert_eq!((found.lines.as_slice(), found.bytes, found.whole), (&ids[..2], length, false));
        }
    }
}
