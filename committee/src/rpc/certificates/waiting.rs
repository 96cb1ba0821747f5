//! What waits to be verified, whose it is, and when its turn comes. No I/O and no clock: time comes in as an argument.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use holdfast_certificate::StatementDigest;
use holdfast_erasure::BlobId;
use holdfast_registry::EpochRecord;
use tokio::time::Instant;

use crate::origin::Origin;

/// How many are verified together: the work for each falls from 0.9 ms to 0.1 and not much further, and one batch holds up
/// whoever wants the processor for about 7 ms.
pub(super) const BATCH: usize = 64;
/// How long the first of a line waits for others.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many wait in one origin's line, and in all lines; each takes about half a kilobyte.
const LINE: usize = 1024;
const MOST: usize = 8192;
/// Of one statement: a false one must not keep the true one out.
const MOST_OF_ONE: usize = 2;
/// How long an origin that has given a false one is not trusted, and how many such origins are remembered.
const DISTRUST: Duration = Duration::from_secs(600);
const DISTRUSTED: usize = 1024;

/// A certificate of a statement that this member has signed; signers and signature have not been looked at.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct Unverified {
    pub(in crate::rpc) digest: StatementDigest,
    pub(in crate::rpc) id: BlobId,
    pub(in crate::rpc) bytes: Bytes,
    pub(in crate::rpc) epoch: Arc<EpochRecord>,
    /// Who gave it.
    pub(in crate::rpc) origin: Option<Origin>,
}

/// What is verified together.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) all: Arc<[Unverified]>,
    /// All are of one origin's line, which has no other batch under way.
    in_line: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Next {
    /// These are to be verified, for that origin.
    Batch(Option<Origin>, Batch),
    /// Nothing before that time.
    At(Instant),
    /// Nothing until something comes or ends.
    Nothing,
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    of: HashMap<BlobId, Vec<Unverified>>,
    lines: HashMap<Option<Origin>, Line>,
    /// How many wait in all lines.
    count: usize,
    /// Blobs of what is being verified, with how many of each.
    busy: HashMap<BlobId, usize>,
    distrusted: HashMap<Origin, Instant>,
}

/// What one origin has given, the oldest first.
#[derive(Debug, Default)]
struct Line {
    /// Also those that have been taken by their blob since.
    order: VecDeque<(Instant, BlobId)>,
    /// A batch of it is under way.
    at_work: bool,
}

impl Waiting {
    /// Takes one more, and says whether a batch may be due earlier than before; gives it back if it must be verified now.
    pub(super) fn add(&mut self, unverified: Unverified, now: Instant) -> Result<bool, Box<Unverified>> {
        let of = self.of.get(&unverified.id).map_or(&[][..], Vec::as_slice);
        let same = of.iter().filter(|other| other.digest == unverified.digest);
        if same.clone().any(|other| other.bytes == unverified.bytes) {
            return Ok(false);
        }
        let length = self.lines.get(&unverified.origin).map_or(0, |line| line.order.len());
        let full = length >= LINE || self.count >= MOST || same.count() >= MOST_OF_ONE;
        if full || self.distrusts(unverified.origin, now) {
            return Err(Box::new(unverified));
        }
        self.push(unverified, now, false);
        Ok(length == 0 || length + 1 == BATCH)
    }

    /// At most so many of what waits of these blobs, whoever gave it.
    pub(super) fn take_of(&mut self, ids: &[BlobId], most: usize) -> Batch {
        let mut taken = Vec::new();
        for id in ids {
            let Some(of) = self.of.get_mut(id) else { continue };
            taken.extend(of.drain(..of.len().min(most - taken.len())));
            if of.is_empty() {
                self.of.remove(id);
            }
        }
        self.begin(taken, false)
    }

