//! Which buckets have been dropped: those of the days before a marker, but for a few that are kept past their time.

use std::collections::BTreeMap;

use super::{
    Error,
    database::{self, Database},
    engine::{Batch, DEFAULT, Failure},
    keys::{self, Bucket},
    records,
};

/// What has been dropped, as recorded. Everything that asks whether data is still there asks [`Dropped::has`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// The first day of which nothing has been dropped.
    pub(super) before: u32,
    /// Buckets of earlier days that are kept, each with the latest time until which one of its namespaces was seen to be
    /// held; zero where none was.
    pub(super) kept: BTreeMap<Bucket, u64>,
}

impl Dropped {
    /// Whether this bucket, and all data in it, counts as dropped.
    pub(super) fn has(&self, bucket: Bucket) -> bool {
        bucket.day < self.before && !self.kept.contains_key(&bucket)
    }

    /// The record of it, which is written and synced before anything is dropped.
    pub(super) fn record(&self) -> Batch {
        let mut batch = Batch::default();
        batch.put(DEFAULT, keys::DROPPED_BEFORE, self.before.to_be_bytes().to_vec());
        batch.put(DEFAULT, keys::KEPT, records::kept(&self.kept));
        batch
    }
}

impl Database {
    /// What has been dropped. Where that cannot be read, nothing counts as dropped until the next drop records it anew: data
    /// of buckets that are gone is then called damaged for a while, and not expired.
    pub(super) fn dropped(&self) -> Result<Dropped, Error> {
        // The marker first: a drop that is recorded between both reads moves the marker past buckets that it then keeps, and
        // with the new marker and the old set those would seem dropped.
        let records = [keys::DROPPED_BEFORE, keys::KEPT].map(|key| self.db.get(DEFAULT, key));
        if records.iter().any(|record| record.as_ref().is_err_and(Failure::is_damage)) {
            return Ok(Dropped::default());
        }
        let [before, kept] = records.map(|record| record.map_err(|e| database::read(&e)));
        let Some(before) = before? else { return Ok(Dropped::default()) };
        let before = before.as_slice().try_into().map(u32::from_be_bytes).map_err(|_| Error::Record {
            what: "dropped buckets",
            reason: format!("{} bytes, expected 4", before.len()),
        })?;
        let kept = kept?.map(|bytes| records::decode_kept(&bytes)).transpose()?.unwrap_or_default();
        Ok(Dropped { before, kept })
    }
}
