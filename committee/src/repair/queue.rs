//! What is to be made whole, in which order, and when again. No I/O and no clock: time comes in as an argument.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use holdfast_certificate::{Certificate, Statement, StatementDigest};
use holdfast_erasure::BlobId;
use tokio::time::Instant;

use crate::store::Promise;

/// The most that is queued. What does not fit is learned again from the lists of peers, which wait for room.
pub(super) const MOST: usize = 65_536;
/// The most of it that nobody but the giver of a certificate has spoken of.
const MOST_OFFERED: usize = 256;
/// What was refused and is not looked at again.
const MOST_REFUSED: usize = 65_536;
/// How many at once whose only witness is one and the same peer: it may have made them up.
const MOST_OF_ONE: usize = 4;
/// Of what is ready, so many are looked at for one that may begin.
const LOOKED_AT: usize = 1024;
/// What may be refused for a moment only, since peers see L1 some blocks apart, is refused after so many tries.
const DOUBTS: u32 = 5;
/// The longest pause after peers could not be asked, or this member could not go on.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// The longest pause after they said that nobody has it.
const LONGEST_ASIDE: Duration = Duration::from_secs(6 * 3600);

/// A statement whose data is to be here, and is not.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub(crate) statement: Statement,
    pub(crate) digest: StatementDigest,
    pub(crate) id: BlobId,
    /// The shard that this member's slot holds.
    pub(crate) index: u16,
    /// What is to be fetched.
    pub(crate) bytes: u64,
    pub(crate) cause: Cause,
}

impl Want {
    /// What is wanted for a statement, of which this member has `slot`; `None` for a blob that is none.
    pub(crate) fn new(statement: Statement, digest: StatementDigest, slot: u16, cause: Cause) -> Option<Self> {
        let code = statement.blob.parameters().ok()?;
        let index = code.shard_of_slot(slot, &statement.blob.shards_root).get();
        let shard = code.shard_length(statement.blob.payload_length) as u64;
        let bytes = shard * u64::from(code.original_shards());
        Some(Self { statement, digest, id: statement.blob.id(), index, bytes, cause })
    }
}

/// How it was learned of.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// This member has promised it, and found it damaged.
    Damaged(Box<Promise>),
    /// A peer's list has it.
    Listed,
    /// L1 has its certificate, which verified.
    Published(Box<Certificate>),
    /// Its certificate was given to this member, which has not signed it. Not verified.
    Offered(Box<Certificate>),
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is here.
    Whole { bytes: u64 },
    /// It was here already, or its time is over.
    Needless,
    /// Its disperser lied about this position.
    Unfillable,
    /// Those who may have it could not be asked.
    Unanswered(String),
    /// They were asked, and it is not there.
    Nowhere(String),
    /// This member itself cannot go on now.
    Hindered(String),
    /// It is not to be kept here, as far as is known now.
    Doubtful(String),
    /// It is not to be kept here.
    Refused(String),
}

/// What is queued.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: HashMap<StatementDigest, Entry>,
    /// By rank: the least redundant first.
    ready: BTreeSet<(Rank, StatementDigest)>,
    waiting: BTreeSet<(Instant, StatementDigest)>,
    working: HashMap<StatementDigest, Option<u16>>,
    refused: HashSet<StatementDigest>,
    offered: usize,
    /// Entries that are set aside, and the bytes of all others.
    aside: u64,
    queued_bytes: u64,
    next: u64,
}

/// First what is this member's own and damaged; then what the fewest are known to have; then what was learned first.
type Rank = (bool, usize, u64);

#[derive(Debug)]
struct Entry {
    want: Want,
    /// Numbers of the peers that are known to have signed it.
    known_to: BTreeSet<u16>,
    sequence: u64,
    tries: u32,
    /// Its last try ended with that nobody has it.
    aside: bool,
    /// A try that is under way began before its certificate was known.
    anew: bool,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Ready(Rank),
    Waiting(Instant),
    Working,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) queued: u64,
    pub(crate) queued_bytes: u64,
    pub(crate) aside: u64,
}

