//! Payloads in this process: the same answers as with a committee, and faults to order.
//!
//! Certificates are real, made by a committee of keys that this process has just drawn: they verify here and nowhere else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use holdfast_certificate::{
    Attestation, Certificate, Committee, CommitteeParameters, Namespace, ProvenKey, Registration, SecretKey, Statement,
    VerifiedCertificate,
};
use holdfast_client::{Checkpointed, Found, Wanted};
use holdfast_erasure::{Blob, BlobId, Digest, Parameters, encode};
use holdfast_registry::{Endpoint, EpochRecord};
use serde::{Deserialize, Serialize};

use super::interface::{Backend, Readiness, Seat, ToDisperse};
use crate::{clock::hour_from_now, cpu::off_thread, failure::Failure};

/// Members, threshold, original shards of the committee that this process plays.
const MEMBERS: u16 = 4;
const THRESHOLD: u16 = 3;
const ORIGINAL: u16 = 2;
/// The most that is kept. A PUT past it fails as one below the quorum does.
const MAX_BYTES: usize = 1 << 30;
/// The longest that an answer is held back.
const MAX_LATENCY: Duration = Duration::from_secs(600);

/// What goes wrong, and how often: each until it is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Faults {
    /// Every answer is held back so long.
    pub(crate) latency_ms: u64,
    /// PUTs answer 503, as below the quorum.
    pub(crate) put_unavailable: bool,
    /// GETs answer 503, as below reconstruction.
    pub(crate) get_unavailable: bool,
    /// GETs answer 404, as if the committee had never stored anything.
    pub(crate) get_not_found: bool,
    /// GETs answer as if the retention had ended.
    pub(crate) get_expired: bool,
    /// Certificates are judged not genuine.
    pub(crate) invalid_certificate: bool,
}

/// A committee that is not there.
#[derive(Debug)]
pub(crate) struct MemoryBackend {
    namespace: Namespace,
    secrets: Vec<SecretKey>,
    record: Arc<EpochRecord>,
    whole: Duration,
    stored: Mutex<Stored>,
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Stored {
    blobs: HashMap<BlobId, (Bytes, VerifiedCertificate)>,
    by_digest: HashMap<Digest, BlobId>,
    bytes: usize,
}

impl MemoryBackend {
    pub(crate) fn new(namespace: Namespace, whole: Duration) -> Result<Self, holdfast_certificate::Error> {
        let secrets: Vec<SecretKey> = (0..MEMBERS).map(|_| SecretKey::generate()).collect();
        let proven = secrets.iter().map(|key| {
            let proof = key.prove_possession(&Registration::WITHOUT_L1);
            ProvenKey::check(key.public_key(), proof, &Registration::WITHOUT_L1)
        });
        let code = Parameters::new(ORIGINAL, MEMBERS)?;
        let parameters = CommitteeParameters::new(code, THRESHOLD, CommitteeParameters::DEFAULT_MAX_PAYLOAD)?;
        let committee = Committee::off_chain(1, parameters, proven.collect::<Result<_, _>>()?)?;
        let record = EpochRecord {
            committee: Arc::new(committee),
            active_from: 0,
            active_until: None,
            accepted_until: None,
            revoked_at: None,
            endpoints: vec![Endpoint::default(); usize::from(MEMBERS)],
        };
        let (stored, faults) = (Mutex::default(), Mutex::default());
        Ok(Self { namespace, secrets, record: Arc::new(record), whole, stored, faults })
    }

    pub(crate) fn faults(&self) -> Faults {
        lock(&self.faults).clone()
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        *lock(&self.faults) = faults;
    }

    async fn held_back(&self) -> Faults {
        let faults = self.faults();
        let latency = Duration::from_millis(faults.latency_ms).min(MAX_LATENCY);
        tokio::time::sleep(latency).await;
        faults
    }

