//! Who may connect: so many in all, so many from one origin, and a reserve for those who have brought data; and how much each
//! connection may have in flight.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::Instant;

use holdfast_transport::settings;

use crate::{config::LEAST_WINDOW, known::Known, line::Line, origin::Origin};

/// A connection that has been idle for so long makes room for others when there is none.
const REPLACEABLE: Duration = Duration::from_secs(10);
/// For so long nothing is taken from an origin that has sent more frames than it may: another connection would have an
/// allowance of its own.
const COOLING: Duration = Duration::from_secs(10);
/// Origins that are remembered for it.
const COOLED: usize = 1024;
/// Of the bytes that may be in flight, one origin's connections have at most one part in so many beside the least.
const WINDOW_SHARES: usize = 4;
/// What a connection may have in flight, of what there is the first that fits.
const WINDOWS: [usize; 4] = [
    settings::CONNECTION_WINDOW_BYTES as usize,
    settings::STRANGER_CONNECTION_WINDOW_BYTES as usize,
    512 << 10,
    LEAST_WINDOW,
];

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// In all.
    pub(crate) all: usize,
    /// Of one origin.
    pub(crate) each: usize,
    /// Of all, those that only known origins may have.
    pub(crate) reserve: usize,
    /// Bytes that all together may have in flight to this member.
    pub(crate) windows: usize,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The origin has as many as it may.
    Origin,
    /// There are as many as there may be.
    Full,
    /// The origin has just sent more frames than it may.
    Cooling,
}

impl Refused {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Origin => "address",
            Self::Full => "full",
            Self::Cooling => "frames",
        }
    }
}

/// The connections there are.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    caps: Caps,
    known: Known,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    of: HashMap<Origin, Vec<Taken>>,
    /// Until when nothing is taken from them.
    cooling: HashMap<Origin, Instant>,
}

#[derive(Debug)]
struct Taken {
    line: Weak<Line>,
    /// Bytes that it may have in flight.
    window: usize,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Admission,
    pub(crate) line: Arc<Line>,
    /// Bytes that it may have in flight to this member.
    pub(crate) window: usize,
}

impl Admission {
    pub(crate) fn new(caps: Caps, known: Known) -> Self {
        Self { caps, known, state: Arc::default() }
    }

    /// A place for a connection from `origin`. Where there is none, the connection that has been idle for the longest is
    /// told to go, and the next one finds its place.
    pub(crate) fn admit(&self, origin: Origin, now: Instant) -> Result<Place, Refused> {
        let known = self.known.has(origin);
        let mut state = lock(&self.state);
        if state.cooling.get(&origin).is_some_and(|until| now < *until) {
            return Err(Refused::Cooling);
        }
        let all: usize = state.of.values().map(Vec::len).sum();
        let most = if known { self.caps.all } else { self.caps.all.saturating_sub(self.caps.reserve) };
        if state.of.get(&origin).map_or(0, Vec::len) >= self.caps.each {
            return Err(Refused::Origin);
        }
        if all >= most {
            let idle = state.of.values().flatten().filter_map(|taken| taken.line.upgrade());
            let longest =
                idle.filter_map(|line| line.idle_since().map(|since| (since, line))).min_by_key(|(since, _)| *since);
            if let Some((_, line)) = longest.filter(|(since, _)| now.saturating_duration_since(*since) >= REPLACEABLE) {
                line.replace();
            }
            return Err(Refused::Full);
        }
        let window = self.window(&state, origin, known, all);
        let line = Line::new(origin);
        state.of.entry(origin).or_default().push(Taken { line: Arc::downgrade(&line), window });
        Ok(Place { admission: self.clone(), line, window })
    }

    /// What one more connection may have in flight, so that every one that may still come has the least.
    fn window(&self, state: &State, origin: Origin, known: bool, all: usize) -> usize {
        let given: usize = state.of.values().flatten().map(|taken| taken.window).sum();
        let own: usize = state.of.get(&origin).into_iter().flatten().map(|taken| taken.window - LEAST_WINDOW).sum();
        let others = self.caps.all.saturating_sub(all + 1) * LEAST_WINDOW;
        let spare = self.caps.windows.saturating_sub(given + others);
        let share = (self.caps.windows / WINDOW_SHARES).saturating_sub(own);
        let fits = |window: &usize| *window <= spare && window - LEAST_WINDOW <= share;
        WINDOWS.into_iter().skip(usize::from(!known)).find(fits).unwrap_or(LEAST_WINDOW)
    }

