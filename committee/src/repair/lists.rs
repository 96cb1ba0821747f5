//! Going through what the other members say that they have signed, for what is not here.
//!
//! # Nobody is believed
//!
//! A list says where to look. What comes of it is checked as if it had come from anybody; a peer that says what no honest
//! one does is not listened to for an hour.
//!
//! # Not from the start each time
//!
//! How far a list was read is recorded when nothing is left of it that is not here, so a start reads on from there. After a
//! loss, and every scrub period, a list is read from its start again: what was here then may not be here now.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use holdfast_certificate::{PublicKey, Statement};
use holdfast_client::{Client, Source};
use holdfast_registry::EpochRecord;
use tokio::time::Instant;

use super::{
    desk::Desk,
    queue::{Cause, Want},
};
use crate::{attestor::Attestor, peer_time::Seen, store::ListRead};

/// Epochs, counted back from the newest, whose members are asked.
const MOST_EPOCHS: u64 = 32;
/// Pages of one list that are read in one round.
const PAGES: usize = 4;
/// Room for a page.
const PAGE: usize = 256;
/// A list is not read from its start more often than so many seconds.
const LEAST_PERIOD: u64 = 3600;
/// Within what time a peer must answer for its clock to be looked at.
const PROMPT: Duration = Duration::from_secs(5);
/// How long a peer is not listened to that has lied.
const DEAF: Duration = Duration::from_secs(3600);

/// The lists of all peers.
#[derive(Debug)]
pub(super) struct Lists {
    attestor: Arc<Attestor>,
    desk: Arc<Desk>,
    client: Client,
    delay: Duration,
    peers: BTreeMap<[u8; PublicKey::BYTES], Peer>,
}

/// One peer, and how far its list was heard.
#[derive(Debug)]
struct Peer {
    source: Source,
    number: u16,
    /// Its store: another one has another order.
    store: Bytes,
    at: Bytes,
    /// When its reading began at its start, unix seconds; zero before it has begun.
    begun: u64,
    /// The place that was recorded last.
    recorded: Bytes,
    /// From its start, in this run of the member.
    from_start: bool,
    /// To its end.
    heard: bool,
    deaf_until: Option<Instant>,
    /// Its clock, when it was looked at last.
    seen: Option<Seen>,
}

/// What one round has come to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// There is more to be read at once.
    pub(super) more: bool,
    /// Of every epoch in which this member has a slot, so many lists were heard to their end that nothing certified that it
    /// has signed can be missing from all of them.
    pub(super) complete: bool,
}

impl Lists {
    pub(super) fn new(attestor: Arc<Attestor>, desk: Arc<Desk>, client: Client, delay: Duration) -> Self {
        Self { attestor, desk, client, delay, peers: BTreeMap::new() }
    }

    /// Reads on in every list.
    ///
    /// # Errors
    ///
    /// Where the registry does not say who the peers are.
    pub(super) async fn round(&mut self) -> Result<Round, holdfast_registry::Error> {
        let records = self.epochs().await?;
        self.meet(&records);
        self.look_for_a_twin(records.first()).await;
        let now = Instant::now();
        let (attestor, desk) = (&self.attestor, &self.desk);
        let greetings = self.peers.values_mut().map(|peer| async move {
            if desk.was_lying(peer.number) {
                // What only it has said was forgotten, the true as well: it begins again.
                (peer.deaf_until, peer.begun) = (Some(now + DEAF), 0);
            }
            peer.deaf_until.is_none_or(|until| until <= now) && peer.greet(attestor).await
        });
        let greeted = join_all(greetings).await;
        // Before any list is read: what is over depends on it.
        self.tell_time(records.first());
        let well = self.peers.values_mut().zip(greeted).filter_map(|(peer, greeted)| greeted.then_some(peer));
        let rounds = well.map(|peer| peer.read(&self.attestor, &self.desk, &records, self.delay));
        let more = join_all(rounds).await.contains(&true);
        Ok(Round { more, complete: self.is_complete(&records) })
    }