    fn readable(faults: &Faults, what: &Wanted) -> Result<(), Failure> {
        let text = format!("{what}: a fault that was ordered");
        match faults {
            Faults { get_unavailable: true, .. } => Err(Failure::Unavailable(text)),
            Faults { get_not_found: true, .. } => Err(Failure::NotFound(text)),
            Faults { get_expired: true, .. } => Err(Failure::Expired(text)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn epoch(&self) -> Result<Arc<EpochRecord>, Failure> {
        Ok(Arc::clone(&self.record))
    }

    async fn newest_epoch(&self) -> Result<Arc<EpochRecord>, Failure> {
        self.epoch().await
    }

    fn can_write(&self) -> bool {
        true
    }

    async fn existing(&self, digest: Digest, least: u64) -> Result<Option<VerifiedCertificate>, Failure> {
        let stored = lock(&self.stored);
        let known = stored.by_digest.get(&digest).and_then(|id| stored.blobs.get(id));
        Ok(known.map(|(_, certificate)| *certificate).filter(|it| it.statement.retain_until >= least))
    }

    async fn disperse(&self, work: ToDisperse) -> Result<VerifiedCertificate, Failure> {
        if self.held_back().await.put_unavailable {
            return Err(Failure::Quorum("quorum not reached: a fault that was ordered".into()));
        }
        let committee = Arc::clone(&self.record.committee);
        let (namespace, whole, secrets) = (self.namespace, self.whole, self.secrets.clone());
        let payload = work.payload.clone();
        let certificate = off_thread(move || {
            let encoded = encode(committee.parameters().code(), work.payload, work.dispersal)
                .map_err(|error| Failure::Malformed(error.to_string()))?;
            let by_payload = encoded.blob().is_by_payload();
            let whole_until = hour_from_now(whole).min(work.retain_until);
            let statement = Statement {
                namespace,
                epoch: committee.epoch(),
                blob: *encoded.blob(),
                whole_until: if by_payload { whole_until } else { 0 },
                retain_until: work.retain_until,
            };
            let digest = statement.digest(committee.domain());
            let attestations: Vec<Attestation> =
                (0..).zip(&secrets).map(|(slot, secret)| Attestation::sign(slot, secret, &digest)).collect();
            Certificate::aggregate(&committee, statement, &attestations)
                .map_err(|error| Failure::Malformed(error.to_string()))
        })
        .await??;
        let mut stored = lock(&self.stored);
        let blob = certificate.statement.blob;
        if !stored.blobs.contains_key(&blob.id()) {
            if stored.bytes + payload.len() > MAX_BYTES {
                return Err(Failure::Quorum(format!("the memory backend is full: it keeps {MAX_BYTES} bytes")));
            }
            stored.bytes += payload.len();
        }
        if blob.is_by_payload() {
            stored.by_digest.insert(blob.payload_digest, blob.id());
        }
        stored.blobs.insert(blob.id(), (payload, certificate));
        Ok(certificate)
    }

    async fn find(&self, wanted: Wanted, _within: Duration) -> Result<Vec<Found>, Failure> {
        let faults = self.held_back().await;
        Self::readable(&faults, &wanted)?;
        let stored = lock(&self.stored);
        let id = match wanted {
            Wanted::Blob(id) => Some(id),
            Wanted::Payload(digest) => stored.by_digest.get(&digest).copied(),
        };
        match id.and_then(|id| stored.blobs.get(&id)) {
            Some((_, certificate)) => {
                Ok(vec![Found { blob: certificate.statement.blob, certificates: vec![*certificate] }])
            }
            None => Err(Failure::NotFound(format!("{wanted} was not found: it was never stored in this process"))),
        }
    }

    async fn read(&self, found: &Found, _within: Duration) -> Result<(Blob, Bytes), Failure> {
        let wanted = Wanted::Blob(found.blob.id());
        Self::readable(&self.faults(), &wanted)?;
        let stored = lock(&self.stored);
        match stored.blobs.get(&found.blob.id()) {
            Some((payload, certificate)) => Ok((certificate.statement.blob, payload.clone())),
            None => Err(Failure::NotFound(format!("{wanted} was not found: it was never stored in this process"))),
        }
    }

    async fn verify(&self, certificate: Certificate) -> Result<VerifiedCertificate, Failure> {
        if self.faults().invalid_certificate {
            return Err(Failure::Certificate("a fault that was ordered".into()));
        }
        let committee = Arc::clone(&self.record.committee);
        off_thread(move || certificate.verify(&committee))
            .await?
            .map_err(|error| Failure::Certificate(error.to_string()))
    }

    async fn checkpoint(&self, _ids: &[BlobId], _retain_until: u64) -> Result<Checkpointed, Failure> {
        // The settings refuse to publish with this backend.
        Err(Failure::Misconfigured("the backend `memory` has no L1".into()))
    }

    async fn readiness(&self) -> Result<Readiness, Failure> {
        let faults = self.faults();
        let why = || "a fault that was ordered".to_owned();
        let answered_in = Duration::ZERO;
        let seat = match faults {
            Faults { get_unavailable: true, .. } => Seat::Away { why: why() },
            Faults { put_unavailable: true, .. } => Seat::Reading { answered_in, why: why() },
            _ => Seat::Storing { answered_in },
        };
        Ok(Readiness::of(vec![seat; usize::from(MEMBERS)], THRESHOLD, ORIGINAL))
    }

    async fn close(&self) {}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
