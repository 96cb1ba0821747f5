//! A moment by both clocks of the machine.

use std::{
    ops::Add,
    time::{Duration, Instant, SystemTime},
};

/// A moment by the steady clock and by the clock of the day.
///
/// # Old is old
///
/// The steady clock stands still while the machine sleeps or is kept as an image, and the clock of the day can be set back.
/// So the time between two moments is what the one of them says that says more: what is too old is never taken for fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    steady: Instant,
    day: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), day: SystemTime::now() }
    }

    /// By the steady clock.
    pub(super) fn steady(self) -> Instant {
        self.steady
    }

    /// By the clock of the day.
    pub(super) fn day(self) -> SystemTime {
        self.day
    }

    /// The time since an earlier one; none since a later one.
    pub(super) fn since(self, earlier: Self) -> Duration {
        let by_day = self.day.duration_since(earlier.day).unwrap_or_default();
        self.steady.saturating_duration_since(earlier.steady).max(by_day)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self { steady: self.steady + time, day: self.day + time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn what_was_read_before_the_machine_slept_is_as_old_as_the_day_says() {
        let before = Moment::now();
        let slept = Moment { day: before.day + HOUR, ..before };
        assert_eq!(slept.since(before), HOUR);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_younger() {
        let before = Moment::now();
        let later = Moment { day: before.day - HOUR, ..before + HOUR };
        assert_eq!(later.since(before), HOUR);
        assert_eq!(before.since(before + HOUR), Duration::ZERO);
    }
}
