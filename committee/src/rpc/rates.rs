//! How many calls a second one origin may make.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::status::Error;
use crate::origin::Origin;

/// How many seconds' worth may be saved up.
const BURST_SECONDS: u32 = 4;

/// The rates, which every origin has for itself.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    all: Arc<DefaultKeyedRateLimiter<Origin>>,
    costly: Arc<DefaultKeyedRateLimiter<Origin>>,
    most: u32,
    most_costly: u32,
}

impl Rates {
    pub(crate) fn new(all: u32, costly: u32) -> Self {
        Self { all: limiter(all), costly: limiter(costly), most: all, most_costly: costly }
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

    /// Forgets origins that have their whole allowance again: to be called now and then, since each has an entry.
    pub(crate) fn forget(&self) {
        for limiter in [&self.all, &self.costly] {
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
        let rates = Rates::new(50, 5);
        let [one, other] = [1, 2].map(|last| Origin::of([192, 0, 2, last].into()));
        let costly = (0..100).take_while(|_| rates.check(one, true).is_ok()).count();
        assert!((20..30).contains(&costly), "{costly} costly calls");
        let all = (0..1000).take_while(|_| rates.check(one, false).is_ok()).count();
        assert!((170..220).contains(&all), "{all} calls");
        assert!(rates.check(other, true).is_ok());
        rates.forget();
        assert!(rates.check(one, true).is_err(), "who is at its limit is not forgotten");
    }
}
