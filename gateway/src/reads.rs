//! From a blob id, a digest or a certificate to the payload: memory, disk, members, each asked once for all who wait.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use holdfast_certificate::VerifiedCertificate;
use holdfast_client::{Found, Wanted};
use holdfast_erasure::{Blob, BlobId, Digest};
use moka::{policy::EvictionPolicy, sync::Cache};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::{
    backend::Backend,
    budget::Budget,
    config::{Config, Limits, MIB},
    disk::Disk,
    failure::Failure,
    flight::Flights,
    metrics::{CacheKind, Metrics},
    payload::{Payload, Place},
};

/// Blob ids of cached payloads that are remembered.
const ALIASES: u64 = 100_000;
/// What an entry costs beside its payload.
const ENTRY_BYTES: usize = 256;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// A payload by its keccak256.
    Digest(Digest),
    /// Either by blob id or by keccak256: both are 32 bytes, and nothing is both.
    Either([u8; 32]),
}

/// Reads payloads.
#[derive(Clone, Debug)]
pub(crate) struct Reads {
    backend: Arc<dyn Backend>,
    budget: Budget,
    limits: Limits,
    memory: Cache<Place, Payload>,
    disk: Option<Disk>,
    /// Digests of by-payload blobs whose payload may be cached.
    aliases: Cache<BlobId, Digest>,
    flights: Arc<Flights<Ask, Payload>>,
    of_certificates: Arc<Flights<BlobId, Payload>>,
    metrics: Arc<Metrics>,
}

