//! `Dispersal`: what comes in, is checked, stored and signed.

use std::sync::Arc;

use futures::Stream;
use holdfast_certificate::{Attestation, Certificate, Statement};
use holdfast_erasure::{Commitment, Dispersal};
use holdfast_proto::v1::{self, dispersal_server, store_payload_request, store_shard_request};
use tonic::{Extensions, Request, Response, Status, Streaming, async_trait};
use tracing::Instrument as _;

use super::{
    body::{self, Part},
    budget::{Bill, Holder, Share},
    certificates::Unverified,
    shared::Shared,
    status::Error,
};
use crate::{
    attestor::{self, Admitted, CheckpointRequest},
    operator::UnderWay,
    origin::Origin,
    repair,
    store::Holding,
    workers::Unfinished,
};

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct DispersalService(pub(crate) Arc<Shared>);

#[async_trait]
impl dispersal_server::Dispersal for DispersalService {
    async fn store_shard(
        &self,
        request: Request<Streaming<v1::StoreShardRequest>>,
    ) -> Result<Response<v1::StoreShardResponse>, Status> {
        let bill = self.bill(request.extensions());
        let attestation = self.shard(bill, request.into_inner()).await?;
        Ok(Response::new(v1::StoreShardResponse { attestation: Some((&attestation).into()) }))
    }

    async fn store_payload(
        &self,
        request: Request<Streaming<v1::StorePayloadRequest>>,
    ) -> Result<Response<v1::StorePayloadResponse>, Status> {
        let bill = self.bill(request.extensions());
        let attestation = self.payload(bill, request.into_inner()).await?;
        Ok(Response::new(v1::StorePayloadResponse { attestation: Some((&attestation).into()) }))
    }

    async fn put_certificate(
        &self,
        request: Request<v1::PutCertificateRequest>,
    ) -> Result<Response<v1::PutCertificateResponse>, Status> {
        self.certificate(request.into_inner()).await?;
        Ok(Response::new(v1::PutCertificateResponse {}))
    }

    async fn sign_checkpoint(
        &self,
        request: Request<v1::SignCheckpointRequest>,
    ) -> Result<Response<v1::SignCheckpointResponse>, Status> {
        let attestation = self.checkpoint(&request.into_inner()).await?;
        Ok(Response::new(v1::SignCheckpointResponse { attestation: Some((&attestation).into()) }))
    }
}

impl DispersalService {
    async fn shard(
        &self,
        bill: Bill,
        mut messages: impl Stream<Item = Result<v1::StoreShardRequest, Status>> + Unpin,
    ) -> Result<Attestation, Error> {
        let attestor = &self.0.attestor;
        let under_way = self.0.begin()?;
        let header = body::header(&mut messages, shard_part).await?;
        let admitted = attestor
            .admit(self.request(header.statement.as_ref(), &header.disperser_signature, Dispersal::ByShard)?)
            .await?;
        if header.shard_index != u32::from(admitted.index().get()) {
            return Err(attestor::Error::WrongShard {
                id: admitted.id(),
                slot: admitted.slot(),
                expected: admitted.index().get(),
                got: header.shard_index,
            }
            .into());
        }
        let blob = admitted.statement().blob;
        let hashed = header.shard_roots.len() + header.fingerprints.len();
        let commitment: Commitment = attestor
            .workers
            .hash(hashed, move || holdfast_proto::commitment(blob, &header.shard_roots, header.fingerprints))
            .await??;
        let expected = admitted.shard_length();
        if let Some(held) = self.recall(&bill, &admitted, expected).await? {
            return self.attest(admitted, held, (bill, under_way)).await;
        }
        // Memory is taken only as the body comes; what would not fit is refused before.
        bill.room(expected).await?;
        let shard = body::body("shard", &mut messages, shard_part, expected).await?;
        let holding = attestor.accept(&admitted, commitment, shard).await?;
        self.attest(admitted, (holding, None), (bill, under_way)).await
    }

    async fn payload(
        &self,
        bill: Bill,
        mut messages: impl Stream<Item = Result<v1::StorePayloadRequest, Status>> + Unpin,
    ) -> Result<Attestation, Error> {
        let attestor = &self.0.attestor;
        let under_way = self.0.begin()?;
        let header = body::header(&mut messages, payload_part).await?;
        let admitted = attestor
            .admit(self.request(header.statement.as_ref(), &header.disperser_signature, Dispersal::ByPayload)?)
            .await?;
        let blob = admitted.statement().blob;
        let expected = usize::try_from(blob.payload_length).expect("usize has at least 32 bits");
        if let Some(held) = self.recall(&bill, &admitted, expected + admitted.shard_length()).await? {
            return self.attest(admitted, held, (bill, under_way)).await;
        }
        // Memory is taken only as the body comes; what would not fit is refused before.
        bill.room(expected).await?;
        let payload = body::body("payload", &mut messages, payload_part, expected).await?;
        // All shards are computed from it.
        let working = self.working(&bill, admitted.shard_length() * usize::from(blob.total_shards)).await?;
        let holding = attestor.recompute(&admitted, payload).await?;
        self.attest(admitted, (holding, Some(working)), (bill, under_way)).await
    }

    fn request(
        &self,
        statement: Option<&v1::Statement>,
        disperser_signature: &[u8],
        call: Dispersal,
    ) -> Result<attestor::Request, Error> {
        let statement = statement.ok_or(holdfast_proto::Error::Missing { field: "statement" })?;
        Ok(attestor::Request {
            statement: Statement::try_from(statement)?,
            disperser_signature: holdfast_proto::disperser_signature(disperser_signature)?,
            call,
            known: Origin::current().is_some_and(|origin| self.0.known.has(origin)),
        })
    }

