//! What L1 says was published, for what is not here: also where no peer lists it.
//!
//! # A node is not believed either
//!
//! An event says where to look. It names a statement by its digest alone; the certificate is in the data of its transaction, or
//! with other members, and only once it verified against the keys of its epoch is anything made whole on its account. Where only
//! the statement is found, it counts as one that the peer which gave it has listed.
//!
//! # Few calls
//!
//! One for each new finalized block, and one for each event whose statement this member has not promised. While L1 is away,
//! none.
//!
//! # Of the namespaces that are served now
//!
//! How far was read counts for the namespaces that were looked for. When the settings name others, events are read again from the
//! longest promise back, and a restart in the middle of it goes on there.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use holdfast_certificate::{Certificate, Statement, StatementDigest};
use holdfast_client::Client;
use holdfast_erasure::Digest;
use holdfast_registry::{EpochRecord, Error, Publication, Since};
use tokio::time::Instant;

use super::{
    desk::Desk,
    queue::{Cause, Want},
};
use crate::attestor::Attestor;

/// Answers with events that are asked for in one round.
const PAGES: usize = 4;
/// Events that are looked after in one round, each with a call to L1 and some to members.
const AT_ONCE: usize = 64;
/// The most events that wait for being looked after: with more, no further ones are asked for.
const MOST_WAITING: usize = 16_384;
/// Members that are asked for a statement that the transaction does not show.
const ASKED: usize = 5;
/// The first pause before an event is looked after again, which doubles.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The events of the registry.
#[derive(Debug)]
pub(super) struct Events {
    attestor: Arc<Attestor>,
    desk: Arc<Desk>,
    client: Client,
    delay: Duration,
    /// The namespaces whose events are read.
    served: Digest,
    /// The first block that was not looked at; none before the first look.
    next: Option<u64>,
    /// After a loss: from the time on before which nothing can matter.
    from_start: bool,
    waiting: VecDeque<Waiting>,
    /// What was queued on account of an event.
    queued: BTreeMap<StatementDigest, Waiting>,
}

/// An event that is to be looked after.
#[derive(Debug)]
struct Waiting {
    event: Publication,
    from: Instant,
    tries: u32,
}

/// Whether a published statement is to be made whole here.
enum Lack {
    /// By the keys of this epoch, for this slot.
    Yes(Arc<EpochRecord>, u16),
    No,
    /// It cannot be told now.
    Unknown,
}

/// What an event shows.
enum Shown {
    /// Its certificate, verified.
    Certified(Box<Certificate>),
    /// Its statement, as this peer gives it.
    Said(Box<Statement>, u16),
    /// Nothing now.
    Nothing,
}

impl Events {
    pub(super) fn new(attestor: Arc<Attestor>, desk: Arc<Desk>, client: Client, delay: Duration) -> Self {
        let served = attestor.policy.served();
        let next = attestor.store.events_read(served);
        let (waiting, queued) = (VecDeque::new(), BTreeMap::new());
        Self { attestor, desk, client, delay, served, next, from_start: false, waiting, queued }
    }

    /// Reads on, and looks after what waits; true if there is more.
    ///
    /// # Errors
    ///
    /// Where L1 does not say what was published.
    pub(super) async fn round(&mut self) -> Result<bool, Error> {
        let more = self.read().await;
        self.look_after().await;
        self.record().await;
        more
    }

