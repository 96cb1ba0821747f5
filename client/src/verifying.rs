//! Certificates of dispersals that end at the same time, verified together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_certificate::{Attestation, Certificate, Error, Statement, VerifiedCertificate};
use holdfast_registry::EpochRecord;
use tokio::sync::oneshot;

use crate::cpu::Cpu;

/// The most that are verified together: the work for each falls no further, and the first would wait for the last.
const BATCH: usize = 64;

/// The certificates that wait for a core.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verifying(Arc<Mutex<Vec<Waiting>>>);

#[derive(Debug)]
struct Waiting {
    sum: Certificate,
    record: Arc<EpochRecord>,
    answer: oneshot::Sender<Result<VerifiedCertificate, Error>>,
}

impl Verifying {
    /// Makes a certificate of attestations. Whoever has a core first verifies all that wait: one dispersal at a time costs one
    /// pairing check, many at once cost little more together.
    ///
    /// # Errors
    ///
    /// As [`Certificate::aggregate`]: where the sum is not genuine each attestation is verified by itself, and the bad ones are
    /// named.
    pub(crate) async fn certify(
        &self,
        cpu: &Cpu,
        record: &Arc<EpochRecord>,
        statement: Statement,
        attestations: Vec<Attestation>,
    ) -> Result<VerifiedCertificate, Error> {
        if let Ok(sum) = Certificate::sum(&record.committee, statement, &attestations) {
            let (answer, verified) = oneshot::channel();
            self.waiting().push(Waiting { sum, record: Arc::clone(record), answer });
            let waiting = self.clone();
            // If another has verified this one already there is nothing left to do.
            cpu.run(move || waiting.verify()).await;
            if let Ok(Ok(certificate)) = verified.await {
                return Ok(certificate);
            }
        }
        let record = Arc::clone(record);
        cpu.run(move || Certificate::aggregate(&record.committee, statement, &attestations)).await
    }

    /// Verifies what waits.
    fn verify(&self) {
        let batch: Vec<Waiting> = {
            let mut waiting = self.waiting();
            waiting.retain(|waiting| !waiting.answer.is_closed());
            let most = waiting.len().min(BATCH);
            waiting.drain(..most).collect()
        };
        if batch.is_empty() {
            return;
        }
        let all: Vec<_> = batch.iter().map(|waiting| (&waiting.sum, &*waiting.record.committee)).collect();
        let verdicts = Certificate::verify_all(&all);
        for (waiting, verdict) in batch.into_iter().zip(verdicts) {
            // It may have gone away meanwhile.
            let _gone = waiting.answer.send(verdict);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
