//! Certificates that were given to this member while it had something better to do than to verify them.
//!
//! # Never given out unverified
//!
//! What waits here is in no answer. It is verified, and stored, when the processor is idle, when somebody asks for its blob,
//! or when the member stops; a certificate that does not verify is forgotten.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use holdfast_certificate::{Certificate, StatementDigest};
use holdfast_erasure::BlobId;
use holdfast_registry::EpochRecord;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::status::Error;
use crate::attestor::Attestor;

/// How many wait; further ones are verified at once.
const MOST: usize = 1024;
/// Of one statement: a false one must not keep the true one out.
const MOST_OF_ONE: usize = 2;
/// How long one waits for an idle processor.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether the processor is idle.
const LOOK: Duration = Duration::from_millis(50);

/// A certificate of a statement that this member has signed, with everything checked but its signature.
#[derive(Debug)]
pub(super) struct Unverified {
    pub(super) digest: StatementDigest,
    pub(super) certificate: Certificate,
    pub(super) bytes: Bytes,
    pub(super) epoch: Arc<EpochRecord>,
    pub(super) since: Instant,
}

/// What waits, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    waiting: Mutex<VecDeque<Unverified>>,
    added: Notify,
}

impl Certificates {
    /// Lets one wait; gives it back if it must be verified now.
    pub(super) fn defer(&self, unverified: Unverified) -> Result<(), Box<Unverified>> {
        let mut waiting = self.waiting();
        let same = waiting.iter().filter(|other| other.digest == unverified.digest);
        let (known, of_one) =
            same.fold((false, 0), |(known, count), other| (known || other.bytes == unverified.bytes, count + 1));
        if known {
            return Ok(());
        }
        if waiting.len() >= MOST || of_one >= MOST_OF_ONE {
            return Err(Box::new(unverified));
        }
        waiting.push_back(unverified);
        drop(waiting);
        self.added.notify_one();
        Ok(())
    }

    /// Verifies what waits of one blob, before its certificates are given out.
    pub(super) async fn settle(&self, attestor: &Attestor, id: BlobId) -> Result<(), Error> {
        let of_blob: VecDeque<Unverified> = {
            let mut waiting = self.waiting();
            let (of_blob, others) =
                waiting.drain(..).partition(|unverified| unverified.certificate.statement.blob.id() == id);
            *waiting = others;
            of_blob
        };
        for unverified in of_blob {
            // A false one is not the fault of who asks for the blob.
            if let Err(error) = verify(attestor, unverified).await {
                tracing::debug!(%error, %id, "certificate.refuse");
            }
        }
        Ok(())
    }

    /// Verifies what waits whenever the processor is idle, until told to stop, and then the rest.
    pub(crate) async fn run(&self, attestor: &Attestor, stop: CancellationToken) {
        loop {
            let since = self.waiting().front().map(|unverified| unverified.since);
            let Some(since) = since else {
                tokio::select! {
                    () = self.added.notified() => continue,
                    () = stop.cancelled() => return,
                }
            };
            if !stop.is_cancelled() && !attestor.workers.is_idle() && since.elapsed() < PATIENCE {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let oldest = self.waiting().pop_front();
            let Some(oldest) = oldest else { continue };
            if let Err(error) = verify(attestor, oldest).await {
                tracing::debug!(%error, "certificate.refuse");
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Unverified>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verifies one and stores it, unless another of the same statement is there: any is as good, and the first one stays.
pub(super) async fn verify(attestor: &Attestor, unverified: Unverified) -> Result<(), Error> {
    let Unverified { digest, certificate, bytes, epoch, .. } = unverified;
    attestor.workers.cpu(move || certificate.verify(&epoch.committee)).await?.map_err(Error::Certificate)?;
    let store = Arc::clone(&attestor.store);
    if attestor.workers.disk(move || store.certificate(&digest)).await??.is_none() {
        attestor.store.put_certificate(digest, bytes).await?;
    }
    Ok(())
}
