//! Who may connect: so many in all, so many from one origin, and a reserve for those who have brought data.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::Instant;

use crate::{known::Known, line::Line, origin::Origin};

/// A connection that has been idle for so long makes room for others when there is none.
const REPLACEABLE: Duration = Duration::from_secs(10);

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// In all.
    pub(crate) all: usize,
    /// Of one origin.
    pub(crate) each: usize,
    /// Of all, those that only known origins may have.
    pub(crate) reserve: usize,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The origin has as many as it may.
    Origin,
    /// There are as many as there may be.
    Full,
}

impl Refused {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Origin => "address",
            Self::Full => "full",
        }
    }
}

/// The connections there are.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    caps: Caps,
    known: Known,
    lines: Arc<Mutex<HashMap<Origin, Vec<Weak<Line>>>>>,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Admission,
    pub(crate) line: Arc<Line>,
    /// Whether a disperser's data has come from there of late.
    pub(crate) known: bool,
}

impl Admission {
    pub(crate) fn new(caps: Caps, known: Known) -> Self {
        Self { caps, known, lines: Arc::default() }
    }

    /// A place for a connection from `origin`. Where there is none, the connection that has been idle for the longest is
    /// told to go, and the next one finds its place.
    pub(crate) fn admit(&self, origin: Origin, now: Instant) -> Result<Place, Refused> {
        let known = self.known.has(origin);
        let mut lines = lock(&self.lines);
        let all: usize = lines.values().map(Vec::len).sum();
        let most = if known { self.caps.all } else { self.caps.all.saturating_sub(self.caps.reserve) };
        if lines.get(&origin).map_or(0, Vec::len) >= self.caps.each {
            return Err(Refused::Origin);
        }
        if all >= most {
            let idle = lines.values().flatten().filter_map(Weak::upgrade);
            let longest =
                idle.filter_map(|line| line.idle_since().map(|since| (since, line))).min_by_key(|(since, _)| *since);
            if let Some((_, line)) = longest.filter(|(since, _)| now.saturating_duration_since(*since) >= REPLACEABLE) {
                line.replace();
            }
            return Err(Refused::Full);
        }
        let line = Line::new(origin);
        lines.entry(origin).or_default().push(Arc::downgrade(&line));
        Ok(Place { admission: self.clone(), line, known })
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.lines).values().map(Vec::len).sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = lock(&self.admission.lines);
        let origin = self.line.origin();
        if let Some(of) = lines.get_mut(&origin) {
            of.retain(|line| !std::ptr::eq(line.as_ptr(), Arc::as_ptr(&self.line)));
            if of.is_empty() {
                lines.remove(&origin);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> Origin {
        Origin::of([192, 0, 2, last].into())
    }

    #[test]
    fn no_origin_takes_all_places_and_strangers_leave_the_reserve() {
        let (known, now) = (Known::default(), Instant::now());
        let admission = Admission::new(Caps { all: 10, each: 4, reserve: 2 }, known.clone());
        let mut places: Vec<Place> = (0..4).map(|_| admission.admit(from(1), now).expect("a place")).collect();
        assert_eq!(admission.admit(from(1), now).err(), Some(Refused::Origin));
        places.extend((0..4).map(|_| admission.admit(from(2), now).expect("a place")));
        assert_eq!(admission.admit(from(3), now).err(), Some(Refused::Full));
        known.learn(from(3));
        places.push(admission.admit(from(3), now).expect("from the reserve"));
        assert_eq!(admission.count(), 9);
        places.clear();
        assert_eq!((admission.count(), lock(&admission.lines).len()), (0, 0));
    }

    #[test]
    fn the_longest_idle_connection_makes_room() {
        let admission = Admission::new(Caps { all: 2, each: 2, reserve: 0 }, Known::default());
        let now = Instant::now();
        let (first, second) =
            (admission.admit(from(1), now).expect("a place"), admission.admit(from(2), now).expect("a place"));
        let patience =
            crate::line::Patience { opening: REPLACEABLE * 10, idle: REPLACEABLE * 10, blocked: REPLACEABLE };
        let replaced = |place: &Place| place.line.overdue(&patience, Instant::now()).is_some();
        let _busy = first.line.open(false);
        assert_eq!(admission.admit(from(3), now).err(), Some(Refused::Full));
        assert!(!replaced(&first) && !replaced(&second), "none is idle for long");
        let now = Instant::now() + REPLACEABLE;
        assert_eq!(admission.admit(from(3), now).err(), Some(Refused::Full));
        assert!(!replaced(&first) && replaced(&second));
        drop(second);
        assert!(admission.admit(from(3), now).is_ok());
    }
}
