//! A line in the log now and then while something long goes on.

use std::time::{Duration, Instant};

/// Between two lines, and before the first.
const PAUSE: Duration = Duration::from_secs(5);

/// Counts, and says every five seconds how far it has come. What is done sooner says nothing.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    what: &'static str,
    done: u64,
    told: Instant,
}

impl Heartbeat {
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, done: 0, told: Instant::now() }
    }

    /// One more is done.
    pub(crate) fn beat(&mut self) {
        self.done += 1;
        // The clock is not asked for each.
        if self.done.is_multiple_of(1024) && self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            tracing::info!(what = self.what, done = self.done, "store.reading");
        }
    }
}