impl Reads {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        config: &Config,
        budget: Budget,
        disk: Option<Disk>,
        tasks: &TaskTracker,
        metrics: Arc<Metrics>,
    ) -> Self {
        let weigh = |_: &Place, payload: &Payload| u32::try_from(payload.bytes.len() + ENTRY_BYTES).unwrap_or(u32::MAX);
        // What was written or read last is what a prover or a batch poster reads next.
        let memory = Cache::builder()
            .max_capacity(config.cache.memory_mib.saturating_mul(MIB))
            .weigher(weigh)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            backend,
            budget,
            limits: config.limits.clone(),
            memory,
            disk,
            aliases: Cache::new(ALIASES),
            flights: Arc::new(Flights::new(tasks.clone())),
            of_certificates: Arc::new(Flights::new(tasks.clone())),
            metrics,
        }
    }

    /// The payload that is asked for.
    pub(crate) async fn get(&self, ask: Ask) -> Result<Payload, Failure> {
        self.get_asked(ask).instrument(tracing::debug_span!("gateway.get")).await
    }

    async fn get_asked(&self, ask: Ask) -> Result<Payload, Failure> {
        let places = self.places(ask);
        if let Some(payload) = self.cached_in_memory(&places) {
            return Ok(payload);
        }
        let this = self.clone();
        let work = move || async move {
            if let Some(payload) = this.cached_on_disk(&places).await {
                return Ok(payload);
            }
            let payload = this.fetch(ask).await?;
            this.keep(&payload);
            Ok(payload)
        };
        self.flights.join(ask, work).await.0
    }

    /// The payload of a certificate that was verified.
    pub(crate) async fn get_certified(&self, certificate: VerifiedCertificate) -> Result<Payload, Failure> {
        let span = tracing::debug_span!("gateway.get", blob = %certificate.statement.blob.id());
        self.get_of(certificate).instrument(span).await
    }

    async fn get_of(&self, certificate: VerifiedCertificate) -> Result<Payload, Failure> {
        let blob = certificate.statement.blob;
        let places = [Place::of(&blob)];
        if let Some(payload) = self.cached_in_memory(&places) {
            return Ok(Payload { blob, ..payload });
        }
        let this = self.clone();
        let work = move || async move {
            if let Some(payload) = this.cached_on_disk(&places).await {
                return Ok(payload);
            }
            let _place = this.budget.read().await?;
            let found = Found { blob, certificates: vec![certificate] };
            let payload = this.read(&found, this.limits.read_deadline).await?;
            this.keep(&payload);
            Ok(payload)
        };
        let payload = self.of_certificates.join(blob.id(), work).await.0?;
        Ok(Payload { blob, ..payload })
    }

    /// A certificate of what is asked for, the latest of those that were found.
    pub(crate) async fn certificate(&self, ask: Ask) -> Result<VerifiedCertificate, Failure> {
        let _place = self.budget.read().await?;
        let found = self.find(ask, self.limits.read_deadline).await?;
        let all = found.into_iter().flat_map(|found| found.certificates);
        all.max_by_key(|certificate| certificate.statement.retain_until).ok_or_else(|| {
            Failure::Unavailable("members know the blob, and none that answers has a certificate of it".into())
        })
    }

    /// Keeps a payload that has just been stored: whoever posts it reads it back.
    pub(crate) fn remember(&self, blob: &Blob, bytes: &Bytes) {
        self.keep(&Payload { blob: *blob, bytes: bytes.clone() });
    }

    /// Bytes that the caches hold, in memory and on disk.
    pub(crate) fn cached_bytes(&self) -> (u64, u64) {
        (self.memory.weighted_size(), self.disk.as_ref().map_or(0, Disk::bytes))
    }

    fn places(&self, ask: Ask) -> Vec<Place> {
        match ask {
            Ask::Digest(digest) => vec![Place::Digest(digest)],
            Ask::Either(bytes) => {
                let id = BlobId::from(bytes);
                let alias = self.aliases.get(&id).map(Place::Digest);
                [Some(Place::Digest(bytes.into())), Some(Place::Blob(id)), alias].into_iter().flatten().collect()
            }
        }
    }

    fn cached_in_memory(&self, places: &[Place]) -> Option<Payload> {
        let payload = places.iter().find_map(|place| self.memory.get(place));
        self.metrics.cache_asked(CacheKind::Memory, payload.is_some());
        payload
    }

    async fn cached_on_disk(&self, places: &[Place]) -> Option<Payload> {
        let disk = self.disk.as_ref()?;
        let mut payload = None;
        for place in places {
            payload = disk.read(*place).await;
            if payload.is_some() {
                break;
            }
        }
        self.metrics.cache_asked(CacheKind::Disk, payload.is_some());
        if let Some(payload) = &payload {
            self.keep_in_memory(payload);
        }
        payload
    }

    fn keep(&self, payload: &Payload) {
        self.keep_in_memory(payload);
        if let Some(disk) = &self.disk {
            disk.write(payload.clone());
        }
    }

    fn keep_in_memory(&self, payload: &Payload) {
        if payload.blob.is_by_payload() {
            self.aliases.insert(payload.blob.id(), payload.blob.payload_digest);
        }
        self.memory.insert(Place::of(&payload.blob), payload.clone());
    }

    async fn fetch(&self, ask: Ask) -> Result<Payload, Failure> {
        let _place = self.budget.read().await?;
        let begun = Instant::now();
        let left = || self.limits.read_deadline.saturating_sub(begun.elapsed());
        // Members that never answer the search must leave time for the read.
        let mut candidates = self.find(ask, self.limits.read_deadline / 2).await?.into_iter().peekable();
        let mut failure = None;
        while let Some(found) = candidates.next() {
            let within = if candidates.peek().is_some() { left() / 2 } else { left() };
            match self.read(&found, within.max(Duration::from_millis(1))).await {
                Ok(payload) => return Ok(payload),
                Err(error) => {
                    failure = Some(match failure {
                        Some(before) => Failure::of_two(before, error),
                        None => error,
                    });
                }
            }
        }
        Err(failure.unwrap_or_else(|| Failure::Unavailable("no member gave the blob".into())))
    }

    async fn find(&self, ask: Ask, within: Duration) -> Result<Vec<Found>, Failure> {
        match ask {
            Ask::Digest(digest) => self.backend.find(Wanted::Payload(digest), within).await,
            Ask::Either(bytes) => {
                let by_digest = self.backend.find(Wanted::Payload(bytes.into()), within);
                let by_id = self.backend.find(Wanted::Blob(bytes.into()), within);
                let (mut by_digest, mut by_id) = (std::pin::pin!(by_digest), std::pin::pin!(by_id));
                // Whichever finds it: the other can only deny it.
                let (first, other) = tokio::select! {
                    found = &mut by_digest => match found {
                        Ok(found) => return Ok(found),
                        Err(error) => (error, by_id.await),
                    },
                    found = &mut by_id => match found {
                        Ok(found) => return Ok(found),
                        Err(error) => (error, by_digest.await),
                    },
                };
                other.map_err(|error| Failure::of_two(first, error))
            }
        }
    }

    async fn read(&self, found: &Found, within: Duration) -> Result<Payload, Failure> {
        let (blob, bytes) = self.backend.read(found, within).await?;
        Ok(Payload { blob, bytes })
    }
}
