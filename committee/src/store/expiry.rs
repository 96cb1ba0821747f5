//! Dropping what has expired, a day's bucket at a time.

use std::{collections::BTreeMap, time::Duration};

use holdfast_certificate::Namespace;

use super::{
    Error, Store,
    holds::{Answer, Due},
    keys,
    writer::Job,
};

/// How often a member looks for expired buckets.
pub(crate) const DROP_INTERVAL: Duration = Duration::from_secs(3600);

/// Seconds that a bucket is kept past its last hour: clocks differ, and a reader may be at work.
pub const GRACE: u64 = 3600;

/// How far the machine's clock may run away from the steady one, which no setting of the clock moves, before nothing is
/// dropped any more.
const MAX_DRIFT: u64 = 3600;

/// A machine's clock that cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock says {now}, expected about {expected} after {} s of running: nothing is dropped until a restart", elapsed.as_secs())]
pub(crate) struct ClockJumped {
    expected: u64,
    now: u64,
    elapsed: Duration,
}

/// What dropping relies on: that the clock which tells how late it is has not been set since the member started.
///
/// A clock that jumps ahead by days would make everything look expired, and what is dropped does not come back. A member
/// that keeps too much loses nothing, so once in doubt it drops nothing until somebody has looked and restarted it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SteadyClock {
    started: u64,
    jumped: Option<ClockJumped>,
}

impl SteadyClock {
    /// Believes the clock for now.
    pub(crate) fn starting_at(now: u64) -> Self {
        Self { started: now, jumped: None }
    }

    /// The time `now`, if it is about as much later than the start as the steady clock's `elapsed`.
    pub(crate) fn check(&mut self, now: u64, elapsed: Duration) -> Result<u64, ClockJumped> {
        let expected = self.started.saturating_add(elapsed.as_secs());
        if self.jumped.is_none() && now.abs_diff(expected) > MAX_DRIFT {
            self.jumped = Some(ClockJumped { expected, now, elapsed });
        }
        self.jumped.map_or(Ok(now), Err)
    }
}

/// The first day whose buckets must still be kept at `now`. Everything in a bucket of an earlier day was promised until
/// at most the end of that day.
fn first_kept_day(now: u64) -> u32 {
    keys::day_of(now.saturating_sub(GRACE))
}

impl Store {
    /// The buckets in which all has expired at `now`. Blocking, and long where there are many records.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`].
    pub(crate) fn due(&self, now: u64) -> Result<Due, Error> {
        self.due_before(first_kept_day(now))
    }

    /// Drops what is due at `now` and not held, and names it. Commitments, promises and certificates stay.
    ///
    /// # Errors
    ///
    /// [`Error::WritesDisabled`] after a failed write.
    pub(crate) async fn drop_due(
        &self,
        due: &Due,
        answers: &BTreeMap<Namespace, Answer>,
        now: u64,
    ) -> Result<Vec<String>, Error> {
        let decision = due.decide(answers, now);
        let given_up = decision.given_up.clone();
        for (bucket, until) in &decision.keep {
            tracing::info!(%bucket, until, "store.keep_expired");
        }
        let dropped = self.submit(|reply| Job::DropBefore(first_kept_day(now), decision, reply)).await?;
        for (bucket, namespace) in given_up {
            tracing::error!(%bucket, %namespace, "store.drop_unknown: the registry did not say whether it is held, and time is up");
        }
        Ok(dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::{Bucket, Kind};

    #[test]
    fn a_clock_that_jumps_by_days_drops_nothing_any_more() {
        const NOW: u64 = 1_800_000_000;
        let years = |years: u64| years * 365 * 86_400;
        for jump in [NOW + 86_400 + 3 * 86_400, NOW + years(30), NOW + 86_400 - 2 * MAX_DRIFT, 0, u64::MAX] {
            let mut clock = SteadyClock::starting_at(NOW);
            assert_eq!(clock.check(NOW, Duration::ZERO), Ok(NOW));
            let day = Duration::from_secs(86_400);
            let error = clock.check(jump, day).expect_err("jumped");
            assert_eq!((error.now, error.expected), (jump, NOW + 86_400));
            // A clock that comes back to the right time was still wrong once: somebody has to look.
            assert_eq!(clock.check(NOW + 2 * 86_400, 2 * day), Err(error));
        }
        // Slow drift within the bound, over years.
        let mut clock = SteadyClock::starting_at(NOW);
        for year in 0..20 {
            let now = NOW + years(year) + 100 * year;
            assert_eq!(clock.check(now, Duration::from_secs(years(year))), Ok(now));
        }
    }

    #[test]
    fn nothing_is_dropped_before_its_time() {
        const DAY: u64 = 86_400;
        for until in (19_999 * DAY..20_002 * DAY).step_by(3600) {
            let day = Bucket::of(Kind::Shards, until).day;
            assert!(day >= first_kept_day(until), "until {until} would be dropped at its very end");
            assert!(day < first_kept_day(until + DAY + GRACE), "until {until} would be kept a day too long");
        }
    }
}