impl Queue {
    /// Takes a want, which does not begin before `from`; false if there is no room. A want that is there already learns one
    /// more that has it.
    pub(crate) fn add(&mut self, want: Want, known_to: Option<u16>, from: Instant) -> bool {
        let digest = want.digest;
        let certified = matches!(want.cause, Cause::Published(_));
        if certified {
            // It was refused for want of a certificate.
            self.refused.remove(&digest);
        } else if self.refused.contains(&digest) {
            return true;
        }
        if let Some(entry) = self.entries.get_mut(&digest) {
            if certified && matches!(entry.want.cause, Cause::Listed | Cause::Offered(_)) {
                self.offered -= usize::from(matches!(entry.want.cause, Cause::Offered(_)));
                (entry.want.cause, entry.tries) = (want.cause, 0);
                entry.anew = matches!(entry.place, Place::Working);
            }
            if let Some(peer) = known_to {
                entry.known_to.insert(peer);
                if let Place::Ready(rank) = entry.place {
                    self.ready.remove(&(rank, digest));
                    let rank = entry.rank();
                    entry.place = Place::Ready(rank);
                    self.ready.insert((rank, digest));
                }
            }
            return true;
        }
        let offered = matches!(want.cause, Cause::Offered(_));
        if self.entries.len() >= MOST || (offered && self.offered >= MOST_OFFERED) {
            return false;
        }
        self.offered += usize::from(offered);
        self.queued_bytes += want.bytes;
        self.next += 1;
        let known_to = known_to.into_iter().collect();
        let place = Place::Waiting(from);
        let entry = Entry { want, known_to, sequence: self.next, tries: 0, aside: false, anew: false, place };
        self.waiting.insert((from, digest));
        self.entries.insert(digest, entry);
        true
    }

    /// Whether this statement is queued.
    pub(crate) fn has(&self, digest: &StatementDigest) -> bool {
        self.entries.contains_key(digest)
    }

    /// How often it was tried to make this statement whole; `None` where it is not queued.
    #[cfg(test)]
    pub(crate) fn tries(&self, digest: &StatementDigest) -> Option<u32> {
        self.entries.get(digest).map(|entry| entry.tries)
    }

    /// Whether a page of a list fits.
    pub(crate) fn has_room(&self, for_so_many: usize) -> bool {
        self.entries.len() + for_so_many <= MOST
    }

