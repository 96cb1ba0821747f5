//! Going through a family of a simulated disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use holdfast_committee::store::engine::{Failure, Records};

/// The records of a family.
pub(crate) type Family = BTreeMap<Vec<u8>, Bytes>;

/// A place among the records of a family, as they were when it was asked for.
#[derive(Debug)]
pub(crate) struct Cursor {
    records: Arc<Family>,
    bad: BTreeSet<Vec<u8>>,
    at: Option<Vec<u8>>,
}

impl Cursor {
    /// Before the first; `bad` are the keys of those that cannot be read.
    pub(crate) fn new(records: Arc<Family>, bad: BTreeSet<Vec<u8>>) -> Self {
        Self { records, bad, at: None }
    }

    fn go(&mut self, first: Bound<&[u8]>, last: Bound<&[u8]>, back: bool) {
        let mut between = self.records.range::<[u8], _>((first, last));
        let found = if back { between.next_back() } else { between.next() };
        self.at = found.map(|(key, _)| key.clone());
    }

    fn is_bad(&self) -> bool {
        self.at.as_ref().is_some_and(|at| self.bad.contains(at))
    }
}

impl Records for Cursor {
    fn seek(&mut self, key: &[u8]) {
        self.go(Bound::Included(key), Bound::Unbounded, false);
    }

    fn seek_back(&mut self, key: &[u8]) {
        self.go(Bound::Unbounded, Bound::Included(key), true);
    }

    fn seek_to_last(&mut self) {
        self.go(Bound::Unbounded, Bound::Unbounded, true);
    }

    fn next(&mut self) {
        if let Some(at) = self.at.take() {
            self.go(Bound::Excluded(&at), Bound::Unbounded, false);
        }
    }

    fn prev(&mut self) {
        if let Some(at) = self.at.take() {
            self.go(Bound::Unbounded, Bound::Excluded(&at), true);
        }
    }

    fn item(&self) -> Option<(&[u8], &[u8])> {
        let at = self.at.as_ref().filter(|_| !self.is_bad())?;
        self.records.get_key_value(at).map(|(key, value)| (key.as_slice(), &value[..]))
    }

    fn status(&self) -> Result<(), Failure> {
        if self.is_bad() { Err(unreadable()) } else { Ok(()) }
    }
}

/// What a disk says of a record that cannot be read.
pub(crate) fn unreadable() -> Failure {
    Failure::Corrupt("Corruption: block checksum mismatch".into())
}