    fn bill(&self, extensions: &Extensions) -> Bill {
        extensions.get::<Bill>().cloned().unwrap_or_else(|| Bill::new(self.0.receiving.open(Vec::new())))
    }

    /// What is held here already of an admitted statement, in `memory` bytes, if it is whole and sound.
    async fn recall(&self, bill: &Bill, admitted: &Admitted, memory: usize) -> Result<Option<Held>, Error> {
        let (attestor, statement) = (&self.0.attestor, admitted.statement());
        // From here on it counts for them as well.
        bill.also(Holder::Namespace(statement.namespace));
        bill.also(Holder::Disperser(admitted.disperser()));
        if !admitted.is_held() {
            return Ok(None);
        }
        let working = self.working(bill, memory).await?;
        Ok(attestor.recall(admitted).await?.map(|holding| (holding, Some(working))))
    }

    /// Memory for what is computed or read back: whoever has it is at work and gives it back by itself.
    async fn working(&self, bill: &Bill, bytes: usize) -> Result<Share, Error> {
        self.0.working.take_within(bill.holders(), bytes, self.0.limits.call_deadline).await
    }

    /// Takes a certificate of a statement that this member has signed. Others are not taken: a member keeps nothing that it has
    /// not promised to keep. Its pairing is left for later ([`super::certificates`]).
    async fn certificate(&self, request: v1::PutCertificateRequest) -> Result<(), Error> {
        let attestor = &self.0.attestor;
        self.0.accepting()?;
        let origin = Origin::current();
        if let Some(origin) = origin.filter(|_| self.0.certificates.distrusts(origin)) {
            self.0.rates.check_costly(origin)?;
        }
        let bytes = request.certificate;
        let statement = Certificate::peek(&bytes).map_err(Error::Certificate)?;
        let (id, digest) = (statement.blob.id(), statement.digest(&attestor.domain()));
        // What was signed a moment ago is still in memory.
        let (promised, known) = match attestor.store.in_memory(&id, &digest)? {
            Some(looked) => looked,
            None => {
                let store = Arc::clone(&attestor.store);
                let looked = attestor.workers.disk(move || {
                    let promised = store.promised(&id, &digest)?.is_some();
                    Ok::<_, Error>((promised, promised && store.certificate(&digest)?.is_some()))
                });
                looked.await??
            }
        };
        if !promised {
            let decoded = attestor.workers.cpu(move || Certificate::decode(&bytes)).await?;
            let certificate = decoded.map_err(Error::Certificate)?;
            repair::offer(&self.0.repair, attestor, certificate, attestor.policy.repair_delay).await;
            return Err(match attestor.store.lost_at() {
                None => Error::NotSigned(digest),
                Some(_) => attestor.store.absent(&id, "the promise").into(),
            });
        }
        if known {
            return Ok(());
        }
        let epoch = attestor.registry.epoch(statement.epoch).await.map_err(|e| match e {
            holdfast_registry::Error::UnknownEpoch { epoch } => Error::CertificateEpoch { got: epoch },
            other => Error::Registry(other),
        })?;
        let unverified = Unverified { digest, id, bytes, epoch, origin };
        match self.0.certificates.defer(unverified) {
            Ok(()) => Ok(()),
            Err(unverified) => self.0.certificates.verify_now(attestor, *unverified).await,
        }
    }

    /// Not by a member that is stopping, as every call, nor by one whose writes are disabled: nothing new would be promised, but
    /// a disk that has failed is no ground on which to say again that data is held.
    async fn checkpoint(&self, request: &v1::SignCheckpointRequest) -> Result<Attestation, Error> {
        let _under_way = self.0.begin()?;
        let request = CheckpointRequest {
            namespace: holdfast_proto::namespace(&request.namespace)?,
            epoch: request.epoch,
            ids: holdfast_proto::blob_ids(&request.blob_ids)?,
            retain_until: request.retain_until,
            disperser_signature: holdfast_proto::disperser_signature(&request.disperser_signature)?,
        };
        Ok(self.0.attestor.sign_checkpoint(request).await?)
    }

    /// In a task of its own: once the write has begun, a caller that goes away does not stop it half way, and the
    /// accounts stay right. The memory counts as taken until the task lets go of it, whether or not the caller waits.
    async fn attest(
        &self,
        admitted: Admitted,
        (holding, working): Held,
        taken: (Bill, UnderWay),
    ) -> Result<Attestation, Error> {
        let (shared, origin) = (Arc::clone(&self.0), Origin::current());
        let fresh = holding.is_fresh();
        let work = Origin::scope(origin, async move {
            let _held = (taken, working);
            let attestation = shared.attestor.attest(admitted, holding).await?;
            if let Some(origin) = origin.filter(|_| fresh) {
                shared.known.learn(origin);
            }
            Ok::<_, attestor::Error>(attestation)
        });
        let task = self.0.tasks.spawn(work.in_current_span());
        Ok(task.await.map_err(Unfinished::from)??)
    }
}

/// What is held, with the memory that it was read or computed in.
type Held = (Holding, Option<Share>);

fn shard_part(message: v1::StoreShardRequest) -> Part<v1::StoreShardHeader> {
    match message.part {
        Some(store_shard_request::Part::Header(header)) => Part::Header(header),
        Some(store_shard_request::Part::Chunk(chunk)) => Part::Chunk(chunk),
        None => Part::Empty,
    }
}

fn payload_part(message: v1::StorePayloadRequest) -> Part<v1::StorePayloadHeader> {
    match message.part {
        Some(store_payload_request::Part::Header(header)) => Part::Header(header),
        Some(store_payload_request::Part::Chunk(chunk)) => Part::Chunk(chunk),
        None => Part::Empty,
    }
}
