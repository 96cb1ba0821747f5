//! How it is with the archive, for whoever looks.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use holdfast_proto::v1;

use super::trouble::{Error, Trouble};
use crate::store::Store;

/// Moments of which it is remembered how much was promised by then; of many, every second one is forgotten.
const MOST_MOMENTS: usize = 1024;

/// What there is to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Shards and whole payloads that are in the archive, and their bytes.
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    /// Those that are to go there, and their bytes.
    pub(crate) waiting: u64,
    pub(crate) waiting_bytes: u64,
    /// For how many seconds the first of them waits, since the start at the most.
    pub(crate) oldest_waiting: u64,
    pub(crate) trouble: Option<Trouble>,
    /// Reads since the start, and those of them that the archive did not answer.
    pub(crate) reads: u64,
    pub(crate) failed_reads: u64,
}

impl From<View> for v1::Archive {
    fn from(view: View) -> Self {
        Self {
            objects: view.objects,
            bytes: view.bytes,
            waiting: view.waiting,
            waiting_bytes: view.waiting_bytes,
            oldest_waiting_seconds: view.oldest_waiting,
            trouble: view.trouble.map_or_else(String::new, |trouble| trouble.to_string()),
        }
    }
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    reads: AtomicU64,
    failed_reads: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    told: String,
    /// The last place in the order of signing at some moments, unix seconds, the oldest first.
    moments: VecDeque<(u64, u64)>,
    /// Up to this place all was looked at.
    place: u64,
    /// What was here before the start is looked at still, since then.
    behind_since: Option<u64>,
}

impl Progress {
    pub(super) fn read(&self, answered: bool) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.failed_reads.fetch_add(u64::from(!answered), Ordering::Relaxed);
    }

    /// The archive does not do what it is to do. The same is told once in the log.
    pub(super) fn fails(&self, error: &Error) {
        let mut state = self.state();
        state.trouble = Some(error.trouble());
        let text = error.to_string();
        // What a bucket answers has another number each time.
        let kind = text.split('<').next().unwrap_or_default();
        if state.told != kind {
            tracing::error!(error = text, "archive.trouble: what is stored stays on the disk");
            state.told = kind.to_owned();
        }
    }

    /// It does.
    pub(super) fn works(&self) {
        let mut state = self.state();
        if state.trouble.take().is_some() {
            state.told.clear();
            tracing::info!("archive.trouble: over");
        }
    }

    /// So much is promised at this moment.
    pub(super) fn moment(&self, place: u64, now: u64) {
        let mut state = self.state();
        if state.moments.back().is_none_or(|(last, _)| *last < place) {
            state.moments.push_back((place, now));
        }
        if state.moments.len() > MOST_MOMENTS {
            let mut second = false;
            state.moments.retain(|_| {
                second = !second;
                second
            });
        }
    }

    /// Up to this place all was looked at.
    pub(super) fn place(&self) -> u64 {
        self.state().place
    }

    /// The last place that was promised at least so many seconds ago.
    pub(super) fn settled(&self, now: u64, seconds: u64) -> u64 {
        let state = self.state();
        let settled = state.moments.iter().rev().find(|(_, at)| at.saturating_add(seconds) <= now);
        settled.map_or(state.place, |(place, _)| *place)
    }

    /// All up to this place was looked at.
    pub(super) fn reached(&self, place: u64) {
        let mut state = self.state();
        state.place = state.place.max(place);
        while state.moments.len() > 1 && state.moments.get(1).is_some_and(|(next, _)| *next <= place) {
            state.moments.pop_front();
        }
    }

    /// What was here before is looked at since then, or not any more.
    pub(super) fn behind(&self, since: Option<u64>) {
        self.state().behind_since = since;
    }

    pub(super) fn view(&self, store: &Store, now: u64) -> View {
        let (usage, waiting, state) = (store.usage(), store.waiting(), self.state());
        let unreached = state.moments.iter().find(|(place, _)| *place > state.place).map(|(_, at)| *at);
        let since = state.behind_since.into_iter().chain(unreached).min().filter(|_| waiting > 0);
        View {
            objects: usage.archived,
            bytes: usage.archived_bytes,
            waiting,
            waiting_bytes: usage.waiting_bytes,
            oldest_waiting: since.map_or(0, |since| now.saturating_sub(since)),
            trouble: state.trouble,
            reads: self.reads.load(Ordering::Relaxed),
            failed_reads: self.failed_reads.load(Ordering::Relaxed),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
