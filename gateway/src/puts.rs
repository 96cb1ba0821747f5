//! From a payload to its certificate, once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use holdfast_certificate::{HOUR, VerifiedCertificate};
use holdfast_erasure::{Digest, Dispersal, keccak256};
use moka::sync::Cache;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::{
    backend::{Backend, ToDisperse},
    budget::Held,
    clock::hour_from_now,
    config::Put,
    cpu::off_thread,
    failure::Failure,
    flight::Flights,
    history::History,
    metrics::{How, Metrics},
    publish::Publishing,
    reads::Reads,
};

/// Certificates that are remembered, so that the same payload again asks no member.
const REMEMBERED: u64 = 4096;

/// A payload that is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Its certificate.
    pub(crate) certificate: VerifiedCertificate,
    /// keccak256 of the payload.
    pub(crate) digest: Digest,
    /// Whether the certificate existed before.
    pub(crate) reused: bool,
}

/// What tells one dispersal from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    digest: Digest,
    by_payload: bool,
    retain_until: u64,
}

/// Stores payloads.
///
/// # One blob
///
/// The same bytes are one blob and, by payload, one commitment, however often and wherever they are given: while they are
/// being dispersed here, a second PUT joins the first; a certificate that members have, whoever made it, is given again;
/// and what was only begun is begun again as the same statement, of which members keep what they have.
#[derive(Clone, Debug)]
pub(crate) struct Puts {
    backend: Arc<dyn Backend>,
    reads: Reads,
    publishing: Publishing,
    settings: Put,
    flights: Arc<Flights<Key, Stored>>,
    remembered: Cache<(Digest, bool), VerifiedCertificate>,
    metrics: Arc<Metrics>,
    history: Arc<History>,
}

impl Puts {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        (reads, publishing): (Reads, Publishing),
        settings: Put,
        tasks: TaskTracker,
        (metrics, history): (Arc<Metrics>, Arc<History>),
    ) -> Self {
        let flights = Arc::new(Flights::new(tasks));
        Self { backend, reads, publishing, settings, flights, remembered: Cache::new(REMEMBERED), metrics, history }
    }

    /// The retention where a request names none.
    pub(crate) fn retention(&self) -> Duration {
        self.settings.retention
    }

    /// How payloads are dispersed where a request does not say.
    pub(crate) fn dispersal(&self) -> Dispersal {
        self.settings.by.into()
    }

    /// The most bytes of a payload.
    pub(crate) async fn max_payload(&self) -> Result<usize, Failure> {
        let record = self.backend.epoch().await?;
        Ok(record.committee.parameters().max_payload() as usize)
    }

    /// Whether this gateway may write at all.
    pub(crate) fn check_can_write(&self) -> Result<(), Failure> {
        if self.backend.can_write() {
            Ok(())
        } else {
            Err(Failure::ReadOnly("this gateway has no disperser's key: it only reads"))
        }
    }

    /// Stores a payload for `retention` from now. `held` is its memory, given back when the work has ended.
    pub(crate) async fn put(
        &self,
        payload: Bytes,
        dispersal: Dispersal,
        retention: Duration,
        held: Held,
    ) -> Result<Stored, Failure> {
        if payload.is_empty() {
            return Err(Failure::Empty);
        }
        let span = tracing::debug_span!("gateway.put", bytes = payload.len());
        self.stored(payload, dispersal, retention, held).instrument(span).await
    }

    async fn stored(
        &self,
        payload: Bytes,
        dispersal: Dispersal,
        retention: Duration,
        held: Held,
    ) -> Result<Stored, Failure> {
        let begun = Instant::now();
        let hashed = payload.clone();
        let digest = off_thread(move || keccak256(&hashed)).await?;
        let retain_until = hour_from_now(retention);
        let by_payload = dispersal == Dispersal::ByPayload;
        let this = self.clone();
        let least = retain_until.saturating_sub(self.slack(retention));
        let work = move || async move {
            let stored = this.store(payload, digest, dispersal, (retain_until, least)).await;
            drop(held);
            stored
        };
        let (stored, joined) = self.flights.join(Key { digest, by_payload, retain_until }, work).await;
        if let Ok(stored) = &stored {
            let how = match (joined, stored.reused) {
                (true, _) => How::Joined,
                (false, true) => How::Reused,
                (false, false) => How::Made,
            };
            self.history.given(&stored.certificate, how, begun.elapsed());
            self.metrics.certified(how, &stored.certificate, self.backend.epoch().await.ok().as_deref());
        }
        stored
    }

    /// Dispersals under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    async fn store(
        &self,
        payload: Bytes,
        digest: Digest,
        dispersal: Dispersal,
        (retain_until, least): (u64, u64),
    ) -> Result<Stored, Failure> {
        let key = (digest, dispersal == Dispersal::ByPayload);
        if let Some(certificate) = self.known(key, least).await? {
            self.reads.remember(&certificate.statement.blob, &payload);
            // Who made it may have died before it was on its way to L1. What is there already is not published again.
            self.publishing.add(&certificate).await;
            return Ok(Stored { certificate, digest, reused: true });
        }
        let work = ToDisperse { payload: payload.clone(), dispersal, retain_until };
        let certificate = self.backend.disperse(work).await?;
        self.remembered.insert(key, certificate);
        self.reads.remember(&certificate.statement.blob, &payload);
        self.publishing.add(&certificate).await;
        Ok(Stored { certificate, digest, reused: false })
    }

    /// A certificate of the active epoch that holds long enough: one made or seen here, or one that members have.
    async fn known(&self, key: (Digest, bool), least: u64) -> Result<Option<VerifiedCertificate>, Failure> {
        let epoch = self.backend.epoch().await?.committee.epoch();
        let remembered = self.remembered.get(&key);
        if let Some(certificate) = remembered
            && certificate.statement.epoch == epoch
            && certificate.statement.retain_until >= least
        {
            return Ok(Some(certificate));
        }
        let (digest, by_payload) = key;
        if !by_payload {
            // Members find nothing by the digest of a payload that they never saw.
            return Ok(None);
        }
        match self.backend.existing(digest, least).await {
            Ok(Some(certificate)) => {
                self.remembered.insert(key, certificate);
                Ok(Some(certificate))
            }
            Ok(None) => Ok(None),
            // To disperse it once more does no harm: the same statement, or a longer promise for the same blob.
            Err(error) => {
                tracing::debug!(%digest, %error, "no existing certificate could be looked for");
                Ok(None)
            }
        }
    }

    /// By how much sooner than asked an existing certificate may end.
    fn slack(&self, retention: Duration) -> u64 {
        let slack = self.settings.reuse_within.min(retention / 4).as_secs();
        // On the grid, and so never more than it says.
        slack - slack % HOUR
    }
}
