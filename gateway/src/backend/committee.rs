//! Payloads at the committee, through the client SDK.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use holdfast_certificate::{Certificate, DisperserKey, Namespace, VerifiedCertificate};
use holdfast_client::{
    Checkpointed, Client, Config as ClientConfig, DisperseOptions, Found, LookupOptions, RetrieveOptions, Wanted,
};
use holdfast_erasure::{Blob, BlobId, Digest, Dispersal};
use holdfast_registry::{EpochRecord, Registry};
use tokio::time::timeout;

use super::interface::{Backend, Readiness, Seat, ToDisperse};
use crate::{
    clock::{hour_from_now, unix_now},
    config::{Limits, Put},
    cpu::off_thread,
    failure::Failure,
    metrics::{Metrics, Stage},
};

/// How long the registry may take where nothing else bounds it.
const REGISTRY_WAIT: Duration = Duration::from_secs(5);

/// The committee.
#[derive(Debug)]
pub(crate) struct CommitteeBackend {
    client: Client,
    registry: Arc<dyn Registry>,
    metrics: Arc<Metrics>,
    limits: Limits,
    whole: Duration,
    can_write: bool,
}

impl CommitteeBackend {
    pub(crate) fn new(
        registry: Arc<dyn Registry>,
        namespace: Namespace,
        key: Option<DisperserKey>,
        (limits, put): (Limits, &Put),
        metrics: Arc<Metrics>,
    ) -> Result<Self, holdfast_client::Error> {
        let config = ClientConfig::default()
            .retention(put.retention)
            .whole_retention(put.whole)
            .disperse_deadline(limits.disperse_deadline)
            .read_deadline(limits.read_deadline);
        let can_write = key.is_some();
        let mut builder = Client::builder().registry(Arc::clone(&registry)).namespace(namespace).config(config);
        if let Some(key) = key {
            builder = builder.disperser(key);
        }
        Ok(Self { client: builder.build()?, registry, metrics, limits, whole: put.whole, can_write })
    }

    async fn of_registry<T>(
        &self,
        what: &'static str,
        read: impl Future<Output = Result<T, holdfast_registry::Error>>,
    ) -> Result<T, Failure> {
        match timeout(REGISTRY_WAIT, read).await {
            Ok(read) => read.map_err(|error| Failure::of_read(&holdfast_client::Error::Registry(error))),
            Err(_) => Err(Failure::L1(format!("{what} took longer than {REGISTRY_WAIT:?}"))),
        }
    }
}

#[async_trait]
impl Backend for CommitteeBackend {
    async fn epoch(&self) -> Result<Arc<EpochRecord>, Failure> {
        self.of_registry("reading the active epoch", self.registry.active_epoch(unix_now())).await
    }

    async fn newest_epoch(&self) -> Result<Arc<EpochRecord>, Failure> {
        self.of_registry("reading the newest epoch", self.registry.newest_epoch(unix_now())).await
    }

    fn can_write(&self) -> bool {
        self.can_write
    }

    async fn existing(&self, digest: Digest, least: u64) -> Result<Option<VerifiedCertificate>, Failure> {
        let options = LookupOptions::default().deadline(self.limits.lookup_deadline).enough(least).active_epoch_only();
        let timer = self.metrics.stage(Stage::Lookup);
        let found = self.client.lookup(Wanted::Payload(digest), options).await;
        timer.stop();
        let found = match found {
            Ok(found) => found,
            Err(holdfast_client::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(Failure::of_read(&error)),
        };
        let certificates = found.into_iter().flat_map(|found| found.certificates);
        Ok(certificates.filter(|it| it.statement.retain_until >= least).max_by_key(|it| it.statement.retain_until))
    }

    async fn disperse(&self, work: ToDisperse) -> Result<VerifiedCertificate, Failure> {
        let mut options =
            DisperseOptions::by(work.dispersal).retain_until(work.retain_until).deadline(self.limits.disperse_deadline);
        if work.dispersal == Dispersal::ByPayload {
            options = options.whole_until(hour_from_now(self.whole).min(work.retain_until));
        }
        let timer = self.metrics.stage(Stage::Disperse);
        let dispersed = self.client.disperse(work.payload, options).await;
        timer.stop();
        let failures = match &dispersed {
            Ok(dispersed) => dispersed.failures.as_slice(),
            Err(error) => error.failures(),
        };
        for failure in failures {
            self.metrics.member_failed(failure.slot);
            tracing::warn!(slot = failure.slot, reason = %failure.reason, "a member did not attest");
        }
        Ok(dispersed.map_err(|error| Failure::of_write(&error))?.certificate)
    }

    async fn find(&self, wanted: Wanted, within: Duration) -> Result<Vec<Found>, Failure> {
        let options = LookupOptions::default().deadline(within).enough(0);
        let timer = self.metrics.stage(Stage::Find);
        let found = self.client.lookup(wanted, options).await;
        timer.stop();
        found.map_err(|error| Failure::of_read(&error))
    }

    async fn read(&self, found: &Found, within: Duration) -> Result<(Blob, Bytes), Failure> {
        let options = RetrieveOptions::default().deadline(within);
        let timer = self.metrics.stage(Stage::Retrieve);
        let retrieved = match found.certificates.first() {
            Some(certificate) => self.client.retrieve(certificate, options).await,
            None => self.client.retrieve(found.blob.id(), options).await,
        };
        timer.stop();
        match retrieved {
            Ok(retrieved) => {
                for fault in &retrieved.faults {
                    self.metrics.member_failed(fault.slot);
                    tracing::warn!(slot = fault.slot, reason = %fault.reason, "a member lied or its copy is damaged");
                }
                Ok((retrieved.blob, retrieved.payload))
            }
            Err(error) => Err(Failure::of_read(&error)),
        }
    }

    async fn verify(&self, certificate: Certificate) -> Result<VerifiedCertificate, Failure> {
        let epoch = certificate.statement.epoch;
        let record = self.of_registry("reading an epoch", self.registry.epoch(epoch)).await?;
        off_thread(move || certificate.verify(&record.committee))
            .await?
            .map_err(|error| Failure::Certificate(error.to_string()))
    }

    async fn checkpoint(&self, ids: &[BlobId], retain_until: u64) -> Result<Checkpointed, Failure> {
        let timer = self.metrics.stage(Stage::Checkpoint);
        let signed = self.client.checkpoint(None, ids, retain_until).await;
        timer.stop();
        signed.map_err(|error| Failure::of_write(&error))
    }

    async fn readiness(&self) -> Result<Readiness, Failure> {
        let record = self.newest_epoch().await?;
        let members = self.client.status().await.map_err(|error| Failure::of_read(&error))?;
        let seats = members.into_iter().map(|member| match member.info {
            Ok(info) => match info.writes_disabled {
                None => Seat::Storing { answered_in: info.answered_in },
                Some(why) => Seat::Reading { answered_in: info.answered_in, why },
            },
            Err(failure) => Seat::Away { why: failure.reason.to_string() },
        });
        let parameters = record.committee.parameters();
        Ok(Readiness::of(seats.collect(), parameters.threshold(), parameters.original_shards()))
    }

    async fn close(&self) {
        self.client.close().await;
    }
}
