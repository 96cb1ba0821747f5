//! The pass over all that is kept, once an hour: what was left out is archived, what has expired is removed from the archive,
//! what is there is looked for, and once in a while read whole.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};

use super::{Archive, closed, failures::Failures, letting::is_over, object, trouble::Error};
use crate::store::{Change, Kept};

/// How often a pass begins.
pub(super) const PERIOD: Duration = Duration::from_secs(3600);
/// What one step looks at.
const CHUNK: usize = 1024;
/// Objects that are looked for, or removed, at once: fewer than reads, which readers wait for.
const AT_ONCE: usize = 4;
/// Within so many periods of the scrub all that is in the archive is read whole.
const WHOLE_IN: u64 = 13;

/// What a step leaves to be done.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// To be archived.
    pub(super) upload: Vec<Kept>,
    /// To be let go.
    pub(super) let_go: Vec<Kept>,
    /// Where the next one goes on; `None` at the end.
    pub(super) next: Option<[u8; 34]>,
}

/// Looks at what is kept behind `after`.
pub(super) async fn step(
    archive: &Archive,
    failed: &mut Failures,
    after: Option<[u8; 34]>,
    period: Duration,
    now: u64,
) -> Result<Step, Error> {
    let store = Arc::clone(&archive.store);
    let looked =
        tokio::task::spawn_blocking(move || store.kept_after(after.as_ref(), CHUNK)).await.map_err(closed)??;
    let (items, next) = looked;
    let (mut step, mut expired, mut looks) = (Step { next, ..Step::default() }, Vec::new(), Vec::new());
    for item in items {
        if item.dropped {
            expired.push(item);
        } else if !item.is_archived() {
            step.upload.push(item);
        } else if is_over(&item, archive.settings.keep_local, now) {
            step.let_go.push(item);
        } else if let Some(look) = look(item.key(), period, now) {
            looks.push((item, look));
        }
    }
    remove(archive, failed, expired).await?;
    look_for(archive, failed, looks).await?;
    Ok(step)
}

/// Removes what has expired.
async fn remove(archive: &Archive, failed: &mut Failures, expired: Vec<Kept>) -> Result<(), Error> {
    if expired.is_empty() {
        return Ok(());
    }
    // What belongs to another store is not removed.
    archive.confirm().await?;
    let bucket = archive.bucket()?;
    let mut removals = stream::iter(expired)
        .map(|item| {
            let bucket = Arc::clone(&bucket);
            async move { bucket.delete(&object::name_of(&item)).await.map(|()| item) }
        })
        .buffer_unordered(AT_ONCE)
        .boxed();
    let mut removed = Vec::new();
    while let Some(done) = removals.next().await {
        match done {
            Ok(item) => removed.push(item),
            Err(error) => failed.add(archive, error).await?,
        }
    }
    tracing::info!(objects = removed.len(), "archive.expired");
    archive.store.change(Change::Gone(removed)).await?;
    Ok(())
}

/// Looks for objects, and reads some of them.
async fn look_for(archive: &Archive, failed: &mut Failures, looks: Vec<(Kept, Look)>) -> Result<(), Error> {
    let bucket = archive.bucket()?;
    let mut looks = stream::iter(looks)
        .map(|(item, look)| {
            let bucket = Arc::clone(&bucket);
            async move {
                let found = match look {
                    Look::Whole => archive.fetch(&item).await.map(drop),
                    Look::Length => match bucket.length(&object::name_of(&item)).await {
                        Ok(length) if length > u64::from(item.length()) => Ok(()),
                        // Looked at as what is read.
                        Ok(_) | Err(Error::Missing { .. }) => archive.fetch(&item).await.map(drop),
                        Err(error) => Err(error),
                    },
                };
                (item, found)
            }
        })
        .buffer_unordered(AT_ONCE)
        .boxed();
    let mut gone = Vec::new();
    while let Some((item, found)) = looks.next().await {
        match found {
            Ok(()) => {}
            // What is in the archive alone was noted as damaged.
            Err(Error::Missing { .. } | Error::Differs(_)) => gone.extend(item.is_here().then_some(item)),
            Err(error) => failed.add(archive, error).await?,
        }
    }
    if !gone.is_empty() {
        tracing::error!(items = gone.len(), "archive.gone: they are on the disk, and are archived again");
        archive.store.change(Change::Gone(gone)).await?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Whether it is there.
    Length,
    /// All of it.
    Whole,
}

/// Whether it is this object's turn in the pass of this hour: each has one turn within a period, and is read whole in one of
/// [`WHOLE_IN`] turns.
fn look(key: &[u8; 34], period: Duration, now: u64) -> Option<Look> {
    let hours = period.as_secs().div_ceil(PERIOD.as_secs()).max(1);
    let number = u64::from_be_bytes(*key.first_chunk().expect("keys have 34 bytes"));
    let hour = now / PERIOD.as_secs();
    if number % hours != hour % hours {
        return None;
    }
    let whole = (number / hours) % WHOLE_IN == (hour / hours) % WHOLE_IN;
    Some(if whole { Look::Whole } else { Look::Length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_has_one_turn_in_a_period_and_is_read_whole_within_thirteen() {
        for (period, hours) in [(Duration::from_secs(7 * 86_400), 168), (Duration::from_secs(60), 1)] {
            for seed in 0..50u64 {
                let mut key = [0; 34];
                key[..8].copy_from_slice(&seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
                let turns = (0..hours * WHOLE_IN).filter_map(|hour| look(&key, period, 1_000_000 * 3600 + hour * 3600));
                let turns: Vec<Look> = turns.collect();
                assert_eq!(turns.len() as u64, WHOLE_IN, "{seed}");
                assert_eq!(turns.iter().filter(|look| **look == Look::Whole).count(), 1, "{seed}");
            }
        }
    }
}
