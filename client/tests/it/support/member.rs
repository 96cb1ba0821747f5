use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use holdfast_certificate::{Address, Attestation, Certificate, Committee, SecretKey, Statement, StatementDigest};
use holdfast_erasure::{BlobId, Commitment, EncodedBlob};
use holdfast_proto::v1;
use tonic::Status;

use super::lie::Lie;

/// What a member holds of one blob.
pub(super) struct Held {
    pub(super) commitment: Commitment,
    pub(super) shards: BTreeMap<u16, Bytes>,
    pub(super) payload: Option<Bytes>,
    pub(super) statements: Vec<(Statement, Bytes)>,
    /// One for each statement, the one that came last at the end.
    pub(super) certificates: Vec<(Statement, Bytes)>,
}

impl Held {
    /// The certificate of a statement; nothing where it has none.
    pub(super) fn certificate_of(&self, statement: &Statement) -> Bytes {
        let mut certificates = self.certificates.iter();
        certificates.find(|(of, _)| of == statement).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }
}

/// A member that follows the signing rule, with its data in memory, and lies when told to.
pub(crate) struct Member {
    pub(crate) slot: u16,
    pub(super) key: SecretKey,
    pub(super) committee: Arc<Committee>,
    pub(super) disperser: Address,
    lie: Mutex<Lie>,
    pub(super) held: Mutex<BTreeMap<BlobId, Held>>,
    /// Requests that wait for ever and have not been cut.
    pub(crate) hanging: Arc<AtomicUsize>,
    /// Shards and payloads that were asked for.
    pub(crate) reads: AtomicUsize,
    /// Signatures that were asked for.
    pub(crate) writes: AtomicUsize,
    /// Bytes of bodies that were sent to it to be stored.
    pub(crate) taken: AtomicUsize,
    /// So many requests are still shed, each with the wish to be asked again.
    shedding: AtomicUsize,
    /// When those that are shed are to come back, in milliseconds.
    come_back_after: AtomicU64,
    /// Bytes that an endless stream had sent when it was cut.
    pub(crate) poured: Arc<AtomicUsize>,
}

impl Member {
    pub(crate) fn new(slot: u16, key: SecretKey, committee: Arc<Committee>, disperser: Address) -> Self {
        Self {
            slot,
            key,
            committee,
            disperser,
            lie: Mutex::new(Lie::None),
            held: Mutex::default(),
            hanging: Arc::default(),
            reads: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            shedding: AtomicUsize::new(0),
            come_back_after: AtomicU64::new(0),
            poured: Arc::default(),
        }
    }

    pub(crate) fn lie(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }

    /// Sheds the next requests, as a member without free memory does.
    pub(crate) fn shed(&self, requests: usize, come_back_after: Duration) {
        self.come_back_after.store(u64::try_from(come_back_after.as_millis()).unwrap(), Ordering::SeqCst);
        self.shedding.store(requests, Ordering::SeqCst);
    }

    /// Requests that are still to be shed.
    pub(crate) fn still_sheds(&self) -> usize {
        self.shedding.load(Ordering::SeqCst)
    }

    /// Loses all its data.
    pub(crate) fn forget(&self) {
        self.held.lock().unwrap().clear();
    }

    pub(crate) fn holds(&self, id: &BlobId) -> bool {
        self.held.lock().unwrap().contains_key(id)
    }

    pub(crate) fn certificate_of(&self, id: &BlobId) -> Option<Certificate> {
        let bytes = self.held.lock().unwrap().get(id)?.certificates.last()?.1.clone();
        Some(Certificate::decode(&bytes).expect("checked when it came"))
    }

    /// Keeps a shard under another index than the slot's, as repair does for a position that cannot be filled.
    pub(crate) fn keep_copy(&self, encoded: &EncodedBlob, index: u16) {
        let place = encoded.commitment().parameters().index(index).unwrap();
        let mut held = self.held.lock().unwrap();
        let blob = held.get_mut(&encoded.id()).expect("held");
        blob.shards.clear();
        blob.shards.insert(index, encoded.shard(place));
    }

    /// What it holds of a statement's blob, so that it need not be sent: one shard, or the payload.
    pub(super) fn recall(&self, statement: &Statement, index: Option<u16>) -> Option<Bytes> {
        let held = self.held.lock().unwrap();
        let blob = held.get(&statement.blob.id()).filter(|_| self.now_lies() != Lie::Damaged)?;
        index.map_or_else(|| blob.payload.clone(), |index| blob.shards.get(&index).cloned())
    }

    /// Forgets the whole payload, as when `wholeUntil` is over.
    pub(crate) fn drop_whole(&self) {
        self.held.lock().unwrap().values_mut().for_each(|held| held.payload = None);
    }

    pub(super) fn now_lies(&self) -> Lie {
        *self.lie.lock().unwrap()
    }

    pub(super) async fn hang(&self) {
        let _guard = Hanging::new(&self.hanging);
        std::future::pending::<()>().await;
    }

