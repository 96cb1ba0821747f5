//! Whether what a checkpoint says of many blobs is promised and held here. Blocking, in one pass.

use holdfast_certificate::Checkpoint;
use holdfast_erasure::BlobId;

use super::{Error, Store, database::Database, keys::Kind, read, records::Promise};

/// Bytes of shards that one pass reads and checks against their roots; of shards past it, only the records. That is half a
/// second of a disk, and every shard of a few hundred usual batches.
const CHECKED_BYTES: u64 = 256 << 20;

impl Store {
    /// Checks each blob in turn: signed for in the checkpoint's namespace and epoch until no sooner than it says, and the shard
    /// of that statement's slot still held.
    ///
    /// # Errors
    ///
    /// About the first blob that fails: [`Error::NotFound`] when it was never stored here, [`Error::NotPromised`],
    /// [`Error::Expired`], [`Error::Damaged`]; [`Error::Record`] or [`Error::Read`].
    pub(crate) fn covers(&self, checkpoint: &Checkpoint, ids: &[BlobId]) -> Result<(), Error> {
        let database = self.database()?;
        let mut unchecked = CHECKED_BYTES;
        for id in ids {
            let Promise { statement, slot, .. } = promised(&database, checkpoint, id)?;
            let code = statement.blob.parameters();
            let code = code.map_err(|e| Error::Record { what: "promise", reason: e.to_string() })?;
            let index = code.shard_of_slot(slot, &statement.blob.shards_root).get();
            let held = read::live(&database, Kind::Shards, id, index, &|| format!("shard {index}"))?;
            if let Some(left) = unchecked.checked_sub(held.length.into()) {
                match self.shard(id, index) {
                    // It was read back when it was archived.
                    Ok(_) | Err(Error::Archived { .. }) => unchecked = left,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// The promise on which the checkpoint can rest for this blob.
fn promised(database: &Database, checkpoint: &Checkpoint, id: &BlobId) -> Result<Promise, Error> {
    let Checkpoint { namespace, epoch, retain_until: until, .. } = *checkpoint;
    let (mut known, mut latest) = (false, 0);
    let mut found = None;
    database.each_promise_of(id, |_, promise| {
        known = true;
        if (promise.statement.namespace, promise.statement.epoch) == (namespace, epoch) {
            latest = latest.max(promise.statement.retain_until);
            if promise.statement.retain_until >= until {
                found.get_or_insert(promise);
            }
        }
    })?;
    if let Some(promise) = found {
        Ok(promise)
    } else if known {
        Err(Error::NotPromised { id: *id, namespace, epoch, until, latest })
    } else {
        Err(database.absent(id, "a shard".into()))
    }
}
