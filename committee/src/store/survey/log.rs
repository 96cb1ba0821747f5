//! Reading the log format of RocksDB (its `db/log_format.h`), in which write-ahead logs and manifests are written.
//!
//! A file is a row of blocks of 32 KiB. A record lies in one piece, or in several where it crosses blocks; each piece has
//! a checksum. Unlike RocksDB's own reader this one stops at the first byte that is not as it was written, and says where.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

const BLOCK: usize = 32_768;
const HEADER: usize = 7;
/// Read ahead of what is looked at.
const BUFFER: usize = 1 << 20;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
/// Says that no user keys have timestamps, or what preceded this log; written between records and of no use here.
const NOTES: [u8; 3] = [9, 10, 130];

/// Where a file stops being what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Damage {
    /// The first byte that cannot be read as it was written.
    pub(in crate::store) at: u64,
    /// What is wrong with it.
    pub(in crate::store) reason: String,
}

/// A log, record by record.
#[derive(Debug)]
pub(in crate::store) struct Log {
    file: BufReader<File>,
    block: Vec<u8>,
    /// Where in the block the next piece begins.
    next: usize,
    /// Where in the file the block begins.
    base: u64,
    /// Behind the last whole record.
    end: u64,
    record: Vec<u8>,
}

impl Log {
    /// Begins at the first record.
    pub(in crate::store) fn open(path: &Path) -> std::io::Result<Self> {
        let file = BufReader::with_capacity(BUFFER, File::open(path)?);
        Ok(Self { file, block: Vec::with_capacity(BLOCK), next: 0, base: 0, end: 0, record: Vec::new() })
    }

    /// The end of the last whole record.
    pub(in crate::store) fn end(&self) -> u64 {
        self.end
    }

    /// The next record; `None` where the file ends behind a whole one.
    ///
    /// # Errors
    ///
    /// The outer one when the disk cannot be read, the inner one where the file is not what was written: nothing behind
    /// that place is a record any more.
    pub(in crate::store) fn next(&mut self) -> std::io::Result<Result<Option<&[u8]>, Damage>> {
        self.record.clear();
        let mut begun = false;
        loop {
            if self.block.len() - self.next < HEADER {
                let rest = self.block.get(self.next..).unwrap_or_default();
                if rest.iter().any(|byte| *byte != 0) {
                    return Ok(Err(self.damage("no room for the head of a record")));
                }
                let more = (self.block.is_empty() || self.block.len() == BLOCK) && self.fill()?;
                if !more {
                    return Ok(self.ended(begun));
                }
                continue;
            }
            let head = &self.block[self.next..];
            let length = usize::from(u16::from_le_bytes([head[4], head[5]]));
            let kind = head[6];
            if head[..HEADER] == [0; HEADER] {
                return Ok(Err(self.damage("zeros in place of a record")));
            }
            let Some(piece) = head.get(6..HEADER + length) else {
                let room = if self.block.len() < BLOCK { "the file" } else { "its block" };
                return Ok(Err(self.damage(&format!("a record of {length} bytes does not fit {room}"))));
            };
            let expected = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
            if masked(crc32c::crc32c(piece)) != expected {
                return Ok(Err(self.damage("checksum mismatch")));
            }
            let follows = match (kind, begun) {
                (FULL | FIRST, false) | (MIDDLE | LAST, true) => true,
                (kind, false) => NOTES.contains(&kind),
                _ => false,
            };
            if !follows {
                return Ok(Err(self.damage(&format!("a piece of kind {kind} out of its order"))));
            }
            let data = self.next + HEADER..self.next + HEADER + length;
            self.next = data.end;
            if NOTES.contains(&kind) {
                self.end = self.base + self.next as u64;
                continue;
            }
            self.record.extend_from_slice(&self.block[data]);
            begun = true;
            if matches!(kind, FULL | LAST) {
                self.end = self.base + self.next as u64;
                return Ok(Ok(Some(&self.record)));
            }
        }
    }

    fn fill(&mut self) -> std::io::Result<bool> {
        self.base += self.block.len() as u64;
        self.block.clear();
        self.next = 0;
        Read::by_ref(&mut self.file).take(BLOCK as u64).read_to_end(&mut self.block)?;
        Ok(!self.block.is_empty())
    }

    fn ended(&self, begun: bool) -> Result<Option<&[u8]>, Damage> {
        if begun { Err(self.damage("the file ends inside a record")) } else { Ok(None) }
    }

