use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use holdfast_certificate::{Attestation, Namespace, check_endpoint};
use holdfast_erasure::{BlobId, ShardIndex};
use holdfast_proto::{
    MAX_CHUNK_BYTES, MAX_MESSAGE_BYTES,
    v1::{
        self, dispersal_client::DispersalClient, node_client::NodeClient, retrieval_client::RetrievalClient,
        store_payload_request, store_shard_request,
    },
};
use holdfast_transport::{Body, Fair, Misfit, Network, Trust, chunks_of, connect_lazy};
use tokio::time::Instant;
use tonic::{Status, Streaming, transport::Channel};

use crate::{code::Code, failure::FailureReason, fault::Fault, words::peer_text};

/// Bytes of a body in one message. Small enough to stay in a core's cache while it is framed, large enough that framing
/// costs nothing.
const SEND_CHUNK_BYTES: usize = 256 << 10;
const _: () = assert!(SEND_CHUNK_BYTES <= MAX_CHUNK_BYTES);

/// The largest answer about a blob: its commitment (36 KiB for 126 members) and 100 statements of 530 bytes, or 100 ids.
/// Well below a chunk, since a message of many empty parts takes a hundred times its size once it is decoded.
const MAX_METADATA_BYTES: usize = 128 << 10;

/// The most connections kept; more committees than this in one process start over.
const MAX_PEERS: usize = 1024;

/// For how long readers ask others before a member that has kept one waiting. One read in so long finds out whether it still does.
const BEHIND: Duration = Duration::from_secs(10);

/// One member's connection, made when first used and again when it broke. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    endpoint: Arc<str>,
    channel: Result<Channel, Arc<str>>,
    /// Until when readers ask others first.
    behind: Arc<Mutex<Option<Instant>>>,
}

/// Connections by endpoint, shared by all calls of a client.
#[derive(Debug)]
pub(crate) struct Peers {
    connect_timeout: Duration,
    network: Option<Arc<dyn Network>>,
    by_endpoint: Mutex<HashMap<(String, Trust), Peer>>,
}

impl Peers {
    pub(crate) fn new(connect_timeout: Duration, network: Option<Arc<dyn Network>>) -> Self {
        Self { connect_timeout, network, by_endpoint: Mutex::default() }
    }

    /// The peer at `endpoint`, known by `trust` where it speaks TLS. Must be called within a Tokio runtime.
    pub(crate) fn at(&self, endpoint: &str, trust: Trust) -> Peer {
        let mut peers = self.by_endpoint.lock().expect("no code panics while it holds this lock");
        let key = (endpoint.to_owned(), trust);
        if let Some(peer) = peers.get(&key) {
            return peer.clone();
        }
        if peers.len() >= MAX_PEERS {
            peers.clear();
        }
        let peer = Peer::lazy(endpoint, &trust, self.connect_timeout, self.network.as_ref());
        peers.insert(key, peer.clone());
        peer
    }
}

impl Peer {
    fn lazy(endpoint: &str, trust: &Trust, connect_timeout: Duration, network: Option<&Arc<dyn Network>>) -> Self {
        if endpoint.is_empty() {
            return Self::unusable(endpoint, "none is set");
        }
        if let Err(error) = check_endpoint(endpoint) {
            return Self::unusable(endpoint, &error.to_string());
        }
        // What a pin or https asks for and cannot have is refused there, before a byte is sent.
        let channel = holdfast_transport::endpoint(endpoint, trust, connect_timeout)
            .map(|it| connect_lazy(&it, network))
            .map_err(|error| error.to_string().into());
        Self { endpoint: endpoint.into(), channel, behind: Arc::default() }
    }

    /// A peer that nothing is ever sent to.
    pub(crate) fn unusable(endpoint: &str, why: &str) -> Self {
        Self { endpoint: peer_text(endpoint).into(), channel: Err(why.into()), behind: Arc::default() }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether it has kept a reader waiting lately, so that others are to be asked first.
    pub(crate) fn is_behind(&self, now: Instant) -> bool {
        self.lock_behind().is_some_and(|until| now < until)
    }

    /// It has kept a reader waiting, or has answered one.
    pub(crate) fn set_behind(&self, behind: bool) {
        *self.lock_behind() = behind.then(|| Instant::now() + BEHIND);
    }

    fn lock_behind(&self) -> MutexGuard<'_, Option<Instant>> {
        self.behind.lock().expect("no code panics while it holds this lock")
    }

