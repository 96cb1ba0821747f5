//! The open RocksDB: opened for one identity, closed when the last user lets go.

use std::{path::Path, sync::Arc};

use rocksdb::{BoundColumnFamily, Cache, ColumnFamilyDescriptor, DB, ErrorKind};
use tokio::sync::oneshot;

use super::{
    Error, Identity,
    keys::{self, Bucket},
    options, records,
};

pub(super) const FOLDER: &str = "db";

/// Key and value.
pub(super) type Entry = (Box<[u8]>, Box<[u8]>);

/// An open database. Dropping the last reference closes it; the receiver that [`Database::open`] returns resolves then.
#[derive(Debug)]
pub(super) struct Database {
    // Fields are dropped in order: the database first, then the sender that says so.
    pub(super) db: DB,
    _closed: oneshot::Sender<()>,
}

impl Database {
    /// Opens or creates the database in `dir` and checks whose it is before anything is written to it.
    pub(super) fn open(
        dir: &Path,
        identity: Option<&Identity>,
        cache: &Cache,
    ) -> Result<(Self, oneshot::Receiver<()>), Error> {
        let open = |reason: String| Error::Open { dir: dir.into(), reason };
        let folder = dir.join(FOLDER);
        let exists = folder.join("CURRENT").is_file();
        if !exists && identity.is_none() {
            return Err(open("holds no member's data".into()));
        }
        std::fs::create_dir_all(&folder).map_err(|e| open(e.to_string()))?;
        let database_options = options::database();
        let mut names = if exists {
            DB::list_cf(&database_options, &folder).map_err(|e| open(e.to_string()))?
        } else {
            vec!["default".into()]
        };
        for fixed in keys::FIXED {
            if !names.iter().any(|name| name == fixed) {
                names.push(fixed.into());
            }
        }
        let families = names.iter().map(|name| ColumnFamilyDescriptor::new(name, options::column_family(name, cache)));
        let db = DB::open_cf_descriptors(&database_options, &folder, families).map_err(|e| {
            let reason = e.to_string();
            if reason.to_lowercase().contains("lock") { Error::Locked { dir: dir.into() } } else { open(reason) }
        })?;
        let (sender, closed) = oneshot::channel();
        let database = Self { db, _closed: sender };
        if let Some(identity) = identity {
            database.claim(dir, identity)?;
        }
        Ok((database, closed))
    }

    pub(super) fn family(&self, name: &str) -> Option<Arc<BoundColumnFamily<'_>>> {
        self.db.cf_handle(name)
    }

    /// One of the column families that every open creates.
    pub(super) fn fixed(&self, name: &str) -> Arc<BoundColumnFamily<'_>> {
        self.family(name).expect("every fixed column family is created when the database is opened")
    }

    pub(super) fn bucket(&self, bucket: Bucket) -> Option<Arc<BoundColumnFamily<'_>>> {
        self.family(&bucket.to_string())
    }

    /// Buckets that exist.
    pub(super) fn buckets(&self, dir: &Path) -> Result<Vec<Bucket>, Error> {
        let names = DB::list_cf(&options::database(), dir.join(FOLDER)).map_err(|e| read(&e))?;
        Ok(names.iter().filter_map(|name| Bucket::parse(name)).collect())
    }

    pub(super) fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.db.get_cf(&self.fixed(family), key).map_err(|e| read(&e))
    }

    /// Records of `family` whose key begins with `prefix`, from `start` on, in key order.
    pub(super) fn scan(&self, family: &str, prefix: &[u8], start: &[u8]) -> impl Iterator<Item = Result<Entry, Error>> {
        let from = rocksdb::IteratorMode::From(start, rocksdb::Direction::Forward);
        let prefix = prefix.to_vec();
        self.db
            .iterator_cf(&self.fixed(family), from)
            .map(|entry| entry.map_err(|e| read(&e)))
            .take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
    }

    fn claim(&self, dir: &Path, expected: &Identity) -> Result<(), Error> {
        let Some(bytes) = self.db.get(keys::IDENTITY).map_err(|e| read(&e))? else {
            // A folder just created, or one whose creation was cut off before the identity was synced: no promise can
            // be in it.
            if self.scan(keys::PROMISES, &[], &[]).next().is_some() {
                return Err(Error::Record { what: "identity", reason: "missing, but there are promises".into() });
            }
            return self
                .db
                .put_opt(keys::IDENTITY, expected.encode(), &options::synced())
                .map_err(|e| Error::Open { dir: dir.into(), reason: e.to_string() });
        };
        match bytes.first() {
            Some(&records::FORMAT) => {}
            other => {
                let got = other.copied().unwrap_or_default();
                return Err(Error::Format { dir: dir.into(), expected: records::FORMAT, got });
            }
        }
        let got = Identity::decode(&bytes)?;
        let wrong =
            |field, expected: String, got: String| Error::WrongIdentity { dir: dir.into(), field, expected, got };
        if got.public_key != expected.public_key {
            return Err(wrong("public key", expected.public_key.to_string(), got.public_key.to_string()));
        }
        if got.domain.chain_id != expected.domain.chain_id {
            return Err(wrong("chain id", expected.domain.chain_id.to_string(), got.domain.chain_id.to_string()));
        }
        if got.domain.registry != expected.domain.registry {
            return Err(wrong("registry", expected.domain.registry.to_string(), got.domain.registry.to_string()));
        }
        Ok(())
    }
}

pub(super) fn read(error: &rocksdb::Error) -> Error {
    match error.kind() {
        ErrorKind::Corruption => Error::Record { what: "the database", reason: error.to_string() },
        _ => Error::Read(error.to_string()),
    }
}
