//! One member over real gRPC. The modules are named by what happens to it.

mod archive;
mod attack;
mod certificates;
mod checkpoint;
mod crash;
mod damage;
mod doors;
mod exhaustion;
mod fuzz;
mod hold;
mod lifecycle;
mod namespaces;
mod orders;
mod registry;
mod repair;
mod restart;
mod retention;
mod signer;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::stream;
use holdfast_certificate::{
    Attestation, CommitteeFile, DisperserKey, FileMember, FileNamespace, HOUR, Namespace, Registration, SecretKey,
    Statement,
};
use holdfast_erasure::{BlobId, Dispersal, EncodedBlob, Parameters, encode};
use holdfast_proto::{
    MAX_MESSAGE_BYTES,
    v1::{self, dispersal_client::DispersalClient, retrieval_client::RetrievalClient},
};
use holdfast_registry::{FileRegistry, Registry};
use tonic::{Status, transport::Channel};

use crate::{Clock, Config, Member, Running, store::IfMissing};

pub(crate) const MEMBERS: u16 = 5;
pub(crate) const ORIGINAL: u16 = 2;
pub(crate) const EPOCH: u64 = 7;
pub(crate) const MAX_PAYLOAD: u32 = 32 << 20;
pub(crate) const NOW: u64 = 500_000 * HOUR + 600;
pub(crate) const RETAIN: u64 = 500_000 * HOUR + 10 * 24 * HOUR;
pub(crate) const WHOLE: u64 = 500_000 * HOUR + 24 * HOUR;
/// The member under test.
pub(crate) const SLOT: u16 = 3;

/// A clock that stands where a test sets it.
#[derive(Debug)]
pub(crate) struct TestClock {
    now: AtomicU64,
    /// How far it was set ahead of the time that has passed.
    ahead: AtomicU64,
}

impl TestClock {
    pub(crate) fn at(now: u64) -> Arc<Self> {
        Arc::new(Self { now: now.into(), ahead: 0.into() })
    }

    /// Time passes until then.
    pub(crate) fn set(&self, now: u64) {
        self.now.store(now, Ordering::SeqCst);
    }

    /// The clock is set, and no time passes.
    pub(crate) fn jump(&self, now: u64) {
        let before = self.now.swap(now, Ordering::SeqCst);
        self.ahead.fetch_add(now - before, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn steady(&self) -> Duration {
        Duration::from_secs(self.now() - self.ahead.load(Ordering::SeqCst))
    }
}

/// The clock of the member that was started last.
type MemberClock = Arc<Mutex<Option<Arc<TestClock>>>>;

/// A committee that is the same in every process.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) secrets: Vec<SecretKey>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) disperser: DisperserKey,
    pub(crate) namespace: Namespace,
    pub(crate) clock: MemberClock,
}

impl World {
    pub(crate) fn new() -> Self {
        let master = SecretKey::derive_master(&[7; 32]).expect("32 bytes are enough");
        let secrets: Vec<SecretKey> = (0..u32::from(MEMBERS)).map(|index| master.derive_child(index)).collect();
        let disperser = DisperserKey::from_bytes(&[9; 32]).expect("in range");
        let namespace = Namespace::from([3; 32]);
        let file = CommitteeFile {
            chain_id: 0,
            registry: None,
            epoch: EPOCH,
            original_shards: ORIGINAL,
            total_shards: MEMBERS,
            threshold: 4,
            max_payload: MAX_PAYLOAD,
            members: (0..)
                .zip(&secrets)
                .map(|(slot, secret)| FileMember {
                    slot,
                    public_key: secret.public_key(),
                    proof_of_possession: secret.prove_possession(&Registration::WITHOUT_L1),
                    account: None,
                    endpoint: format!("http://127.0.0.1:{}", 7000 + slot),
                    tls_pin: None,
                })
                .collect(),
            namespaces: vec![FileNamespace {
                id: namespace,
                dispersers: vec![disperser.address()],
                min_retention: 2 * HOUR,
            }],
        };
        let registry = Arc::new(FileRegistry::from_file(file).expect("a good committee"));
        Self { secrets, registry, disperser, namespace, clock: Arc::default() }
    }