    /// What to begin with now, and the numbers of the peers that are known to have it.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(Want, Vec<u16>)> {
        while let Some((from, digest)) = self.waiting.first().copied().filter(|(from, _)| *from <= now) {
            self.waiting.remove(&(from, digest));
            if let Some(entry) = self.entries.get_mut(&digest) {
                let rank = entry.rank();
                entry.place = Place::Ready(rank);
                self.ready.insert((rank, digest));
            }
        }
        let busy = |peer: u16| self.working.values().filter(|of| **of == Some(peer)).count() >= MOST_OF_ONE;
        let may_begin = |digest: &StatementDigest| {
            let only = self.entries.get(digest).and_then(Entry::only_witness);
            only.is_none_or(|peer| !busy(peer))
        };
        let (rank, digest) = *self.ready.iter().take(LOOKED_AT).find(|(_, digest)| may_begin(digest))?;
        self.ready.remove(&(rank, digest));
        let entry = self.entries.get_mut(&digest)?;
        entry.place = Place::Working;
        self.working.insert(digest, entry.only_witness());
        Some((entry.want.clone(), entry.known_to.iter().copied().collect()))
    }

    /// When there may be something to begin with; `None` while nothing waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.waiting.first().map(|(from, _)| *from)
    }

    /// A try has ended. `pause` is the first one before another.
    pub(crate) fn end(&mut self, digest: &StatementDigest, ending: &Ending, now: Instant, pause: Duration) {
        self.working.remove(digest);
        let Some(entry) = self.entries.get_mut(digest) else { return };
        entry.tries = entry.tries.saturating_add(1);
        let anew = std::mem::take(&mut entry.anew);
        let growing = |pause: Duration, most: Duration| pause.saturating_mul(1 << (entry.tries - 1).min(16)).min(most);
        let pause = match ending {
            Ending::Whole { .. } | Ending::Needless | Ending::Unfillable => return self.forget(digest),
            Ending::Refused(_) | Ending::Doubtful(_) if anew => pause,
            Ending::Refused(_) => return self.refuse(digest),
            Ending::Doubtful(_) if entry.tries >= DOUBTS => return self.refuse(digest),
            Ending::Nowhere(_) => growing(pause.saturating_mul(10), LONGEST_ASIDE),
            Ending::Unanswered(_) | Ending::Hindered(_) | Ending::Doubtful(_) => growing(pause, LONGEST_PAUSE),
        };
        let aside = matches!(ending, Ending::Nowhere(_));
        match (std::mem::replace(&mut entry.aside, aside), aside) {
            (false, true) => (self.aside, self.queued_bytes) = (self.aside + 1, self.queued_bytes - entry.want.bytes),
            (true, false) => (self.aside, self.queued_bytes) = (self.aside - 1, self.queued_bytes + entry.want.bytes),
            (false, false) | (true, true) => {}
        }
        entry.place = Place::Waiting(now + pause);
        self.waiting.insert((now + pause, *digest));
    }

    /// Forgets whose time is over at unix time `now`.
    pub(crate) fn expire(&mut self, now: u64) {
        let over = |entry: &Entry| entry.want.statement.retain_until <= now && !matches!(entry.place, Place::Working);
        let over: Vec<_> = self.entries.iter().filter(|(_, entry)| over(entry)).map(|(digest, _)| *digest).collect();
        over.iter().for_each(|digest| self.forget(digest));
    }

    /// Forgets what only this peer has spoken of: it has lied.
    pub(crate) fn distrust(&mut self, peer: u16) {
        let of = |entry: &Entry| entry.only_witness() == Some(peer) && !matches!(entry.place, Place::Working);
        let of: Vec<_> = self.entries.iter().filter(|(_, entry)| of(entry)).map(|(digest, _)| *digest).collect();
        of.iter().for_each(|digest| self.forget(digest));
    }

    /// How much is queued, and set aside.
    pub(crate) fn count(&self) -> Count {
        let queued = self.entries.len() as u64 - self.aside;
        Count { queued, queued_bytes: self.queued_bytes, aside: self.aside }
    }

    /// Whether anything is left that this peer is known to have.
    pub(crate) fn has_of(&self, peer: u16) -> bool {
        self.entries.values().any(|entry| entry.known_to.contains(&peer))
    }

    /// The place of the last one that was taken.
    pub(crate) fn last(&self) -> u64 {
        self.next
    }

    /// Whether nothing is left of what was taken until `last`. Any of it this member may have signed, whether or not it is
    /// among the signers of the certificate.
    pub(crate) fn is_settled(&self, last: u64) -> bool {
        !self.entries.values().any(|entry| entry.sequence <= last)
    }

    fn refuse(&mut self, digest: &StatementDigest) {
        if self.refused.len() >= MOST_REFUSED {
            self.refused.clear();
        }
        self.refused.insert(*digest);
        self.forget(digest);
    }

    fn forget(&mut self, digest: &StatementDigest) {
        let Some(entry) = self.entries.remove(digest) else { return };
        self.offered -= usize::from(matches!(entry.want.cause, Cause::Offered(_)));
        if entry.aside {
            self.aside -= 1;
        } else {
            self.queued_bytes -= entry.want.bytes;
        }
        match entry.place {
            Place::Ready(rank) => self.ready.remove(&(rank, *digest)),
            Place::Waiting(from) => self.waiting.remove(&(from, *digest)),
            Place::Working => false,
        };
    }
}

impl Entry {
    fn rank(&self) -> Rank {
        (!matches!(self.want.cause, Cause::Damaged(_)), self.known_to.len(), self.sequence)
    }

    fn only_witness(&self) -> Option<u16> {
        let only = self.known_to.first().filter(|_| self.known_to.len() == 1);
        only.copied().filter(|_| matches!(self.want.cause, Cause::Listed))
    }
}

#[cfg(test)]
mod tests;