    /// Takes nothing from `origin` for a while.
    pub(crate) fn cool(&self, origin: Origin, now: Instant) {
        let mut state = lock(&self.state);
        if state.cooling.len() >= COOLED {
            state.cooling.retain(|_, until| now < *until);
        }
        if state.cooling.len() >= COOLED {
            state.cooling.clear();
        }
        state.cooling.insert(origin, now + COOLING);
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.state).of.values().map(Vec::len).sum()
    }

    /// Bytes that connections may have in flight, and how many may be given out.
    pub(crate) fn windows(&self) -> (usize, usize) {
        (lock(&self.state).of.values().flatten().map(|taken| taken.window).sum(), self.caps.windows)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.admission.state);
        let origin = self.line.origin();
        if let Some(of) = state.of.get_mut(&origin) {
            of.retain(|taken| !std::ptr::eq(taken.line.as_ptr(), Arc::as_ptr(&self.line)));
            if of.is_empty() {
                state.of.remove(&origin);
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
        let admission = Admission::new(Caps { all: 10, each: 4, reserve: 2, windows: 0 }, known.clone());
        let mut places: Vec<Place> = (0..4).map(|_| admission.admit(from(1), now).expect("a place")).collect();
        assert_eq!(admission.admit(from(1), now).err(), Some(Refused::Origin));
        places.extend((0..4).map(|_| admission.admit(from(2), now).expect("a place")));
        assert_eq!(admission.admit(from(3), now).err(), Some(Refused::Full));
        known.learn(from(3));
        places.push(admission.admit(from(3), now).expect("from the reserve"));
        assert_eq!(admission.count(), 9);
        places.clear();
        assert_eq!((admission.count(), lock(&admission.state).of.len()), (0, 0));
    }

    #[test]
    fn the_longest_idle_connection_makes_room() {
        let admission = Admission::new(Caps { all: 2, each: 2, reserve: 0, windows: 0 }, Known::default());
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

    #[test]
    fn windows_are_never_more_than_there_is_room_for_and_no_origin_has_them_all() {
        const MIB: usize = 1 << 20;
        let (known, now) = (Known::default(), Instant::now());
        let windows = 64 * MIB;
        let admission = Admission::new(Caps { all: 256, each: 64, reserve: 0, windows }, known.clone());
        known.learn(from(1));
        let mut places: Vec<Place> = (0..64).map(|_| admission.admit(from(1), now).expect("a place")).collect();
        assert!(places[0].window >= 2 * MIB, "{}", places[0].window);
        let own = admission.windows().0;
        assert!(own <= windows / WINDOW_SHARES + 64 * LEAST_WINDOW, "one origin has {own} bytes");
        places.push(admission.admit(from(2), now).expect("a place"));
        assert_eq!(places[64].window, 2 * MIB, "another finds enough");
        for last in 3..=5 {
            places.extend((0..63).map(|_| admission.admit(from(last), now).expect("a place")));
        }
        assert!(places.iter().all(|place| place.window >= LEAST_WINDOW));
        assert!(admission.windows().0 <= windows, "{} of {windows}", admission.windows().0);
    }

    #[test]
    fn who_has_flooded_does_not_come_back_at_once_on_another_connection() {
        let (admission, now) =
            (Admission::new(Caps { all: 9, each: 9, reserve: 0, windows: 0 }, Known::default()), Instant::now());
        admission.cool(from(1), now);
        assert_eq!(admission.admit(from(1), now).err(), Some(Refused::Cooling));
        assert!(admission.admit(from(2), now).is_ok(), "nobody else is meant");
        assert!(admission.admit(from(1), now + COOLING).is_ok());
        for number in 0..3 * COOLED {
            let [.., a, b] = number.to_be_bytes();
            admission.cool(Origin::of([198, 51, a, b].into()), now);
        }
        assert!(lock(&admission.state).cooling.len() <= COOLED);
    }
}
