//! How many names that the registry does not know are looked up: anybody can make up names, and each is a question to L1.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many are looked up at once, or in a row.
pub(super) const BURST: u32 = 64;

/// After which time there is one more.
pub(super) const EACH: Duration = Duration::from_secs(5);

/// What is left of the look-ups. One that finds something is given back, so that only what is made up costs any.
#[derive(Debug)]
pub(super) struct Strangers(Mutex<State>);

#[derive(Debug)]
struct State {
    left: u32,
    /// From when on the next one is counted.
    since: Instant,
}

impl Strangers {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State { left: BURST, since: now }))
    }

    /// Takes one; else says after which time there is another.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        let passed = now.saturating_duration_since(state.since);
        let grown = u32::try_from(passed.as_nanos() / EACH.as_nanos()).unwrap_or(u32::MAX);
        state.left = state.left.saturating_add(grown).min(BURST);
        state.since = if state.left == BURST { now } else { state.since + EACH * grown };
        match state.left.checked_sub(1) {
            Some(left) => {
                state.left = left;
                Ok(())
            }
            None => Err(EACH.saturating_sub(now.saturating_duration_since(state.since))),
        }
    }

    /// It was no stranger.
    pub(super) fn give_back(&self) {
        let mut state = self.state();
        state.left = (state.left + 1).min(BURST);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_let_through_in_drops_and_what_exists_costs_nothing() {
        let begin = Instant::now();
        let strangers = Strangers::new(begin);
        for _ in 0..1000 {
            strangers.take(begin).expect("given back each time");
            strangers.give_back();
        }
        let passed = (0..1000).filter(|_| strangers.take(begin).is_ok()).count();
        assert_eq!(passed, BURST as usize);
        assert_eq!(strangers.take(begin + EACH / 2), Err(EACH / 2));
        // A question a second for an hour.
        let passed = (1..=3600).filter(|second| strangers.take(begin + Duration::from_secs(*second)).is_ok()).count();
        assert_eq!(passed, 3600 / 5);
        let rested = begin + Duration::from_secs(100_000);
        assert_eq!((0..1000).filter(|_| strangers.take(rested).is_ok()).count(), BURST as usize);
    }
}