    /// The batch whose turn it is, or when there will be one; `all` at once where nothing more is waited for.
    pub(super) fn next(&mut self, now: Instant, all: bool) -> Next {
        // What was taken by its blob is no longer at the head of any line.
        let of = &self.of;
        self.lines.retain(|origin, line| {
            while line.order.front().is_some_and(|(_, id)| !waits(of, id, *origin)) {
                line.order.pop_front();
            }
            line.at_work || !line.order.is_empty()
        });
        let ready = self.lines.iter().filter(|(_, line)| !line.at_work);
        let first = ready.filter_map(|(origin, line)| Some((line.due()?, *origin))).min_by_key(|(due, _)| *due);
        match first {
            None => Next::Nothing,
            Some((due, _)) if due > now && !all => Next::At(due),
            Some((_, origin)) => Next::Batch(origin, self.take_line(origin)),
        }
    }

    /// What was taken is no longer being verified. Where it is not `done` it waits again, before what came since.
    pub(super) fn end(&mut self, batch: &Batch, done: bool, now: Instant) {
        for unverified in batch.all.iter().rev() {
            if let Some(count) = self.busy.get_mut(&unverified.id) {
                *count -= 1;
                if *count == 0 {
                    self.busy.remove(&unverified.id);
                }
            }
            if !done {
                self.push(unverified.clone(), now.checked_sub(PATIENCE).unwrap_or(now), true);
            }
        }
        let first = batch.all.first().filter(|_| batch.in_line);
        if let Some(line) = first.and_then(|unverified| self.lines.get_mut(&unverified.origin)) {
            line.at_work = false;
        }
    }

    /// Whether something of these blobs is being verified.
    pub(super) fn is_busy_with(&self, ids: &[BlobId]) -> bool {
        ids.iter().any(|id| self.busy.contains_key(id))
    }

    /// The origin has given a false one.
    pub(super) fn distrust(&mut self, origin: Option<Origin>, now: Instant) {
        let Some(origin) = origin else { return };
        self.distrusted.insert(origin, now);
        if self.distrusted.len() > DISTRUSTED
            && let Some(oldest) = self.distrusted.iter().min_by_key(|(_, since)| **since).map(|(origin, _)| *origin)
        {
            self.distrusted.remove(&oldest);
        }
    }

    /// Whether the origin has given a false one of late.
    pub(super) fn distrusts(&self, origin: Option<Origin>, now: Instant) -> bool {
        let since = origin.and_then(|origin| self.distrusted.get(&origin));
        since.is_some_and(|since| now.saturating_duration_since(*since) < DISTRUST)
    }

    fn push(&mut self, unverified: Unverified, since: Instant, first: bool) {
        let line = self.lines.entry(unverified.origin).or_default();
        if first {
            line.order.push_front((since, unverified.id));
        } else {
            line.order.push_back((since, unverified.id));
        }
        self.of.entry(unverified.id).or_default().push(unverified);
        self.count += 1;
    }

    fn take_line(&mut self, origin: Option<Origin>) -> Batch {
        let mut batch = Vec::new();
        let line = self.lines.entry(origin).or_default();
        line.at_work = true;
        while batch.len() < BATCH
            && let Some((_, id)) = line.order.pop_front()
        {
            let Some(of) = self.of.get_mut(&id) else { continue };
            // One for each place in the line.
            if let Some(at) = of.iter().position(|unverified| unverified.origin == origin) {
                batch.push(of.remove(at));
            }
            if of.is_empty() {
                self.of.remove(&id);
            }
        }
        self.begin(batch, true)
    }

    fn begin(&mut self, batch: Vec<Unverified>, in_line: bool) -> Batch {
        self.count -= batch.len();
        for unverified in &batch {
            *self.busy.entry(unverified.id).or_default() += 1;
        }
        Batch { all: batch.into(), in_line }
    }
}

impl Line {
    /// When its next batch is to be verified.
    fn due(&self) -> Option<Instant> {
        let (since, _) = *self.order.front()?;
        Some(if self.order.len() >= BATCH { since } else { since + PATIENCE })
    }
}

fn waits(of: &HashMap<BlobId, Vec<Unverified>>, id: &BlobId, origin: Option<Origin>) -> bool {
    of.get(id).is_some_and(|of| of.iter().any(|unverified| unverified.origin == origin))
}

#[cfg(test)]
mod tests;
