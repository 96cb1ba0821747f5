//! What [`crate::fault`] does inside the database of a stopped member.

use std::path::PathBuf;

use holdfast_erasure::{BlobId, merkle};

use super::{
    Error, Store,
    folder::DATABASE,
    keys::{self, Bucket, Kind},
    options,
    records::Held,
};

impl Store {
    /// Where the database's files are.
    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// Replaces every held shard of a blob by other bytes that agree with the record of them.
    pub(crate) fn replace_shards(&self, id: &BlobId) -> Result<Vec<u16>, Error> {
        let (indices, _) = self.indices(id)?;
        let database = self.database()?;
        let mut batch = rocksdb::WriteBatch::default();
        for index in &indices {
            let mut bytes = self.shard(id, *index)?.to_vec();
            for byte in &mut bytes {
                *byte ^= 0x5a;
            }
            let key = keys::held(id, *index);
            let Some(record) = database.get(keys::HELD, &key)? else { continue };
            let held = Held { root: merkle::shard_root(&bytes), ..Held::decode(&record)? };
            let Some(family) = database.bucket(Bucket { kind: Kind::Shards, day: held.day }) else { continue };
            batch.put_cf(&family, key, &bytes);
            batch.put_cf(&database.fixed(keys::HELD), key, held.encode());
        }
        let written = database.db.write_opt(batch, &options::synced());
        written.map_err(|e| Error::WritesDisabled { reason: e.to_string() })?;
        Ok(indices)
    }
}
