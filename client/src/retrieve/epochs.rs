use std::sync::Arc;

use holdfast_registry::EpochRecord;
use tokio::time::Instant;

use super::{
    locate::{Located, locate},
    race::halfway,
    read::Read,
};
use crate::{context::Context, error::Error};

/// The most epochs, counted back from the active one (the last that was, where none is), that are searched for a blob by its id alone.
const MAX_EPOCHS_SEARCHED: u64 = 8;

/// Finds the blob by its id: in the epoch asked for, or in the newest one and those before it.
pub(crate) async fn search(read: &mut Read<'_>) -> Result<(Arc<EpochRecord>, Located), Error> {
    let first = match read.options.epoch {
        Some(epoch) => read.context.epoch(epoch, read.deadline).await?,
        None => read.context.newest_epoch(read.deadline).await?,
    };
    let newest = first.committee.epoch();
    let oldest = if read.options.epoch.is_some() { newest } else { newest.saturating_sub(MAX_EPOCHS_SEARCHED - 1) };
    let mut outcome = locate_in(read, first, oldest).await;
    for epoch in (oldest..newest).rev() {
        if outcome.is_ok() {
            break;
        }
        let older = match read.context.epoch(epoch, read.deadline).await {
            Ok(record) => locate_in(read, record, oldest).await,
            // A gap in the numbers is an epoch that never became active.
            Err(Error::Registry(holdfast_registry::Error::UnknownEpoch { .. })) => continue,
            // Nobody was asked, so nothing is certain.
            Err(error) => Err(error),
        };
        outcome = better(outcome, older);
    }
    outcome
}

/// The epochs before `newest`, newest first, as many as make `most` with it; and whether there is none but those, and all of
/// them could be read.
pub(crate) async fn before(
    context: &Context,
    newest: u64,
    most: u64,
    deadline: Instant,
) -> (Vec<Arc<EpochRecord>>, bool) {
    let (mut older, mut all) = (Vec::new(), newest < most);
    for epoch in (newest.saturating_sub(most - 1)..newest).rev() {
        match context.epoch(epoch, deadline).await {
            Ok(record) => older.push(record),
            // A gap in the numbers is an epoch that never became active.
            Err(Error::Registry(holdfast_registry::Error::UnknownEpoch { .. })) => {}
            Err(error) => {
                tracing::debug!(epoch, %error, "an older epoch cannot be read: its members are not asked");
                all = false;
            }
        }
    }
    (older, all)
}

/// The epochs that are searched beside `known`, where the caller has named none.
pub(crate) async fn others(read: &Read<'_>, known: &[Arc<EpochRecord>]) -> Vec<Arc<EpochRecord>> {
    let mut others = Vec::new();
    if read.options.epoch.is_none()
        && let Ok(newest) = read.context.newest_epoch(read.deadline).await
    {
        let newest = newest.committee.epoch();
        for epoch in (newest.saturating_sub(MAX_EPOCHS_SEARCHED - 1)..=newest).rev() {
            let is_known = known.iter().any(|record| record.committee.epoch() == epoch);
            if !is_known && let Ok(record) = read.context.epoch(epoch, read.deadline).await {
                others.push(record);
            }
        }
    }
    others
}

/// The epochs whose members may hold shards: those that the blob was signed in, as one member says, and the one whose
/// member said it.
pub(crate) async fn hinted(
    read: &Read<'_>,
    located: &Located,
    found_in: Arc<EpochRecord>,
) -> Result<Vec<Arc<EpochRecord>>, Error> {
    let mut records = Vec::new();
    for &epoch in &located.epochs {
        if epoch == found_in.committee.epoch() {
            records.push(Arc::clone(&found_in));
        } else if let Ok(record) = read.context.epoch(epoch, read.deadline).await {
            records.push(record);
        }
    }
    if !located.epochs.contains(&found_in.committee.epoch()) {
        records.push(found_in);
    }
    let got = u64::from(located.commitment.blob().payload_length);
    let max = records.iter().map(|record| u64::from(record.committee.parameters().max_payload())).max();
    match max {
        Some(max) if got > max => Err(Error::PayloadTooLarge { max, got }),
        _ => Ok(records),
    }
}

/// Members of one epoch that never answer must leave time for the epochs before it, down to `oldest`.
async fn locate_in(
    read: &mut Read<'_>,
    record: Arc<EpochRecord>,
    oldest: u64,
) -> Result<(Arc<EpochRecord>, Located), Error> {
    let until: Instant = if record.committee.epoch() > oldest { halfway(read.deadline) } else { read.deadline };
    let members = read.members(&record);
    let located = locate(read, &record, &members, until).await?;
    Ok((record, located))
}

/// Of two epochs' outcomes the one that says more: found, then expired, then unknown, then not found.
fn better<T>(a: Result<T, Error>, b: Result<T, Error>) -> Result<T, Error> {
    let rank = |outcome: &Result<T, Error>| match outcome {
        Ok(_) => 3,
        Err(Error::Expired { .. }) => 2,
        Err(Error::NotFound { .. }) => 0,
        Err(_) => 1,
    };
    if rank(&b) > rank(&a) { b } else { a }
}
