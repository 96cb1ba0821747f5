//! RocksDB under the store: the one place that calls it on an open database.

use std::sync::Arc;

use rocksdb::{
    BoundColumnFamily, Cache, ColumnFamilyDescriptor, DB, DBRawIteratorWithThreadMode, ErrorKind, WriteBatch,
};

use super::{
    engine::{Batch, Engine, Failure, Records},
    options,
};

/// An open RocksDB.
pub(super) struct Rocks {
    db: DB,
    cache: Cache,
}

impl Rocks {
    pub(super) fn new(db: DB, cache: Cache) -> Self {
        Self { db, cache }
    }

    fn family(&self, name: &str) -> Result<Arc<BoundColumnFamily<'_>>, Failure> {
        self.db.cf_handle(name).ok_or_else(|| Failure::Other(format!("no column family {name}")))
    }
}

impl std::fmt::Debug for Rocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.db.fmt(f)
    }
}

impl Engine for Rocks {
    fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let Some(family) = self.db.cf_handle(family) else { return Ok(None) };
        Ok(self.db.get_cf(&family, key)?)
    }

    fn peek(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let looked = self.db.get_pinned_cf_opt(&self.family(family)?, key, &options::from_memory())?;
        Ok(looked.map(|value| value.to_vec()))
    }

    fn records<'a>(&'a self, family: &str) -> Result<Box<dyn Records + 'a>, Failure> {
        Ok(Box::new(self.db.raw_iterator_cf(&self.family(family)?)))
    }

    fn write(&self, batch: Batch, sync: bool) -> Result<(), Failure> {
        let mut writes = WriteBatch::default();
        for put in batch.puts() {
            let family = self.family(&put.family)?;
            match &put.value {
                Some(value) => writes.put_cf(&family, &put.key, value),
                None => writes.delete_cf(&family, &put.key),
            }
        }
        let settings = if sync { options::synced() } else { options::unsynced() };
        Ok(self.db.write_opt(writes, &settings)?)
    }

    fn sequence(&self) -> u64 {
        self.db.latest_sequence_number()
    }

    fn has(&self, family: &str) -> bool {
        self.db.cf_handle(family).is_some()
    }

    fn create_family(&self, family: &str) -> Result<(), Failure> {
        Ok(self.db.create_cf(family, &options::column_family(family, &self.cache))?)
    }

    fn drop_family(&self, family: &str) -> Result<(), Failure> {
        Ok(self.db.drop_cf(family)?)
    }

    fn flush(&self, family: &str) -> Result<(), Failure> {
        Ok(self.db.flush_cf(&self.family(family)?)?)
    }

    /// Values lie in blob files, which are deleted whole when nothing in them is left.
    fn compact(&self, family: &str) -> Result<(), Failure> {
        self.db.compact_range_cf(&self.family(family)?, None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }

    fn sync(&self) -> Result<(), Failure> {
        Ok(self.db.flush_wal(true)?)
    }

    /// RocksDB would stop all writes when it meets damage in a compaction, so the family is no longer compacted, and may have as
    /// many tables as it gets.
    fn spare(&self, family: &str) -> Result<(), Failure> {
        let many = i32::MAX.to_string();
        let settings = [
            ("disable_auto_compactions", "true"),
            ("level0_slowdown_writes_trigger", many.as_str()),
            ("level0_stop_writes_trigger", many.as_str()),
        ];
        Ok(self.db.set_options_cf(&self.family(family)?, &settings)?)
    }
}

impl Records for DBRawIteratorWithThreadMode<'_, DB> {
    fn seek(&mut self, key: &[u8]) {
        Self::seek(self, key);
    }

    fn seek_back(&mut self, key: &[u8]) {
        self.seek_for_prev(key);
    }

    fn seek_to_last(&mut self) {
        Self::seek_to_last(self);
    }

    fn next(&mut self) {
        Self::next(self);
    }

    fn prev(&mut self) {
        Self::prev(self);
    }

    fn item(&self) -> Option<(&[u8], &[u8])> {
        Self::item(self)
    }

    fn status(&self) -> Result<(), Failure> {
        Ok(Self::status(self)?)
    }
}

impl From<rocksdb::Error> for Failure {
    fn from(error: rocksdb::Error) -> Self {
        let kind = error.kind();
        let text = error.into_string();
        match kind {
            ErrorKind::Corruption => Self::Corrupt(text),
            // RocksDB ends with the system's own words.
            ErrorKind::IOError
                if text.ends_with("No such file or directory") || text.ends_with("Input/output error") =>
            {
                Self::Gone(text)
            }
            _ => Self::Other(text),
        }
    }
}

/// A RocksDB by itself, made in `folder` where there is none: an engine without a store around it, for the suite that every
/// engine passes.
///
/// # Errors
/// [`Failure`].
pub fn rocksdb_in(folder: &std::path::Path) -> Result<Box<dyn Engine>, Failure> {
    let cache = options::cache();
    let mut settings = options::database(options::Purpose::Make);
    settings.create_missing_column_families(true);
    let names = DB::list_cf(&settings, folder).unwrap_or_else(|_| vec![super::engine::DEFAULT.into()]);
    let families = names.iter().map(|name| ColumnFamilyDescriptor::new(name, options::column_family(name, &cache)));
    Ok(Box::new(Rocks::new(DB::open_cf_descriptors(&settings, folder, families)?, cache)))
}
