//! What a place for payloads must do.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use holdfast_certificate::{Certificate, VerifiedCertificate};
use holdfast_client::{Checkpointed, Found, Wanted};
use holdfast_erasure::{Blob, BlobId, Digest, Dispersal};
use holdfast_registry::EpochRecord;

use crate::failure::Failure;

/// What is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct ToDisperse {
    pub(crate) payload: Bytes,
    pub(crate) dispersal: Dispersal,
    /// Unix seconds, a whole hour.
    pub(crate) retain_until: u64,
}

/// How one member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// It answers, and stores.
    Storing { answered_in: Duration },
    /// It answers, and stores nothing, for the reason that it gives.
    Reading { answered_in: Duration, why: String },
    /// It gives no answer that can be used.
    Away { why: String },
}

impl Seat {
    /// How long it took to answer.
    pub(crate) fn answered_in(&self) -> Option<Duration> {
        match self {
            Self::Storing { answered_in } | Self::Reading { answered_in, .. } => Some(*answered_in),
            Self::Away { .. } => None,
        }
    }
}

/// How ready the members are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// Members that answer, and store.
    pub(crate) storing: u16,
    /// Members that answer.
    pub(crate) answering: u16,
    /// How many must store for a certificate.
    pub(crate) threshold: u16,
    /// How many must answer to read.
    pub(crate) original_shards: u16,
    /// Each of them, by slot.
    pub(crate) seats: Vec<Seat>,
}

impl Readiness {
    /// Counted from what each member said.
    pub(crate) fn of(seats: Vec<Seat>, threshold: u16, original_shards: u16) -> Self {
        let count = |is: fn(&Seat) -> bool| {
            let count = seats.iter().filter(|seat| is(seat)).count();
            u16::try_from(count).unwrap_or(u16::MAX)
        };
        let storing = count(|seat| matches!(seat, Seat::Storing { .. }));
        let answering = count(|seat| !matches!(seat, Seat::Away { .. }));
        Self { storing, answering, threshold, original_shards, seats }
    }

    /// How many members there are.
    pub(crate) fn members(&self) -> usize {
        self.seats.len()
    }

    /// Whether a PUT can succeed.
    pub(crate) fn writes(&self) -> bool {
        self.storing >= self.threshold
    }

    /// Whether a GET can succeed.
    pub(crate) fn reads(&self) -> bool {
        self.answering >= self.original_shards
    }
}

/// Where payloads are stored.
#[async_trait]
pub(crate) trait Backend: Send + Sync + Debug {
    /// The epoch that is active.
    async fn epoch(&self) -> Result<Arc<EpochRecord>, Failure>;

    /// The epoch that is active or was last: for reading, which goes on after a revocation.
    async fn newest_epoch(&self) -> Result<Arc<EpochRecord>, Failure>;

    /// Whether this gateway may write at all.
    fn can_write(&self) -> bool;

    /// A certificate of the active epoch for this payload that holds until `least` or later, if there is one.
    async fn existing(&self, digest: Digest, least: u64) -> Result<Option<VerifiedCertificate>, Failure>;

    /// Stores a payload.
    async fn disperse(&self, work: ToDisperse) -> Result<VerifiedCertificate, Failure>;

    /// What is known of a blob: only blobs of the namespace by digest.
    async fn find(&self, wanted: Wanted, within: Duration) -> Result<Vec<Found>, Failure>;

    /// Reads a blob, by its certificate where there is one.
    async fn read(&self, found: &Found, within: Duration) -> Result<(Blob, Bytes), Failure>;

    /// Whether a certificate is genuine.
    async fn verify(&self, certificate: Certificate) -> Result<VerifiedCertificate, Failure>;

    /// Has members sign one checkpoint over blobs of the active epoch.
    async fn checkpoint(&self, ids: &[BlobId], retain_until: u64) -> Result<Checkpointed, Failure>;

    /// How ready the members are.
    async fn readiness(&self) -> Result<Readiness, Failure>;

    /// Ends what still runs.
    async fn close(&self);
}
