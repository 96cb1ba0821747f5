//! Going through what the other members say that they have signed, for what is not here.
//!
//! # Nobody is believed
//!
//! A list says where to look. What comes of it is checked as if it had come from anybody; a peer that says what no honest
//! one does is not listened to for an hour.

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
use crate::attestor::Attestor;

/// Epochs, counted back from the newest, whose members are asked.
const MOST_EPOCHS: u64 = 32;
/// Pages of one list that are read in one round.
const PAGES: usize = 4;
/// Room for a page.
const PAGE: usize = 256;
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
    /// To its end, since this member was started.
    heard: bool,
    deaf_until: Option<Instant>,
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
        let (attestor, desk, delay) = (&self.attestor, &self.desk, self.delay);
        let rounds = self.peers.values_mut().map(|peer| {
            let records = &records;
            async move {
                if desk.was_lying(peer.number) {
                    peer.deaf_until = Some(now + DEAF);
                }
                if peer.deaf_until.is_some_and(|until| until > now) {
                    return false;
                }
                peer.read(attestor, desk, records, delay).await
            }
        });
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
                    let (store, at) = (Bytes::new(), Bytes::new());
                    let peer = Peer { source, number, store, at, heard: false, deaf_until: None };
                    self.peers.insert(key, peer);
                }
            }
        }
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
            let heard = keys.filter(|key| self.peers.get(&key.to_bytes()).is_some_and(|peer| peer.heard)).count();
            complete &= heard >= needed;
            heard_of_all += u32::try_from(heard.min(needed)).unwrap_or(u32::MAX);
            needed_of_all += u32::try_from(needed).unwrap_or(u32::MAX);
        }
        self.desk.heard(heard_of_all, needed_of_all);
        complete && !records.is_empty()
    }
}

impl Peer {
    /// Reads on in this peer's list; true if there is more.
    async fn read(
        &mut self,
        attestor: &Arc<Attestor>,
        desk: &Desk,
        records: &[Arc<EpochRecord>],
        delay: Duration,
    ) -> bool {
        match self.source.info().await {
            Ok(info) if info.store_id != self.store => {
                // Its places are those of another store.
                (self.store, self.at, self.heard) = (info.store_id, Bytes::new(), false);
            }
            Ok(_) => {}
            Err(reason) => {
                tracing::debug!(peer = self.source.endpoint(), %reason, "repair.list");
                return false;
            }
        }
        for _ in 0..PAGES {
            if !desk.has_room(PAGE) {
                return false;
            }
            let page = match self.source.list(self.at.clone()).await {
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
        if let Some(slot) = slot.filter(|_| statement.retain_until > now && attestor.serves(&statement.namespace)) {
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
