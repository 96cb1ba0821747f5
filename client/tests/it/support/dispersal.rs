//! What a member stores and signs.

use std::sync::atomic::Ordering;

use bytes::BytesMut;
use holdfast_certificate::{Certificate, Checkpoint};
use holdfast_erasure::{Dispersal, encode};
use holdfast_proto::v1::{
    self, dispersal_server::Dispersal as DispersalService, store_payload_request, store_shard_request,
};
use tonic::{Request, Response, Status, Streaming};

use super::{lie::Lie, member::Member};

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
        if let Some(shard) = self.recall(&statement, Some(index.get())) {
            self.keep(commitment, (index.get(), shard), None, (statement, header.disperser_signature));
            return Ok(Response::new(v1::StoreShardResponse { attestation: self.attest(&statement) }));
        }
        let mut shard = BytesMut::new();
        while let Some(message) = parts.message().await? {
            let Some(Part::Chunk(chunk)) = message.part else {
                return Err(Status::invalid_argument("expected a chunk"));
            };
            self.taken.fetch_add(chunk.len(), Ordering::SeqCst);
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
        let payload = match self.recall(&statement, None) {
            Some(payload) => payload,
            None => {
                let mut payload = BytesMut::new();
                while let Some(message) = parts.message().await? {
                    let Some(Part::Chunk(chunk)) = message.part else {
                        return Err(Status::invalid_argument("expected a chunk"));
                    };
                    self.taken.fetch_add(chunk.len(), Ordering::SeqCst);
                    payload.extend_from_slice(&chunk);
                }
                payload.freeze()
            }
        };
        let encoded = encode(statement.blob.parameters().unwrap(), payload, Dispersal::ByPayload)
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
        blob.certificates.retain(|(of, _)| *of != certificate.statement);
        blob.certificates.push((certificate.statement, bytes));
        Ok(Response::new(v1::PutCertificateResponse {}))
    }
}
