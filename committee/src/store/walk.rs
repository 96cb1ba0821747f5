//! Reading past damage: one record that cannot be read does not stand in the way of others.

use std::ops::ControlFlow;

use super::{
    Error, Store,
    database::{self, Database},
    engine::Records,
    keys::{self, Bucket},
};
use holdfast_erasure::BlobId;

/// Longer than every key, and no smaller.
const BEHIND_ALL: [u8; 128] = [0xff; 128];

impl Store {
    /// Shards, whole payloads and places among the records that were found damaged since the start and have not been stored
    /// anew.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.database().map_or(0, |database| database.damages.count())
    }
}

impl Database {
    /// Visits records of `family` whose key begins with `prefix`, from `start` on, in key order, and passes over what cannot
    /// be read; tells whether there was such a thing.
    ///
    /// # Errors
    ///
    /// [`Error::Reopening`] when the database is to be closed; [`Error::Record`] where nothing behind the damage can be read,
    /// as with a table that cannot even be opened; otherwise what is no damage, and what `visit` says.
    pub(super) fn walk(
        &self,
        family: &'static str,
        prefix: &[u8],
        start: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<bool, Error> {
        let mut records = self.db.records(family).map_err(|failure| database::read(&failure))?;
        records.seek(start);
        let (mut last, mut gaps) = (start.to_vec(), false);
        loop {
            while let Some((key, value)) = records.item() {
                if self.is_halted() {
                    return Err(Error::Reopening);
                }
                if !key.starts_with(prefix) {
                    return Ok(gaps);
                }
                match visit(key, value) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => return Ok(gaps),
                    // This one is read, and makes no sense.
                    Err(Error::Record { what, reason }) => {
                        gaps = true;
                        self.set_aside(family, key, &format!("{what}: {reason}"));
                    }
                    Err(error) => return Err(error),
                }
                last.clear();
                last.extend_from_slice(key);
                records.next();
            }
            match records.status() {
                Ok(()) => return Ok(gaps),
                Err(failure) if failure.is_damage() => {
                    gaps = true;
                    self.set_aside(family, &last, &failure.to_string());
                    if !skip(&mut *records, &last) {
                        // The damage is at the end of all records; or not even that can be read, and nobody knows what there is.
                        records.seek(&BEHIND_ALL);
                        return records.status().map(|()| gaps).map_err(|failure| database::read(&failure));
                    }
                }
                Err(failure) => return Err(database::read(&failure)),
            }
        }
    }

    /// Notes that records behind `key` cannot be read: this family is left as it lies until it has been made anew.
    fn set_aside(&self, family: &'static str, key: &[u8], reason: &str) {
        if !self.damages.gap(family, key) {
            return;
        }
        tracing::error!(family, behind = hex::encode(key), reason, "store.set_aside: a record cannot be read");
        self.spare(family);
    }

    /// Leaves a damaged family as it lies.
    pub(super) fn spare(&self, family: &str) {
        if !self.db.has(family) {
            return;
        }
        self.damages.spare(family);
        if let Err(error) = self.db.spare(family) {
            tracing::warn!(family, %error, "store.spare");
        }
    }

    /// An item was read and is not what was stored.
    pub(super) fn damaged(&self, bucket: Bucket, id: &BlobId, index: u16, reason: &str) {
        if self.damages.note(keys::held(id, index)) {
            let what = if index == keys::WHOLE { "payload".to_owned() } else { format!("shard {index}") };
            tracing::error!(blob = %id, what, reason, "store.damaged");
            self.spare(&bucket.to_string());
        }
    }
}

/// Goes to the first record behind `last` that can be read; false if there is none.
///
/// Nothing says where the damaged block ends. A place behind it is found by larger and larger steps, and its end from there
/// by going back.
fn skip(records: &mut dyn Records, last: &[u8]) -> bool {
    let longer = (0..last.len()).rev().filter_map(|place| {
        let more = last[place].checked_add(1)?;
        Some([&last[..place], &[more]].concat())
    });
    // Before the first key there is nothing that could be made larger.
    let first = (1..=u8::MAX).map(|byte| vec![byte]).take_while(|_| last.is_empty());
    for target in longer.chain(first) {
        records.seek(&target);
        if records.status().is_err() {
            continue;
        }
        if records.item().is_some() {
            records.prev();
        } else {
            records.seek_to_last();
        }
        let mut first = None;
        while let Some((key, _)) = records.item().filter(|(key, _)| *key > last) {
            first = Some(key.to_vec());
            records.prev();
        }
        records.seek(first.as_ref().unwrap_or(&target));
        return records.item().is_some();
    }
    false
}
