//! Where a member gets the time from, so that tests can set it.

use std::{
    fmt::Debug,
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Some moment of this process, from which the steady clock counts.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A source of unix time in seconds.
pub trait Clock: Send + Sync + Debug {
    /// Seconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> u64;

    /// Time that has passed since some moment of this process; no setting of the machine's clock moves it.
    fn steady(&self) -> Duration {
        START.elapsed()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        // A clock before 1970 reads as zero: nothing expires, and every epoch is still ahead, so nothing is signed.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
    }
}
