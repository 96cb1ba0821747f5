use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use holdfast_certificate::{
    Address, Attestation, Certificate, Checkpoint, Committee, SecretKey, Statement, StatementDigest,
};
use holdfast_erasure::{BlobId, Commitment, Dispersal, EncodedBlob, encode};
use holdfast_proto::v1::{
    self, dispersal_server::Dispersal as DispersalService, node_server::Node, retrieval_server::Retrieval,
    store_payload_request, store_shard_request,
};
use tonic::{Request, Response, Status, Streaming};

/// How a member misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Not at all.
    None,
    /// Takes every request and never answers.
    Silent,
    /// Answers after a while.
    Slow(Duration),
    /// Refuses every write, with the reason of a member whose disk failed.
    WritesDisabled,
    /// Signs with a key that is not its own.
    WrongKey,
    /// Signs another statement.
    Equivocate,
    /// Attests for another slot.
    WrongSlot,
    /// Sends bytes that are no signature.
    GarbageSignature,
    /// Answers a write without an attestation.
    NoAttestation,
    /// Changes one bit of what it gives out.
    BitFlip,
    /// Gives out the shard of another position.
    OtherShard,
    /// Never stops sending.
    Endless,
    /// Sends empty chunks for ever.
    EmptyChunks,
    /// Stops in the middle and ends the stream.
    Truncate,
    /// Stops in the middle and keeps the stream open.
    Stall,
    /// Gives the commitment of another blob.
    OtherCommitment,
    /// Gives the blob asked for with shard roots that are not its own.
    WrongRoots,
    /// Says that it never stored anything.
    Denies,
    /// Says that everything has expired.
    SaysExpired,
    /// Gives a blob's metadata, and says that its data has expired: what an honest member says when the time is over.
    DataExpired,
    /// Says that the whole payload has expired, and never answers for its shard.
    WholeExpired,
    /// Says that its copy is damaged.
    Damaged,
    /// Says that it keeps every payload whole for ever, and never gives one out.
    KeepsWaiting,
    /// Gives a blob's metadata with hundreds of thousands of empty statements.
    Bloated,
    /// Lists a hundred blobs that nobody has before those that it has.
    ListsNoise,
}

/// What a member holds of one blob.
struct Held {
    commitment: Commitment,
    shards: BTreeMap<u16, Bytes>,
    payload: Option<Bytes>,
    statements: Vec<(Statement, Bytes)>,
    certificate: Option<Bytes>,
}

/// A member that follows the signing rule, with its data in memory, and lies when told to.
pub struct Member {
    pub slot: u16,
    key: SecretKey,
    committee: Arc<Committee>,
    disperser: Address,
    lie: Mutex<Lie>,
    held: Mutex<BTreeMap<BlobId, Held>>,
    /// Requests that wait for ever and have not been cut.
    pub hanging: Arc<AtomicUsize>,
    /// Shards and payloads that were asked for.
    pub reads: AtomicUsize,
    /// Bytes that an endless stream had sent when it was cut.
    pub poured: Arc<AtomicUsize>,
}

impl Member {
    pub fn new(slot: u16, key: SecretKey, committee: Arc<Committee>, disperser: Address) -> Self {
        Self {
            slot,
            key,
            committee,
            disperser,
            lie: Mutex::new(Lie::None),
            held: Mutex::default(),
            hanging: Arc::default(),
            reads: AtomicUsize::new(0),
            poured: Arc::default(),
        }
    }

    pub fn lie(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }

    pub fn holds(&self, id: &BlobId) -> bool {
        self.held.lock().unwrap().contains_key(id)
    }

    pub fn certificate_of(&self, id: &BlobId) -> Option<Certificate> {
        let bytes = self.held.lock().unwrap().get(id)?.certificate.clone()?;
        Some(Certificate::decode(&bytes).expect("checked when it came"))
    }

    /// Keeps a shard under another index than the slot's, as repair does for a position that cannot be filled.
    pub fn keep_copy(&self, encoded: &EncodedBlob, index: u16) {
        let place = encoded.commitment().parameters().index(index).unwrap();
        let mut held = self.held.lock().unwrap();
        let blob = held.get_mut(&encoded.id()).expect("held");
        blob.shards.clear();
        blob.shards.insert(index, encoded.shard(place));
    }

