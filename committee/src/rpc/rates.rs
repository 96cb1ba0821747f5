//! How many calls a second one origin may make.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::status::Error;
use crate::origin::Origin;

/// How many seconds' worth may be saved up.
const BURST_SECONDS: u32 = 4;

/// An origin may send as many frames as so many connections may.
const CONNECTIONS: u32 = 4;

/// The rates, which every origin has for itself.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    all: Arc<DefaultKeyedRateLimiter<Origin>>,
    costly: Arc<DefaultKeyedRateLimiter<Origin>>,
    /// HTTP/2 frames that carry nothing, over all connections of an origin.
    frames: Arc<DefaultKeyedRateLimiter<Origin>>,
    most: u32,
    most_costly: u32,
}

impl Rates {
    /// So many calls a second, costly ones, and frames on one connection.
    pub(crate) fn new(all: u32, costly: u32, frames: u32) -> Self {
        let frames = limiter(frames.saturating_mul(CONNECTIONS));
        Self { all: limiter(all), costly: limiter(costly), frames, most: all, most_costly: costly }
    }

    /// Counts frames that nothing has earned; false where the origin has sent too many.
    pub(crate) fn check_frames(&self, origin: Origin, frames: u64) -> bool {
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        NonZeroU32::new(frames)
            .is_none_or(|frames| self.frames.check_key_n(&origin, frames).is_ok_and(|in_rate| in_rate.is_ok()))
    }

    /// Counts a call, or refuses it.
    pub(super) fn check(&self, origin: Origin, costly: bool) -> Result<(), Error> {
        self.all.check_key(&origin).map_err(|_| Error::TooMany { most: self.most })?;
        if costly { self.check_costly(origin) } else { Ok(()) }
    }

    /// Counts a call that was counted already as a costly one, or refuses it.
    pub(super) fn check_costly(&self, origin: Origin) -> Result<(), Error> {
        self.costly.check_key(&origin).map_err(|_| Error::TooMany { most: self.most_costly })
    }

    /// Counts a call that turned out to be worth so many costly ones, or refuses it.
    pub(super) fn check_worth(&self, origin: Origin, calls: usize) -> Result<(), Error> {
        // What is worth more than a second's is counted as that: at some time it must be given.
        let calls = u32::try_from(calls).unwrap_or(u32::MAX).min(self.most_costly);
        let Some(calls) = NonZeroU32::new(calls) else { return Ok(()) };
        match self.costly.check_key_n(&origin, calls) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::TooMany { most: self.most_costly }),
        }
    }

    /// Forgets origins that have their whole allowance again: to be called now and then, since each has an entry.
    pub(crate) fn forget(&self) {
        for limiter in [&self.all, &self.costly, &self.frames] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

fn limiter(per_second: u32) -> Arc<DefaultKeyedRateLimiter<Origin>> {
    let rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
    let burst = rate.saturating_mul(NonZeroU32::new(BURST_SECONDS).unwrap_or(NonZeroU32::MIN));
    Arc::new(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_origin_has_a_rate_of_its_own_and_a_lower_one_for_what_is_costly() {
        let rates = Rates::new(50, 5, 10);
        let [one, other] = [1, 2].map(|last| Origin::of([192, 0, 2, last].into()));
        let costly = (0..100).take_while(|_| rates.check(one, true).is_ok()).count();
        assert!((20..30).contains(&costly), "{costly} costly calls");
        let all = (0..1000).take_while(|_| rates.check(one, false).is_ok()).count();
        assert!((170..220).contains(&all), "{all} calls");
        assert!(rates.check(other, true).is_ok());
        let third = Origin::of([192, 0, 2, 3].into());
        let worth = (0..100).take_while(|_| rates.check_worth(third, 4).is_ok()).count();
        assert!((5..7).contains(&worth), "{worth} calls worth four costly ones");
        assert!(rates.check_worth(third, 0).is_ok(), "what is worth none is not refused");
        let fourth = Origin::of([192, 0, 2, 4].into());
        assert!(
            rates.check_worth(fourth, 1_000_000).is_ok(),
            "what is worth more than there is at once is given at last"
        );
        let frames = (0..1000).take_while(|_| rates.check_frames(one, 1)).count();
        assert!((155..200).contains(&frames), "{frames} frames over all its connections");
        assert!(
            rates.check_frames(other, 160)
                && !rates.check_frames(other, 1_000_000_000_000)
                && rates.check_frames(one, 0)
        );
        rates.forget();
        assert!(rates.check(one, true).is_err(), "who is at its limit is not forgotten");
    }
}
