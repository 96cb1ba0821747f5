//! `Retrieval`: what is given out, checked first.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Namespace, Signature, Statement, StatementDigest};
use holdfast_erasure::{BlobId, Commitment, Digest, LEAF_BYTES, merkle};
use holdfast_proto::v1::{self, retrieval_server};
use tokio::time::timeout;
use tonic::{Request, Response, Status, async_trait};

use super::{
    budget::{Holder, Share},
    outgoing::{self, Chunks, IN_FLIGHT, Source},
    shared::Shared,
    shelf::Item,
    status::Error,
};
use crate::{
    attestor,
    origin::Origin,
    pen,
    store::{self, Durable, Store},
};

/// Statements of one blob that are worth a costly call: those of a blob that is renewed for years are given out for nothing.
const STATEMENTS_A_CALL: usize = 25;
/// How long an answer waits for a signer elsewhere.
const PATIENCE: Duration = Duration::from_secs(1);

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
        let id = holdfast_proto::blob_id(&blob_id).map_err(Error::from)?;
        let (source, first, share) = self.open(id, Some(index_of(shard_index)?)).await?;
        Ok(Response::new(outgoing::chunks(source, first, share, |chunk| v1::GetShardResponse { chunk })))
    }

    async fn get_payload(
        &self,
        request: Request<v1::GetPayloadRequest>,
    ) -> Result<Response<Self::GetPayloadStream>, Status> {
        let id = holdfast_proto::blob_id(&request.into_inner().blob_id).map_err(Error::from)?;
        let (source, first, share) = self.open(id, None).await?;
        Ok(Response::new(outgoing::chunks(source, first, share, |chunk| v1::GetPayloadResponse { chunk })))
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
        let namespace = optional_namespace(&request.namespace)?;
        self.settle(&[id]).await?;
        let (commitment, (indices, whole), promises) = self
            .read(move |store| {
                Ok((commitment(store, &id)?, store.indices(&id)?, store.promises(&id, namespace.as_ref())?))
            })
            .await?;
        if let Some(origin) = Origin::current() {
            self.0.rates.check_worth(origin, promises.len() / STATEMENTS_A_CALL)?;
        }
        let signed = self
            .read(move |store| {
                let signed = promises.into_iter().map(|(durable, promise)| {
                    let digest = *durable.digest();
                    Ok((durable, promise, store.attestation(&digest)?, store.certificate(&digest)?))
                });
                signed.collect::<Result<Vec<_>, store::Error>>()
            })
            .await?;
        let sound = self.sound(id, &indices).await?;
        // While the payload is to be there whole, it has to be.
        let whole_sound = !whole || held(self.look(id, None).await)?;
        let mut statements = Vec::with_capacity(signed.len());
        let mut asks = true;
        for (durable, promise, remembered, certificate) in signed {
            // A signature says that the data is held. Where it is not, it is not said again.
            let blob = &promise.statement.blob;
            let index = commitment.parameters().shard_of_slot(promise.slot, &blob.shards_root).get();
            let kept = sound.contains(&index) && (whole_sound || !blob.is_by_payload());
            let attestation = match kept {
                true => self.attestation(&durable, &promise.statement, remembered, asks).await?,
                false => None,
            };
            asks &= !kept || attestation.is_some();
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

    /// Verifies what waits of these blobs. Where nothing can be stored, what waits stays unsaid, and the rest is read.
    async fn settle(&self, ids: &[BlobId]) -> Result<Vec<StatementDigest>, Error> {
        let settled = self.0.certificates.settle(&self.0.attestor, ids).await;
        if self.0.attestor.store.writable().is_ok() { settled } else { Ok(settled.unwrap_or_default()) }
    }

    /// The signature remembered, or the same made again. That it is a point was checked before it was written, and the
    /// database checks what it reads, so to parse a hundred of them again would be most of the work of an answer. A damaged
    /// record is no reason to fail. None where only a disk that can be written would show that the promise is on it, and
    /// where a signer elsewhere does not sign: what is held is told of all the same, and no later.
    async fn attestation(
        &self,
        durable: &Durable,
        statement: &Statement,
        remembered: Option<Bytes>,
        asks: bool,
    ) -> Result<Option<v1::Attestation>, Error> {
        match remembered.filter(|bytes| bytes.len() == Signature::BYTES) {
            Some(signature) => Ok(Some(v1::Attestation { slot: durable.slot().into(), signature })),
            None if !self.0.attestor.store.vouches() => Ok(None),
            None if !asks || !self.0.attestor.pen.is_free_for_reads() => Ok(None),
            None => {
                let signed = self.0.attestor.sign(durable, statement);
                let signed = match self.0.attestor.pen.is_far() {
                    true => timeout(PATIENCE, signed).await.unwrap_or(Err(pen::Error::Away.into())),
                    false => signed.await,
                };
                match signed {
                    Err(attestor::Error::Pen(error)) => {
                        tracing::debug!(%error, "rpc.not_signed");
                        Ok(None)
                    }
                    signed => Ok(Some((&signed?).into())),
                }
            }
        }
    }

    /// Those of `indices` whose shards are what was stored, as far back as they are on the shelf.
    async fn sound(&self, id: BlobId, indices: &[u16]) -> Result<Vec<u16>, Error> {
        let mut sound = Vec::with_capacity(indices.len());
        for index in indices {
            if held(self.look(id, Some(*index)).await)? {
                sound.push(*index);
            }
        }
        Ok(sound)
    }

    /// Reads a shard, or the payload, which checks it. What is in the archive alone is looked after there.
    async fn look(&self, id: BlobId, index: Option<u16>) -> Result<(), Error> {
        let find = move |store: &Store| Ok((Item::find(store, id, index)?, store.is_away(&id, index)?));
        let (item, away) = self.read(find).await?;
        if away {
            return Ok(());
        }
        self.source(item).whole().await.map(drop)
    }

    async fn find(&self, request: &v1::FindBlobsRequest) -> Result<v1::FindBlobsResponse, Error> {
        let namespace = holdfast_proto::namespace(&request.namespace)?;
        let payload = holdfast_proto::digest("payload_digest", &request.payload_digest)?;
        let found = self.read(move |store| store.find(&namespace, &payload)).await?;
        Ok(v1::FindBlobsResponse { blob_ids: found.iter().map(|id| Bytes::copy_from_slice(id.as_bytes())).collect() })
    }

    /// A shard, or the payload, whole and checked, and memory for the part of it that will be on its way.
    async fn open(&self, id: BlobId, index: Option<u16>) -> Result<(Source, Bytes, Share), Error> {
        let item = self.read(move |store| Item::find(store, id, index)).await?;
        let holders = Origin::current().map(Holder::Origin).into_iter().collect();
        let share = self.0.sending.take(holders, IN_FLIGHT.min(item.length as usize)).await?;
        let source = self.source(item);
        let first = source.whole().await?;
        Ok((source, first, share))
    }

    fn source(&self, item: Item) -> Source {
        let attestor = &self.0.attestor;
        let (store, workers) = (Arc::clone(&attestor.store), attestor.workers.clone());
        Source { shelf: Arc::clone(&self.0.shelf), store, archive: attestor.archive.clone(), workers, item }
    }

    async fn leaf(&self, request: &v1::GetLeafRequest) -> Result<v1::GetLeafResponse, Error> {
        let id = holdfast_proto::blob_id(&request.blob_id)?;
        let index = index_of(request.shard_index)?;
        let (commitment, item) =
            self.read(move |store| Ok((commitment(store, &id)?, Item::find(store, id, Some(index))?))).await?;
        let shard = self.source(item).whole().await?;
        let leaves = match self.0.shelf.leaves(&item) {
            Some(leaves) => leaves,
            None => self.leaves(item, shard.clone()).await?,
        };
        let number = request.leaf_number as usize;
        if number >= leaves.len() {
            let expected_below = leaves.len();
            let error = holdfast_erasure::Error::LeafNumber { expected_below, got: request.leaf_number };
            return Err(attestor::Error::from(error).into());
        }
        let (leaf_path, shard_path) = self
            .0
            .attestor
            .workers
            .cpu(move || {
                let roots = commitment.shard_roots();
                // What was stored was accepted, so its root is the committed one; a leaf of other bytes must not be opened.
                let got = merkle::root(leaves.to_vec());
                let expected = roots.get(usize::from(index)).copied().unwrap_or(Digest::ZERO);
                if got != expected {
                    let reason = format!("expected root {expected}, got {got}");
                    return Err(store::Error::Damaged { id, what: format!("shard {index}"), reason });
                }
                Ok((merkle::path(&leaves, number), merkle::path(&merkle::hashes_of(roots), usize::from(index))))
            })
            .await??;
        let from = number * LEAF_BYTES;
        Ok(v1::GetLeafResponse {
            leaf: shard.slice(from..shard.len().min(from + LEAF_BYTES)),
            leaf_path: holdfast_proto::digests_to_bytes(&leaf_path),
            shard_path: holdfast_proto::digests_to_bytes(&shard_path),
        })
    }

    /// The hashes of a shard's leaves, which are kept for the next one who asks for a leaf of it.
    async fn leaves(&self, item: Item, shard: Bytes) -> Result<Arc<[Digest]>, Error> {
        let leaves: Arc<[Digest]> = self.0.attestor.workers.cpu(move || merkle::leaf_hashes(&shard)).await?.into();
        self.0.shelf.put_leaves(&item, Arc::clone(&leaves));
        Ok(leaves)
    }

    async fn list(&self, request: &v1::ListBlobsRequest) -> Result<v1::ListBlobsResponse, Error> {
        let namespace = optional_namespace(&request.namespace)?;
        let size = match request.page_size {
            0 => DEFAULT_PAGE,
            size if size <= MAX_PAGE => size,
            got => return Err(Error::Range { field: "page_size", most: MAX_PAGE, got }),
        };
        let after = match &*request.page_token {
            [] => 0,
            token => u64::from_be_bytes(token.try_into().map_err(|_| Error::PageToken { got: token.len() })?),
        };
        let (mut listed, next) = self.read(move |store| store.list(namespace.as_ref(), after, size as usize)).await?;
        let uncertified = listed.iter().filter(|entry| !entry.certified);
        let ids: Vec<BlobId> = uncertified.map(|entry| entry.id).collect();
        let certified: HashSet<_> = self.settle(&ids).await?.into_iter().collect();
        listed.iter_mut().for_each(|entry| entry.certified |= certified.contains(&entry.digest));
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

/// `None` where the field is empty.
fn optional_namespace(bytes: &[u8]) -> Result<Option<Namespace>, Error> {
    if bytes.is_empty() { Ok(None) } else { Ok(Some(holdfast_proto::namespace(bytes)?)) }
}

fn index_of(index: u32) -> Result<u16, Error> {
    let most = holdfast_erasure::MAX_TOTAL_SHARDS - 1;
    match u16::try_from(index) {
        Ok(index) if index <= most => Ok(index),
        _ => Err(Error::Range { field: "shard_index", most: most.into(), got: index }),
    }
}
