//! Time, and the hourly grid of statements.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_certificate::hour_at_or_after;

/// Unix seconds by this machine's clock.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The same in milliseconds.
pub(crate) fn unix_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// So long from now, on the hourly grid of statements.
pub(crate) fn hour_from_now(later: Duration) -> u64 {
    hour_at_or_after(unix_now().saturating_add(later.as_secs()))
}
