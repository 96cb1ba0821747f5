//! Peers that lie, are silent, down, or too few.

use holdfast_erasure::{Blob, Commitment, Digest, merkle, reference, sha256};
use holdfast_proto::v1::{node_server, retrieval_server};
use tokio::net::TcpListener;
use tonic::{Request, Response, async_trait, transport::Server};

use super::{super::*, OTHER, committee::Committee};
use crate::fault;

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_lie_about_their_shards_are_passed_over() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let payload = payload(300_000, 1);
    let certificate = committee.put(payload.clone(), Dispersal::ByShard).await;
    for slot in [0, 2] {
        committee.down(slot).await;
        fault::replace_shard(&committee.data(slot), &certificate.statement.blob.id()).await.expect("replaced");
        committee.up(slot).await;
    }
    committee.up(SLOT).await;
    committee.until_held(SLOT, &certificate).await;
    committee.only([SLOT, OTHER]).await;
    committee.reads(&certificate, &payload).await;
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_peer_and_one_that_is_down_do_not_stop_a_repair() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let certificate = committee.put(payload(300_000, 2), Dispersal::ByShard).await;
    committee.down(0).await;
    committee.down(2).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    committee.registry.put(0, format!("http://{}", silent.local_addr().expect("bound")));
    committee.up(SLOT).await;
    committee.until_held(SLOT, &certificate).await;
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_peers_are_waited_for_and_what_nobody_has_is_set_aside() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let certificate = committee.put(payload(300_000, 3), Dispersal::ByShard).await;
    for slot in [0, 2, 4] {
        committee.down(slot).await;
    }
    committee.up(SLOT).await;
    committee.until(SLOT, "one of two shards", |repair| repair.queued == 1).await;
    for slot in [0, 2, 4] {
        committee.up(slot).await;
    }
    let made_whole = |repair: &v1::Repair| {
        assert_eq!(repair.set_aside, 0, "it is not there is not said");
        repair.repaired == 1
    };
    committee.until(SLOT, "made whole", made_whole).await;
    assert!(committee.holds(SLOT, &certificate).await);

    // One member alone has signed this: all others are asked, and it is not there.
    let encoded = coded(1000, 77, Dispersal::ByShard);
    let mut statement = committee.world.statement(&encoded);
    statement.retain_until = holdfast_certificate::hour_at_or_after(committee.clock.now() + 10 * 86_400);
    let parameters = encoded.commitment().parameters();
    let index = parameters.shard_of_slot(OTHER, &encoded.blob().shards_root);
    let mut header = committee.world.shard_header(&statement, &encoded);
    header.shard_index = index.get().into();
    let peer = Peer::connect(&committee.members[&OTHER]).await;
    peer.store_shard(header, encoded.shard(index)).await.expect("stored");
    committee.until(SLOT, "set aside", |repair| repair.set_aside == 1).await;
    // The rest goes on.
    committee.down(SLOT).await;
    let next = committee.put(payload(1000, 4), Dispersal::ByShard).await;
    committee.up(SLOT).await;
    committee.until_held(SLOT, &next).await;
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_lists_without_end_what_was_never_signed_changes_nothing() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let certificate = committee.put(payload(300_000, 5), Dispersal::ByShard).await;
    committee.down(0).await;
    let liar = Liar {
        key: committee.world.secrets[0].public_key().to_bytes().to_vec().into(),
        statement: certificate.statement,
        pages: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    committee.registry.put(0, format!("http://{}", listener.local_addr().expect("bound")));
    let pages = Arc::clone(&liar.pages);
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let serving = tokio::spawn(
        Server::builder()
            .add_service(retrieval_server::RetrievalServer::new(liar.clone()))
            .add_service(node_server::NodeServer::new(liar))
            .serve_with_incoming(incoming),
    );
    committee.up(SLOT).await;
    until(|| pages.load(Ordering::SeqCst) > 2).await;
    committee.until_held(SLOT, &certificate).await;
    let member = &committee.members[&SLOT];
    let held = member.store().usage().items;
    assert_eq!(held, 1, "nothing that was made up is kept");
    let mut listed = 0;
    member.store().each_promise(|_| listed += 1).expect("readable");
    assert_eq!(listed, 1);
    serving.abort();
    committee.stop().await;
}

