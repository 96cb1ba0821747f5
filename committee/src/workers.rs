//! Where blocking work runs: off the async threads, bounded by what the machine can do at once, and fair.
//!
//! # Nobody waits for another's queue
//!
//! Each origin has a line of its own. When a worker is free, the work that runs next is of the line that has used the
//! least time: who asks for little is served before who asks for much, however long the other's line is.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use holdfast_transport::blocking;
use tokio::sync::oneshot;

use crate::origin::Origin;

/// Look-ups in the store that run at once; more would only queue at the disk.
const DISK: usize = 16;
/// To hash and fingerprint so many bytes takes about 15 microseconds; to have another thread do it, as long.
const BRIEF_BYTES: usize = 16 << 10;
/// Work that may wait in one origin's line.
const LINE: usize = 512;
/// Work that may wait in all lines together.
const LINES: usize = 8192;

/// Why work was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unfinished {
    /// It panicked, or the process is going down.
    #[error("blocking work did not finish: {0}")]
    Failed(String),
    /// Too much waits already.
    #[error("busy: {waiting} calls wait for the same work")]
    Busy {
        /// How many, of this origin or of all.
        waiting: usize,
    },
}

/// Bounded pools of blocking work.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    cpu: Queue,
    disk: Queue,
    load: Queue,
}

impl Workers {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // One more than there are cores: a load waits for the disk as well as for the processor.
        Self { cpu: Queue::of(cores, cores), disk: Queue::of(DISK, DISK / 2), load: Queue::of(cores + 1, cores) }
    }

    /// Whether nobody from outside has anything computed or read, or waits for it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.cpu.is_quiet() && self.load.is_quiet()
    }

    /// Coding, hashing and curve arithmetic: as much at once as there are cores.
    pub(crate) async fn cpu<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        self.cpu.run(work).await
    }

    /// Hashing of so many bytes: right here where that takes less than to hand it over.
    pub(crate) async fn hash<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        if bytes <= BRIEF_BYTES { Ok(work()) } else { self.cpu.run(work).await }
    }

    /// Look-ups in the store.
    pub(crate) async fn disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        self.disk.run(work).await
    }

    /// Reads of whole shards and payloads, which are hashed as they are read.
    pub(crate) async fn load<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        self.load.run(work).await
    }
}

/// Turns for work of one kind, shared out fairly among origins.
#[derive(Clone, Debug)]
pub(crate) struct Queue(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    /// Turns that nobody has.
    free: usize,
    /// Turns that one line may have at once.
    each: usize,
    waiting: usize,
    of: HashMap<Option<Origin>, Line>,
}

#[derive(Debug, Default)]
struct Line {
    /// Time used since the line last began, on top of what the least line had then.
    used: Duration,
    running: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// Leave to work; dropping it ends the turn.
#[derive(Debug)]
pub(crate) struct Turn {
    queue: Queue,
    origin: Option<Origin>,
    since: Instant,
}

impl Queue {
    /// So many turns at once, of which one origin has at most `each`.
    pub(crate) fn of(turns: usize, each: usize) -> Self {
        Self(Arc::new(Mutex::new(Lines { free: turns, each: each.max(1), waiting: 0, of: HashMap::new() })))
    }

    fn is_quiet(&self) -> bool {
        let lines = self.lines();
        !lines.of.iter().any(|(origin, line)| origin.is_some() && (line.running > 0 || !line.waiting.is_empty()))
    }

    /// Waits for a turn in the line of the call that runs in this task.
    pub(crate) async fn turn(&self) -> Result<Turn, Unfinished> {
        let origin = Origin::current();
        let waiting = {
            let mut lines = self.lines();
            let least = lines.of.values().map(|line| line.used).min().unwrap_or_default();
            let (all, free, each) = (lines.waiting, lines.free, lines.each);
            let line = lines.of.entry(origin).or_insert_with(|| Line { used: least, ..Line::default() });
            let own = line.waiting.len();
            if free > 0 && all == 0 && line.running < each {
                line.running += 1;
                lines.free -= 1;
                return Ok(Turn { queue: self.clone(), origin, since: Instant::now() });
            }
            if own >= LINE || all >= LINES {
                return Err(Unfinished::Busy { waiting: if own >= LINE { own } else { all } });
            }
            let (sender, receiver) = oneshot::channel();
            line.waiting.push_back(sender);
            lines.waiting += 1;
            receiver
        };
        // A turn may have become free between a caller that went away and the one behind it.
        self.serve();
        waiting.await.map_err(|e| Unfinished::Failed(e.to_string()))
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unfinished> {
        let mut turn = self.turn().await?;
        blocking(move || {
            turn.since = Instant::now();
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(|e| Unfinished::Failed(e.to_string()))
    }

    /// Gives free turns to the lines that have used the least.
    fn serve(&self) {
        loop {
            let (origin, next) = {
                let mut lines = self.lines();
                if lines.free == 0 {
                    return;
                }
                let each = lines.each;
                let ready = lines.of.iter().filter(|(_, line)| !line.waiting.is_empty() && line.running < each);
                let least = ready.min_by_key(|(_, line)| line.used);
                let Some(origin) = least.map(|(origin, _)| *origin) else { return };
                let Some(line) = lines.of.get_mut(&origin) else { return };
                let Some(next) = line.waiting.pop_front() else { return };
                // Its caller has gone away.
                let gone = next.is_closed();
                if !gone {
                    line.running += 1;
                }
                let ended = line.running == 0 && line.waiting.is_empty();
                lines.waiting -= 1;
                if ended {
                    lines.of.remove(&origin);
                }
                if gone {
                    continue;
                }
                lines.free -= 1;
                (origin, next)
            };
            // If its caller goes away at this moment the turn comes back and ends, outside of the lock.
            let _gone = next.send(Turn { queue: self.clone(), origin, since: Instant::now() });
        }
    }

    fn end(&self, origin: Option<Origin>, used: Duration) {
        {
            let mut lines = self.lines();
            lines.free += 1;
            if let Some(line) = lines.of.get_mut(&origin) {
                line.running -= 1;
                line.used += used;
                if line.running == 0 && line.waiting.is_empty() {
                    lines.of.remove(&origin);
                }
            }
        }
        self.serve();
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.end(self.origin, self.since.elapsed());
    }
}

impl From<tokio::task::JoinError> for Unfinished {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests;
