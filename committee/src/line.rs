//! One connection as its member sees it: what is open on it, and what its peer is waited for.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    origin::Origin,
    pace::{Pace, Progress},
};

/// Headers, a short body, and what its peer says of the answer: that it was taken, and that its keep-alive was heard.
const FRAMES_PER_CALL: u64 = 4;

/// Why a connection is closed by this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cut {
    /// No call came in time: neither the end of the handshake, nor the preface, nor a first request.
    Silent,
    /// Nothing was asked for long.
    Idle,
    /// An answer was not taken at the least rate.
    Unread,
    /// Nothing could be written for long.
    Blocked,
    /// It sent more frames that carry nothing than it may.
    Frames,
    /// It was the longest idle one when others needed the room.
    Replaced,
}

impl Cut {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Unread => "unread",
            Self::Blocked => "blocked",
            Self::Frames => "frames",
            Self::Replaced => "replaced",
        }
    }
}

/// How long a connection may keep this member waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the connection to its first call.
    pub(crate) opening: Duration,
    /// Without a call.
    pub(crate) idle: Duration,
    /// Without taking a byte of what is written.
    pub(crate) blocked: Duration,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    origin: Origin,
    opened: Instant,
    asked: AtomicBool,
    /// Calls under way.
    calls: AtomicUsize,
    /// Streams that stand open for as long as the peer likes, and hold up nothing.
    watches: AtomicUsize,
    idle_since: Mutex<Instant>,
    /// Answers on their way.
    answers: Mutex<HashMap<u64, Arc<Mutex<Progress>>>>,
    next: AtomicU64,
    /// Frames that it may send beside its allowance.
    credit: AtomicU64,
    blocked_since: Mutex<Option<Instant>>,
    flooded: AtomicBool,
    replaced: CancellationToken,
}

/// A call under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Open {
    line: Arc<Line>,
    watch: bool,
}

/// An answer on its way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Answer {
    line: Arc<Line>,
    number: u64,
    progress: Arc<Mutex<Progress>>,
}

impl Line {
    pub(crate) fn new(origin: Origin) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            origin,
            opened: now,
            asked: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            watches: AtomicUsize::new(0),
            idle_since: Mutex::new(now),
            answers: Mutex::default(),
            next: AtomicU64::new(0),
            credit: AtomicU64::new(0),
            blocked_since: Mutex::new(None),
            flooded: AtomicBool::new(false),
            replaced: CancellationToken::new(),
        })
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// A call begins; one that only watches holds up neither a stop nor others who need the connection.
    pub(crate) fn open(self: &Arc<Self>, watch: bool) -> Open {
        self.asked.store(true, Ordering::SeqCst);
        let of = if watch { &self.watches } else { &self.calls };
        of.fetch_add(1, Ordering::SeqCst);
        Open { line: Arc::clone(self), watch }
    }

    /// Calls under way.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// An answer that must be taken at `pace`.
    pub(crate) fn answer(self: &Arc<Self>, pace: Pace) -> Answer {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let progress = Arc::new(Mutex::new(pace.start()));
        lock(&self.answers).insert(number, Arc::clone(&progress));
        Answer { line: Arc::clone(self), number, progress }
    }

    /// A call was let in: its peer may send the frames that one has.
    pub(crate) fn earn(&self) {
        self.credit.fetch_add(FRAMES_PER_CALL, Ordering::Relaxed);
    }

    /// The frames that were earned since the last time.
    pub(crate) fn spend(&self) -> u64 {
        self.credit.swap(0, Ordering::Relaxed)
    }

    /// It sent more frames than it may.
    pub(crate) fn flood(&self) {
        self.flooded.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_flooded(&self) -> bool {
        self.flooded.load(Ordering::SeqCst)
    }

    /// Whether the last write moved anything.
    pub(crate) fn wrote(&self, moved: bool) {
        let mut blocked = lock(&self.blocked_since);
        if moved {
            *blocked = None;
        } else {
            blocked.get_or_insert_with(Instant::now);
        }
    }

    /// Since when nothing is under way, if so.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.calls() == 0).then(|| *lock(&self.idle_since))
    }

    /// Others need the room.
    pub(crate) fn replace(&self) {
        self.replaced.cancel();
    }

    /// Why the connection must be closed at `now`, if it must.
    pub(crate) fn overdue(&self, patience: &Patience, now: Instant) -> Option<Cut> {
        if self.replaced.is_cancelled() {
            return Some(Cut::Replaced);
        }
        if !self.asked.load(Ordering::SeqCst) && now > self.opened + patience.opening {
            return Some(Cut::Silent);
        }
        if lock(&self.blocked_since).is_some_and(|since| now > since + patience.blocked) {
            return Some(Cut::Blocked);
        }
        if lock(&self.answers).values().any(|progress| lock(progress).due().is_some_and(|due| now > due)) {
            return Some(Cut::Unread);
        }
        let idle = self.watches.load(Ordering::SeqCst) == 0
            && self.idle_since().is_some_and(|since| now > since + patience.idle);
        idle.then_some(Cut::Idle)
    }
}

impl Answer {
    /// A piece has been handed over, and the peer is to take it.
    pub(crate) fn given(&self) {
        lock(&self.progress).wait(Instant::now());
    }

    /// The transport asks for more: the peer has taken so many bytes.
    pub(crate) fn taken(&self, bytes: usize) {
        lock(&self.progress).moved(bytes, Instant::now());
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.watch {
            self.line.watches.fetch_sub(1, Ordering::SeqCst);
        } else {
            *lock(&self.line.idle_since) = Instant::now();
            self.line.calls.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        lock(&self.line.answers).remove(&self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { opening: Duration::from_secs(10), idle: Duration::from_secs(300), blocked: Duration::from_secs(20) };
    const PACE: Pace = Pace { grace: Duration::from_secs(10), least: 1000 };

    fn line() -> Arc<Line> {
        Line::new(Origin::of([192, 0, 2, 1].into()))
    }

    fn after(line: &Line, seconds: u64) -> Option<Cut> {
        line.overdue(&PATIENCE, Instant::now() + Duration::from_secs(seconds))
    }

    #[test]
    fn a_silent_an_idle_and_a_blocked_connection_are_overdue_each_in_its_time() {
        let line = line();
        assert_eq!((after(&line, 9), after(&line, 11)), (None, Some(Cut::Silent)));
        let call = line.open(false);
        assert_eq!(after(&line, 1000), None, "a call is under way");
        drop(call);
        assert_eq!((after(&line, 299), after(&line, 301)), (None, Some(Cut::Idle)));
        let watch = line.open(true);
        assert_eq!((after(&line, 1000), line.calls()), (None, 0), "somebody watches");
        line.wrote(false);
        assert_eq!((after(&line, 19), after(&line, 21)), (None, Some(Cut::Blocked)));
        line.wrote(true);
        assert_eq!(after(&line, 1000), None);
        drop(watch);
        line.replace();
        assert_eq!(after(&line, 0), Some(Cut::Replaced));
    }

    #[test]
    fn an_answer_that_nobody_takes_is_overdue_and_one_in_the_making_is_not() {
        let line = line();
        let _call = line.open(false);
        let answer = line.answer(PACE);
        assert_eq!(after(&line, 1000), None);
        answer.given();
        assert_eq!((after(&line, 9), after(&line, 11)), (None, Some(Cut::Unread)));
        answer.taken(5000);
        answer.given();
        assert_eq!((after(&line, 14), after(&line, 16)), (None, Some(Cut::Unread)));
        drop(answer);
        assert_eq!(after(&line, 1000), None);
    }
}