    /// Sends one shard, or only what it is where the member holds it, and returns the attestation; its form is checked, its
    /// signature is not.
    pub(crate) async fn store_shard(
        &self,
        header: v1::StoreShardHeader,
        shard: Option<Bytes>,
    ) -> Result<Attestation, FailureReason> {
        use store_shard_request::Part;
        let message = |part| v1::StoreShardRequest { part: Some(part) };
        self.write(|mut client| {
            let parts = parts(Part::Header(header.clone()), shard.clone(), Part::Chunk).map(message);
            async move { Ok(client.store_shard(parts).await?.into_inner().attestation) }
        })
        .await
        .map_err(FailureReason::of_store)
        .and_then(attestation)
    }

    /// The same with the whole payload.
    pub(crate) async fn store_payload(
        &self,
        header: v1::StorePayloadHeader,
        payload: Option<Bytes>,
    ) -> Result<Attestation, FailureReason> {
        use store_payload_request::Part;
        let message = |part| v1::StorePayloadRequest { part: Some(part) };
        self.write(|mut client| {
            let parts = parts(Part::Header(header.clone()), payload.clone(), Part::Chunk).map(message);
            async move { Ok(client.store_payload(parts).await?.into_inner().attestation) }
        })
        .await
        .map_err(FailureReason::of_store)
        .and_then(attestation)
    }

    /// Asks for a signature over a checkpoint and returns the attestation; its form is checked, its signature is not.
    pub(crate) async fn sign_checkpoint(
        &self,
        request: &v1::SignCheckpointRequest,
    ) -> Result<Attestation, FailureReason> {
        self.write(
            |mut client| async move { Ok(client.sign_checkpoint(request.clone()).await?.into_inner().attestation) },
        )
        .await
        .map_err(|reason| match reason {
            FailureReason::Refused { code: Code::DataLoss, message, .. } => Fault::Damaged { message }.into(),
            reason => reason,
        })
        .and_then(attestation)
    }

    /// Gives the member a certificate.
    pub(crate) async fn put_certificate(&self, certificate: Bytes) -> Result<(), FailureReason> {
        self.write(|mut client| {
            let request = v1::PutCertificateRequest { certificate: certificate.clone() };
            async move { client.put_certificate(request).await.map(drop) }
        })
        .await
    }

    /// A blob's metadata as the member tells it.
    pub(crate) async fn get_blob(&self, id: &BlobId) -> Result<v1::GetBlobResponse, FailureReason> {
        self.get_blob_of(id, None).await
    }

    /// The same with the statements of one namespace only, where one is given.
    pub(crate) async fn get_blob_of(
        &self,
        id: &BlobId,
        namespace: Option<&Namespace>,
    ) -> Result<v1::GetBlobResponse, FailureReason> {
        let namespace = namespace.map_or_else(Bytes::new, |it| Bytes::copy_from_slice(it.as_bytes()));
        self.read(|client| {
            let mut client = client.max_decoding_message_size(MAX_METADATA_BYTES);
            let request = v1::GetBlobRequest { blob_id: bytes_of(id), namespace: namespace.clone() };
            async move { Ok(client.get_blob(request).await?.into_inner()) }
        })
        .await
    }

    /// One page of what the member has signed.
    pub(crate) async fn list_blobs(
        &self,
        request: &v1::ListBlobsRequest,
    ) -> Result<v1::ListBlobsResponse, FailureReason> {
        self.read(|client| {
            let mut client = client.max_decoding_message_size(MAX_METADATA_BYTES);
            let request = request.clone();
            async move { Ok(client.list_blobs(request).await?.into_inner()) }
        })
        .await
    }

    /// Blob ids by payload digest as the member tells them.
    pub(crate) async fn find_blobs(
        &self,
        request: &v1::FindBlobsRequest,
    ) -> Result<v1::FindBlobsResponse, FailureReason> {
        self.read(|client| {
            let mut client = client.max_decoding_message_size(MAX_METADATA_BYTES);
            let request = request.clone();
            async move { Ok(client.find_blobs(request).await?.into_inner()) }
        })
        .await
    }

    /// One shard's bytes, exactly `length` of them, not yet accepted.
    pub(crate) async fn get_shard(
        &self,
        id: &BlobId,
        index: ShardIndex,
        length: usize,
    ) -> Result<Bytes, FailureReason> {
        let stream = self
            .read(|mut client| {
                let request = v1::GetShardRequest { blob_id: bytes_of(id), shard_index: index.get().into() };
                async move { Ok(client.get_shard(request).await?.into_inner()) }
            })
            .await?;
        collect(stream, length, |message: v1::GetShardResponse| message.chunk).await
    }

    /// A whole payload's bytes, exactly `length` of them, not yet verified.
    pub(crate) async fn get_payload(&self, id: &BlobId, length: usize) -> Result<Bytes, FailureReason> {
        let stream = self
            .read(|mut client| {
                let request = v1::GetPayloadRequest { blob_id: bytes_of(id) };
                async move { Ok(client.get_payload(request).await?.into_inner()) }
            })
            .await?;
        collect(stream, length, |message: v1::GetPayloadResponse| message.chunk).await
    }

