//! How many calls there may be at once, of all and of one origin: each holds a task and a stream, whatever its body is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::status::Error;
use crate::origin::Origin;

/// The part that one origin may have: one in so many.
const SHARES: usize = 8;
/// The part that only known origins may have: one in so many.
const RESERVE: usize = 8;
/// The part that calls may have which stand open for as long as their peer likes: one in so many.
const WATCHES: usize = 8;

/// Places for calls.
///
/// # Dispersers find one
///
/// Strangers have no more than seven eighths, and each origin an eighth. Calls that only watch have an eighth, so that who
/// watches for ever takes nobody's place who asks.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    watches: usize,
    of: HashMap<Origin, usize>,
}

/// A call's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    origin: Origin,
    watch: bool,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: Mutex::default() }))
    }

    /// A place for a call of `origin`.
    pub(super) fn enter(&self, origin: Origin, known: bool, watch: bool) -> Result<Place, Error> {
        let most = self.0.most;
        let part = |of: usize| (most / of).max(1);
        let mut taken = self.taken();
        let all = if known { most } else { most - most / RESERVE };
        let own = taken.of.get(&origin).copied().unwrap_or(0);
        if taken.all >= all || own >= part(SHARES) || (watch && taken.watches >= part(WATCHES)) {
            return Err(Error::TooManyAtOnce { most });
        }
        taken.all += 1;
        taken.watches += usize::from(watch);
        *taken.of.entry(origin).or_default() += 1;
        drop(taken);
        Ok(Place { places: self.clone(), origin, watch })
    }

    /// Calls that are under way, and how many may be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.taken().all, self.0.most)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        taken.watches -= usize::from(self.watch);
        if let Some(own) = taken.of.get_mut(&self.origin) {
            *own -= 1;
            if *own == 0 {
                taken.of.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> Origin {
        Origin::of([192, 0, 2, last].into())
    }

    #[test]
    fn strangers_leave_places_to_dispersers_and_watchers_to_those_who_ask() {
        let places = Places::new(64);
        let mut held = Vec::new();
        for last in 0..7 {
            held.extend((0..8).map(|_| places.enter(from(last), false, false).expect("a place")));
            assert!(places.enter(from(last), false, false).is_err(), "an eighth is for one origin");
        }
        assert!(places.enter(from(8), false, false).is_err());
        held.extend((0..8).map(|_| places.enter(from(9), true, false).expect("from the reserve")));
        assert_eq!(places.usage(), (64, 64));
        held.clear();
        held.extend((0..8).map(|last| places.enter(from(last), false, true).expect("a watcher")));
        assert!(places.enter(from(9), true, true).is_err(), "so many watch already");
        assert!(places.enter(from(9), false, false).is_ok());
        drop(held);
        assert!(places.taken().of.is_empty());
    }
}