    async fn read(&mut self) -> Result<bool, Error> {
        let registry = Arc::clone(&self.attestor.registry);
        // Without L1 there are no events; while it is away it is not asked.
        let Some(finality) = registry.finality().filter(|it| it.failure.is_none() && !it.expired) else {
            return Ok(false);
        };
        if self.attestor.store.lost_at().is_some() && !self.from_start {
            (self.next, self.from_start) = (None, true);
        }
        for _ in 0..PAGES {
            if self.waiting.len() >= MOST_WAITING || self.next.is_some_and(|next| next > finality.block) {
                return Ok(false);
            }
            let now = self.attestor.clock.now();
            // By a clock that is wrong all would be over, or begin too late.
            if !self.attestor.peers.is_told() || self.attestor.check_clock(now).is_err() {
                return Ok(false);
            }
            // The time of what was published before that is over.
            let oldest = now.saturating_sub(self.attestor.policy.max_retention.as_secs());
            let since = self.next.map_or(Since::Time(oldest), Since::Block);
            let Some(page) = registry.published(&self.attestor.policy.namespaces, since).await? else {
                return Ok(false);
            };
            let more = page.is_more();
            self.next = Some(page.next);
            let from = Instant::now();
            let own = page.events.into_iter();
            let own = own
                .filter(|event| !self.attestor.is_over(event.retain_until) && self.attestor.serves(&event.namespace));
            self.waiting.extend(own.map(|event| Waiting { event, from, tries: 0 }));
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks after the events whose turn it is.
    async fn look_after(&mut self) {
        let mut left = AT_ONCE;
        for _ in 0..self.waiting.len() {
            let Some(waiting) = self.waiting.pop_front() else { return };
            if waiting.from > Instant::now() || left == 0 {
                self.waiting.push_back(waiting);
                continue;
            }
            let (record, slot) = match self.lack(&waiting.event).await {
                Lack::Yes(record, slot) => (record, slot),
                Lack::No => continue,
                Lack::Unknown => {
                    self.put_off(waiting);
                    continue;
                }
            };
            left -= 1;
            let digest = waiting.event.statement;
            let (want, known_to) = match self.shown(&waiting, &record).await {
                Shown::Certified(certificate) => {
                    let statement = certificate.statement;
                    (Want::new(statement, digest, slot, Cause::Published(certificate)), None)
                }
                Shown::Said(statement, peer) => (Want::new(*statement, digest, slot, Cause::Listed), Some(peer)),
                Shown::Nothing => {
                    self.put_off(waiting);
                    continue;
                }
            };
            let Some(want) = want else { continue };
            if self.desk.add(want, known_to, Instant::now() + self.delay) {
                self.queued.insert(digest, waiting);
            } else {
                self.put_off(waiting);
            }
        }
    }

    fn put_off(&mut self, mut waiting: Waiting) {
        let pause = PAUSE.saturating_mul(1 << waiting.tries.min(16)).min(LONGEST_PAUSE);
        (waiting.tries, waiting.from) = (waiting.tries.saturating_add(1), Instant::now() + pause);
        self.waiting.push_back(waiting);
    }

    async fn lack(&self, event: &Publication) -> Lack {
        if self.attestor.is_over(event.retain_until) {
            return Lack::No;
        }
        let record = match self.attestor.registry.epoch(event.epoch).await {
            Ok(record) => record,
            // There is none, so no certificate of it either.
            Err(Error::UnknownEpoch { .. }) => return Lack::No,
            Err(_) => return Lack::Unknown,
        };
        let Some(slot) = self.attestor.slot(&record.committee) else { return Lack::No };
        let (store, id, digest) = (Arc::clone(&self.attestor.store), event.blob_id, event.statement);
        // What is promised and damaged is found by the scrub. A record that cannot be read is made anew.
        match self.attestor.workers.disk(move || matches!(store.promise(&id, &digest), Ok(Some(_)))).await {
            Ok(true) => Lack::No,
            Ok(false) => Lack::Yes(record, slot),
            Err(_) => Lack::Unknown,
        }
    }

    /// The certificate of an event, from its transaction or from members, other ones at each try; or its statement alone.
    async fn shown(&self, Waiting { event, tries, .. }: &Waiting, record: &Arc<EpochRecord>) -> Shown {
        match self.attestor.registry.published_certificate(event).await {
            Ok(Some(certificate)) => {
                if let Some(certificate) = self.genuine(event, certificate, record).await {
                    return Shown::Certified(certificate);
                }
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "repair.events"),
        }
        let (domain, mut said) = (self.attestor.domain(), Shown::Nothing);
        let mut sources = self.client.sources(record);
        sources.retain(|it| *it.key() != self.attestor.public_key);
        let first = (*tries as usize).saturating_mul(ASKED) % sources.len().max(1);
        sources.rotate_left(first);
        for source in sources.into_iter().take(ASKED) {
            let Ok(signed) = source.signed(&event.blob_id, &event.namespace).await else { continue };
            let of = signed.into_iter().find(|of| of.statement.digest(&domain) == event.statement);
            let Some(of) = of.filter(|of| of.statement.check(record.committee.parameters()).is_ok()) else { continue };
            if let Some(certificate) = of.certificate
                && let Some(certificate) = self.genuine(event, certificate, record).await
            {
                return Shown::Certified(certificate);
            }
            said = Shown::Said(Box::new(of.statement), self.desk.number(source.key()));
        }
        said
    }

    /// The certificate, if it is one of the event's statement.
    async fn genuine(
        &self,
        event: &Publication,
        certificate: Certificate,
        record: &Arc<EpochRecord>,
    ) -> Option<Box<Certificate>> {
        if certificate.digest(&self.attestor.domain()) != event.statement {
            return None;
        }
        let committee = Arc::clone(&record.committee);
        match self.attestor.workers.cpu(move || certificate.verify(&committee).map(|_| certificate)).await {
            Ok(Ok(certificate)) => Some(Box::new(certificate)),
            Ok(Err(error)) => {
                tracing::warn!(blob = %event.blob_id, %error, "repair.events: what was published does not verify");
                None
            }
            Err(_) => None,
        }
    }

    /// What has left the queue is here by now, or it was given up: by the word of a peer, perhaps, that knew of nothing better.
    async fn look_back(&mut self) {
        let ended: Vec<_> = self.queued.keys().filter(|digest| !self.desk.has(digest)).copied().collect();
        for waiting in ended.iter().filter_map(|digest| self.queued.remove(digest)).collect::<Vec<_>>() {
            if !matches!(self.lack(&waiting.event).await, Lack::No) {
                self.put_off(waiting);
            }
        }
    }

    /// Records before which block nothing is left to be done.
    async fn record(&mut self) {
        self.look_back().await;
        let waiting = self.waiting.iter().chain(self.queued.values()).map(|waiting| waiting.event.position.block);
        let done = waiting.chain(self.next).min();
        // A store that does not write now, as before it has counted what it holds, records nothing: it is tried again. One that is
        // closing records nothing either, and the events are read again.
        if let Some(block) = done.filter(|_| done != self.attestor.store.events_read(self.served)) {
            let _ = self.attestor.store.record_events_read(block, self.served).await;
        }
    }
}