    /// Forgets the whole payload, as when `wholeUntil` is over.
    pub fn drop_whole(&self) {
        self.held.lock().unwrap().values_mut().for_each(|held| held.payload = None);
    }

    fn now_lies(&self) -> Lie {
        *self.lie.lock().unwrap()
    }

    async fn hang(&self) {
        let _guard = Hanging::new(&self.hanging);
        std::future::pending::<()>().await;
    }

    async fn answer(&self) -> Result<(), Status> {
        match self.now_lies() {
            Lie::Silent => self.hang().await,
            Lie::Slow(by) => tokio::time::sleep(by).await,
            _ => {}
        }
        Ok(())
    }

    async fn answer_write(&self) -> Result<(), Status> {
        self.answer().await?;
        match self.now_lies() {
            Lie::WritesDisabled => Err(Status::unavailable("writes disabled: sync failed")),
            _ => Ok(()),
        }
    }

    async fn answer_read(&self) -> Result<(), Status> {
        self.answer().await?;
        match self.now_lies() {
            Lie::Denies => Err(Status::not_found("never stored here")),
            Lie::SaysExpired => Err(Status::failed_precondition("expired")),
            _ => Ok(()),
        }
    }

    fn answer_data(&self) -> Result<(), Status> {
        match self.now_lies() {
            Lie::DataExpired => Err(Status::failed_precondition("expired")),
            _ => Ok(()),
        }
    }

    /// Knows a blob and holds nothing of it, as a member of a later epoch that has seen it does.
    pub fn know(&self, commitment: Commitment) {
        let held =
            Held { commitment, shards: BTreeMap::new(), payload: None, statements: Vec::new(), certificate: None };
        self.held.lock().unwrap().insert(held.commitment.id(), held);
    }

