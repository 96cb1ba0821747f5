//! What a member gives out, and what it says of itself.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use holdfast_certificate::{SecretKey, Statement};
use holdfast_erasure::BlobId;
use holdfast_proto::v1::{self, node_server::Node, retrieval_server::Retrieval};
use tonic::{Request, Response, Status};

use super::{
    lie::Lie,
    member::{Hanging, Member},
};

type Body<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

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
            certificate: blob.certificate_of(statement),
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
        Ok(Response::new(sent(self, shard, |chunk| v1::GetShardResponse { chunk })))
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
        Ok(Response::new(sent(self, payload, |chunk| v1::GetPayloadResponse { chunk })))
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
            ..v1::GetInfoResponse::default()
        }))
    }
}

/// A body in chunks, or what a liar makes of it.
fn sent<M: Send + 'static>(
    member: &Member,
    body: Bytes,
    message: impl Fn(Bytes) -> M + Send + Copy + 'static,
) -> Body<M> {
    let half = body.slice(..body.len() / 2);
    let honest = move |body: Bytes| stream::iter(holdfast_transport::chunks(body)).map(move |chunk| Ok(message(chunk)));
    match member.now_lies() {
        Lie::BitFlip => {
            let mut changed = BytesMut::from(&body[..]);
            let middle = changed.len() / 2;
            changed[middle] ^= 1;
            honest(changed.freeze()).boxed()
        }
        Lie::Truncate => honest(half).boxed(),
        Lie::Stall => {
            let guard = Hanging::new(&member.hanging);
            let stalled = stream::once(async move {
                let _guard = guard;
                std::future::pending().await
            });
            honest(half).chain(stalled).boxed()
        }
        Lie::Endless => {
            let poured = Arc::clone(&member.poured);
            let chunk = Bytes::from(vec![9; 64 << 10]);
            stream::repeat_with(move || {
                poured.fetch_add(chunk.len(), Ordering::Relaxed);
                Ok(message(chunk.clone()))
            })
            .boxed()
        }
        Lie::Drip => {
            let bytes = stream::repeat(body.slice(..1)).then(move |byte| async move {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                Ok(message(byte))
            });
            bytes.boxed()
        }
        Lie::EmptyChunks => stream::repeat_with(move || Ok(message(Bytes::new()))).boxed(),
        Lie::Damaged => stream::iter([Err(Status::data_loss("checksum mismatch"))]).boxed(),
        _ => honest(body).boxed(),
    }
}

fn id_of(bytes: &[u8]) -> Result<BlobId, Status> {
    holdfast_proto::blob_id(bytes).map_err(|error| Status::invalid_argument(error.to_string()))
}
