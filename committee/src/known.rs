//! The origins that dispersers come from.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::origin::Origin;

/// Origins that have brought data of late and are remembered.
const KNOWN: usize = 256;
/// How long they are.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 3600);

/// The origins from which a disperser has brought data of late. They get what is kept free for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(Arc<Mutex<HashMap<Origin, Instant>>>);

impl Known {
    /// A disperser's data has come from there, and was stored.
    pub(crate) fn learn(&self, origin: Origin) {
        self.learn_at(origin, Instant::now());
    }

    pub(crate) fn has(&self, origin: Origin) -> bool {
        self.has_at(origin, Instant::now())
    }

    fn learn_at(&self, origin: Origin, now: Instant) {
        let mut known = self.lock();
        known.insert(origin, now);
        if known.len() > KNOWN
            && let Some(oldest) = known.iter().min_by_key(|(_, seen)| **seen).map(|(origin, _)| *origin)
        {
            known.remove(&oldest);
        }
    }

    fn has_at(&self, origin: Origin, now: Instant) -> bool {
        self.lock().get(&origin).is_some_and(|seen| now.saturating_duration_since(*seen) < KNOWN_FOR)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> Origin {
        Origin::of([192, 0, 2, last].into())
    }

    #[test]
    fn what_is_known_is_bounded_and_forgotten() {
        let (known, start) = (Known::default(), Instant::now());
        let later = start + Duration::from_secs(1);
        known.learn_at(from(1), start);
        for last in 0..=255 {
            known.learn_at(Origin::of([198, 51, 100, last].into()), later);
        }
        assert_eq!(known.lock().len(), KNOWN);
        assert!(!known.has_at(from(1), later), "the oldest makes room");
        let other = Origin::of([198, 51, 100, 0].into());
        assert!(known.has_at(other, later) && !known.has_at(other, later + KNOWN_FOR));
    }
}
