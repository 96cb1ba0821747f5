use std::time::Duration;

use crate::{error::Error, retries::Retries};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The longest a deadline, delay or limit may be.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(3600);

/// The longest retention that can be asked for as a span, 10 years; members have their own policy.
pub(crate) const MAX_RETENTION: Duration = Duration::from_secs(3650 * 24 * 3600);

/// How a client behaves where a call says nothing else.
///
/// ```
/// use std::time::Duration;
/// use holdfast_client::Config;
///
/// let config = Config::default().disperse_deadline(Duration::from_secs(5)).hedge_delay(Duration::from_millis(80));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long members hold a blob: `retainUntil` is now plus this, rounded up to the hour. 28 days.
    pub retention: Duration,
    /// How long members keep a payload whole that was dispersed by payload, rounded likewise, never longer than
    /// `retention`. 7 days.
    pub whole_retention: Duration,
    /// How long a dispersal may take. 10 s.
    pub disperse_deadline: Duration,
    /// How long slow members are still fed after the certificate was returned; each has 5 s more to take the certificate. 30 s.
    pub background_limit: Duration,
    /// How long a retrieval, a search or a status may take. 30 s.
    pub read_deadline: Duration,
    /// After how long without an answer another member is asked beside a slow one. The time that the bytes asked for
    /// take at 32 MB/s is added. 150 ms.
    pub hedge_delay: Duration,
    /// How long a connection may take to be made. 2 s.
    pub connect_timeout: Duration,
    /// Whether a dispersal, checkpoint or retrieval that failed is made again within its deadline. It is not.
    pub retries: Retries,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retention: 28 * DAY,
            whole_retention: 7 * DAY,
            disperse_deadline: Duration::from_secs(10),
            background_limit: Duration::from_secs(30),
            read_deadline: Duration::from_secs(30),
            hedge_delay: Duration::from_millis(150),
            connect_timeout: Duration::from_secs(2),
            retries: Retries::NONE,
        }
    }
}

impl Config {
    /// With another `retention`.
    #[must_use]
    pub fn retention(self, retention: Duration) -> Self {
        Self { retention, ..self }
    }

    /// With another `whole_retention`.
    #[must_use]
    pub fn whole_retention(self, whole_retention: Duration) -> Self {
        Self { whole_retention, ..self }
    }

    /// With another `disperse_deadline`.
    #[must_use]
    pub fn disperse_deadline(self, disperse_deadline: Duration) -> Self {
        Self { disperse_deadline, ..self }
    }

    /// With another `background_limit`.
    #[must_use]
    pub fn background_limit(self, background_limit: Duration) -> Self {
        Self { background_limit, ..self }
    }

    /// With another `read_deadline`.
    #[must_use]
    pub fn read_deadline(self, read_deadline: Duration) -> Self {
        Self { read_deadline, ..self }
    }

    /// With another `hedge_delay`.
    #[must_use]
    pub fn hedge_delay(self, hedge_delay: Duration) -> Self {
        Self { hedge_delay, ..self }
    }

    /// With another `connect_timeout`.
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// With `retries`.
    #[must_use]
    pub fn retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// Every wait is above zero and within its bound.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (what, value, max) in [
            ("retention", self.retention, MAX_RETENTION),
            ("whole_retention", self.whole_retention, MAX_RETENTION),
            ("disperse_deadline", self.disperse_deadline, MAX_WAIT),
            ("background_limit", self.background_limit, MAX_WAIT),
            ("read_deadline", self.read_deadline, MAX_WAIT),
            ("hedge_delay", self.hedge_delay, MAX_WAIT),
            ("connect_timeout", self.connect_timeout, MAX_WAIT),
            ("retries.pause", self.retries.pause, MAX_WAIT),
            ("retries.longest_pause", self.retries.longest_pause, MAX_WAIT),
        ] {
            if value.is_zero() || value > max {
                return Err(Error::Invalid {
                    what,
                    reason: format!("{value:?}, expected above zero and at most {max:?}"),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_or_endless_wait_is_refused_by_name() {
        assert!(Config::default().check().is_ok());
        let zero = Config { hedge_delay: Duration::ZERO, ..Config::default() };
        assert!(zero.check().expect_err("zero").to_string().starts_with("hedge_delay is invalid"));
        let endless = Config { read_deadline: Duration::MAX, ..Config::default() };
        assert!(endless.check().expect_err("endless").to_string().starts_with("read_deadline is invalid"));
    }
}