    pub(crate) fn config(folder: &Path) -> Config {
        let mut config = Config::in_folder(SocketAddr::from(([127, 0, 0, 1], 0)), folder);
        config.policy.deletion_grace = Duration::from_secs(crate::store::GRACE);
        config
    }

    pub(crate) fn member(&self, config: Config, clock: Arc<TestClock>) -> Member {
        let key = SecretKey::from_bytes(self.secrets[usize::from(SLOT)].to_bytes().as_ref()).expect("a key");
        *self.clock.lock().expect("no panic") = Some(Arc::clone(&clock));
        Member::new(config, key, Arc::clone(&self.registry)).if_missing(IfMissing::Create).with_clock(clock)
    }

    pub(crate) async fn start(&self, folder: &Path, clock: &Arc<TestClock>) -> Running {
        self.member(Self::config(folder), Arc::clone(clock)).launch().await.expect("starts")
    }

    pub(crate) fn statement(&self, encoded: &EncodedBlob) -> Statement {
        let blob = *encoded.blob();
        Statement {
            namespace: self.namespace,
            epoch: EPOCH,
            blob,
            whole_until: if blob.is_by_payload() { WHOLE } else { 0 },
            retain_until: RETAIN,
        }
    }

    pub(crate) fn sign(&self, statement: &Statement) -> Bytes {
        let digest = statement.digest(&self.registry.domain());
        Bytes::copy_from_slice(&self.disperser.sign(&digest).to_bytes())
    }

    /// What an honest disperser sends to the member under test.
    pub(crate) fn shard_header(&self, statement: &Statement, encoded: &EncodedBlob) -> v1::StoreShardHeader {
        let commitment = encoded.commitment();
        v1::StoreShardHeader {
            statement: Some(statement.into()),
            disperser_signature: self.sign(statement),
            shard_index: index(encoded).into(),
            shard_roots: holdfast_proto::digests_to_bytes(commitment.shard_roots()),
            fingerprints: commitment.fingerprints().clone(),
        }
    }

    pub(crate) fn payload_header(&self, statement: &Statement) -> v1::StorePayloadHeader {
        v1::StorePayloadHeader { statement: Some(statement.into()), disperser_signature: self.sign(statement) }
    }

    pub(crate) fn verify(&self, statement: &Statement, attestation: &v1::Attestation) {
        let attestation = Attestation::try_from(attestation).expect("a point");
        let committee = futures::executor::block_on(self.registry.epoch(EPOCH)).expect("the epoch").committee.clone();
        assert_eq!(attestation.slot, SLOT);
        attestation.verify(&committee, &statement.digest(&self.registry.domain())).expect("verifies");
    }
}

/// A payload that is different for each `seed`.
pub(crate) fn payload(length: usize, seed: u8) -> Bytes {
    (0u32..).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ seed).take(length).collect::<Vec<_>>().into()
}

pub(crate) fn coded(length: usize, seed: u8, dispersal: Dispersal) -> EncodedBlob {
    let parameters = Parameters::new(ORIGINAL, MEMBERS).expect("good");
    encode(parameters, payload(length, seed), dispersal).expect("encodes")
}

/// The shard that the member under test holds.
pub(crate) fn index(encoded: &EncodedBlob) -> u16 {
    let parameters = encoded.commitment().parameters();
    parameters.shard_of_slot(SLOT, &encoded.blob().shards_root).get()
}

pub(crate) fn shard(encoded: &EncodedBlob) -> Bytes {
    encoded.accepted(encoded.commitment().parameters().index(index(encoded)).expect("in range")).into_bytes()
}

/// Waits until something is so.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), met).await.expect("the condition is met in time");
}

/// Clients of one member.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) dispersal: DispersalClient<Channel>,
    pub(crate) retrieval: RetrievalClient<Channel>,
    pub(crate) channel: Channel,
}

impl Peer {
    pub(crate) async fn connect(member: &Running) -> Self {
        Self::connect_from(member, 1).await
    }

