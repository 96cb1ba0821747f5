//! Certificates on L1: each by itself, or many in one checkpoint.

mod checkpoints;
mod files;
mod waiting;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use holdfast_certificate::{Certificate, VerifiedCertificate};
use holdfast_erasure::{BlobId, Digest};
use holdfast_l1::{Account, JobState, Publisher, PublisherOptions};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    backend::Backend,
    clock::unix_now,
    config::{Config, Publish, PublishMode},
    cpu::off_thread,
    error::Error,
    failure::Failure,
    keys,
    metrics::Metrics,
};
use checkpoints::Checkpoints;
use waiting::{Waiting, WaitingCertificate};

pub(crate) use checkpoints::Inclusion;

/// How often jobs are looked at, and what could not be done is tried again.
const PERIOD: Duration = Duration::from_secs(5);
/// The most blobs of a checkpoint.
const MAX_BLOBS: usize = 4096;

/// Takes certificates to L1.
///
/// # Kept until it is a job
///
/// A certificate is on disk before its PUT is answered, and is taken from there only when the publisher has it, or the
/// checkpoint that it is in, in its own journal on disk. Both go on after a restart. What is not there yet is in the metrics.
///
/// # In nobody's way
///
/// A PUT is answered whatever becomes of L1: its certificate is good without it.
#[derive(Clone, Debug)]
pub(crate) struct Publishing(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    settings: Publish,
    url: String,
    registry: holdfast_certificate::Address,
    account: Account,
    waiting: Waiting,
    checkpoints: Checkpoints,
    added: Notify,
    jobs: Mutex<BTreeMap<Digest, Underway>>,
    backend: Arc<dyn Backend>,
    metrics: Arc<Metrics>,
}

/// A job that is not final yet.
#[derive(Clone, Copy, Debug)]
struct Underway {
    certificates: usize,
    /// When its oldest certificate was made, unix seconds.
    since: u64,
}

impl Publishing {
    /// Opens what is waiting, if the settings want anything published. Connects to nothing yet.
    pub(crate) fn open(config: &Config, backend: Arc<dyn Backend>, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let (Some(settings), Some(l1)) = (&config.publish, &config.l1) else { return Ok(Self(None)) };
        if settings.mode == PublishMode::Never {
            return Ok(Self(None));
        }
        let failed = |reason: String| Error::File { what: "outbox", file: settings.dir.clone(), reason };
        let inner = Inner {
            account: keys::account(settings)?,
            url: l1.rpc_url.first().to_owned(),
            registry: l1.registry,
            waiting: Waiting::open(&settings.dir).map_err(|error| failed(error.to_string()))?,
            checkpoints: Checkpoints::open(&settings.dir, unix_now()).map_err(|error| failed(error.to_string()))?,
            settings: settings.clone(),
            added: Notify::new(),
            jobs: Mutex::default(),
            backend,
            metrics,
        };
        Ok(Self(Some(Arc::new(inner))))
    }

    /// Takes in a certificate. It is on disk when this returns; if it cannot be, that is logged and counted.
    pub(crate) async fn add(&self, certificate: &VerifiedCertificate) {
        let Some(inner) = self.0.clone() else { return };
        let (certificate, writing) = (*certificate, Arc::clone(&inner));
        let added = off_thread(move || writing.waiting.add(&certificate, unix_now())).await;
        match added {
            Ok(Ok(())) => inner.added.notify_one(),
            Ok(Err(error)) => {
                inner.metrics.publish_failed();
                tracing::error!(%error, "a certificate cannot be kept for L1; give the same payload again");
            }
            Err(_) => inner.metrics.publish_failed(),
        }
        inner.show();
    }

    /// Whether a blob is in a checkpoint that was made here.
    pub(crate) fn has(&self, blob: &BlobId) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.checkpoints.has(blob))
    }

    /// Proves that a blob is in a checkpoint that was made here.
    pub(crate) async fn inclusion(&self, blob: BlobId) -> Result<Inclusion, Failure> {
        let Some(inner) = self.0.clone().filter(|inner| inner.settings.mode == PublishMode::Checkpoint) else {
            return Err(Failure::NoCheckpoints);
        };
        match off_thread(move || inner.checkpoints.prove(&blob)).await? {
            Ok(Some(inclusion)) => Ok(inclusion),
            Ok(None) => Err(Failure::NotInCheckpoint(blob)),
            Err(error) => Err(Failure::internal(&error)),
        }
    }

    /// Begins to publish, until `stop`.
    pub(crate) fn run(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        let Some(inner) = self.0.clone() else { return };
        inner.show();
        let stop = stop.clone();
        tasks.spawn(async move {
            let stopped = stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = inner.publish(stopped) => {}
            }
        });
    }
}

impl Inner {
    async fn publish(self: Arc<Self>, stop: CancellationToken) {
        let publisher = self.connect().await;
        let running = publisher.clone();
        let drive = async move {
            if let Err(error) = running.run(stop.cancelled_owned()).await {
                tracing::error!(%error, "nothing more is published: start the gateway again when this is mended");
            }
        };
        tokio::join!(drive, self.feed(&publisher));
    }

    /// L1 may be away when the gateway starts: that is no reason not to serve.
    async fn connect(&self) -> Publisher {
        let options =
            PublisherOptions { journal: Some(self.settings.dir.join("journal")), ..PublisherOptions::default() };
        loop {
            let account = self.account.clone();
            match Publisher::connect_account(&self.url, self.registry, account, options.clone()).await {
                Ok(publisher) => return publisher,
                Err(error) => {
                    tracing::warn!(%error, "certificates cannot be published yet");
                    self.show();
                    tokio::time::sleep(PERIOD).await;
                }
            }
        }
    }

