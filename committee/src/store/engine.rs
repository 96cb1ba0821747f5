//! What lies under a store: sorted records in families, written batch by batch. A member's is RocksDB in a folder
//! (`rocks.rs`); a simulation of a whole committee brings a [`Disk`] of its own, whose crashes and failures it decides.
//!
//! # What the store relies on
//!
//! A batch is written whole or not at all. A synced write that has succeeded is there after a crash, and with it every
//! write before it. Of what was written since, any part may be there after a crash, or none; what can be read when an engine has been
//! opened is on the disk. A family that was made or dropped is so after a crash.

use std::{borrow::Cow, fmt::Debug};

use bytes::Bytes;

/// The family of records that are in no other. Every engine has it.
pub const DEFAULT: &str = "default";

/// Why an engine did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What is on the disk is not what was written.
    #[error("{0}")]
    Corrupt(String),
    /// The disk does not give back what was written.
    #[error("{0}")]
    Gone(String),
    /// Anything else: this process or the moment.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Whether the bytes on the disk are the cause, and not this process or the moment.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt(_) | Self::Gone(_))
    }
}

/// Records to write and to remove, all of them or none.
#[derive(Clone, Debug, Default)]
pub struct Batch(Vec<Put>);

/// What becomes of one record.
#[derive(Clone, Debug)]
pub struct Put {
    /// The family that it goes into.
    pub family: Cow<'static, str>,
    /// Its key.
    pub key: Vec<u8>,
    /// What stands under the key from then on, if anything does.
    pub value: Option<Bytes>,
}

impl Batch {
    /// Bytes that one record takes beside its key and its value, at most.
    const FRAME: usize = 16;

    /// Adds a record.
    pub fn put(&mut self, family: impl Into<Cow<'static, str>>, key: impl Into<Vec<u8>>, value: impl Into<Bytes>) {
        self.0.push(Put { family: family.into(), key: key.into(), value: Some(value.into()) });
    }

    /// Removes a record, if there is one.
    pub fn remove(&mut self, family: impl Into<Cow<'static, str>>, key: impl Into<Vec<u8>>) {
        self.0.push(Put { family: family.into(), key: key.into(), value: None });
    }

    /// The records, in the order in which they were added: of two with the same key the last counts.
    #[must_use]
    pub fn puts(&self) -> &[Put] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that writing it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let length = |put: &Put| put.key.len() + put.value.as_ref().map_or(0, Bytes::len) + Self::FRAME;
        self.0.iter().map(|put| length(put) as u64).sum()
    }
}

impl FromIterator<Put> for Batch {
    fn from_iter<I: IntoIterator<Item = Put>>(puts: I) -> Self {
        Self(puts.into_iter().collect())
    }
}

/// A database that is open. Calls block.
pub trait Engine: Debug + Send + Sync {
    /// What stands under `key`; nothing where there is no such family.
    ///
    /// # Errors
    /// [`Failure`].
    fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Failure>;

    /// The same where memory is enough to tell. Does not block.
    ///
    /// # Errors
    /// [`Failure`] also where the disk would have to be asked.
    fn peek(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Failure>;

    /// The records of a family, which there must be, in the order of their keys, as they are now.
    ///
    /// # Errors
    /// [`Failure`] where there is no such family.
    fn records<'a>(&'a self, family: &str) -> Result<Box<dyn Records + 'a>, Failure>;

    /// Writes a batch, on the disk if `sync`: then all that was written before is there as well.
    ///
    /// # Errors
    /// [`Failure`]. Nobody knows then how much of it is there.
    fn write(&self, batch: Batch, sync: bool) -> Result<(), Failure>;

    /// A number that every record written makes larger.
    fn sequence(&self) -> u64;

    /// Whether there is such a family.
    fn has(&self, family: &str) -> bool;

    /// Makes a family.
    ///
    /// # Errors
    /// [`Failure`].
    fn create_family(&self, family: &str) -> Result<(), Failure>;

    /// Removes a family and all that is in it: nothing of it is in one that is made later under the same name.
    ///
    /// # Errors
    /// [`Failure`].
    fn drop_family(&self, family: &str) -> Result<(), Failure>;

    /// Writes a family's records to where a start need not replay them, if there is such a place.
    ///
    /// # Errors
    /// [`Failure`].
    fn flush(&self, family: &str) -> Result<(), Failure>;

    /// Gives back the room of what was removed from a family, where that can be done without moving what is left.
    ///
    /// # Errors
    /// [`Failure`].
    fn compact(&self, family: &str) -> Result<(), Failure>;

    /// Puts on the disk what was written without a sync.
    ///
    /// # Errors
    /// [`Failure`].
    fn sync(&self) -> Result<(), Failure>;

    /// Leaves a family as it lies, because there is damage in it.
    ///
    /// # Errors
    /// [`Failure`].
    fn spare(&self, family: &str) -> Result<(), Failure>;
}

/// A place among the records of a family.
pub trait Records {
    /// Goes to the first record whose key is `key` or behind it.
    fn seek(&mut self, key: &[u8]);

    /// Goes to the last record whose key is `key` or before it.
    fn seek_back(&mut self, key: &[u8]);

    /// Goes to the last record.
    fn seek_to_last(&mut self);

    /// Goes to the next record.
    fn next(&mut self);

    /// Goes to the record before.
    fn prev(&mut self);

    /// Key and value of the record at this place; `None` where there is none, or where it cannot be read.
    fn item(&self) -> Option<(&[u8], &[u8])>;

    /// Why there is no record at this place, where that is a failure.
    ///
    /// # Errors
    /// [`Failure`].
    fn status(&self) -> Result<(), Failure>;
}

/// A disk with one store on it, in the place of a folder. Whoever has a member stand on one runs it in one thread: the store
/// then has no threads of its own.
pub trait Disk: Debug + Send + Sync {
    /// What was written last beside the database, if anything was.
    ///
    /// # Errors
    /// [`Failure`].
    fn marker(&self) -> Result<Option<Vec<u8>>, Failure>;

    /// Writes it: the old one is there or the new one, and on success the new one.
    ///
    /// # Errors
    /// [`Failure`].
    fn set_marker(&self, marker: &[u8]) -> Result<(), Failure>;

    /// Opens the database, which is made if there is none. Nobody uses what was opened before any more.
    ///
    /// # Errors
    /// [`Failure`].
    fn open(&self) -> Result<Box<dyn Engine>, Failure>;

    /// The families of the database.
    fn families(&self) -> Vec<String>;

    /// Whether the disk can be written, found out beside the database.
    ///
    /// # Errors
    /// [`Failure`].
    fn probe(&self) -> Result<(), Failure>;
}
