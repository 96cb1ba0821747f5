//! Certificates that were given to this member, until they are verified: many at once, for little more than the work of one.
//!
//! # Never given out unverified
//!
//! What waits here is in no answer. It is verified, and stored, when so many wait or the first has waited so long, when
//! somebody asks for its blob or lists it, and when the member stops. One that does not verify is forgotten.
//!
//! # Nobody crowds out another's
//!
//! Each origin has a line of its own, is verified by itself and pays for it with its own turns. Beyond its bounds, and for
//! some time after it has given a false one, its certificates are verified one by one as they come, and count as costly calls.

mod waiting;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use holdfast_certificate::{Certificate, StatementDigest};
use holdfast_erasure::BlobId;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::status::Error;
use crate::{attestor::Attestor, origin::Origin, workers::Unfinished};

pub(super) use waiting::Unverified;
use waiting::{BATCH, Batch, Next, Waiting};

/// Origins whose certificates are verified at once.
const AT_ONCE: usize = 8;
/// The pause after there was no turn to verify in.
const PAUSE: Duration = Duration::from_millis(100);

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    waiting: Mutex<Waiting>,
    /// Something is to be done.
    added: Notify,
    /// Something that was being verified no longer is.
    settled: Notify,
}

impl Certificates {
    /// Whether the origin has given a false one of late.
    pub(super) fn distrusts(&self, origin: Option<Origin>) -> bool {
        self.waiting().distrusts(origin, Instant::now())
    }

    /// Lets one wait; gives it back if it must be verified now.
    pub(super) fn defer(&self, unverified: Unverified) -> Result<(), Box<Unverified>> {
        let due = self.waiting().add(unverified, Instant::now())?;
        if due {
            self.added.notify_one();
        }
        Ok(())
    }

    /// Verifies one, which does not wait.
    pub(super) async fn verify_now(&self, attestor: &Attestor, unverified: Unverified) -> Result<(), Error> {
        let origin = unverified.origin;
        let verdict = verify(attestor, Arc::from([unverified])).await?.pop();
        match verdict {
            Some((_, Err(error))) => {
                self.waiting().distrust(origin, Instant::now());
                Err(Error::Certificate(error))
            }
            _ => Ok(()),
        }
    }

    /// Verifies what waits of these blobs, before it is told what is certified; gives the statements that now are.
    pub(super) async fn settle(&self, attestor: &Attestor, ids: &[BlobId]) -> Result<Vec<StatementDigest>, Error> {
        let mut certified = Vec::new();
        loop {
            let batch = self.waiting().take_of(ids, BATCH);
            if batch.all.is_empty() {
                break;
            }
            certified.extend(self.finish(attestor, batch).await?);
        }
        // Others may be verifying some of them at this moment.
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if !self.waiting().is_busy_with(ids) {
                return Ok(certified);
            }
            settled.await;
        }
    }

    /// Verifies what waits until told to stop, and then the rest.
    pub(crate) async fn run(&self, attestor: &Attestor, stop: CancellationToken) {
        let mut at_work = FuturesUnordered::new();
        let mut pause: Option<Instant> = None;
        loop {
            let stopping = stop.is_cancelled();
            let next = if at_work.len() < AT_ONCE && pause.is_none() {
                self.waiting().next(Instant::now(), stopping)
            } else {
                Next::Nothing
            };
            let at = match next {
                Next::Batch(origin, batch) => {
                    at_work.push(Origin::scope(origin, self.finish(attestor, batch)));
                    continue;
                }
                Next::At(at) => Some(at),
                Next::Nothing => pause,
            };
            if stopping && at_work.is_empty() && pause.is_none() {
                return;
            }
            let due = async {
                match at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(done) = at_work.next() => {
                    if let Err(error) = done {
                        tracing::debug!(%error, "certificate.wait");
                        pause = Some(Instant::now() + PAUSE);
                    }
                }
                () = due => pause = None,
                () = self.added.notified() => {}
                () = stop.cancelled(), if !stopping => pause = None,
            }
        }
    }

    /// Verifies a batch and stores what is genuine. Where there was no turn for it, or nobody waits for the end, it waits again.
    async fn finish(&self, attestor: &Attestor, batch: Batch) -> Result<Vec<StatementDigest>, Error> {
        let mut taken = Taken { certificates: self, batch, done: false };
        let verdicts = verify(attestor, Arc::clone(&taken.batch.all)).await;
        // What cannot be stored is forgotten: whoever gave it can give it again.
        taken.done = !matches!(verdicts, Err(Error::Unfinished(Unfinished::Busy { .. })));
        let mut certified = Vec::new();
        for (unverified, verdict) in taken.batch.all.iter().zip(verdicts?) {
            match verdict {
                (digest, Ok(())) => certified.push(digest),
                (digest, Err(error)) => {
                    // A false one is not the fault of who asks for the blob.
                    tracing::debug!(%error, %digest, "certificate.refuse");
                    self.waiting().distrust(unverified.origin, Instant::now());
                }
            }
        }
        Ok(certified)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is being verified. Dropped before that is done, it waits again.
struct Taken<'a> {
    certificates: &'a Certificates,
    batch: Batch,
    done: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.certificates.waiting().end(&self.batch, self.done, Instant::now());
        self.certificates.settled.notify_waiters();
    }
}

/// A statement, and what came of its certificate.
type Verdict = (StatementDigest, Result<(), holdfast_certificate::Error>);

/// Decodes and verifies some, and stores those that are genuine.
async fn verify(attestor: &Attestor, batch: Arc<[Unverified]>) -> Result<Vec<Verdict>, Error> {
    let to_check = Arc::clone(&batch);
    let verdicts = attestor.workers.cpu(move || check(&to_check)).await?;
    let genuine = batch.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_ok());
    let certificates: Vec<_> = genuine.map(|(unverified, _)| (unverified.digest, unverified.bytes.clone())).collect();
    if !certificates.is_empty() {
        attestor.store.put_certificates(certificates).await?;
    }
    Ok(batch.iter().zip(verdicts).map(|(unverified, verdict)| (unverified.digest, verdict)).collect())
}

fn check(batch: &[Unverified]) -> Vec<Result<(), holdfast_certificate::Error>> {
    let decoded: Vec<_> = batch.iter().map(|unverified| Certificate::decode(&unverified.bytes)).collect();
    let sound = batch
        .iter()
        .zip(&decoded)
        .filter_map(|(unverified, decoded)| Some((decoded.as_ref().ok()?, &*unverified.epoch.committee)));
    let mut verdicts = Certificate::verify_all(&sound.collect::<Vec<_>>()).into_iter();
    let verdict = |decoded: Result<Certificate, _>| {
        decoded?;
        verdicts.next().map_or(Ok(()), |verdict| verdict.map(drop))
    };
    decoded.into_iter().map(verdict).collect()
}
