//! What [`crate::fault`] does inside the database of a stopped member.

use std::path::PathBuf;

use holdfast_erasure::{BlobId, merkle};

use super::{
    Error, Store,
    engine::Batch,
    folder::DATABASE,
    keys::{self, Bucket, Kind},
    records::Held,
};

impl Store {
    /// Where the database's files are.
    pub(crate) fn folder(&self) -> PathBuf {
        self.ground.dir().join(DATABASE)
    }

    /// Replaces every held shard of a blob by other bytes that agree with the record of them.
    pub(crate) fn replace_shards(&self, id: &BlobId) -> Result<Vec<u16>, Error> {
        let (indices, _) = self.indices(id)?;
        self.swap(id, &indices)?;
        Ok(indices)
    }

    /// Puts back what [`Self::replace_shards`] has replaced, where that is still there.
    pub(crate) fn restore_shards(&self, id: &BlobId) -> Result<Vec<u16>, Error> {
        let Some(commitment) = self.commitment(id)? else { return Ok(Vec::new()) };
        let mut replaced = Vec::new();
        for index in self.indices(id)?.0 {
            let Ok(at) = commitment.parameters().index(index) else { continue };
            let bytes = match self.shard(id, index) {
                Ok(bytes) => bytes,
                // Damaged in another way: it is not what was put there.
                Err(Error::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let back: Vec<u8> = bytes.iter().map(other).collect();
            if commitment.accept(at, bytes).is_err() && commitment.accept(at, back.into()).is_ok() {
                replaced.push(index);
            }
        }
        self.swap(id, &replaced)?;
        Ok(replaced)
    }

    fn swap(&self, id: &BlobId, indices: &[u16]) -> Result<(), Error> {
        let database = self.database()?;
        let mut batch = Batch::default();
        for index in indices {
            let bytes: Vec<u8> = self.shard(id, *index)?.iter().map(other).collect();
            let key = keys::held(id, *index);
            let Some(record) = database.get(keys::HELD, &key)? else { continue };
            let held = Held { root: merkle::shard_root(&bytes), ..Held::decode(&record)? };
            let bucket = Bucket { kind: Kind::Shards, day: held.day };
            if database.has_bucket(bucket) {
                batch.put(bucket.to_string(), key, bytes);
                batch.put(keys::HELD, key, held.encode());
            }
        }
        let written = database.db.write(batch, true);
        written.map_err(|e| Error::WritesDisabled { reason: e.to_string() })
    }
}

/// Another byte, and of that the first again.
fn other(byte: &u8) -> u8 {
    byte ^ 0x5a
}