/// Answers with its own key, and lists statements that it has made up, of blobs that it does not know when it is asked.
#[derive(Clone)]
struct Liar {
    key: Bytes,
    statement: Statement,
    pages: Arc<AtomicU64>,
}

#[async_trait]
impl node_server::Node for Liar {
    async fn get_info(&self, _: Request<v1::GetInfoRequest>) -> Result<Response<v1::GetInfoResponse>, Status> {
        let (public_key, store_id) = (self.key.clone(), Bytes::from_static(&[1; 16]));
        Ok(Response::new(v1::GetInfoResponse { public_key, store_id, ..Default::default() }))
    }
}

#[async_trait]
impl retrieval_server::Retrieval for Liar {
    type GetShardStream = stream::Empty<Result<v1::GetShardResponse, Status>>;
    type GetPayloadStream = stream::Empty<Result<v1::GetPayloadResponse, Status>>;

    async fn get_blob(&self, _: Request<v1::GetBlobRequest>) -> Result<Response<v1::GetBlobResponse>, Status> {
        Err(Status::not_found("what was never here"))
    }

    async fn find_blobs(&self, _: Request<v1::FindBlobsRequest>) -> Result<Response<v1::FindBlobsResponse>, Status> {
        Ok(Response::new(v1::FindBlobsResponse::default()))
    }

    async fn get_shard(&self, _: Request<v1::GetShardRequest>) -> Result<Response<Self::GetShardStream>, Status> {
        Err(Status::not_found("what was never here"))
    }

    async fn get_payload(&self, _: Request<v1::GetPayloadRequest>) -> Result<Response<Self::GetPayloadStream>, Status> {
        Err(Status::not_found("what was never here"))
    }

    async fn get_leaf(&self, _: Request<v1::GetLeafRequest>) -> Result<Response<v1::GetLeafResponse>, Status> {
        Err(Status::not_found("what was never here"))
    }

    async fn list_blobs(&self, _: Request<v1::ListBlobsRequest>) -> Result<Response<v1::ListBlobsResponse>, Status> {
        let page = self.pages.fetch_add(1, Ordering::SeqCst);
        let blobs = (0..200u64).map(|number| {
            let mut statement = self.statement;
            statement.blob.shards_root = sha256(&[page.to_be_bytes(), number.to_be_bytes()].concat());
            v1::ListedBlob {
                blob_id: Bytes::copy_from_slice(statement.blob.id().as_bytes()),
                statement: Some((&statement).into()),
                certified: true,
            }
        });
        let next_page_token = Bytes::copy_from_slice(&page.to_be_bytes());
        Ok(Response::new(v1::ListBlobsResponse { blobs: blobs.collect(), next_page_token }))
    }
}

/// A blob whose disperser has committed another shard than the codeword's at the position of `slot`: the commitment, all
/// shards, and that position.
pub(super) fn lied_about(slot: u16) -> (Commitment, Vec<Bytes>, u16) {
    let encoded = coded(9000, 1, Dispersal::ByShard);
    let parameters = encoded.commitment().parameters();
    let shards: Vec<Bytes> = parameters.indices().map(|index| encoded.shard(index)).collect();
    // Recovery positions only: the payload is that of the originals. Which position is the slot's depends on all roots.
    for (position, salt) in (ORIGINAL..MEMBERS).flat_map(|position| (0..64u8).map(move |salt| (position, salt))) {
        let mut shards = shards.clone();
        shards[usize::from(position)] = vec![salt; encoded.commitment().shard_length()].into();
        let roots: Vec<Digest> = shards.iter().map(|shard| merkle::shard_root(shard)).collect();
        let shards_root = merkle::root_of(&roots);
        if parameters.shard_of_slot(slot, &shards_root).get() != position {
            continue;
        }
        let points = [0, 1].map(|j| reference::point(j, MEMBERS, ORIGINAL, 9000, &shards_root));
        let fingerprints: Bytes = shards[..usize::from(ORIGINAL)]
            .iter()
            .flat_map(|shard| points.map(|point| reference::fingerprint(shard, &point)))
            .flatten()
            .collect();
        let blob = Blob { shards_root, fingerprints_hash: sha256(&fingerprints), ..*encoded.blob() };
        let commitment = Commitment::new(blob, roots, fingerprints).expect("consistent");
        return (commitment, shards, position);
    }
    unreachable!("one in five roots has it there")
}