    /// What the member says of itself.
    pub(crate) async fn get_info(&self) -> Result<v1::GetInfoResponse, FailureReason> {
        let channel = self.channel()?;
        again_if_broken(|| async {
            let mut client = NodeClient::new(Fair::new(channel.clone())).max_decoding_message_size(MAX_METADATA_BYTES);
            let answer = client.get_info(v1::GetInfoRequest {}).await;
            answer.map(tonic::Response::into_inner).map_err(|status| FailureReason::of_write(&status))
        })
        .await
    }

    async fn write<T, F: Future<Output = Result<T, Status>>>(
        &self,
        call: impl Fn(DispersalClient<Fair<Channel>>) -> F,
    ) -> Result<T, FailureReason> {
        let channel = self.channel()?;
        again_if_broken(|| async {
            let client = DispersalClient::new(Fair::new(channel.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES);
            call(client).await.map_err(|status| FailureReason::of_write(&status))
        })
        .await
    }

    async fn read<T, F: Future<Output = Result<T, Status>>>(
        &self,
        call: impl Fn(RetrievalClient<Fair<Channel>>) -> F,
    ) -> Result<T, FailureReason> {
        let channel = self.channel()?;
        again_if_broken(|| async {
            let client = RetrievalClient::new(Fair::new(channel.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES);
            call(client).await.map_err(|status| FailureReason::of_read(&status))
        })
        .await
    }

    fn channel(&self) -> Result<&Channel, FailureReason> {
        self.channel.as_ref().map_err(|detail| FailureReason::BadEndpoint { detail: detail.to_string() })
    }
}

/// A header and the body behind it. Without a body the stream stays open: the member answers from the header, or waits.
fn parts<P: Send + 'static>(
    header: P,
    body: Option<Bytes>,
    chunk: fn(Bytes) -> P,
) -> impl Stream<Item = P> + Send + 'static {
    let first = futures::stream::iter([header]);
    match body {
        Some(body) => first.chain(futures::stream::iter(chunks_of(body, SEND_CHUNK_BYTES).map(chunk))).left_stream(),
        None => first.chain(futures::stream::pending()).right_stream(),
    }
}

/// Tries a call a second time when the connection failed: a kept connection to a member that has restarted since shows
/// that only when it is used.
async fn again_if_broken<T, F: Future<Output = Result<T, FailureReason>>>(
    call: impl Fn() -> F,
) -> Result<T, FailureReason> {
    match call().await {
        Err(FailureReason::Unreachable { .. }) => call().await,
        answer => answer,
    }
}

/// Joins a streamed body of exactly `length` bytes. Nothing past `length` is kept: the stream is cut at once.
async fn collect<M>(
    mut stream: Streaming<M>,
    length: usize,
    chunk_of: impl Fn(M) -> Bytes,
) -> Result<Bytes, FailureReason> {
    let mut body = Body::known(length);
    while let Some(message) = stream.message().await.map_err(|status| cut_short(&status))? {
        body.push(chunk_of(message)).map_err(misfit)?;
    }
    body.finish().map_err(misfit)
}

/// A body that is none: the member's fault.
fn misfit(misfit: Misfit) -> FailureReason {
    match misfit {
        Misfit::Chunk { got } => Fault::BadChunk { max: MAX_CHUNK_BYTES, got },
        Misfit::Long { expected, .. } => Fault::OverLong { expected },
        Misfit::Short { expected, got } => Fault::Truncated { expected, got },
    }
    .into()
}

/// What an error in the middle of a stream means. A message over the bound is the member's fault, not a shortage.
fn cut_short(status: &Status) -> FailureReason {
    match FailureReason::of_read(status) {
        FailureReason::Refused { code: Code::OutOfRange, .. } => {
            Fault::BadChunk { max: MAX_CHUNK_BYTES, got: MAX_MESSAGE_BYTES }.into()
        }
        reason => reason,
    }
}

fn attestation(wire: Option<v1::Attestation>) -> Result<Attestation, FailureReason> {
    let wire = wire.ok_or(Fault::Malformed(holdfast_proto::Error::Missing { field: "attestation" }))?;
    Ok(Attestation::try_from(&wire).map_err(Fault::Malformed)?)
}

fn bytes_of(id: &BlobId) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_behind_until_it_answers_or_for_a_while() {
        let peer = Peer::unusable("http://member", "a test");
        let (same, now) = (peer.clone(), Instant::now());
        assert!(!peer.is_behind(now));
        peer.set_behind(true);
        assert!(same.is_behind(now));
        assert!(!same.is_behind(Instant::now() + BEHIND));
        same.set_behind(false);
        assert!(!peer.is_behind(now));
    }
}
