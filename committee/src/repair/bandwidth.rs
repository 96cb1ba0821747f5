//! How fast data is fetched that this member lacks.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Bytes a second, whoever fetches.
#[derive(Debug)]
pub(super) struct Bandwidth {
    rate: u64,
    /// When what was taken so far has been paid for.
    paid: Mutex<Option<Instant>>,
}

impl Bandwidth {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self { rate: bytes_per_second.max(1), paid: Mutex::default() }
    }

    /// Waits until so many bytes may be fetched.
    pub(super) async fn take(&self, bytes: u64) {
        let from = self.reserve(bytes, Instant::now());
        sleep_until(from).await;
    }

    fn reserve(&self, bytes: u64, now: Instant) -> Instant {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let from = paid.map_or(now, |paid| paid.max(now));
        *paid = Some(from + Duration::from_secs_f64(bytes as f64 / self.rate as f64));
        from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_rate_and_nothing_is_saved_up() {
        let (bandwidth, now) = (Bandwidth::new(1000), Instant::now());
        assert_eq!(bandwidth.reserve(2000, now), now);
        assert_eq!(bandwidth.reserve(500, now), now + Duration::from_secs(2));
        assert_eq!(bandwidth.reserve(1, now), now + Duration::from_millis(2500));
        let later = now + Duration::from_secs(100);
        assert_eq!(bandwidth.reserve(1000, later), later);
        assert_eq!(bandwidth.reserve(1000, later), later + Duration::from_secs(1));
    }
}
