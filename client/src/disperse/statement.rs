use std::time::Duration;

use holdfast_certificate::hour_at_or_after;
use holdfast_erasure::Dispersal;

use crate::{config::MAX_RETENTION, error::Error};

/// The two times of a statement, unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) whole_until: u64,
    pub(crate) retain_until: u64,
}

/// Times asked for, or the defaults counted from `now` and rounded up to the hourly grid, so that trying again within the
/// hour makes the same statement.
pub(crate) fn times(
    now: u64,
    dispersal: Dispersal,
    retain_until: Option<u64>,
    whole_until: Option<u64>,
    retention: Duration,
    whole_retention: Duration,
) -> Times {
    let retain_until = retain_until.unwrap_or_else(|| on_grid(now, retention));
    let whole_until = match dispersal {
        Dispersal::ByShard => whole_until.unwrap_or(0),
        Dispersal::ByPayload => whole_until.unwrap_or_else(|| on_grid(now, whole_retention).min(retain_until)),
    };
    Times { whole_until, retain_until }
}

/// Refuses a retention that nobody can mean.
pub(crate) fn check_span(retain_for: Option<Duration>) -> Result<(), Error> {
    match retain_for {
        Some(asked) if asked.is_zero() || asked > MAX_RETENTION => Err(Error::Invalid {
            what: "retain_for",
            reason: format!("{asked:?}, expected above zero and at most {MAX_RETENTION:?}"),
        }),
        _ => Ok(()),
    }
}

fn on_grid(now: u64, later: Duration) -> u64 {
    hour_at_or_after(now.saturating_add(later.as_secs()))
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::HOUR;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_retry_within_the_hour_is_the_same_statement() {
        let at = |now| times(now, Dispersal::ByPayload, None, None, 28 * DAY, 7 * DAY);
        let hour = 500_000 * HOUR;
        assert_eq!(at(hour + 1), at(hour + HOUR));
        assert_ne!(at(hour), at(hour + 1));
        assert_eq!(at(hour), Times { whole_until: hour + 7 * 86_400, retain_until: hour + 28 * 86_400 });
    }

    #[test]
    fn by_shard_nothing_is_kept_whole_and_by_payload_never_longer_than_the_shards() {
        let by_shard = times(7, Dispersal::ByShard, None, None, 28 * DAY, 7 * DAY);
        assert_eq!(by_shard.whole_until, 0);
        let short = times(7, Dispersal::ByPayload, Some(2 * HOUR), None, 28 * DAY, 7 * DAY);
        assert_eq!(short, Times { whole_until: 2 * HOUR, retain_until: 2 * HOUR });
    }

    #[test]
    fn what_the_caller_asks_is_not_changed_even_where_members_will_refuse_it() {
        let asked = times(7, Dispersal::ByShard, Some(12_345), Some(1), DAY, DAY);
        assert_eq!(asked, Times { whole_until: 1, retain_until: 12_345 });
        assert_eq!(on_grid(u64::MAX, DAY) % HOUR, 0);
    }
}
