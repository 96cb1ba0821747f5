//! `Retrieval`: what is given out, checked first.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_certificate::Namespace;
use holdfast_erasure::{BlobId, Commitment};
use holdfast_proto::v1::{self, retrieval_server};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status, async_trait};

use super::{
    Error, Shared,
    outgoing::{self, Chunks},
};
use crate::{
    attestor,
    store::{self, Store},
};

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 1000;

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct RetrievalService(pub(crate) Arc<Shared>);

#[async_trait]
impl retrieval_server::Retrieval for RetrievalService {
    type GetShardStream = Chunks<v1::GetShardResponse>;
    type GetPayloadStream = Chunks<v1::GetPayloadResponse>;

    async fn get_blob(&self, request: Request<v1::GetBlobRequest>) -> Result<Response<v1::GetBlobResponse>, Status> {
        Ok(Response::new(self.blob(&request.into_inner()).await?))
    }

    async fn find_blobs(
        &self,
        request: Request<v1::FindBlobsRequest>,
    ) -> Result<Response<v1::FindBlobsResponse>, Status> {
        Ok(Response::new(self.find(&request.into_inner()).await?))
    }

    async fn get_shard(&self, request: Request<v1::GetShardRequest>) -> Result<Response<Self::GetShardStream>, Status> {
        let v1::GetShardRequest { blob_id, shard_index } = request.into_inner();
        let (bytes, share) = self.shard(&blob_id, shard_index).await?;
        let limit = self.0.limits.stream_deadline;
        Ok(Response::new(outgoing::chunks(bytes, share, limit, |chunk| v1::GetShardResponse { chunk })))
    }

    async fn get_payload(
        &self,
        request: Request<v1::GetPayloadRequest>,
    ) -> Result<Response<Self::GetPayloadStream>, Status> {
        let (bytes, share) = self.payload(&request.into_inner().blob_id).await?;
        let limit = self.0.limits.stream_deadline;
        Ok(Response::new(outgoing::chunks(bytes, share, limit, |chunk| v1::GetPayloadResponse { chunk })))
    }

    async fn get_leaf(&self, request: Request<v1::GetLeafRequest>) -> Result<Response<v1::GetLeafResponse>, Status> {
        Ok(Response::new(self.leaf(&request.into_inner()).await?))
    }

    async fn list_blobs(
        &self,
        request: Request<v1::ListBlobsRequest>,
    ) -> Result<Response<v1::ListBlobsResponse>, Status> {
        Ok(Response::new(self.list(&request.into_inner()).await?))
    }
}

impl RetrievalService {
    async fn blob(&self, request: &v1::GetBlobRequest) -> Result<v1::GetBlobResponse, Error> {
        let id = holdfast_proto::blob_id(&request.blob_id)?;
        let (commitment, (indices, whole), promises) =
            self.read(move |store| Ok((commitment(store, &id)?, store.indices(&id)?, store.promises(&id)?))).await?;
        let sound = self.sound(id, &indices).await?;
        // While the payload is to be there whole, it has to be.
        let whole_sound = !whole || held(self.payload(id.as_bytes()).await)?;
        let mut statements = Vec::with_capacity(promises.len());
        for (durable, promise) in promises {
            let digest = *durable.digest();
            let certificate = self.read(move |store| store.certificate(&digest)).await?;
            // A signature says that the data is held. Where it is not, it is not said again.
            let blob = &promise.statement.blob;
            let index = commitment.parameters().shard_of_slot(promise.slot, &blob.shards_root).get();
            let kept = sound.contains(&index) && (whole_sound || !blob.is_by_payload());
            let attestation = if kept { Some((&self.0.attestor.sign(&durable).await?).into()) } else { None };
            statements.push(v1::SignedStatement {
                statement: Some((&promise.statement).into()),
                disperser_signature: Bytes::copy_from_slice(&promise.disperser_signature.to_bytes()),
                attestation,
                certificate: certificate.unwrap_or_default(),
            });
        }
        Ok(v1::GetBlobResponse {
            commitment: Some((&commitment).into()),
            shard_indices: indices.into_iter().map(u32::from).collect(),
            statements,
            whole,
        })
    }

    /// Those of `indices` whose shards are what was stored.
    async fn sound(&self, id: BlobId, indices: &[u16]) -> Result<Vec<u16>, Error> {
        let mut sound = Vec::with_capacity(indices.len());
        for index in indices {
            if held(self.shard(id.as_bytes(), (*index).into()).await)? {
                sound.push(*index);
            }
        }
        Ok(sound)
    }

