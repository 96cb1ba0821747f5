//! How fast things are made whole, and how long what is left will take. No clock: time comes in as an argument.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How far back is looked: the rate is that of now, not of the whole repair.
const WINDOW: Duration = Duration::from_secs(60);
/// What is put together as one.
const PART: Duration = Duration::from_secs(1);

/// What was made whole lately.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// When the first try of this queue began: what had to wait before was not slow.
    since: Option<Instant>,
    /// At most one for each second of the window.
    parts: VecDeque<Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    from: Instant,
    done: u64,
    bytes: u64,
}

impl Rate {
    /// A try begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Something was made whole, for which so many bytes were fetched.
    pub(super) fn done(&mut self, bytes: u64, now: Instant) {
        self.begin(now);
        match self.parts.back_mut() {
            Some(part) if now.saturating_duration_since(part.from) < PART => {
                part.done += 1;
                part.bytes += bytes;
            }
            _ => self.parts.push_back(Part { from: now, done: 1, bytes }),
        }
        while self.parts.front().is_some_and(|part| now.saturating_duration_since(part.from) >= WINDOW) {
            self.parts.pop_front();
        }
    }

    /// Nothing is left.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// How long so many of so many bytes will take: by their number or by their bytes, whichever is longer. `None` where
    /// nothing was made whole lately.
    pub(super) fn eta(&self, queued: u64, bytes: u64, now: Instant) -> Option<Duration> {
        let parts = self.parts.iter().filter(|part| now.saturating_duration_since(part.from) < WINDOW);
        let (done, done_bytes) = parts.fold((0, 0), |(done, bytes), part| (done + part.done, bytes + part.bytes));
        let seconds = now.saturating_duration_since(self.since?).min(WINDOW).as_secs_f64();
        if done == 0 || queued == 0 {
            return None;
        }
        let by_number = seconds * queued as f64 / done as f64;
        let by_bytes = if done_bytes == 0 { 0.0 } else { seconds * bytes as f64 / done_bytes as f64 };
        Some(Duration::try_from_secs_f64(by_number.max(by_bytes)).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_time_left_is_that_of_the_rate_of_now() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        assert_eq!(rate.eta(100, 1000, start), None, "nothing is known yet");
        rate.begin(start);
        assert_eq!(rate.eta(100, 1000, start + SECOND), None);
        // Ten a second.
        for number in 1..=1000 {
            rate.done(10, start + SECOND * number / 10);
        }
        let now = start + 100 * SECOND;
        let eta = rate.eta(500, 5000, now).expect("known").as_secs_f64();
        assert!((49.0..51.0).contains(&eta), "{eta}");
        // Those left are ten times as large: by their bytes it takes ten times as long.
        let eta = rate.eta(500, 50_000, now).expect("known").as_secs_f64();
        assert!((490.0..510.0).contains(&eta), "{eta}");
        // It becomes ten times as slow: a minute later nothing else counts.
        for number in 1..=60 {
            rate.done(10, now + SECOND * number);
        }
        let eta = rate.eta(500, 5000, now + 60 * SECOND).expect("known").as_secs_f64();
        assert!((490.0..520.0).contains(&eta), "{eta}");
        assert_eq!(rate.eta(500, 5000, now + 200 * SECOND), None, "nothing comes any more");
        rate.end();
        assert_eq!(rate.eta(1, 1, now), None);
    }

    #[test]
    fn what_waits_before_the_first_try_is_not_slow_and_memory_is_bounded() {
        let (mut rate, learned) = (Rate::default(), Instant::now());
        let begun = learned + 60 * SECOND;
        rate.begin(begun);
        for number in 1..=100_000_u32 {
            rate.done(1, begun + SECOND * number / 100);
            assert!(rate.parts.len() <= 61);
        }
        let now = begun + 1000 * SECOND;
        let eta = rate.eta(1000, 1000, now).expect("known").as_secs_f64();
        assert!((9.5..10.5).contains(&eta), "{eta}");
    }
}
