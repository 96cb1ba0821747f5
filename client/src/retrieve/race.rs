use std::{future::Future, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::plan::{ReadPlan, Step};
use crate::{failure::FailureReason, members::Member};

/// Bytes a second that a member is expected to deliver: 32 MB/s. A slower one is hedged, not failed.
const EXPECTED_BYTES_PER_SECOND: f64 = 32e6;

/// Runs a [`ReadPlan`] against the clock and the network. Dropping it cuts every request in flight.
#[derive(Debug)]
pub(crate) struct Race<T> {
    pub(crate) plan: ReadPlan,
    requests: JoinSet<(usize, Result<T, FailureReason>)>,
    started: Instant,
    deadline: Instant,
}

/// What happened next.
#[derive(Debug)]
pub(crate) enum Event<T> {
    /// A candidate answered. The caller checks the answer and tells the plan.
    Answer(usize, Result<T, FailureReason>),
    /// The plan has all it needs.
    Done,
    /// The plan cannot be fulfilled any more.
    Impossible,
    /// The deadline has passed.
    Deadline,
}

impl<T: Send + 'static> Race<T> {
    pub(crate) fn new(plan: ReadPlan, deadline: Instant) -> Self {
        Self { plan, requests: JoinSet::new(), started: Instant::now(), deadline }
    }

    /// Asks whom the plan says, by `ask`, and waits for what happens next.
    pub(crate) async fn next<F>(&mut self, mut ask: impl FnMut(usize) -> F) -> Event<T>
    where
        F: Future<Output = Result<T, FailureReason>> + Send + 'static,
    {
        loop {
            let until = match self.plan.next(self.started.elapsed()) {
                Step::Done => return Event::Done,
                Step::Impossible => return Event::Impossible,
                Step::Ask(candidates) => {
                    for candidate in candidates {
                        let answer = ask(candidate);
                        self.requests.spawn(async move { (candidate, answer.await) });
                    }
                    continue;
                }
                Step::Wait(until) => until.map_or(self.deadline, |until| (self.started + until).min(self.deadline)),
            };
            tokio::select! {
                biased;
                Some(answer) = self.requests.join_next() => return event(answer),
                () = sleep_until(until) => if until >= self.deadline { return Event::Deadline },
            }
        }
    }

    /// The candidate failed, or is to be asked again where it says that this helps and there is time.
    pub(crate) fn failed(&mut self, candidate: usize, reason: &FailureReason) {
        match reason.again_after() {
            Some(pause) if Instant::now() + pause < self.deadline => {
                self.plan.postpone(candidate, self.started.elapsed() + pause);
            }
            _ => self.plan.fail(candidate),
        }
    }

    /// The next answer of a request in flight, without asking anybody else; none when there is none before `until`.
    pub(crate) async fn late(&mut self, until: Instant) -> Option<Event<T>> {
        let answer = tokio::time::timeout_at(until.min(self.deadline), self.requests.join_next()).await.ok()??;
        Some(event(answer))
    }

    /// Candidates that have not answered in time.
    pub(crate) fn overdue(&self) -> impl Iterator<Item = usize> {
        self.plan.overdue(self.started.elapsed())
    }

    /// How long a candidate that was asked at `asked` has had.
    pub(crate) fn waited(&self, asked: Duration) -> Duration {
        self.started.elapsed().saturating_sub(asked)
    }
}

/// Half of the time that is left: for what must leave time for another way.
pub(crate) fn halfway(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

/// After how long an answer of `bytes` counts as slow.
pub(crate) fn hedge_after(delay: Duration, bytes: usize) -> Duration {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    delay + Duration::from_secs_f64(f64::from(bytes) / EXPECTED_BYTES_PER_SECOND)
}

/// Members from another beginning each time, so that reads fall on all of them.
pub(crate) fn turned(members: &[Member], turn: usize) -> Vec<Member> {
    let mut members = members.to_vec();
    if !members.is_empty() {
        let by = turn % members.len();
        members.rotate_left(by);
    }
    members
}

fn event<T>(answer: Result<(usize, Result<T, FailureReason>), tokio::task::JoinError>) -> Event<T> {
    match answer {
        Ok((candidate, answer)) => Event::Answer(candidate, answer),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being stopped.
            Err(_) => Event::Deadline,
        },
    }
}