    /// The signing rule up to the data.
    fn check(&self, wire: Option<v1::Statement>, signature: &[u8]) -> Result<Statement, Status> {
        let bad = |error: &dyn std::error::Error| Status::invalid_argument(error.to_string());
        let statement = Statement::try_from(&wire.ok_or_else(|| Status::invalid_argument("statement is missing"))?)
            .map_err(|error| bad(&error))?;
        if statement.epoch != self.committee.epoch() {
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

    fn keep(&self, commitment: Commitment, shard: (u16, Bytes), payload: Option<Bytes>, signed: (Statement, Bytes)) {
        let mut held = self.held.lock().unwrap();
        let blob = held.entry(commitment.id()).or_insert_with(|| Held {
            commitment,
            shards: BTreeMap::new(),
            payload: None,
            statements: Vec::new(),
            certificate: None,
        });
        blob.shards.insert(shard.0, shard.1);
        blob.payload = payload.or(blob.payload.take());
        if !blob.statements.contains(&signed) {
            blob.statements.push(signed);
        }
    }

    fn attest(&self, statement: &Statement) -> Option<v1::Attestation> {
        let other = Statement { retain_until: statement.retain_until + 3600, ..*statement };
        let domain = self.committee.domain();
        self.attest_to(&statement.digest(domain), &other.digest(domain))
    }

    /// Attests a digest, or lies; `other` is what an equivocator signs.
    fn attest_to(&self, digest: &StatementDigest, other: &StatementDigest) -> Option<v1::Attestation> {
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

    fn body<M: Send + 'static>(&self, body: Bytes, message: impl Fn(Bytes) -> M + Send + Copy + 'static) -> Body<M> {
        let half = body.slice(..body.len() / 2);
        let honest =
            move |body: Bytes| stream::iter(holdfast_transport::chunks(body)).map(move |chunk| Ok(message(chunk)));
        match self.now_lies() {
            Lie::BitFlip => {
                let mut changed = BytesMut::from(&body[..]);
                let middle = changed.len() / 2;
                changed[middle] ^= 1;
                honest(changed.freeze()).boxed()
            }
            Lie::Truncate => honest(half).boxed(),
            Lie::Stall => {
                let guard = Hanging::new(&self.hanging);
                let stalled = stream::once(async move {
                    let _guard = guard;
                    std::future::pending().await
                });
                honest(half).chain(stalled).boxed()
            }
            Lie::Endless => {
                let poured = Arc::clone(&self.poured);
                let chunk = Bytes::from(vec![9; 64 << 10]);
                stream::repeat_with(move || {
                    poured.fetch_add(chunk.len(), Ordering::Relaxed);
                    Ok(message(chunk.clone()))
                })
                .boxed()
            }
            Lie::EmptyChunks => stream::repeat_with(move || Ok(message(Bytes::new()))).boxed(),
            Lie::Damaged => stream::iter([Err(Status::data_loss("checksum mismatch"))]).boxed(),
            _ => honest(body).boxed(),
        }
    }
}

type Body<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

#[tonic::async_trait]
impl DispersalService for Member {
    async fn store_shard(
        &self,
        request: Request<Streaming<v1::StoreShardRequest>>,
    ) -> Result<Response<v1::StoreShardResponse>, Status> {
        use store_shard_request::Part;
        self.answer_write().await?;
        let mut parts = request.into_inner();
        let Some(Part::Header(header)) = parts.message().await?.and_then(|message| message.part) else {
            return Err(Status::invalid_argument("the header comes first"));
        };
        let statement = self.check(header.statement, &header.disperser_signature)?;
        if statement.blob.is_by_payload() {
            return Err(Status::invalid_argument("payload_digest must be zero by shard"));
        }
        let commitment = holdfast_proto::commitment(statement.blob, &header.shard_roots, header.fingerprints)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let index = commitment.parameters().shard_of_slot(self.slot, &statement.blob.shards_root);
        if u32::from(index.get()) != header.shard_index {
            return Err(Status::invalid_argument("not this slot's shard"));
        }
        let mut shard = BytesMut::new();
        while let Some(message) = parts.message().await? {
            let Some(Part::Chunk(chunk)) = message.part else {
                return Err(Status::invalid_argument("expected a chunk"));
            };
            shard.extend_from_slice(&chunk);
        }
        let shard = shard.freeze();
        commitment.accept(index, shard.clone()).map_err(|error| Status::invalid_argument(error.to_string()))?;
        self.keep(commitment, (index.get(), shard), None, (statement, header.disperser_signature));
        Ok(Response::new(v1::StoreShardResponse { attestation: self.attest(&statement) }))
    }

    async fn store_payload(
        &self,
        request: Request<Streaming<v1::StorePayloadRequest>>,
    ) -> Result<Response<v1::StorePayloadResponse>, Status> {
        use store_payload_request::Part;
        self.answer_write().await?;
        let mut parts = request.into_inner();
        let Some(Part::Header(header)) = parts.message().await?.and_then(|message| message.part) else {
            return Err(Status::invalid_argument("the header comes first"));
        };
        let statement = self.check(header.statement, &header.disperser_signature)?;
        let mut payload = BytesMut::new();
        while let Some(message) = parts.message().await? {
            let Some(Part::Chunk(chunk)) = message.part else {
                return Err(Status::invalid_argument("expected a chunk"));
            };
            payload.extend_from_slice(&chunk);
        }
        let encoded = encode(statement.blob.parameters().unwrap(), payload.freeze(), Dispersal::ByPayload)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if encoded.id() != statement.blob.id() {
            return Err(Status::invalid_argument("the payload makes another blob"));
        }
        let commitment = encoded.commitment().clone();
        let index = commitment.parameters().shard_of_slot(self.slot, &statement.blob.shards_root);
        let shard = (index.get(), encoded.shard(index));
        self.keep(commitment, shard, Some(encoded.payload().clone()), (statement, header.disperser_signature));
        Ok(Response::new(v1::StorePayloadResponse { attestation: self.attest(&statement) }))
    }

    async fn sign_checkpoint(
        &self,
        request: Request<v1::SignCheckpointRequest>,
    ) -> Result<Response<v1::SignCheckpointResponse>, Status> {
        self.answer_write().await?;
        let bad = |error: &dyn std::error::Error| Status::invalid_argument(error.to_string());
        let request = request.into_inner();
        let namespace = holdfast_proto::namespace(&request.namespace).map_err(|error| bad(&error))?;
        let ids = holdfast_proto::blob_ids(&request.blob_ids).map_err(|error| bad(&error))?;
        let checkpoint =
            Checkpoint::over(namespace, request.epoch, &ids, request.retain_until).map_err(|error| bad(&error))?;
        let domain = self.committee.domain();
        let signer = holdfast_proto::disperser_signature(&request.disperser_signature)
            .map_err(|error| bad(&error))?
            .recover(&checkpoint.digest(domain))
            .map_err(|error| bad(&error))?;
        if signer != self.disperser {
            return Err(Status::permission_denied("not a disperser of this namespace"));
        }
        if self.now_lies() == Lie::Damaged {
            return Err(Status::data_loss("checksum mismatch"));
        }
        for id in &ids {
            let held = self.held.lock().unwrap();
            let Some(blob) = held.get(id) else {
                return Err(Status::not_found(format!("blob {id} was never stored here")));
            };
            if !blob.statements.iter().any(|(statement, _)| {
                statement.namespace == namespace
                    && statement.epoch == request.epoch
                    && statement.retain_until >= request.retain_until
            }) {
                return Err(Status::failed_precondition(format!("blob {id} is not promised as asked")));
            }
        }
        let other = Checkpoint { retain_until: checkpoint.retain_until + 3600, ..checkpoint };
        let attestation = self.attest_to(&checkpoint.digest(domain), &other.digest(domain));
        Ok(Response::new(v1::SignCheckpointResponse { attestation }))
    }

    async fn put_certificate(
        &self,
        request: Request<v1::PutCertificateRequest>,
    ) -> Result<Response<v1::PutCertificateResponse>, Status> {
        self.answer_write().await?;
        let bytes = request.into_inner().certificate;
        let certificate = Certificate::decode(&bytes).map_err(|error| Status::invalid_argument(error.to_string()))?;
        certificate.verify(&self.committee).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut held = self.held.lock().unwrap();
        let blob =
            held.get_mut(&certificate.statement.blob.id()).ok_or_else(|| Status::not_found("no such blob here"))?;
        blob.certificate = Some(bytes);
        Ok(Response::new(v1::PutCertificateResponse {}))
    }
}

#[tonic::async_trait]
impl Retrieval for Member {
    type GetShardStream = Body<v1::GetShardResponse>;
    type GetPayloadStream = Body<v1::GetPayloadResponse>;

    async fn get_blob(&self, request: Request<v1::GetBlobRequest>) -> Result<Response<v1::GetBlobResponse>, Status> {
        self.answer_read().await?;
        let id = id_of(&request.into_inner().blob_id)?;
        let held = self.held.lock().unwrap();
        let lie = self.now_lies();
        let blob = match lie {
            Lie::OtherCommitment => held.iter().find(|(other, _)| **other != id).map(|(_, blob)| blob),
            _ => held.get(&id),
        };
        let blob = blob.ok_or_else(|| Status::not_found("never stored here"))?;
        let mut commitment = v1::Commitment::from(&blob.commitment);
        if lie == Lie::WrongRoots {
            let mut roots = commitment.shard_roots.to_vec();
            roots[0] ^= 1;
            commitment.shard_roots = roots.into();
        }
        let statements = blob.statements.iter().map(|(statement, signature)| v1::SignedStatement {
            statement: Some(match lie {
                Lie::KeepsWaiting => (&Statement { whole_until: u64::MAX, ..*statement }).into(),
                _ => statement.into(),
            }),
            disperser_signature: signature.clone(),
            attestation: self.attest(statement),
            certificate: blob.certificate.clone().unwrap_or_default(),
        });
        let bloat = if lie == Lie::Bloated { 400_000 } else { 0 };
        let statements = statements.chain((0..bloat).map(|_| v1::SignedStatement::default()));
        Ok(Response::new(v1::GetBlobResponse {
            commitment: Some(commitment),
            shard_indices: blob.shards.keys().map(|index| u32::from(*index)).collect(),
            statements: statements.collect(),
            whole: blob.payload.is_some(),
        }))
    }

    async fn find_blobs(
        &self,
        request: Request<v1::FindBlobsRequest>,
    ) -> Result<Response<v1::FindBlobsResponse>, Status> {
        self.answer_read().await?;
        let digest = request.into_inner().payload_digest;
        let held = self.held.lock().unwrap();
        let all = self.now_lies() == Lie::OtherCommitment;
        let found =
            held.iter().filter(|(_, blob)| all || blob.commitment.blob().payload_digest.as_bytes() == &digest[..]);
        let noise = if self.now_lies() == Lie::ListsNoise { 99 } else { 0 };
        let noise = (0..noise).map(|i| Bytes::from(vec![i; 32]));
        let blob_ids = noise.chain(found.map(|(id, _)| Bytes::copy_from_slice(id.as_bytes()))).collect();
        Ok(Response::new(v1::FindBlobsResponse { blob_ids }))
    }

    async fn get_shard(&self, request: Request<v1::GetShardRequest>) -> Result<Response<Self::GetShardStream>, Status> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.answer_read().await?;
        let request = request.into_inner();
        let id = id_of(&request.blob_id)?;
        let index = u16::try_from(request.shard_index).map_err(|_| Status::invalid_argument("shard_index"))?;
        self.answer_data()?;
        if self.now_lies() == Lie::WholeExpired {
            self.hang().await;
        }
        let shard = {
            let held = self.held.lock().unwrap();
            let blob = held.get(&id).ok_or_else(|| Status::not_found("never stored here"))?;
            blob.shards.get(&index).cloned().ok_or_else(|| Status::not_found("no such shard here"))?
        };
        let shard = if self.now_lies() == Lie::OtherShard { shard.iter().rev().copied().collect() } else { shard };
        Ok(Response::new(self.body(shard, |chunk| v1::GetShardResponse { chunk })))
    }

    async fn get_payload(
        &self,
        request: Request<v1::GetPayloadRequest>,
    ) -> Result<Response<Self::GetPayloadStream>, Status> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.answer_read().await?;
        let id = id_of(&request.into_inner().blob_id)?;
        self.answer_data()?;
        match self.now_lies() {
            Lie::WholeExpired => return Err(Status::failed_precondition("expired")),
            Lie::KeepsWaiting => self.hang().await,
            _ => {}
        }
        let payload = self.held.lock().unwrap().get(&id).and_then(|blob| blob.payload.clone());
        let payload = payload.ok_or_else(|| Status::not_found("not kept whole here"))?;
        Ok(Response::new(self.body(payload, |chunk| v1::GetPayloadResponse { chunk })))
    }

