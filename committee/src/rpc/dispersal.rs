//! `Dispersal`: what comes in, is checked, stored and signed.

use std::sync::Arc;

use futures::Stream;
use holdfast_certificate::{Attestation, Certificate, Statement};
use holdfast_erasure::{Commitment, Dispersal};
use holdfast_proto::v1::{self, dispersal_server, store_payload_request, store_shard_request};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{
    Error, Shared,
    body::{self, Part},
};
use crate::{
    attestor::{self, Admitted, CheckpointRequest},
    store::Holding,
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
        let attestation = self.shard(request.into_inner()).await?;
        Ok(Response::new(v1::StoreShardResponse { attestation: Some((&attestation).into()) }))
    }

    async fn store_payload(
        &self,
        request: Request<Streaming<v1::StorePayloadRequest>>,
    ) -> Result<Response<v1::StorePayloadResponse>, Status> {
        let attestation = self.payload(request.into_inner()).await?;
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
        mut messages: impl Stream<Item = Result<v1::StoreShardRequest, Status>> + Unpin,
    ) -> Result<Attestation, Error> {
        let Shared { attestor, limits, receiving, .. } = &*self.0;
        self.0.accepting()?;
        let header = body::header(&mut messages, shard_part, limits.stream_deadline).await?;
        let admitted = attestor
            .admit(request(header.statement.as_ref(), &header.disperser_signature, Dispersal::ByShard)?)
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
        let commitment: Commitment = attestor
            .workers
            .cpu(move || holdfast_proto::commitment(blob, &header.shard_roots, header.fingerprints))
            .await??;
        let expected = admitted.shard_length();
        // What is read back from the store takes as much memory as what is sent.
        let share = receiving.take(expected).await?;
        if let Some(held) = attestor.recall(&admitted).await? {
            return self.attest(admitted, held, share).await;
        }
        let shard = body::body("shard", &mut messages, shard_part, expected, limits.stream_deadline).await?;
        let holding = attestor.accept(&admitted, commitment, shard).await?;
        self.attest(admitted, holding, share).await
    }

    async fn payload(
        &self,
        mut messages: impl Stream<Item = Result<v1::StorePayloadRequest, Status>> + Unpin,
    ) -> Result<Attestation, Error> {
        let Shared { attestor, limits, receiving, .. } = &*self.0;
        self.0.accepting()?;
        let header = body::header(&mut messages, payload_part, limits.stream_deadline).await?;
        let admitted = attestor
            .admit(request(header.statement.as_ref(), &header.disperser_signature, Dispersal::ByPayload)?)
            .await?;
        let blob = admitted.statement().blob;
        let expected = usize::try_from(blob.payload_length).expect("usize has at least 32 bits");
        // The payload, and all shards that are computed from it.
        let memory = expected + admitted.shard_length() * usize::from(blob.total_shards);
        let share = receiving.take(memory).await?;
        if let Some(held) = attestor.recall(&admitted).await? {
            return self.attest(admitted, held, share).await;
        }
        let payload = body::body("payload", &mut messages, payload_part, expected, limits.stream_deadline).await?;
        let holding = attestor.recompute(&admitted, payload).await?;
        self.attest(admitted, holding, share).await
    }

    /// Stores a certificate of a statement that this member has signed. Others are not taken: a member keeps nothing
    /// that it has not promised to keep.
    async fn certificate(&self, request: v1::PutCertificateRequest) -> Result<(), Error> {
        let attestor = &self.0.attestor;
        self.0.accepting()?;
        let certificate = Certificate::decode(&request.certificate).map_err(Error::Certificate)?;
        let digest = certificate.digest(&attestor.domain());
        let id = certificate.statement.blob.id();
        let store = Arc::clone(&attestor.store);
        let (promised, known) = attestor
            .workers
            .disk(move || {
                Ok::<_, crate::store::Error>((store.promised(&id, &digest)?.is_some(), store.certificate(&digest)?))
            })
            .await??;
        if !promised {
            return Err(match attestor.store.lost_at() {
                None => Error::NotSigned(digest),
                Some(_) => attestor.store.absent(&id, "the promise").into(),
            });
        }
        if known.as_ref() == Some(&request.certificate) {
            return Ok(());
        }
        let epoch = certificate.statement.epoch;
        let record = attestor.registry.epoch(epoch).await.map_err(|e| match e {
            holdfast_registry::Error::UnknownEpoch { epoch } => Error::CertificateEpoch { got: epoch },
            other => Error::Registry(other),
        })?;
        attestor.workers.cpu(move || certificate.verify(&record.committee)).await?.map_err(Error::Certificate)?;
        // Any certificate of the statement is as good as another: the first one stays.
        if known.is_none() {
            attestor.store.put_certificate(digest, request.certificate).await?;
        }
        Ok(())
    }

    /// Not by a member that is stopping, as every call, nor by one whose writes are disabled: nothing new would be promised, but
    /// a disk that has failed is no ground on which to say again that data is held.
    async fn checkpoint(&self, request: &v1::SignCheckpointRequest) -> Result<Attestation, Error> {
        self.0.accepting()?;
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
        holding: Holding,
        share: OwnedSemaphorePermit,
    ) -> Result<Attestation, Error> {
        let attestor = Arc::clone(&self.0.attestor);
        let task = self.0.tasks.spawn(async move {
            let _held = share;
            attestor.attest(admitted, holding).await
        });
        Ok(task.await.map_err(crate::workers::Unfinished::from)??)
    }
}

fn request(
    statement: Option<&v1::Statement>,
    disperser_signature: &[u8],
    call: Dispersal,
) -> Result<attestor::Request, Error> {
    let statement = statement.ok_or(holdfast_proto::Error::Missing { field: "statement" })?;
    Ok(attestor::Request {
        statement: Statement::try_from(statement)?,
        disperser_signature: holdfast_proto::disperser_signature(disperser_signature)?,
        call,
    })
}

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
