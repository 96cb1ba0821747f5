//! What makes this member's signatures: its key in this process, or a signer elsewhere that is asked.
//!
//! # Nobody's word is taken for a signature
//!
//! A signer is asked for what is durable already, and what it answers is verified before it is given out. One that is slow,
//! away, holds another key or signs something else costs no data: what was stored stays, `Dispersal` is NOT_SERVING, and the
//! same statement is signed when the signer is well again.

mod error;
mod far;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use holdfast_certificate::{
    Attestation, Checkpoint, Domain, Endorsement, PublicKey, SecretKey, Statement, StatementDigest,
};
use holdfast_erasure::BlobId;
use holdfast_transport::Pin;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub(crate) use self::error::Error;
use self::far::Far;
use crate::{error::Error as StartError, signer::Settings, workers::Workers};

/// How many of the last signatures are remembered by how long they took.
const REMEMBERED: usize = 50;
/// How often a signer elsewhere is asked for its key, so that it is known that it would sign.
const PROBE: Duration = Duration::from_secs(5);

/// Has the signer that the settings name endorse a TLS key (`holdfast member new-tls`).
///
/// # Errors
///
/// What is wrong with the settings, or what the signer says, in words.
pub async fn endorse(
    settings: &Settings,
    domain: Domain,
    tls_key: &Pin,
    times: (u64, u64),
) -> Result<Endorsement, String> {
    let far = Far::new(settings, domain).map_err(|error| error.to_string())?;
    far.endorsement(tls_key, times).await.map_err(|reason| format!("signer {}: {reason}", settings.url))
}

/// What signs.
#[derive(Debug)]
pub(crate) struct Pen {
    kind: Kind,
    public_key: PublicKey,
    took: Mutex<VecDeque<Duration>>,
}

#[derive(Debug)]
enum Kind {
    Own(Arc<SecretKey>),
    Far(Box<Far>),
}

impl Pen {
    /// A key in this process.
    pub(crate) fn own(key: SecretKey) -> Self {
        let public_key = key.public_key();
        Self { kind: Kind::Own(Arc::new(key)), public_key, took: Mutex::default() }
    }

    /// A signer elsewhere. It is not asked before there is something to sign.
    pub(crate) fn far(settings: &Settings, domain: Domain) -> Result<Self, StartError> {
        let far = Far::new(settings, domain)?;
        Ok(Self { kind: Kind::Far(Box::new(far)), public_key: settings.public_key, took: Mutex::default() })
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Whether the key is elsewhere.
    pub(crate) fn is_far(&self) -> bool {
        self.as_far().is_some()
    }

    /// The signer, where it is elsewhere.
    fn as_far(&self) -> Option<&Far> {
        match &self.kind {
            Kind::Own(_) => None,
            Kind::Far(far) => Some(far),
        }
    }

    /// Whether a signature is made for who only reads. Of a signer elsewhere they leave the most for stores: anybody can ask for
    /// what was never signed, again and again.
    pub(crate) fn is_free_for_reads(&self) -> bool {
        self.as_far().is_none_or(Far::is_free_for_reads)
    }

    /// Signs on this very thread, where the key is in this process.
    pub(crate) fn at_once(&self, slot: u16, digest: &StatementDigest) -> Option<Attestation> {
        let Kind::Own(key) = &self.kind else { return None };
        let (_span, began) = (tracing::debug_span!("pen.sign").entered(), Instant::now());
        let attestation = Attestation::sign(slot, key, digest);
        self.note(began.elapsed());
        Some(attestation)
    }

    /// Why nothing would be signed, where that is known.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.as_far().and_then(Far::trouble)
    }

    /// Signs a statement whose digest this is, wherever the key is.
    pub(crate) async fn statement(
        &self,
        (statement, digest): (&Statement, StatementDigest),
        slot: u16,
        workers: &Workers,
    ) -> Result<Attestation, Error> {
        let began = Instant::now();
        let signed = match &self.kind {
            Kind::Own(key) => Self::sign(key, digest, slot, workers).await,
            Kind::Far(far) => {
                let span = tracing::debug_span!("pen.sign");
                far.statement((statement, digest), slot, workers).instrument(span).await
            }
        };
        self.timed(began, signed)
    }

    /// Signs a checkpoint over these blobs, whose digest this is.
    pub(crate) async fn checkpoint(
        &self,
        (checkpoint, ids, digest): (&Checkpoint, &[BlobId], StatementDigest),
        slot: u16,
        workers: &Workers,
    ) -> Result<Attestation, Error> {
        let began = Instant::now();
        let signed = match &self.kind {
            Kind::Own(key) => Self::sign(key, digest, slot, workers).await,
            Kind::Far(far) => far.checkpoint((checkpoint, ids, digest), slot, workers).await,
        };
        self.timed(began, signed)
    }

    /// The median of how long the last signatures took; none before the first.
    pub(crate) fn median(&self) -> Option<Duration> {
        let mut took: Vec<Duration> =
            self.took.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        took.sort_unstable();
        took.get(took.len() / 2).copied()
    }

    /// A signature took so long.
    fn note(&self, took: Duration) {
        let mut all = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == REMEMBERED {
            all.pop_front();
        }
        all.push_back(took);
    }

    fn timed(&self, began: Instant, signed: Result<Attestation, Error>) -> Result<Attestation, Error> {
        if signed.is_ok() {
            self.note(began.elapsed());
        }
        signed
    }

    async fn sign(
        key: &Arc<SecretKey>,
        digest: StatementDigest,
        slot: u16,
        workers: &Workers,
    ) -> Result<Attestation, Error> {
        let key = Arc::clone(key);
        Ok(workers.cpu(move || Attestation::sign(slot, &key, &digest)).await?)
    }
}

/// Asks the signer again and again, where it is elsewhere, until the member stops.
pub(crate) async fn watch(pen: Arc<Pen>, stop: CancellationToken) {
    let Some(far) = pen.as_far() else { return };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = far.probe() => {}
        }
        if timeout(PROBE, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_last_fifty() {
        let pen = Pen::own(SecretKey::derive_master(&[7; 32]).expect("a key"));
        assert_eq!(pen.median(), None);
        for took in 0..1000 {
            pen.note(Duration::from_millis(took));
        }
        assert_eq!(pen.median(), Some(Duration::from_millis(975)));
    }
}