    pub(super) fn sign(&self, statement: &Statement) -> Attestation {
        Attestation::sign(self.slot, &self.key, &statement.digest(self.committee.domain()))
    }

    pub(super) async fn answer(&self) -> Result<(), Status> {
        match self.now_lies() {
            Lie::Silent => self.hang().await,
            Lie::Slow(by) => tokio::time::sleep(by).await,
            _ => {}
        }
        let shed = self.shedding.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if shed.is_ok() {
            let mut busy = Status::resource_exhausted("busy: 7 bytes do not fit now");
            let after = self.come_back_after.load(Ordering::SeqCst);
            busy.metadata_mut().insert("grpc-retry-pushback-ms", after.into());
            return Err(busy);
        }
        Ok(())
    }

    pub(super) async fn answer_write(&self) -> Result<(), Status> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.answer().await?;
        match self.now_lies() {
            Lie::WritesDisabled => Err(Status::unavailable("writes disabled: sync failed")),
            _ => Ok(()),
        }
    }

    pub(super) async fn answer_read(&self) -> Result<(), Status> {
        self.answer().await?;
        match self.now_lies() {
            Lie::Denies => Err(Status::not_found("never stored here")),
            Lie::SaysExpired => Err(Status::failed_precondition("expired")),
            Lie::Shouts => Err(Status::data_loss(format!("\u{1b}[2J\u{202e}owned\r\n{}", "\u{7}x".repeat(2000)))),
            Lie::Giant => Err(Status::data_loss("x".repeat(1 << 20))),
            _ => Ok(()),
        }
    }

    pub(super) fn answer_data(&self) -> Result<(), Status> {
        match self.now_lies() {
            Lie::DataExpired => Err(Status::failed_precondition("expired")),
            _ => Ok(()),
        }
    }

    /// Knows a blob and holds nothing of it, as a member of a later epoch that has seen it does.
    pub(crate) fn know(&self, commitment: Commitment) {
        let held = Held {
            commitment,
            shards: BTreeMap::new(),
            payload: None,
            statements: Vec::new(),
            certificates: Vec::new(),
        };
        self.held.lock().unwrap().insert(held.commitment.id(), held);
    }

    /// The signing rule up to the data.
    pub(super) fn check(&self, wire: Option<v1::Statement>, signature: &[u8]) -> Result<Statement, Status> {
        let bad = |error: &dyn std::error::Error| Status::invalid_argument(error.to_string());
        let statement = Statement::try_from(&wire.ok_or_else(|| Status::invalid_argument("statement is missing"))?)
            .map_err(|error| bad(&error))?;
        if statement.epoch != self.committee.epoch() || self.now_lies() == Lie::OtherEpoch {
            return Err(Status::failed_precondition("wrong epoch"));
        }
        statement.check(self.committee.parameters()).map_err(|error| bad(&error))?;
        let signer = holdfast_proto::disperser_signature(signature)
            .map_err(|error| bad(&error))?
            .recover(&statement.digest(self.committee.domain()))
            .map_err(|error| bad(&error))?;
        if signer != self.disperser {
            return Err(Status::permission_denied("not a disperser of this namespace"));
        }
        Ok(statement)
    }

    pub(super) fn keep(
        &self,
        commitment: Commitment,
        shard: (u16, Bytes),
        payload: Option<Bytes>,
        signed: (Statement, Bytes),
    ) {
        let mut held = self.held.lock().unwrap();
        let blob = held.entry(commitment.id()).or_insert_with(|| Held {
            commitment,
            shards: BTreeMap::new(),
            payload: None,
            statements: Vec::new(),
            certificates: Vec::new(),
        });
        blob.shards.insert(shard.0, shard.1);
        blob.payload = payload.or(blob.payload.take());
        if !blob.statements.contains(&signed) {
            blob.statements.push(signed);
        }
    }

    pub(super) fn attest(&self, statement: &Statement) -> Option<v1::Attestation> {
        let other = Statement { retain_until: statement.retain_until + 3600, ..*statement };
        let domain = self.committee.domain();
        self.attest_to(&statement.digest(domain), &other.digest(domain))
    }

    /// Attests a digest, or lies; `other` is what an equivocator signs.
    pub(super) fn attest_to(&self, digest: &StatementDigest, other: &StatementDigest) -> Option<v1::Attestation> {
        let lie = self.now_lies();
        let attestation = match lie {
            Lie::WrongKey => Attestation::sign(self.slot, &SecretKey::generate(), digest),
            Lie::WrongSlot => Attestation::sign((self.slot + 1) % self.committee.len(), &self.key, digest),
            Lie::Equivocate => Attestation::sign(self.slot, &self.key, other),
            _ => Attestation::sign(self.slot, &self.key, digest),
        };
        let mut wire = v1::Attestation::from(&attestation);
        if lie == Lie::GarbageSignature {
            wire.signature = Bytes::from_static(&[0x5a; 48]);
        }
        (lie != Lie::NoAttestation).then_some(wire)
    }
}

/// Counts a request that waits for ever, until it is cut.
pub(super) struct Hanging(Arc<AtomicUsize>);

impl Hanging {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