    /// From the loopback address 127.0.0.`last`: each is an address of its own.
    pub(crate) async fn connect_from(member: &Running, last: u8) -> Self {
        let endpoint = Channel::from_shared(member.endpoint()).expect("a URL");
        let channel = endpoint.local_address(Some([127, 0, 0, last].into())).connect().await.expect("connects");
        let dispersal = DispersalClient::new(channel.clone()).max_encoding_message_size(8 << 20);
        let retrieval = RetrievalClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Self { dispersal, retrieval, channel }
    }

    pub(crate) async fn store_shard(
        &self,
        header: v1::StoreShardHeader,
        body: Bytes,
    ) -> Result<v1::Attestation, Status> {
        use v1::store_shard_request::Part;
        let parts = [Part::Header(header)].into_iter().chain(holdfast_transport::chunks(body).map(Part::Chunk));
        self.send_shard(parts.collect()).await
    }

    pub(crate) async fn send_shard(
        &self,
        parts: Vec<v1::store_shard_request::Part>,
    ) -> Result<v1::Attestation, Status> {
        let messages = parts.into_iter().map(|part| v1::StoreShardRequest { part: Some(part) });
        let response = self.dispersal.clone().store_shard(stream::iter(messages)).await?;
        Ok(response.into_inner().attestation.expect("an attestation"))
    }

    pub(crate) async fn store_payload(
        &self,
        header: v1::StorePayloadHeader,
        body: Bytes,
    ) -> Result<v1::Attestation, Status> {
        use v1::store_payload_request::Part;
        let parts = [Part::Header(header)].into_iter().chain(holdfast_transport::chunks(body).map(Part::Chunk));
        let messages: Vec<_> = parts.map(|part| v1::StorePayloadRequest { part: Some(part) }).collect();
        let response = self.dispersal.clone().store_payload(stream::iter(messages)).await?;
        Ok(response.into_inner().attestation.expect("an attestation"))
    }

    /// Stores a blob as an honest disperser does, and checks the signature.
    pub(crate) async fn store(&self, world: &World, encoded: &EncodedBlob, statement: &Statement) -> v1::Attestation {
        let attestation = if encoded.blob().is_by_payload() {
            let header = v1::StorePayloadHeader {
                statement: Some(statement.into()),
                disperser_signature: world.sign(statement),
            };
            self.store_payload(header, encoded.payload().clone()).await
        } else {
            self.store_shard(world.shard_header(statement, encoded), shard(encoded)).await
        }
        .expect("stored");
        world.verify(statement, &attestation);
        attestation
    }

    pub(crate) async fn get_blob(&self, id: BlobId) -> Result<v1::GetBlobResponse, Status> {
        let request = v1::GetBlobRequest { blob_id: Bytes::copy_from_slice(id.as_bytes()), ..Default::default() };
        Ok(self.retrieval.clone().get_blob(request).await?.into_inner())
    }

    pub(crate) async fn get_shard(&self, id: BlobId, index: u16) -> Result<Vec<u8>, Status> {
        let request = v1::GetShardRequest { blob_id: Bytes::copy_from_slice(id.as_bytes()), shard_index: index.into() };
        let mut chunks = self.retrieval.clone().get_shard(request).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(message) = chunks.message().await? {
            bytes.extend_from_slice(&message.chunk);
        }
        Ok(bytes)
    }

    pub(crate) async fn get_payload(&self, id: BlobId) -> Result<Vec<u8>, Status> {
        let request = v1::GetPayloadRequest { blob_id: Bytes::copy_from_slice(id.as_bytes()) };
        let mut chunks = self.retrieval.clone().get_payload(request).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(message) = chunks.message().await? {
            bytes.extend_from_slice(&message.chunk);
        }
        Ok(bytes)
    }

    pub(crate) async fn sign_checkpoint(&self, request: v1::SignCheckpointRequest) -> Result<v1::Attestation, Status> {
        let response = self.dispersal.clone().sign_checkpoint(request).await?;
        Ok(response.into_inner().attestation.expect("an attestation"))
    }

    pub(crate) async fn list(&self) -> Vec<v1::ListedBlob> {
        self.retrieval.clone().list_blobs(v1::ListBlobsRequest::default()).await.expect("a list").into_inner().blobs
    }
}
