//! A member that becomes whole again by itself (docs/protocol.md section 5, repair).
//!
//! It learns of statements that belong here from the lists of its peers, from the publish events of L1, from certificates that
//! are given to it, and from its own scrub and reads; and makes whole what it lacks, in the background and within a rate.

mod bandwidth;
mod desk;
mod events;
mod lists;
mod offer;
mod queue;
mod rate;
mod work;

use std::{sync::Arc, time::Duration};

use holdfast_client::Client;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{attestor::Attestor, config::Policy, store::GRACE};

pub(crate) use desk::{Desk, Ended, How, Progress};
pub(crate) use offer::offer;

use events::Events;
use lists::{Lists, Round};
use queue::{Cause, Ending, Want};
use work::Work;

/// Statements that are made whole at once: most of the time is spent in waiting for peers.
const AT_ONCE: usize = 16;
/// How often it is looked for damage, and for what has expired.
const LOOK: Duration = Duration::from_secs(1);
/// Damage that is looked at at once.
const DAMAGE: usize = 1024;
/// The least pause between two tries, and between two rounds of listening.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two questions to L1 for what was published, while its nodes do not say.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Makes whole what this member lacks, until `stop`.
pub(crate) async fn run(attestor: Arc<Attestor>, desk: Arc<Desk>, stop: CancellationToken) {
    let mut builder = Client::builder().registry(Arc::clone(&attestor.registry));
    if let Some(network) = &attestor.network {
        builder = builder.network(Arc::clone(network));
    }
    let client = match builder.build() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "repair.start");
            return;
        }
    };
    let policy = &attestor.policy;
    let pause = policy.repair_delay.max(LEAST_PAUSE);
    let rate = u64::from(policy.repair_mib_per_second) << 20;
    let work = Arc::new(Work::new(Arc::clone(&attestor), Arc::clone(&desk), client.clone(), rate));
    let events = Events::new(Arc::clone(&attestor), Arc::clone(&desk), client.clone(), policy.repair_delay);
    let lists = Lists::new(Arc::clone(&attestor), Arc::clone(&desk), client, policy.repair_delay);
    tokio::select! {
        () = stop.cancelled() => {}
        () = listen(lists, &attestor, &desk, pause) => {}
        () = follow(events, pause) => {}
        () = repair(&work, &attestor, &desk, pause) => {}
        () = watch(&attestor, &desk, pause) => {}
    }
}

/// Hears the lists of all peers, again and again.
async fn listen(mut lists: Lists, attestor: &Attestor, desk: &Desk, pause: Duration) {
    let mut recovery = Recovery::default();
    loop {
        let round = match lists.round().await {
            Ok(round) => round,
            Err(error) => {
                tracing::debug!(%error, "repair.listen");
                Round::default()
            }
        };
        recovery.look(round, attestor, desk);
        if !round.more {
            sleep(pause).await;
        }
    }
}

/// Reads what was published on L1, again and again; more rarely while the nodes do not give it.
async fn follow(mut events: Events, pause: Duration) {
    let mut failures = 0_u32;
    loop {
        match events.round().await {
            Ok(true) => failures = 0,
            Ok(false) => {
                failures = 0;
                sleep(pause).await;
            }
            Err(error) => {
                tracing::debug!(%error, "repair.events");
                sleep(pause.saturating_mul(1 << failures.min(16)).min(pause.max(LONGEST_PAUSE))).await;
                failures = failures.saturating_add(1);
            }
        }
    }
}

/// Makes whole what is queued, so much at once.
async fn repair(work: &Arc<Work>, attestor: &Attestor, desk: &Desk, pause: Duration) {
    let mut tries: JoinSet<(Want, Ending)> = JoinSet::new();
    let writes = attestor.store.writes_disabled();
    loop {
        while tries.len() < AT_ONCE && writes.borrow().is_none() {
            let Some((want, known_to)) = desk.next() else { break };
            let work = Arc::clone(work);
            tries.spawn(async move {
                let ending = work.make_whole(&want, &known_to).await;
                (want, ending)
            });
        }
        let due = desk.due().map_or(LOOK, |due| due.saturating_duration_since(Instant::now()).clamp(LEAST_PAUSE, LOOK));
        tokio::select! {
            Some(ended) = tries.join_next() => match ended {
                Ok((want, ending)) => {
                    tell(&want, &ending);
                    desk.remember(attestor.clock.now(), want.id, &ending);
                    desk.end(&want.digest, &ending, pause);
                }
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            () = desk.changed() => {}
            () = sleep(due) => {}
        }
    }
}

/// Looks for damage that the scrub or a reader has found, and forgets what has expired. Damage has to wait as well: its
/// disperser may be storing it again.
async fn watch(attestor: &Attestor, desk: &Desk, pause: Duration) {
    loop {
        let (store, now) = (Arc::clone(&attestor.store), attestor.clock.now());
        match attestor.workers.disk(move || store.damage(DAMAGE, now)).await {
            Ok(Ok(damage)) => {
                for found in damage {
                    let promise = found.promise;
                    let (statement, slot) = (promise.statement, promise.slot);
                    let cause = Cause::Damaged(Box::new(promise));
                    if let Some(want) = Want::new(statement, found.digest, slot, cause) {
                        desk.add(want, None, Instant::now() + pause);
                    }
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "repair.damage"),
            Err(error) => tracing::debug!(%error, "repair.damage"),
        }
        if attestor.check_clock(now).is_ok() {
            desk.expire(now);
        }
        sleep(LOOK).await;
    }
}

fn tell(want: &Want, ending: &Ending) {
    match ending {
        Ending::Nowhere(reason) => tracing::error!(blob = %want.id, reason, "repair.set_aside"),
        Ending::Unanswered(reason) | Ending::Hindered(reason) => {
            tracing::info!(blob = %want.id, reason, "repair.wait");
        }
        Ending::Doubtful(reason) | Ending::Refused(reason) => tracing::debug!(blob = %want.id, reason, "repair.refuse"),
        Ending::Whole { .. } | Ending::Needless | Ending::Unfillable => {}
    }
}

/// Whether a lost store holds again all that bears this member's name.
#[derive(Debug, Default)]
struct Recovery {
    /// The last that was queued when all lists had been heard.
    last: Option<u64>,
}

impl Recovery {
    fn look(&mut self, round: Round, attestor: &Attestor, desk: &Desk) {
        let Some(lost) = attestor.store.lost_at() else {
            self.last = None;
            return;
        };
        if self.last.is_none() && round.complete {
            self.last = Some(desk.last());
        }
        let settled = self.last.is_some_and(|last| desk.is_settled(last));
        if settled || attestor.is_over(all_ended(lost, &attestor.policy)) {
            match attestor.store.set_lost(None) {
                Ok(()) => tracing::info!("store.recovered: all that bears this member's name is here again"),
                Err(error) => tracing::error!(%error, "store.recovered"),
            }
        }
    }
}

/// When every promise made before a loss has ended.
fn all_ended(lost: u64, policy: &Policy) -> u64 {
    lost.saturating_add(policy.max_retention.as_secs()).saturating_add(GRACE)
}
