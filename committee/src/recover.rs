//! Recovery on an operator's word: a member that runs until it holds again all that bears its name.

use std::{pin::pin, time::Duration};

use holdfast_proto::v1;
use tokio::time::{Instant, sleep};

use crate::{
    archive::Found,
    awaited,
    clock::{Clock as _, SystemClock},
    config::Config,
    error::Error,
    member::Member,
    store::IfMissing,
};

/// How often it is looked whether all is here.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(5);

/// How a recovery has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recovered {
    /// Whether the store holds again all that bears the member's name; otherwise it was stopped before, and goes on at its
    /// next start.
    pub complete: bool,
    /// What was done.
    pub progress: v1::Repair,
    /// Shards held at the end.
    pub blobs: u64,
    /// What was found in the archive, where it was to be looked at.
    pub found: Option<Found>,
}

/// Makes a store where there is none, or distrusts the one that is there; runs the member, which serves and signs meanwhile,
/// until it holds all again that the other members' lists say it has signed, or until `shutdown`; and stops it. With `from_archive`
/// it first records what its archive has; what was signed last may not be there, and is looked for as without it.
///
/// # Errors
///
/// As [`run`](crate::run).
pub async fn recover(
    config: Config,
    from_archive: bool,
    shutdown: impl Future<Output = ()>,
    tell: impl Fn(&v1::Repair),
) -> Result<Recovered, Error> {
    let mut shutdown = pin!(shutdown);
    let (registry, awaited) = tokio::select! {
        registry = awaited::registry(&config) => registry?,
        () = &mut shutdown => {
            return Ok(stopped(None));
        }
    };
    let member = Member::open(config, registry).await?.if_missing(IfMissing::Replace).awaiting(awaited);
    let member = member.distrusting(SystemClock.now());
    let found = match from_archive {
        false => None,
        true => tokio::select! {
            found = member.restore() => Some(found?),
            () = &mut shutdown => return Ok(stopped(None)),
        },
    };
    let mut running = member.launch().await?;
    let mut told = Instant::now();
    let stopped = loop {
        if running.store().lost_at().is_none() {
            break Ok(true);
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            tell(&running.repair());
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = &mut shutdown => break Ok(false),
            error = running.failed() => break Err(error),
        }
    };
    let (progress, blobs) = (running.repair(), running.store().usage().items);
    let ended = running.stop().await;
    let complete = stopped?;
    ended?;
    Ok(Recovered { complete, progress, blobs, found })
}

/// Before anything was got back from the others.
fn stopped(found: Option<Found>) -> Recovered {
    Recovered { complete: false, progress: v1::Repair::default(), blobs: 0, found }
}