    async fn feed(&self, publisher: &Publisher) {
        for job in publisher.pending() {
            self.lock().insert(job.id, Underway { certificates: 1, since: unix_now() });
        }
        let mut due = Instant::now() + self.settings.interval;
        loop {
            match self.settings.mode {
                PublishMode::Never => return,
                PublishMode::Each => self.submit_each(publisher, self.waiting.all()).await,
                PublishMode::Checkpoint if Instant::now() >= due => {
                    // What fails is tried again in the next period, not in the next interval.
                    if self.checkpoint(publisher).await {
                        due = Instant::now() + self.settings.interval;
                    }
                }
                PublishMode::Checkpoint => {}
            }
            self.settle(publisher);
            self.show();
            tokio::select! {
                () = sleep_until(Instant::now() + PERIOD) => {}
                () = self.added.notified(), if self.settings.mode == PublishMode::Each => {}
                () = sleep_until(due), if self.settings.mode == PublishMode::Checkpoint => {}
            }
        }
    }

    async fn submit_each(&self, publisher: &Publisher, all: Vec<WaitingCertificate>) {
        for waiting in all {
            let Some(certificate) = self.verified(&waiting).await else { continue };
            match publisher.submit_certificate(&certificate).await {
                Ok(job) => {
                    self.lock().entry(job.id).or_insert(Underway { certificates: 1, since: waiting.since });
                    self.forget(&[waiting]);
                }
                Err(error) => return tracing::warn!(%error, "a certificate cannot be handed to the publisher"),
            }
        }
    }

    /// Makes checkpoints over what is waiting. True if nothing is left that a checkpoint can take.
    async fn checkpoint(&self, publisher: &Publisher) -> bool {
        let epoch = match self.backend.epoch().await {
            Ok(record) => record.committee.epoch(),
            Err(error) => {
                tracing::warn!(%error, "no checkpoint can be made now");
                return false;
            }
        };
        let (of_epoch, older): (Vec<_>, Vec<_>) = self.waiting.all().into_iter().partition(|it| it.epoch == epoch);
        // Members of another epoch sign nothing about these: while the overlap lasts they are good by themselves.
        self.submit_each(publisher, older).await;
        for part in of_epoch.chunks(MAX_BLOBS) {
            if let Err(reason) = self.checkpoint_of(publisher, part).await {
                tracing::warn!(%reason, "a checkpoint cannot be made; what it was to be over stays");
                self.metrics.publish_failed();
                return false;
            }
        }
        true
    }

    async fn checkpoint_of(&self, publisher: &Publisher, part: &[WaitingCertificate]) -> Result<(), String> {
        // The members keep each until its own date, so all of them until the first.
        let Some(retain_until) = part.iter().map(|it| it.retain_until).min() else { return Ok(()) };
        let ids: HashSet<BlobId> = part.iter().map(|it| it.blob).collect();
        let ids: Vec<BlobId> = ids.into_iter().collect();
        let signed = self.backend.checkpoint(&ids, retain_until).await.map_err(|error: Failure| error.to_string())?;
        let id = Digest::from(*signed.certificate.digest(&publisher.domain()).as_bytes());
        self.checkpoints
            .keep(id, &signed.certificate.checkpoint, &signed.certificate.encode(), &signed.ids)
            .map_err(|error| error.to_string())?;
        let job = publisher.submit_checkpoint(&signed.certificate).await.map_err(|error| error.to_string())?;
        let since = part.iter().map(|it| it.since).min().unwrap_or_else(unix_now);
        tracing::info!(checkpoint = %id, blobs = signed.ids.len(), "a checkpoint was made");
        self.lock().insert(job.id, Underway { certificates: part.len(), since });
        self.forget(part);
        Ok(())
    }

    /// Takes out of the count what is final, and what never will be.
    fn settle(&self, publisher: &Publisher) {
        for id in self.checkpoints.unfinished() {
            let is_final = publisher.status(&id).is_some_and(|status| status.state == JobState::Finalized);
            if is_final && let Err(error) = self.checkpoints.finalized(&id) {
                tracing::warn!(%error, checkpoint = %id, "that it is final cannot be noted");
            }
        }
        self.lock().retain(|id, _| match publisher.status(id) {
            Some(status) if status.state == JobState::Failed => {
                self.metrics.publish_failed();
                let reason = status.refusal.map_or_else(|| "refused".to_owned(), |error| error.to_string());
                tracing::error!(job = %id, what = status.what, %reason, "L1 refuses this for good");
                false
            }
            Some(status) => !status.is_finished(),
            None => false,
        });
    }

    /// The certificate of a file; one that is not genuine is no loss.
    async fn verified(&self, waiting: &WaitingCertificate) -> Option<VerifiedCertificate> {
        let certificate = Certificate::decode(&waiting.bytes).ok()?;
        match self.backend.verify(certificate).await {
            Ok(verified) => Some(verified),
            Err(Failure::Certificate(reason)) => {
                tracing::error!(%reason, "a certificate that waits for L1 is not genuine and is dropped");
                self.forget(std::slice::from_ref(waiting));
                None
            }
            Err(error) => {
                tracing::warn!(%error, "a certificate that waits for L1 cannot be looked at now");
                None
            }
        }
    }

    fn forget(&self, which: &[WaitingCertificate]) {
        for waiting in which {
            if let Err(error) = self.waiting.remove(waiting) {
                tracing::warn!(%error, "what was handed to the publisher cannot be removed: it is handed over again");
            }
        }
    }

    fn show(&self) {
        let (mut count, mut oldest) = self.waiting.summary();
        for job in self.lock().values() {
            count += job.certificates;
            oldest = Some(oldest.map_or(job.since, |oldest: u64| oldest.min(job.since)));
        }
        self.metrics.unpublished(count, oldest);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Underway>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
