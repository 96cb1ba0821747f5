//! The least rate at which a peer must send or take a body.

use std::time::Duration;

use tokio::time::Instant;

/// How slow a peer may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// For so long nothing need move at all.
    pub(crate) grace: Duration,
    /// Beyond it, bytes a second on average.
    pub(crate) least: u64,
}

/// One body on its way, timed by what its peer takes: time in which this member is not ready does not count.
#[derive(Debug)]
pub(crate) struct Progress {
    pace: Pace,
    waited: Duration,
    since: Option<Instant>,
    moved: u64,
}

impl Pace {
    pub(crate) fn start(self) -> Progress {
        Progress { pace: self, waited: Duration::ZERO, since: None, moved: 0 }
    }
}

impl Progress {
    /// From now on it is the peer that is waited for.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The peer has done what was waited for, and `bytes` have moved.
    pub(crate) fn moved(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        self.moved += bytes as u64;
    }

    /// When the peer is too slow if nothing more moves; `None` while it is not waited for.
    pub(crate) fn due(&self) -> Option<Instant> {
        let allowed =
            self.pace.grace + Duration::from_micros(self.moved.saturating_mul(1_000_000) / self.pace.least.max(1));
        self.since.map(|since| since + allowed.saturating_sub(self.waited))
    }

    /// Bytes that have moved.
    pub(crate) fn bytes(&self) -> u64 {
        self.moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { grace: Duration::from_secs(10), least: 1000 };

    #[test]
    fn a_byte_a_second_ends_after_the_grace_and_the_least_rate_never() {
        for (bytes, ends) in [(1, true), (1000, false)] {
            let (mut progress, mut now) = (PACE.start(), Instant::now());
            for second in 0..100 {
                progress.wait(now);
                let due = progress.due().expect("waited for");
                now += Duration::from_secs(1);
                if now > due {
                    assert!(ends && second >= 9, "{bytes} bytes a second ended after {second}");
                    break;
                }
                assert!(second < 12 || !ends, "{bytes} bytes a second did not end");
                progress.moved(bytes, now);
            }
        }
    }

    #[test]
    fn time_that_this_member_takes_does_not_count() {
        let mut progress = PACE.start();
        let now = Instant::now();
        progress.wait(now);
        progress.moved(0, now + Duration::from_secs(4));
        assert_eq!(progress.due(), None);
        let later = now + Duration::from_secs(100);
        progress.wait(later);
        assert_eq!(progress.due(), Some(later + Duration::from_secs(6)));
    }
}
