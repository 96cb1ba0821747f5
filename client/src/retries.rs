use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep};

use crate::error::Error;

/// Whether, and how, a call that failed is made again within its own deadline, where [`Error::is_retryable`] says that this may
/// help: members that start anew, an L1 node that is away for a moment. Off by default.
///
/// A single member that says that it is busy is asked again in any case. A dispersal that is made again within the hour makes
/// the same statement, so nothing is stored twice.
///
/// ```
/// use std::time::Duration;
/// use holdfast_client::{Config, Retries};
///
/// let config = Config::default().retries(Retries::times(5)).disperse_deadline(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retries {
    /// How often at most, beside the first time.
    pub times: u32,
    /// How long to wait before the first of them; each wait after it is twice as long. 200 ms.
    pub pause: Duration,
    /// The longest wait. 5 s.
    pub longest_pause: Duration,
}

impl Retries {
    /// None.
    pub const NONE: Self = Self::times(0);

    /// So many, with the waits of the default.
    #[must_use]
    pub const fn times(times: u32) -> Self {
        Self { times, pause: Duration::from_millis(200), longest_pause: Duration::from_secs(5) }
    }

    /// With another first wait.
    #[must_use]
    pub const fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// With another longest wait.
    #[must_use]
    pub const fn longest_pause(self, longest_pause: Duration) -> Self {
        Self { longest_pause, ..self }
    }

    /// The wait before a retry, counted from zero. Up to half of it is left away by chance, so that clients which failed together
    /// do not come back together.
    fn wait(&self, retry: u32, chance: u32) -> Duration {
        let doubled = 2_u32.checked_pow(retry).map_or(self.longest_pause, |times| self.pause.saturating_mul(times));
        let whole = doubled.min(self.longest_pause);
        whole - whole / 2 * (chance % 1000) / 1000
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self::NONE
    }
}

/// Makes attempts, each with the time that is left, until one succeeds or another cannot help.
pub(crate) async fn until<T, F>(
    retries: Retries,
    allowed: Duration,
    mut attempt: impl FnMut(Duration) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + allowed;
    let mut retry = 0;
    loop {
        // The first attempt has the very time that errors then name.
        let left = if retry == 0 { allowed } else { deadline.saturating_duration_since(Instant::now()) };
        let error = match attempt(left).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let wait = retries.wait(retry, chance());
        if retry == retries.times || !error.is_retryable() || Instant::now() + wait >= deadline {
            return Err(error);
        }
        retry += 1;
        tracing::debug!(%error, retry, ?wait, "the call is made again");
        sleep(wait).await;
    }
}

/// What the clock's last digits are. It only has to differ between machines.
fn chance() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos() / 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Error {
        Error::Registry(holdfast_registry::Error::Timeout { what: "a block", limit: Duration::from_secs(1) })
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_never_less_than_half() {
        let retries = Retries::times(40);
        let whole: Vec<u128> = (0..8).map(|retry| retries.wait(retry, 0).as_millis()).collect();
        assert_eq!(whole, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        assert_eq!(retries.wait(39, 0), retries.longest_pause);
        for chance in [1, 500, 999, u32::MAX] {
            let wait = retries.wait(0, chance);
            assert!((100..=200).contains(&wait.as_millis()), "{wait:?}");
        }
    }

    #[tokio::test]
    async fn a_call_is_made_again_as_often_as_is_allowed_and_only_where_it_helps() {
        let tried = |retries: Retries, allowed: Duration, good_at: u32, error: fn() -> Error| async move {
            let mut attempts = 0;
            let result = until(retries, allowed, |left| {
                assert!(left <= allowed);
                attempts += 1;
                let outcome = if attempts == good_at { Ok(()) } else { Err(error()) };
                async { outcome }
            })
            .await;
            (result.is_ok(), attempts)
        };
        let minute = Duration::from_secs(60);
        let three = Retries::times(3).pause(Duration::from_millis(1));
        assert_eq!(tried(Retries::NONE, minute, 2, away).await, (false, 1));
        assert_eq!(tried(three, minute, 3, away).await, (true, 3));
        assert_eq!(tried(three, minute, 9, away).await, (false, 4));
        assert_eq!(tried(three, minute, 2, || Error::EmptyPayload).await, (false, 1), "it cannot help");
        let many = Retries::times(1_000_000).pause(Duration::from_millis(2)).longest_pause(Duration::from_millis(2));
        let (done, attempts) = tried(many, Duration::from_millis(200), u32::MAX, away).await;
        assert!(!done && attempts <= 201, "{attempts} within 200 ms, at least one apart");
    }
}
