//! The scrub: all that is stored is read and checked again, on a budget that lets it be done within a period.
//!
//! Disks lose bits in what nobody reads. What is found damaged is logged, counted in `GetInfo`, and never served; storing it
//! again repairs it.

use std::{sync::Arc, time::Duration};

use holdfast_transport::blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    operator::{Asked, Operator},
    store::{Disabled, Error, Step, Store},
};

/// Bytes a second at the least, so that a small store is not spread thin over a week.
const LEAST_RATE: u64 = 1 << 20;
/// The part of the period, in tenths, within which a pass is planned to end.
const PLANNED: u64 = 9;
/// Bytes a second at the least of a pass that was asked for.
const ASKED_RATE: u64 = 64 << 20;
/// Between two passes, at the least.
const LEAST_PAUSE: Duration = Duration::from_millis(10);
/// How often it is recorded how far it has come.
const RECORDED: Duration = Duration::from_secs(60);
/// How often it is looked whether what is held has been counted.
const LOOK: Duration = Duration::from_millis(50);
/// How long it waits while the store is opened anew.
const MOMENT: Duration = Duration::from_secs(1);
/// How long it waits after the disk could not be read.
const PAUSE: Duration = Duration::from_secs(60);

/// Scrubs until `stop`.
pub(crate) async fn run(
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    period: Duration,
    operator: Arc<Operator>,
    stop: CancellationToken,
) {
    let passes = async {
        loop {
            match pass(&store, &*clock, period, operator.scrub()).await {
                Ok(()) => {}
                Err(Error::Closed) => return,
                Err(Error::Reopening) => tokio::time::sleep(MOMENT).await,
                Err(error) => {
                    tracing::error!(%error, "store.scrub");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = passes => {}
    }
}

/// What is left of one pass, and the wait for the time of the next.
async fn pass(store: &Arc<Store>, clock: &dyn Clock, period: Duration, asked: &Asked) -> Result<(), Error> {
    // Before it is counted nobody knows how much there is to read, and how far it has come is not recorded.
    while !store.is_counted() || store.writes_disabled().borrow().as_ref().is_some_and(Disabled::is_counting) {
        tokio::time::sleep(LOOK).await;
    }
    let mut state = read(store, Store::scrub_state).await?;
    let age = clock.now().saturating_sub(state.begun);
    if state.after.is_none() && state.ended >= state.begun && age < period.as_secs() {
        rest(Instant::now() + period.saturating_sub(Duration::from_secs(age)), asked).await;
    }
    if state.after.is_none() {
        state.begun = clock.now();
    }
    let usual = rate(store.usage().bytes, period);
    let (started, mut recorded, mut bytes) = (Instant::now(), Instant::now(), 0u64);
    let (mut due, mut quick) = (started, asked.is());
    loop {
        let after = state.after;
        let Some(Step { next, bytes: more }) = read(store, move |store| store.scrub(after.as_ref())).await? else {
            break;
        };
        state.after = Some(next);
        bytes += more;
        if asked.is() && !quick {
            (due, quick) = (Instant::now(), true);
        }
        due += Duration::from_secs_f64(more as f64 / if quick { usual.max(ASKED_RATE) } else { usual } as f64);
        if quick {
            tokio::time::sleep_until(due).await;
        } else {
            rest(due, asked).await;
        }
        if recorded.elapsed() >= RECORDED {
            recorded = Instant::now();
            store.record_scrub(state).await?;
        }
    }
    state.after = None;
    state.ended = clock.now();
    store.record_scrub(state).await?;
    asked.done();
    tracing::info!(bytes, damaged = store.damaged(), seconds = started.elapsed().as_secs(), "store.scrub");
    // In a store with little in it, or a short period, a pass ends long before its time; and time must pass between two.
    tokio::time::sleep(LEAST_PAUSE).await;
    rest(started + period, asked).await;
    Ok(())
}

/// Waits until then, or until a pass is asked for.
async fn rest(due: Instant, asked: &Asked) {
    tokio::select! {
        () = tokio::time::sleep_until(due) => {}
        () = asked.wait() => {}
    }
}

/// Bytes a second.
fn rate(stored: u64, period: Duration) -> u64 {
    let seconds = period.as_secs().max(1);
    (stored / seconds).saturating_mul(10).div_ceil(PLANNED).max(LEAST_RATE)
}

async fn read<T: Send + 'static>(
    store: &Arc<Store>,
    read: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let store = Arc::clone(store);
    blocking(move || read(&store)).await.map_err(|e| Error::Read(e.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_enough_for_all_of_it_within_the_period() {
        let week = Duration::from_secs(7 * 86_400);
        assert_eq!(rate(0, week), LEAST_RATE);
        for stored in [10u64 << 30, 1 << 40, 50 << 40] {
            let took = stored / rate(stored, week);
            assert!(took <= week.as_secs(), "{stored}: {took}");
            assert!(rate(stored, week) <= LEAST_RATE.max(stored / week.as_secs() * 12 / 10), "{stored}");
        }
    }
}