    async fn find(&self, request: &v1::FindBlobsRequest) -> Result<v1::FindBlobsResponse, Error> {
        let namespace = holdfast_proto::namespace(&request.namespace)?;
        let payload = holdfast_proto::digest("payload_digest", &request.payload_digest)?;
        let found = self.read(move |store| store.find(&namespace, &payload)).await?;
        Ok(v1::FindBlobsResponse { blob_ids: found.iter().map(|id| Bytes::copy_from_slice(id.as_bytes())).collect() })
    }

    async fn shard(&self, blob_id: &[u8], index: u32) -> Result<(Bytes, OwnedSemaphorePermit), Error> {
        let id = holdfast_proto::blob_id(blob_id)?;
        let index = index_of(index)?;
        let length = self.read(move |store| store.length(&id, Some(index))).await?;
        let share = self.0.sending.take(length.unwrap_or(0) as usize).await?;
        Ok((self.read(move |store| store.shard(&id, index)).await?, share))
    }

    async fn payload(&self, blob_id: &[u8]) -> Result<(Bytes, OwnedSemaphorePermit), Error> {
        let id = holdfast_proto::blob_id(blob_id)?;
        let length = self.read(move |store| store.length(&id, None)).await?;
        let share = self.0.sending.take(length.unwrap_or(0) as usize).await?;
        Ok((self.read(move |store| store.whole(&id)).await?, share))
    }

    async fn leaf(&self, request: &v1::GetLeafRequest) -> Result<v1::GetLeafResponse, Error> {
        let id = holdfast_proto::blob_id(&request.blob_id)?;
        let index = index_of(request.shard_index)?;
        let leaf_number = request.leaf_number;
        let length = self.read(move |store| store.length(&id, Some(index))).await?;
        let _share = self.0.sending.take(length.unwrap_or(0) as usize).await?;
        let store = Arc::clone(&self.0.attestor.store);
        let opening = self
            .0
            .attestor
            .workers
            .cpu(move || {
                let commitment = commitment(&store, &id)?;
                let bytes = store.shard(&id, index)?;
                let damaged = |reason: String| store::Error::Damaged { id, what: format!("shard {index}"), reason };
                let index = commitment.parameters().index(index).map_err(|e| damaged(e.to_string()))?;
                let shard = commitment.accept(index, bytes).map_err(|e| damaged(e.to_string()))?;
                commitment.open(&shard, leaf_number).map_err(attestor::Error::from).map_err(Error::from)
            })
            .await??;
        Ok(v1::GetLeafResponse {
            leaf: opening.leaf,
            leaf_path: holdfast_proto::digests_to_bytes(&opening.leaf_path),
            shard_path: holdfast_proto::digests_to_bytes(&opening.shard_path),
        })
    }

    async fn list(&self, request: &v1::ListBlobsRequest) -> Result<v1::ListBlobsResponse, Error> {
        let namespace: Option<Namespace> = match request.namespace.len() {
            0 => None,
            _ => Some(holdfast_proto::namespace(&request.namespace)?),
        };
        let size = match request.page_size {
            0 => DEFAULT_PAGE,
            size if size <= MAX_PAGE => size,
            got => return Err(Error::Range { field: "page_size", most: MAX_PAGE, got }),
        };
        let after = match &*request.page_token {
            [] => 0,
            token => u64::from_be_bytes(token.try_into().map_err(|_| Error::PageToken { got: token.len() })?),
        };
        let (listed, next) = self.read(move |store| store.list(namespace.as_ref(), after, size as usize)).await?;
        Ok(v1::ListBlobsResponse {
            blobs: listed
                .iter()
                .map(|entry| v1::ListedBlob {
                    blob_id: Bytes::copy_from_slice(entry.id.as_bytes()),
                    statement: Some((&entry.promise.statement).into()),
                    certified: entry.certified,
                })
                .collect(),
            next_page_token: next.map_or_else(Bytes::new, |place| Bytes::copy_from_slice(&place.to_be_bytes())),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = Arc::clone(&self.0.attestor.store);
        Ok(self.0.attestor.workers.disk(move || read(&store)).await??)
    }
}

/// Whether what was read is what was stored. A member that is too busy to look does not know.
fn held<T>(read: Result<T, Error>) -> Result<bool, Error> {
    match read {
        Ok(_) => Ok(true),
        Err(Error::Store(error)) => {
            tracing::debug!(%error, "rpc.not_held");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn commitment(store: &Store, id: &BlobId) -> Result<Commitment, store::Error> {
    store.commitment(id)?.ok_or_else(|| store.absent(id, "the commitment"))
}

fn index_of(index: u32) -> Result<u16, Error> {
    let most = holdfast_erasure::MAX_TOTAL_SHARDS - 1;
    match u16::try_from(index) {
        Ok(index) if index <= most => Ok(index),
        _ => Err(Error::Range { field: "shard_index", most: most.into(), got: index }),
    }
}
