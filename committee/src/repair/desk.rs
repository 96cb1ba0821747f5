//! What the services and the repair share: the queue, and what is told of it.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use holdfast_certificate::{PublicKey, StatementDigest};
use holdfast_erasure::BlobId;
use holdfast_proto::v1;
use tokio::{sync::Notify, time::Instant};

use super::{
    queue::{Count, Ending, Queue, Want},
    rate::Rate,
};

/// Tries that are remembered for whoever looks.
const RECENT: usize = 12;

/// The desk on which lies what is to be made whole.
#[derive(Debug)]
pub(crate) struct Desk {
    state: Mutex<State>,
    /// Something was added, or a try has ended.
    changed: Notify,
    run_id: [u8; 16],
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    /// Peers by their numbers.
    peers: Vec<PublicKey>,
    liars: BTreeSet<u16>,
    repaired: u64,
    repaired_bytes: u64,
    unfillable: u64,
    rate: Rate,
    twin: Option<String>,
    /// The last tries that came to something, the newest first.
    recent: VecDeque<Ended>,
    /// Of a lost store: lists that were heard to their end, and how many must be.
    lists: (u32, u32),
}

/// How a try to make something whole came to something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Unix seconds.
    pub(crate) at: u64,
    pub(crate) blob: BlobId,
    pub(crate) how: How,
}

/// To what it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It is here.
    Whole { bytes: u64 },
    /// Its disperser lied about this position.
    Unfillable,
    /// Nobody has it.
    Nowhere(String),
}

/// How far the repair is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) count: Count,
    pub(crate) repaired: u64,
    pub(crate) repaired_bytes: u64,
    pub(crate) unfillable: u64,
    pub(crate) eta: Option<Duration>,
    lists: (u32, u32),
}

impl Desk {
    pub(crate) fn new() -> Self {
        let mut run_id = [0; 16];
        // Without random numbers no twin is told from this member, and nothing else is lost.
        if let Err(error) = getrandom::fill(&mut run_id) {
            tracing::warn!(%error, "repair.run_id");
        }
        Self { state: Mutex::default(), changed: Notify::new(), run_id }
    }

    /// What tells this run of the process from any other.
    pub(crate) fn run_id(&self) -> &[u8; 16] {
        &self.run_id
    }

    /// Takes what is to be made whole, and who is known to have it; false if there is no room.
    pub(super) fn add(&self, want: Want, known_to: Option<u16>, from: Instant) -> bool {
        let mut state = self.state();
        let added = state.queue.add(want, known_to, from);
        drop(state);
        self.changed.notify_one();
        added
    }

    /// Whether this statement is queued.
    pub(super) fn has(&self, digest: &StatementDigest) -> bool {
        self.state().queue.has(digest)
    }

    /// See [`Queue::tries`].
    #[cfg(test)]
    pub(crate) fn tries(&self, digest: &StatementDigest) -> Option<u32> {
        self.state().queue.tries(digest)
    }

    pub(super) fn has_room(&self, for_so_many: usize) -> bool {
        self.state().queue.has_room(for_so_many)
    }

    /// What to begin with, and the keys of the peers that are known to have it.
    pub(super) fn next(&self) -> Option<(Want, Vec<PublicKey>)> {
        let (mut state, now) = (self.state(), Instant::now());
        let (want, known_to) = state.queue.next(now)?;
        state.rate.begin(now);
        let keys = known_to.iter().filter_map(|number| state.peers.get(usize::from(*number)).copied()).collect();
        Some((want, keys))
    }

    /// Whether anything is left that this peer is known to have.
    pub(super) fn has_of(&self, peer: u16) -> bool {
        self.state().queue.has_of(peer)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.state().queue.due()
    }

    /// Remembers how a try ended, where it came to something.
    pub(super) fn remember(&self, at: u64, blob: BlobId, ending: &Ending) {
        let how = match ending {
            Ending::Whole { bytes } => How::Whole { bytes: *bytes },
            Ending::Unfillable => How::Unfillable,
            Ending::Nowhere(why) => How::Nowhere(why.clone()),
            _ => return,
        };
        let mut state = self.state();
        state.recent.push_front(Ended { at, blob, how });
        state.recent.truncate(RECENT);
    }

    /// The last tries that came to something, the newest first.
    pub(crate) fn recent(&self) -> Vec<Ended> {
        self.state().recent.iter().cloned().collect()
    }

    pub(super) fn end(&self, digest: &StatementDigest, ending: &Ending, pause: Duration) {
        let (mut state, now) = (self.state(), Instant::now());
        match ending {
            Ending::Whole { bytes } => {
                state.repaired += 1;
                state.repaired_bytes += bytes;
                state.rate.done(*bytes, now);
            }
            Ending::Unfillable => state.unfillable += 1,
            _ => {}
        }
        state.queue.end(digest, ending, now, pause);
        if state.queue.count().queued == 0 {
            state.rate.end();
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn expire(&self, now: u64) {
        self.state().queue.expire(now);
    }

    /// The number of the peer with this key.
    pub(super) fn number(&self, key: &PublicKey) -> u16 {
        let mut state = self.state();
        let number = state.peers.iter().position(|known| known == key).unwrap_or_else(|| {
            state.peers.push(*key);
            state.peers.len() - 1
        });
        u16::try_from(number).unwrap_or(u16::MAX)
    }

    /// This peer has lied: what only it has said is forgotten, and it is not listened to until [`Self::was_lying`] was asked.
    pub(super) fn distrust(&self, key: &PublicKey) {
        let number = self.number(key);
        let mut state = self.state();
        state.queue.distrust(number);
        state.liars.insert(number);
    }

    /// Whether this peer was found lying since this was last asked.
    pub(super) fn was_lying(&self, number: u16) -> bool {
        self.state().liars.remove(&number)
    }

    /// The place of the last that was taken.
    pub(super) fn last(&self) -> u64 {
        self.state().queue.last()
    }

    /// See [`Queue::is_settled`].
    pub(super) fn is_settled(&self, last: u64) -> bool {
        self.state().queue.is_settled(last)
    }

    pub(super) fn heard(&self, lists: u32, needed: u32) {
        self.state().lists = (lists, needed);
    }

    /// Another process answers with this member's key at that endpoint, or none does; true if that is news.
    pub(super) fn set_twin(&self, twin: Option<String>) -> bool {
        let mut state = self.state();
        let news = state.twin != twin;
        state.twin = twin;
        news
    }

    /// Where another process answers with this member's key.
    pub(crate) fn twin(&self) -> Option<String> {
        self.state().twin.clone()
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn progress(&self) -> Progress {
        let state = self.state();
        let count = state.queue.count();
        let eta = state.rate.eta(count.queued, count.queued_bytes, Instant::now());
        let State { repaired, repaired_bytes, unfillable, lists, .. } = *state;
        Progress { count, repaired, repaired_bytes, unfillable, eta, lists }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Progress> for v1::Repair {
    fn from(progress: Progress) -> Self {
        let Progress { count, repaired, repaired_bytes, unfillable, eta, lists } = progress;
        Self {
            queued: count.queued,
            queued_bytes: count.queued_bytes,
            set_aside: count.aside,
            repaired,
            repaired_bytes,
            unfillable,
            eta_seconds: eta.map(|eta| eta.as_secs()),
            lists_heard: lists.0,
            lists_needed: lists.1,
        }
    }
}
