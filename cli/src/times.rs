//! Times and spans of time on the command line.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Unix seconds by this machine's clock.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A point in time as a person reads it, in UTC.
pub(crate) fn human_time(seconds: u64) -> String {
    if seconds == 0 {
        return "-".to_owned();
    }
    // RFC 3339 ends with the year 9999, and L1 takes times far beyond it.
    let mut text = String::new();
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    match time.map(|time| write!(text, "{}", humantime::format_rfc3339_seconds(time))) {
        Some(Ok(())) => text,
        _ => format!("unix time {seconds}"),
    }
}

/// A point in time from an argument: unix seconds, RFC 3339, or `now`.
pub(crate) fn parse_time(text: &str) -> Result<u64, String> {
    if text == "now" {
        return Ok(now());
    }
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    humantime::parse_rfc3339_weak(text)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|since| since.as_secs())
        .ok_or_else(|| format!("{text:?} is no time: give unix seconds, 2026-01-31T12:00:00Z, or now"))
}

/// A span such as `28d` or `36h`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{text:?} is no span of time such as 28d or 36h: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_can_be_shown() {
        for (seconds, shown) in [
            (0, "-".to_owned()),
            (1, "1970-01-01T00:00:01Z".to_owned()),
            (253_402_300_799, "9999-12-31T23:59:59Z".to_owned()),
            (253_402_300_800, "unix time 253402300800".to_owned()),
            (u64::MAX, format!("unix time {}", u64::MAX)),
        ] {
            assert_eq!(human_time(seconds), shown);
        }
    }
}
