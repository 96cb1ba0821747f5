//! What time it is by the clocks of the other members.
//!
//! # A minority says nothing
//!
//! This member's clock is off by what a majority of all other members of the newest epoch says that it is off by, at least two of
//! them; those that do not answer count as if they agreed with it. So neither liars nor silence below a majority stop a
//! member, and a clock that nobody contradicts is believed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::clock::Clock;

/// For how long what a peer has said counts.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// Peers that must agree in any case.
const LEAST: usize = 2;

/// A clock that was looked at: unix seconds, and this member's steady clock at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) time: u64,
    pub(crate) at: Duration,
}

/// What is known of the peers' clocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerTime(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The others were asked.
    told: bool,
    /// Members of the newest epoch beside this one.
    others: usize,
    seen: Vec<Seen>,
}

impl PeerTime {
    /// What was seen of so many others, in place of what was known before.
    pub(crate) fn tell(&self, others: usize, seen: Vec<Seen>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Known { told: true, others, seen };
    }

    /// Whether the others were asked, since the start, what time it is; who answered or not.
    pub(crate) fn is_told(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).told
    }

    /// How many others' clocks were seen.
    #[cfg(test)]
    pub(crate) fn heard(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.len()
    }

    /// By how many seconds this member's clock is ahead of what most others say; below zero where it is behind, and zero where
    /// no majority says so. A clock that is set is found off at once: the peers' time goes on by the steady clock.
    pub(crate) fn ahead(&self, clock: &dyn Clock) -> i64 {
        let (now, steady) = (clock.now(), clock.steady());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.seen.iter().filter(|seen| steady.saturating_sub(seen.at) <= FRESH);
        let theirs = fresh.map(|seen| seen.time.saturating_add(steady.saturating_sub(seen.at).as_secs()));
        let mut ahead: Vec<i64> = theirs.map(|time| difference(now, time)).collect();
        ahead.sort_unstable();
        let majority = (known.others / 2 + 1).max(LEAST);
        // So many say at least this, or at most.
        let least = ahead.len().checked_sub(majority).map_or(0, |place| ahead[place]);
        let most = ahead.get(majority - 1).copied().unwrap_or(0);
        if least > 0 { least } else { most.min(0) }
    }
}

fn difference(now: u64, then: u64) -> i64 {
    let by = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    if now >= then { by(now - then) } else { -by(then - now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// A clock that says `.0` after `.1` of running.
    #[derive(Clone, Copy, Debug)]
    struct At(u64, Duration);

    impl Clock for At {
        fn now(&self) -> u64 {
            self.0
        }

        fn steady(&self) -> Duration {
            self.1
        }
    }

    fn ahead(others: usize, offsets: &[i64]) -> i64 {
        let peers = PeerTime::default();
        let seen = |offset: &i64| Seen { time: NOW.saturating_add_signed(*offset), at: Duration::ZERO };
        peers.tell(others, offsets.iter().map(seen).collect());
        peers.ahead(&At(NOW, Duration::ZERO))
    }

    #[test]
    fn a_majority_of_all_others_decides_and_the_mildest_of_it() {
        for (others, offsets, expected) in [
            (4, &[0, 0, 0, 0][..], 0),
            (4, &[-120, -130, -140, 0], 120),
            (4, &[120, 130, 140, 0], -120),
            (4, &[1000, -1000, 1000, -1000], 0),
            // Two of four lie, and two are silent or right.
            (4, &[-100_000, -100_000], 0),
            (4, &[-100_000, -100_000, 1, 1], 0),
            (4, &[100_000, 100_000, -1, 0], 0),
            (4, &[i64::MAX, i64::MAX, i64::MIN, i64::MIN], 0),
            // In a committee of two nobody is in the majority.
            (1, &[-5000], 0),
            (2, &[-5000, -6000], 5000),
            (2, &[-5000, 0], 0),
            (0, &[], 0),
            (4, &[], 0),
        ] {
            assert_eq!(ahead(others, offsets), expected, "{offsets:?} of {others}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_found_off_at_once_and_old_words_do_not_count() {
        let peers = PeerTime::default();
        let seen = Seen { time: NOW, at: Duration::from_secs(100) };
        peers.tell(4, vec![seen; 4]);
        let later = Duration::from_secs(100 + 60);
        assert_eq!(peers.ahead(&At(NOW + 60, later)), 0);
        assert_eq!(peers.ahead(&At(NOW + 60 + 7200, later)), 7200);
        assert_eq!(peers.ahead(&At(NOW + 60 - 90, later)), -90);
        let stale = Duration::from_secs(100) + FRESH + Duration::from_secs(1);
        assert_eq!(peers.ahead(&At(0, stale)), 0);
        for time in [0, u64::MAX] {
            peers.tell(4, vec![Seen { time, at: Duration::ZERO }; 4]);
            assert_ne!(peers.ahead(&At(NOW, Duration::ZERO)), 0);
        }
    }
}