    async fn get_leaf(&self, _: Request<v1::GetLeafRequest>) -> Result<Response<v1::GetLeafResponse>, Status> {
        Err(Status::unimplemented("the client never asks for leaves"))
    }

    async fn list_blobs(&self, _: Request<v1::ListBlobsRequest>) -> Result<Response<v1::ListBlobsResponse>, Status> {
        Err(Status::unimplemented("the client never asks for lists"))
    }
}

#[tonic::async_trait]
impl Node for Member {
    async fn get_info(&self, _: Request<v1::GetInfoRequest>) -> Result<Response<v1::GetInfoResponse>, Status> {
        self.answer().await?;
        let key = if self.now_lies() == Lie::WrongKey { SecretKey::generate() } else { self.key.clone() };
        Ok(Response::new(v1::GetInfoResponse {
            version: "test".into(),
            protocol: 1,
            public_key: Bytes::copy_from_slice(&key.public_key().to_bytes()),
            chain_id: self.committee.domain().chain_id,
            registry: Bytes::copy_from_slice(self.committee.domain().registry.as_bytes()),
            epoch: self.committee.epoch(),
            slot: Some(self.slot.into()),
            time: 0,
            blobs: u64::try_from(self.held.lock().unwrap().len()).unwrap(),
            stored_bytes: 0,
            writes_disabled: String::new(),
        }))
    }
}

/// Counts a request that waits for ever, until it is cut.
struct Hanging(Arc<AtomicUsize>);

impl Hanging {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn id_of(bytes: &[u8]) -> Result<BlobId, Status> {
    holdfast_proto::blob_id(bytes).map_err(|error| Status::invalid_argument(error.to_string()))
}
