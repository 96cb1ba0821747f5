//! Every RocksDB option in one place.

use rocksdb::{
    BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel, Options, ReadOptions, ReadTier, WriteOptions,
};

use super::keys::{self, Bucket};

/// Memory for blocks of commitments, promises and indices. Shard bytes do not go through it.
const BLOCK_CACHE_BYTES: usize = 64 << 20;
/// A bucket's memtable: its bytes are copied once more, into a blob file, when it is full.
const BUCKET_BUFFER_BYTES: usize = 64 << 20;
const RECORD_BUFFER_BYTES: usize = 8 << 20;
/// All memtables together; beyond it the fullest is flushed.
const TOTAL_BUFFER_BYTES: usize = 256 << 20;
/// Logs together; beyond it the bucket that holds the oldest one back is flushed.
const LOG_BYTES: u64 = 512 << 20;
const BLOB_FILE_BYTES: u64 = 256 << 20;
const OPEN_FILES: i32 = 512;

/// How the database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is made, in a folder of its own that takes its place when it is whole.
    Make,
    /// It is there, and was looked through: all that was signed can be replayed, and what could not was cut off.
    Write,
    /// The same, where nothing can be written: what could not be replayed is still there, at the very end.
    Read,
}

pub(super) fn database(purpose: Purpose) -> Options {
    let mut options = Options::default();
    // Never over what is there: RocksDB takes a folder without `CURRENT` for an empty one and deletes what is in it.
    options.create_if_missing(purpose == Purpose::Make);
    options.create_missing_column_families(purpose == Purpose::Make);
    options.set_wal_recovery_mode(match purpose {
        Purpose::Make | Purpose::Write => DBRecoveryMode::AbsoluteConsistency,
        Purpose::Read => DBRecoveryMode::PointInTime,
    });
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_max_total_wal_size(LOG_BYTES);
    options.set_db_write_buffer_size(TOTAL_BUFFER_BYTES);
    options.set_max_open_files(OPEN_FILES);
    options.set_keep_log_file_num(4);
    options.set_log_level(LogLevel::Warn);
    options
}

/// Options of the column family `name`.
pub(super) fn column_family(name: &str, cache: &Cache) -> Options {
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::None);
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    options.set_block_based_table_factory(&table);
    if Bucket::parse(name).is_some() {
        // Every value goes to a blob file and stays there until the bucket is dropped: compaction moves only keys.
        options.set_enable_blob_files(true);
        options.set_min_blob_size(0);
        options.set_blob_file_size(BLOB_FILE_BYTES);
        options.set_blob_compression_type(DBCompressionType::None);
        options.set_enable_blob_gc(false);
        options.set_write_buffer_size(BUCKET_BUFFER_BYTES);
    } else {
        debug_assert!(name == "default" || keys::FIXED.contains(&name));
        options.set_write_buffer_size(RECORD_BUFFER_BYTES);
    }
    options
}

pub(super) fn cache() -> Cache {
    Cache::new_lru_cache(BLOCK_CACHE_BYTES)
}

pub(super) fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

/// For what can be made again after a crash. It is still ordered before every later synced write.
pub(super) fn unsynced() -> WriteOptions {
    WriteOptions::default()
}

/// For reads that must not wait for the disk: they fail where it would have to be asked.
pub(super) fn from_memory() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_read_tier(ReadTier::BlockCache);
    options
}
