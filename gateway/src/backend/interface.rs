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

/// How ready the members are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// Members that answer, and store.
    pub(crate) storing: u16,
    /// Members that answer.
    pub(crate) answering: u16,
    /// How many must store for a certificate.
    pub(crate) threshold: u16,
    /// How many must answer to read.
    pub(crate) original_shards: u16,
    /// All of them.
    pub(crate) members: u16,
}

impl Readiness {
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
