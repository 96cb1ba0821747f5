//! Reading on in the lists of all members of a namespace's epochs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use holdfast_certificate::{Domain, Namespace, PublicKey, Statement, StatementDigest};
use holdfast_client::{Bytes, Client, Source};
use holdfast_erasure::BlobId;
use holdfast_registry::{self as registry, EpochRecord, Registry};
use tokio::time::Instant;

use super::follow::{Follow, Place};
use crate::{
    bundle::Bundle,
    output::{plain, progress},
};

/// The most epochs, counted back from the newest, whose members are asked.
const MOST_EPOCHS: u64 = 32;
/// Pages of one list that are read in one round.
const PAGES: usize = 4;
/// How long members may take, all rounds of a pass together, to list what is new.
const LIMIT: Duration = Duration::from_secs(600);
/// A list is read from its start so often: what no member listed then, or this keeper has lost, is found by it.
const FULL: Duration = Duration::from_secs(24 * 3600);

/// The lists in one pass.
#[derive(Debug)]
pub(super) struct Lists {
    domain: Domain,
    namespace: Namespace,
    records: Vec<Arc<EpochRecord>>,
    /// Whether no epoch is missing.
    every_epoch: bool,
    members: BTreeMap<[u8; PublicKey::BYTES], Member>,
    left: Duration,
}

#[derive(Debug)]
struct Member {
    source: Source,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    More,
    Ended,
    Failed,
}

/// What a member said in one round.
struct Said {
    place: Place,
    listed: Vec<(Statement, StatementDigest)>,
    state: State,
}

impl Lists {
    /// The members of the newest epochs. With `full` every list is read from its start.
    pub(super) async fn open(
        client: &Client,
        registry: &dyn Registry,
        namespace: Namespace,
        (follow, full, now): (&mut Follow, bool, u64),
    ) -> Result<Self, registry::Error> {
        let newest = registry.newest_epoch(now).await?;
        let number = newest.committee.epoch();
        let (mut records, mut every_epoch) = (vec![newest], number < MOST_EPOCHS);
        for epoch in (number.saturating_sub(MOST_EPOCHS - 1).max(1)..number).rev() {
            match registry.epoch(epoch).await {
                Ok(record) => records.push(record),
                // A gap in the numbers is an epoch that never became active.
                Err(registry::Error::UnknownEpoch { .. }) => {}
                Err(_) => every_epoch = false,
            }
        }
        let mut members = BTreeMap::new();
        // Who serves in several epochs is asked once, where the newest of them says.
        for source in records.iter().flat_map(|record| client.sources(record)) {
            members.entry(source.key().to_bytes()).or_insert(Member { source, state: State::New });
        }
        let known: BTreeSet<String> = members.values().map(|member| member.source.key().to_string()).collect();
        follow.lists.retain(|key, _| known.contains(key));
        if full {
            follow.lists.clear();
        }
        let domain = registry.domain();
        Ok(Self { domain, namespace, records, every_epoch, members, left: LIMIT })
    }

    /// Reads on in every list, and takes down what is not in the folder; true if there is more.
    pub(super) async fn round(
        &mut self,
        bundle: &Bundle,
        (follow, held, now): (&mut Follow, &BTreeSet<BlobId>, u64),
        epochs: &mut BTreeSet<u64>,
    ) -> bool {
        let begun = Instant::now();
        let (domain, namespace) = (self.domain, self.namespace);
        let asked = self.members.values().filter(|member| matches!(member.state, State::New | State::More));
        let asked = asked.map(|member| {
            let key = member.source.key();
            let place = follow.lists.get(&key.to_string()).cloned().unwrap_or_default();
            let room = follow.has_room_for(key);
            async move {
                let said = match room {
                    true => Some(member.read(place, (&domain, &namespace), now).await),
                    false => None,
                };
                (key.to_bytes(), said)
            }
        });
        let said = join_all(asked).await;
        self.left = self.left.saturating_sub(begun.elapsed());
        for (key, said) in said {
            let Some(member) = self.members.get_mut(&key) else { continue };
            // Without room it stays where it is until the next pass.
            let Some(said) = said else {
                member.state = State::Failed;
                continue;
            };
            for (statement, digest) in &said.listed {
                epochs.insert(statement.epoch);
                let there = || held.contains(&statement.blob.id()) && bundle.has(&self.domain, statement, digest);
                if statement.retain_until > now && !there() {
                    follow.list(member.source.key(), statement, *digest, now);
                }
            }
            follow.lists.insert(member.source.key().to_string(), said.place);
            member.state = if said.state == State::More && self.left.is_zero() { State::Failed } else { said.state };
        }
        self.members.values().any(|member| member.state == State::More)
    }

    /// The epochs whose members are asked.
    pub(super) fn records(&self) -> &[Arc<EpochRecord>] {
        &self.records
    }

    /// Whether of every epoch so many lists were read to their end that one honest signer of each certificate is among them.
    pub(super) fn is_complete(&self) -> bool {
        let ended = |key: &PublicKey| self.members.get(&key.to_bytes()).is_some_and(|it| it.state == State::Ended);
        self.every_epoch
            && self.records.iter().all(|record| {
                let heard = record.committee.keys().iter().filter(|key| ended(key)).count();
                heard > usize::from(record.committee.parameters().code().recovery_shards())
            })
    }
}

impl Member {
    /// Some pages from there on. What it lists of other namespaces, or past its bounds, is passed over.
    async fn read(&self, mut place: Place, (domain, namespace): (&Domain, &Namespace), now: u64) -> Said {
        let mut listed = Vec::new();
        let fails = |reason: &dyn std::fmt::Display| {
            let (slot, endpoint) = (self.source.slot(), self.source.endpoint());
            progress(format!("without member {slot} at {endpoint}: {}", plain(&reason.to_string())));
            State::Failed
        };
        if self.state == State::New {
            match self.source.info().await {
                Ok(info) => {
                    // The places of another store are others.
                    let store = hex::encode(&info.store_id);
                    if place.store != store || now.saturating_sub(place.begun) >= FULL.as_secs() {
                        place = Place { store, at: String::new(), begun: now };
                    }
                }
                Err(reason) => return Said { place, listed, state: fails(&reason) },
            }
        }
        for _ in 0..PAGES {
            let at = hex::decode(&place.at).unwrap_or_default();
            let page = match self.source.list(Some(namespace), Bytes::from(at)).await {
                Ok(page) => page,
                Err(reason) => return Said { place, listed, state: fails(&reason) },
            };
            let nothing_new = page.signed.is_empty();
            let own = page.signed.into_iter().map(|(statement, _)| statement).filter(|it| it.namespace == *namespace);
            listed.extend(own.map(|statement| (statement, statement.digest(domain))));
            match page.next {
                None => return Said { place, listed, state: State::Ended },
                Some(_) if nothing_new => return Said { place, listed, state: fails(&"its list has no end") },
                Some(next) => place.at = hex::encode(next),
            }
        }
        Said { place, listed, state: State::More }
    }
}