    fn damage(&self, reason: &str) -> Damage {
        Damage { at: self.base + self.next as u64, reason: reason.to_owned() }
    }
}

/// RocksDB rotates its checksums and adds a constant, since checksums of what contains checksums are weak.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What RocksDB writes for these records.
    fn written(records: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for record in records {
            let (mut rest, mut first) = (record.as_slice(), true);
            loop {
                let left = BLOCK - out.len() % BLOCK;
                if left < HEADER {
                    out.resize(out.len() + left, 0);
                    continue;
                }
                let (piece, behind) = rest.split_at(rest.len().min(left - HEADER));
                let kind = match (first, behind.is_empty()) {
                    (true, true) => FULL,
                    (true, false) => FIRST,
                    (false, false) => MIDDLE,
                    (false, true) => LAST,
                };
                let typed = [&[kind], piece].concat();
                out.extend_from_slice(&masked(crc32c::crc32c(&typed)).to_le_bytes());
                out.extend_from_slice(&u16::try_from(piece.len()).expect("fits a block").to_le_bytes());
                out.extend_from_slice(&typed);
                (rest, first) = (behind, false);
                if rest.is_empty() {
                    break;
                }
            }
        }
        out
    }

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, u64, Option<Damage>) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("1.log");
        std::fs::write(&file, bytes).expect("written");
        let mut log = Log::open(&file).expect("opens");
        let mut records = Vec::new();
        loop {
            match log.next().expect("read") {
                Ok(Some(record)) => records.push(record.to_vec()),
                Ok(None) => return (records, log.end(), None),
                Err(damage) => return (records, log.end(), Some(damage)),
            }
        }
    }

    fn records() -> Vec<Vec<u8>> {
        // Within a block, to its very end, with less than a head left, and over several blocks.
        [100, BLOCK - HEADER - 107, BLOCK - HEADER - 3, 0, 5, 3 * BLOCK, 70_000, 1]
            .iter()
            .enumerate()
            .map(|(number, length)| vec![u8::try_from(number + 1).expect("small"); *length])
            .collect()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let bytes = written(&records());
        assert_eq!(read(&bytes), (records(), bytes.len() as u64, None));
        assert_eq!(read(&[]), (vec![], 0, None));
    }

    #[test]
    fn every_cut_keeps_the_whole_records_before_it_and_says_where_it_ends() {
        let (all, bytes) = (records(), written(&records()));
        let ends: Vec<usize> = (0..=all.len()).map(|count| written(&all[..count]).len()).collect();
        for cut in (0..bytes.len()).step_by(211).chain(ends.iter().flat_map(|end| [*end, end.saturating_sub(1)])) {
            let whole = ends.iter().rposition(|end| *end <= cut).expect("zero at least");
            let (got, end, damage) = read(&bytes[..cut]);
            assert_eq!((got.len(), end), (whole, ends[whole] as u64), "cut at {cut}");
            // A cut between records, or in the filling at a block's end, cannot be seen here.
            let seen = damage.is_some_and(|damage| damage.at >= end && damage.at <= cut as u64);
            assert_eq!(seen, bytes[ends[whole]..cut].iter().any(|byte| *byte != 0), "cut at {cut}");
        }
    }

    #[test]
    fn a_changed_byte_is_found_in_the_record_that_it_is_in() {
        let (all, bytes) = (records(), written(&records()));
        let ends: Vec<usize> = (0..=all.len()).map(|count| written(&all[..count]).len()).collect();
        for at in (0..bytes.len()).step_by(97) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let whole = ends.iter().rposition(|end| *end <= at).expect("zero at least");
            let (got, _, damage) = read(&changed);
            let damage = damage.expect("found");
            assert_eq!(got, all[..whole], "byte {at}: {damage:?}");
            assert!(damage.at <= at as u64, "byte {at}: {damage:?}");
        }
    }

    #[test]
    fn zeros_and_garbage_behind_the_end_are_no_records() {
        let bytes = written(&records());
        for tail in [vec![0; 5000], vec![0xff; 5000], bytes[..5000].iter().map(|byte| byte ^ 1).collect()] {
            let (got, end, damage) = read(&[&bytes[..], &tail].concat());
            assert_eq!((got.len(), end), (records().len(), bytes.len() as u64));
            assert_eq!(damage.expect("found").at, end);
        }
    }
}