    /// The epochs in which this member has a slot, newest first.
    async fn epochs(&self) -> Result<Vec<Arc<EpochRecord>>, holdfast_registry::Error> {
        let registry = &self.attestor.registry;
        let newest = registry.newest_epoch(self.attestor.clock.now()).await?;
        let number = newest.committee.epoch();
        let mut records = vec![newest];
        for epoch in (number.saturating_sub(MOST_EPOCHS - 1).max(1)..number).rev() {
            match registry.epoch(epoch).await {
                Ok(record) => records.push(record),
                // A gap in the numbers is an epoch that never became active.
                Err(holdfast_registry::Error::UnknownEpoch { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        records.retain(|record| self.attestor.slot(&record.committee).is_some());
        Ok(records)
    }

    /// Every other member of these epochs, where the newest of them says that it is.
    fn meet(&mut self, records: &[Arc<EpochRecord>]) {
        let mut met = BTreeMap::new();
        for source in records.iter().flat_map(|record| self.client.sources(record)) {
            if *source.key() != self.attestor.public_key {
                met.entry(source.key().to_bytes()).or_insert(source);
            }
        }
        self.peers.retain(|key, _| met.contains_key(key));
        for (key, source) in met {
            match self.peers.get_mut(&key) {
                Some(peer) => peer.source = source,
                None => {
                    let number = self.desk.number(source.key());
                    let peer = Peer::new(source, number, &self.attestor);
                    self.peers.insert(key, peer);
                }
            }
        }
    }

    /// What the other members of the newest epoch say that the time is.
    fn tell_time(&self, newest: Option<&Arc<EpochRecord>>) {
        let Some(record) = newest else { return };
        let others = record.committee.keys().iter().filter(|key| **key != self.attestor.public_key);
        let others: Vec<_> = others.map(|key| self.peers.get(&key.to_bytes()).and_then(|peer| peer.seen)).collect();
        self.attestor.peers.tell(others.len(), others.into_iter().flatten().collect());
    }

    /// Whether somebody else answers with this member's key where this member should.
    async fn look_for_a_twin(&self, newest: Option<&Arc<EpochRecord>>) {
        let Some(record) = newest else { return };
        let own = self.client.sources(record).into_iter().find(|source| *source.key() == self.attestor.public_key);
        let Some(own) = own else { return };
        let Ok(info) = own.info().await else { return };
        let is_this = info.run_id.is_empty() || info.run_id == self.desk.run_id().as_slice();
        let twin = (!is_this).then(|| own.endpoint().to_owned());
        if self.desk.set_twin(twin.clone())
            && let Some(endpoint) = twin
        {
            let same = info.store_id == self.attestor.store.id().as_bytes().as_slice();
            let store = if same { "a copy of the same store" } else { "another store" };
            tracing::error!(endpoint, store, "member.twin: another process answers with this member's key");
        }
    }

    /// Of the `t` signers of a certificate at most `f = t - k` misbehave or have lost their disk, this member among them. So
    /// `k` others have it in their lists; whoever has heard all but `k - 1` of the others has heard one of those.
    fn is_complete(&self, records: &[Arc<EpochRecord>]) -> bool {
        let (mut heard_of_all, mut needed_of_all, mut complete) = (0, 0, true);
        for record in records {
            let needed = usize::from(record.committee.parameters().code().recovery_shards());
            let keys = record.committee.keys().iter().filter(|key| **key != self.attestor.public_key);
            let heard = keys.filter(|key| self.peers.get(&key.to_bytes()).is_some_and(Peer::is_heard_whole)).count();
            complete &= heard >= needed;
            heard_of_all += u32::try_from(heard.min(needed)).unwrap_or(u32::MAX);
            needed_of_all += u32::try_from(needed).unwrap_or(u32::MAX);
        }
        self.desk.heard(heard_of_all, needed_of_all);
        complete && !records.is_empty()
    }
}

impl Peer {
    /// One whose list is read on from where it was read before.
    fn new(source: Source, number: u16, attestor: &Attestor) -> Self {
        let (store, at) = (Bytes::new(), Bytes::new());
        let (begun, recorded) = (0, Bytes::new());
        let mut peer = Self {
            source,
            number,
            store,
            at,
            begun,
            recorded,
            from_start: true,
            heard: false,
            deaf_until: None,
            seen: None,
        };
        if let Some(read) = attestor.store.list_read(peer.source.key(), attestor.policy.served()) {
            let store = Bytes::copy_from_slice(&read.store);
            (peer.store, peer.at, peer.begun) = (store, read.place.clone(), read.begun);
            (peer.recorded, peer.from_start) = (read.place, false);
        }
        peer
    }

    /// Reads from the start again.
    fn begin(&mut self, now: u64) {
        (self.at, self.begun, self.from_start, self.heard) = (Bytes::new(), now, true, false);
    }

    fn is_heard_whole(&self) -> bool {
        self.heard && self.from_start
    }

    /// Records how far it has come, if nothing is left of what was read.
    async fn record(&mut self, attestor: &Attestor, desk: &Desk) {
        if !self.heard || self.recorded == self.at || desk.has_of(self.number) {
            return;
        }
        let Ok(store) = <[u8; 16]>::try_from(self.store.as_ref()) else { return };
        let served = attestor.policy.served();
        let read = ListRead { begun: self.begun, store, served, place: self.at.clone() };
        // A store that is closing records nothing, and reads it again.
        if attestor.store.record_list_read(self.source.key(), read).await.is_ok() {
            self.recorded = self.at.clone();
        }
    }

    /// Asks this peer who it is, and what time it is; false if it does not say.
    async fn greet(&mut self, attestor: &Attestor) -> bool {
        let now = attestor.clock.now();
        let lost = attestor.store.lost_at().is_some();
        match self.source.info().await {
            Ok(info) => {
                // Who does not say is not asked; what came late may be as wrong as it was late.
                if info.time > 0 && info.answered_in <= PROMPT {
                    let at = attestor.clock.steady().saturating_sub(info.answered_in / 2);
                    self.seen = Some(Seen { time: info.time, at });
                }
                // The places of another store are others.
                let other = info.store_id != self.store;
                self.store = info.store_id;
                let again = now.saturating_sub(self.begun) >= attestor.policy.scrub_period.as_secs().max(LEAST_PERIOD);
                if other || again || (lost && !self.from_start) {
                    self.begin(now);
                }
                true
            }
            Err(reason) => {
                tracing::debug!(peer = self.source.endpoint(), %reason, "repair.list");
                false
            }
        }
    }

    /// Reads on in this peer's list; true if there is more.
    async fn read(
        &mut self,
        attestor: &Arc<Attestor>,
        desk: &Desk,
        records: &[Arc<EpochRecord>],
        delay: Duration,
    ) -> bool {
        for _ in 0..PAGES {
            if !desk.has_room(PAGE) {
                return false;
            }
            let page = match self.source.list(None, self.at.clone()).await {
                Ok(page) => page,
                Err(reason) => {
                    if reason.fault().is_some() {
                        self.lied(desk, &reason.to_string());
                    }
                    tracing::debug!(peer = self.source.endpoint(), %reason, "repair.list");
                    return false;
                }
            };
            let statements: Vec<Statement> = page.signed.into_iter().map(|(statement, _)| statement).collect();
            let Some(wants) = lacking(attestor, records, statements).await else { return false };
            let wants = match wants {
                Ok(wants) => wants,
                Err(reason) => {
                    self.lied(desk, &reason);
                    return false;
                }
            };
            let from = Instant::now() + delay;
            for want in wants {
                if !desk.add(want, Some(self.number), from) {
                    return false;
                }
            }
            match page.next {
                Some(next) => self.at = next,
                None => {
                    self.heard = true;
                    self.record(attestor, desk).await;
                    return false;
                }
            }
        }
        true
    }

    fn lied(&mut self, desk: &Desk, reason: &str) {
        tracing::warn!(
            peer = self.source.endpoint(),
            reason,
            "repair.distrust: its list is not that of an honest member"
        );
        desk.distrust(self.source.key());
    }
}

/// Those of the statements that belong here and are not here; `None` where this member cannot look now, and why the peer
/// has lied where no honest member has signed one of them.
async fn lacking(
    attestor: &Arc<Attestor>,
    records: &[Arc<EpochRecord>],
    statements: Vec<Statement>,
) -> Option<Result<Vec<Want>, String>> {
    let now = attestor.clock.now();
    let (store, domain) = (Arc::clone(&attestor.store), attestor.domain());
    let mut own = Vec::new();
    for statement in statements {
        let record = records.iter().find(|record| record.committee.epoch() == statement.epoch);
        let Some(record) = record else { continue };
        if let Err(error) = statement.check(record.committee.parameters()) {
            return Some(Err(error.to_string()));
        }
        let slot = attestor.slot(&record.committee);
        if let Some(slot) =
            slot.filter(|_| !attestor.is_over(statement.retain_until) && attestor.serves(&statement.namespace))
        {
            own.push((statement, slot));
        }
    }
    let looked = attestor.workers.disk(move || {
        let mut wants = Vec::new();
        for (statement, slot) in own {
            let digest = statement.digest(&domain);
            let Some(want) = Want::new(statement, digest, slot, Cause::Listed) else { continue };
            let whole = store.is_whole(&statement, &digest, want.index, now)?;
            if !whole && store.unfillable(&want.id, want.index)?.is_none() {
                wants.push(want);
            }
        }
        Ok::<_, crate::store::Error>(wants)
    });
    match looked.await {
        Ok(Ok(wants)) => Some(Ok(wants)),
        Ok(Err(error)) => {
            tracing::warn!(%error, "repair.look");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "repair.look");
            None
        }
    }
}
