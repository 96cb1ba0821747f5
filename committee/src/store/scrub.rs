//! Reading all that is stored again, piece by piece.

use std::ops::ControlFlow;

use holdfast_erasure::BlobId;

use super::{
    Error, Store,
    database::Database,
    engine::DEFAULT,
    keys::{self, Bucket},
    records::{self, Held, Scrub},
    writer::Job,
};

/// What one step has looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where the next one goes on.
    pub(crate) next: [u8; 34],
    /// Bytes that were read.
    pub(crate) bytes: u64,
}

impl Store {
    /// Checks the next shard or whole payload behind `after`, and with the first of a blob its records; `None` when there is
    /// no other. Damage is logged and counted. Blocking.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Read`] when the disk cannot be read at all.
    pub(crate) fn scrub(&self, after: Option<&[u8; 34]>) -> Result<Option<Step>, Error> {
        let database = self.database()?;
        let Some((key, held)) = next(&database, after)? else { return Ok(None) };
        let id = BlobId::from(*key.first_chunk::<32>().expect("keys have 34 bytes"));
        let index = keys::held_index(&key).unwrap_or(keys::WHOLE);
        let checked = if index == keys::WHOLE { self.whole(&id) } else { self.shard(&id, index) };
        // A shard without its commitment is worth nothing to anybody: it is got again together with it.
        if matches!(checked, Ok(_) | Err(Error::Archived { .. }))
            && let Err(reason) = self.committed(&id)?
        {
            database.damaged(Bucket::of_held(&key, held.day), &id, index, &reason);
        }
        match checked {
            // What is in the archive alone is looked after by itself.
            Ok(_) | Err(Error::Damaged { .. } | Error::Expired { .. } | Error::Archived { .. }) => {}
            Err(error) => return Err(error),
        }
        if after.is_none_or(|after| after[..32] != key[..32]) {
            self.scrub_records(&id)?;
        }
        Ok(Some(Step { next: key, bytes: if held.place.is_here() { held.length.into() } else { 0 } }))
    }

    /// Whether a blob's commitment is there and sound; or why not.
    fn committed(&self, id: &BlobId) -> Result<Result<(), String>, Error> {
        match self.commitment(id) {
            Ok(Some(_)) => Ok(Ok(())),
            Ok(None) => Ok(Err("its commitment is gone".into())),
            Err(Error::Damaged { reason, .. }) => Ok(Err(format!("its commitment is damaged: {reason}"))),
            Err(error) => Err(error),
        }
    }

    /// What is kept of a blob beside its data.
    fn scrub_records(&self, id: &BlobId) -> Result<(), Error> {
        for (durable, _) in self.promises(id, None)? {
            let _known = (self.attestation(durable.digest())?, self.certificate(durable.digest())?);
        }
        Ok(())
    }

    /// How far the scrub has come, as recorded.
    pub(crate) fn scrub_state(&self) -> Result<Scrub, Error> {
        // Where it cannot be read it begins again from the start.
        let bytes = self.database()?.db.get(DEFAULT, keys::SCRUB).ok().flatten();
        Ok(bytes.and_then(|bytes| records::decode_scrub(&bytes).ok()).unwrap_or_default())
    }

    /// Records how far it has come. Not synced: it can do a little twice.
    ///
    /// It is never recorded to be past something damaged: what is still damaged at the next start is found again at once.
    pub(crate) async fn record_scrub(&self, mut state: Scrub) -> Result<(), Error> {
        if let Some(first) = self.database()?.damages.first(1).first() {
            let before = before(first);
            state.after = Some(state.after.map_or(before, |after| after.min(before)));
        }
        self.jobs.send(Job::Scrub(state)).await.map_err(|_| Error::Closed)
    }

    /// When the last pass over all stored data has ended, unix seconds; zero while there was none.
    #[must_use]
    pub fn scrubbed_at(&self) -> u64 {
        self.scrub_state().map_or(0, |state| state.ended)
    }
}

/// A key behind which this one is the next.
fn before(key: &[u8; 34]) -> [u8; 34] {
    let mut before = *key;
    for byte in before.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            break;
        }
    }
    before
}

/// The first item behind `after` whose bucket is there.
fn next(database: &Database, after: Option<&[u8; 34]>) -> Result<Option<([u8; 34], Held)>, Error> {
    let dropped = database.dropped()?;
    let start = after.map(|after| [after.as_slice(), &[0]].concat()).unwrap_or_default();
    let mut found = None;
    database.walk(keys::HELD, &[], &start, |key, value| {
        let held = Held::decode(value)?;
        let live = !dropped.has(Bucket::of_held(key, held.day));
        Ok(match key.try_into() {
            Ok(key) if live => {
                found = Some((key, held));
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
    })?;
    Ok(found)
}
