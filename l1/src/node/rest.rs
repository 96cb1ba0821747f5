//! When a node that limits the rate of its callers may be asked again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// The shortest rest, where the node does not say how long or says none; twice as long each time in a row.
const SHORTEST: Duration = Duration::from_secs(1);

/// How often that is doubled.
const MOST_DOUBLINGS: u32 = 5;

/// The longest rest that a node is given, whatever it asks for.
const LONGEST: Duration = Duration::from_secs(300);

/// Codes of JSON-RPC errors that providers use for too many calls, some of them also for other things.
const LIMIT_CODES: [i64; 4] = [429, -32005, -32007, -32029];

/// What such an error says.
const LIMIT_WORDS: [&str; 6] = ["limit", "too many", "rate", "capacity", "throughput", "exceeded"];

/// The rest of one node.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    until: Option<Instant>,
    /// How often in a row the node has asked for a rest.
    times: u32,
}

impl Rest {
    /// How long the node is to be left alone, if it is.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let until = self.state().until?;
        (until > now).then(|| until.duration_since(now))
    }

    /// The node wants fewer calls, and may have said for how long none.
    pub(super) fn begin(&self, asked: Option<Duration>, now: Instant) -> Duration {
        let mut state = self.state();
        // Calls that were under way together are one occasion.
        if let Some(until) = state.until.filter(|until| *until > now) {
            return until.duration_since(now);
        }
        let own = SHORTEST * 2_u32.pow(state.times.min(MOST_DOUBLINGS));
        state.times += u32::from(state.times < MOST_DOUBLINGS);
        let rest = asked.filter(|asked| !asked.is_zero()).unwrap_or(own).min(LONGEST);
        state.until = Some(now + rest);
        rest
    }

    /// The node has served a call.
    pub(super) fn served(&self) {
        self.state().times = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `Retry-After` says: seconds or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default())
}

/// Whether an error object is about the rate of calls.
pub(super) fn is_limit(code: i64, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    LIMIT_CODES.contains(&code) && LIMIT_WORDS.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_as_long_as_the_node_says_within_bounds() {
        let (rest, now) = (Rest::default(), Instant::now());
        assert_eq!(rest.left(now), None);
        assert_eq!(rest.begin(Some(Duration::from_secs(7)), now), Duration::from_secs(7));
        assert_eq!(rest.left(now + Duration::from_secs(3)), Some(Duration::from_secs(4)));
        assert_eq!(rest.left(now + Duration::from_secs(7)), None);
        let later = now + Duration::from_secs(10);
        assert_eq!(rest.begin(Some(Duration::MAX), later), LONGEST);
    }

    #[test]
    fn a_node_that_does_not_say_is_given_twice_as_long_each_time_until_it_serves() {
        let (rest, mut now) = (Rest::default(), Instant::now());
        for expected in [1, 2, 4, 8, 16, 32, 32] {
            let got = rest.begin(None, now);
            assert_eq!(got, Duration::from_secs(expected));
            assert_eq!(rest.begin(None, now), got, "calls under way together count once");
            now += got;
        }
        rest.served();
        assert_eq!(rest.begin(Some(Duration::ZERO), now), SHORTEST);
    }

    #[test]
    fn seconds_and_dates_are_read() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").expect("a date");
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn a_limit_is_told_from_other_errors() {
        assert!(is_limit(-32005, "daily request count exceeded, request rate limited"));
        assert!(is_limit(429, "Your app has exceeded its compute units per second capacity"));
        assert!(!is_limit(-32000, "gas limit exceeded"));
        assert!(!is_limit(-32005, "query returned no result"));
    }
}
