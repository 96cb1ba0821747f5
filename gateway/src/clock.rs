//! Time, and the hourly grid of statements.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_certificate::HOUR;

/// Unix seconds by this machine's clock.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `now` and `later`, on the hourly grid of statements, so that a retry within the hour is the same statement.
pub(crate) fn hour_at_or_after(now: u64, later: Duration) -> u64 {
    let time = now.saturating_add(later.as_secs());
    time.checked_next_multiple_of(HOUR).unwrap_or(u64::MAX - u64::MAX % HOUR)
}
