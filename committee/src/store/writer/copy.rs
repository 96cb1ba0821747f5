//! Copies of other shards in the place of those that can never be filled (docs/protocol.md section 5, repair).

use super::{
    Copy, Error, Group, Writer,
    engine::DEFAULT,
    keys::{self, Bucket, Kind},
    readable,
    records::{self, Held, Place},
};

impl Writer {
    /// Puts a copy, its commitment and what shows the lie into the batch. On an error nothing of it is in the batch.
    pub(super) fn stage_copy(&self, group: &mut Group, copy: &Copy) -> Result<(), Error> {
        self.writable()?;
        let Copy { commitment, shard, unfillable } = copy;
        let (id, index) = (commitment.id(), shard.index().get());
        let root = commitment.shard_roots()[usize::from(index)];
        let key = keys::held(&id, index);
        let before = self.held(group, &id, &key)?;
        let live = before.filter(|held| !self.dropped.has(Bucket { kind: Kind::Shards, day: held.day }));
        let until = unfillable.statement.statement.retain_until;
        let until = live.map_or(until, |held| held.until.max(until));
        let bucket = Bucket::of(Kind::Shards, until);
        if self.dropped.has(bucket) {
            return Err(Error::BucketDropped { day: bucket.day, dropped_before: self.dropped.before });
        }
        self.create(bucket)?;
        let database = &self.database;
        let committed = readable(database.get(keys::BLOBS, id.as_bytes()))?.flatten().is_some();

        let length = u32::try_from(shard.bytes().len()).expect("shards are at most 2^30 bytes");
        let held = Held { day: bucket.day, length, until, root, place: Place::Here };
        group.batch.put(bucket.to_string(), key, shard.bytes().clone());
        group.batch.put(keys::HELD, key, held.encode());
        group.held.insert(key, held);
        group.moved.push((key, live, held, Kind::Shards));
        if !committed {
            group.batch.put(keys::BLOBS, *id.as_bytes(), records::commitment(commitment));
        }
        group.batch.put(DEFAULT, keys::unfillable(&id, unfillable.index), unfillable.encode());
        group.sync = true;
        Ok(())
    }
}
