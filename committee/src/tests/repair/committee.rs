//! All members of a committee, each with its own store, as they come and go.

use std::{collections::BTreeMap, fs};

use holdfast_certificate::{Certificate, Committee as Keys, Domain, ProvenKey, VerifiedCertificate};
use holdfast_client::{Client, DisperseOptions, RetrieveOptions};
use holdfast_erasure::Digest;
use holdfast_registry::{
    Endpoint, EpochRecord, Error, Finality, NamespaceRecord, Position, Publication, Publications, Since,
};
use tempfile::TempDir;

use super::super::*;

/// How soon members repair here.
const DELAY: Duration = Duration::from_millis(300);

/// Where members are, and which epoch is active.
#[derive(Debug)]
pub(super) struct Located {
    near: Arc<dyn Registry>,
    endpoints: Mutex<BTreeMap<u16, String>>,
    active: AtomicU64,
    /// L1, in a test that has one.
    pub(super) chain: Mutex<Option<Chain>>,
}

/// What L1 says was published.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) events: Vec<Publication>,
    /// What is in the data of each event's transaction.
    pub(super) sent: BTreeMap<Position, Certificate>,
    /// The finalized block, and its time.
    pub(super) block: u64,
    pub(super) time: u64,
    /// Why it does not answer.
    pub(super) away: Option<String>,
    /// From where events were asked for, and how often for a transaction.
    pub(super) asked: Vec<Since>,
    pub(super) transactions: usize,
    /// How often it was looked at its finality.
    pub(super) looked: usize,
}

impl Chain {
    /// One more event, in a block of its own, with this in its transaction.
    pub(super) fn publish(&mut self, event: impl FnOnce(Position) -> Publication, sent: Option<Certificate>) {
        self.block += 1;
        let hash = Digest::from([u8::try_from(self.block).expect("few"); 32]);
        let position = Position { block: self.block, log_index: 0, block_hash: hash, transaction: hash };
        self.events.push(event(position));
        sent.map(|sent| self.sent.insert(position, sent));
    }
}

impl Located {
    pub(super) fn put(&self, slot: u16, endpoint: String) {
        self.endpoints.lock().expect("no panic").insert(slot, endpoint);
    }

    pub(super) fn activate(&self, epoch: u64) {
        self.active.store(epoch, Ordering::SeqCst);
    }
}

#[tonic::async_trait]
impl Registry for Located {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        if !(EPOCH..=self.active.load(Ordering::SeqCst)).contains(&epoch) {
            return Err(Error::UnknownEpoch { epoch });
        }
        let first = self.near.epoch(EPOCH).await?;
        let committee = &first.committee;
        let keys = committee.keys().iter().map(|key| ProvenKey::from_registry(*key)).collect();
        let committee = Keys::new(*committee.domain(), epoch, *committee.parameters(), keys).expect("as before");
        let known = self.endpoints.lock().expect("no panic");
        let at = |slot: u16| Endpoint::unpinned(known.get(&slot).cloned().unwrap_or_default());
        let endpoints = (0..MEMBERS).map(at).collect();
        Ok(Arc::new(EpochRecord { committee: Arc::new(committee), endpoints, ..EpochRecord::clone(&first) }))
    }

    async fn active_epoch(&self, _: u64) -> Result<Arc<EpochRecord>, Error> {
        self.epoch(self.active.load(Ordering::SeqCst)).await
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.near.namespace(namespace).await
    }

    async fn published(&self, _: &[Namespace], since: Since) -> Result<Option<Publications>, Error> {
        let mut chain = self.chain.lock().expect("no panic");
        let Some(chain) = chain.as_mut() else { return Ok(None) };
        chain.asked.push(since);
        let from = if let Since::Block(block) = since { block } else { 0 };
        let events = chain.events.iter().filter(|event| event.position.block >= from).cloned().collect();
        Ok(Some(Publications { events, next: chain.block + 1, finalized: chain.block }))
    }

    async fn published_certificate(&self, publication: &Publication) -> Result<Option<Certificate>, Error> {
        let mut chain = self.chain.lock().expect("no panic");
        let Some(chain) = chain.as_mut() else { return Ok(None) };
        chain.transactions += 1;
        Ok(chain.sent.get(&publication.position).copied())
    }

    fn finality(&self) -> Option<Finality> {
        let mut chain = self.chain.lock().expect("no panic");
        let Chain { block, time, away, looked, .. } = chain.as_mut()?;
        *looked += 1;
        let (failure, dissenters) = (away.clone(), Vec::new());
        let (block, timestamp, read_at) = (*block, *time, *time);
        Some(Finality { block, timestamp, read_at, stalled: false, expired: false, failure, dissenters })
    }

    fn domain(&self) -> Domain {
        self.near.domain()
    }
}

/// The members, by slot; a slot without one is down.
pub(super) struct Committee {
    pub(super) world: World,
    pub(super) registry: Arc<Located>,
    pub(super) folders: Vec<TempDir>,
    pub(super) members: BTreeMap<u16, Running>,
    pub(super) clock: Arc<TestClock>,
    pub(super) client: Client,
    pub(super) scrub: Duration,
}

impl Committee {
    /// All members at work.
    pub(super) async fn start() -> Self {
        let mut world = World::new();
        let near = Arc::clone(&world.registry);
        let registry =
            Arc::new(Located { near, endpoints: Mutex::default(), active: EPOCH.into(), chain: Mutex::default() });
        world.registry = Arc::clone(&registry) as Arc<dyn Registry>;
        let key = DisperserKey::from_bytes(&[9; 32]).expect("in range");
        let config = holdfast_client::Config::default().connect_timeout(Duration::from_millis(500));
        let client = Client::builder().registry(world.registry.clone()).namespace(world.namespace).disperser(key);
        let client = client.config(config).build().expect("a client");
        let now = crate::SystemClock.now();
        let folders = (0..MEMBERS).map(|_| tempfile::tempdir().expect("a folder")).collect();
        let (members, clock) = (BTreeMap::new(), TestClock::at(now));
        let scrub = Duration::from_secs(7 * 86_400);
        let mut committee = Self { world, registry, folders, members, clock, client, scrub };
        for slot in 0..MEMBERS {
            committee.up(slot).await;
        }
        committee
    }

    pub(super) fn config(&self, slot: u16) -> Config {
        let mut config = World::config(self.folders[usize::from(slot)].path());
        config.policy.repair_delay = DELAY;
        config.policy.scrub_period = self.scrub;
        config
    }

    pub(super) fn member(&self, slot: u16, config: Config, missing: IfMissing) -> Member {
        let key = SecretKey::from_bytes(self.world.secrets[usize::from(slot)].to_bytes().as_ref()).expect("a key");
        let clock = Arc::clone(&self.clock);
        Member::new(config, key, self.world.registry.clone()).if_missing(missing).with_clock(clock)
    }

    pub(super) async fn up(&mut self, slot: u16) {
        let missing = IfMissing::Create;
        self.up_as(slot, missing).await;
    }

    pub(super) async fn up_as(&mut self, slot: u16, missing: IfMissing) {
        let running = self.member(slot, self.config(slot), missing).launch().await.expect("starts");
        self.registry.put(slot, running.endpoint());
        self.members.insert(slot, running);
    }

    /// Starts a member that has a clock of its own.
    pub(super) async fn up_at(&mut self, slot: u16, clock: &Arc<TestClock>) {
        let member =
            self.member(slot, self.config(slot), IfMissing::Create).with_clock(Arc::clone(clock) as Arc<dyn Clock>);
        let running = member.launch().await.expect("starts");
        self.registry.put(slot, running.endpoint());
        self.members.insert(slot, running);
    }

    pub(super) async fn down(&mut self, slot: u16) {
        self.members.remove(&slot).expect("up").stop().await.expect("stops");
    }

    /// Stops all but these.
    pub(super) async fn only(&mut self, slots: [u16; 2]) {
        for slot in (0..MEMBERS).filter(|slot| !slots.contains(slot)) {
            if self.members.contains_key(&slot) {
                self.down(slot).await;
            }
        }
    }

    pub(super) async fn stop(mut self) {
        for slot in 0..MEMBERS {
            if self.members.contains_key(&slot) {
                self.down(slot).await;
            }
        }
    }

    pub(super) fn data(&self, slot: u16) -> std::path::PathBuf {
        self.folders[usize::from(slot)].path().join("data")
    }

    pub(super) fn wipe(&self, slot: u16) {
        fs::remove_dir_all(self.data(slot)).expect("removed");
    }

    pub(super) async fn put(&self, payload: Bytes, dispersal: Dispersal) -> VerifiedCertificate {
        let put = self.client.disperse(payload, DisperseOptions::by(dispersal)).await.expect("a quorum");
        self.client.drain().await;
        put.certificate
    }

    /// Whether the member holds the shard of its slot of a certificate's blob, and says so.
    pub(super) async fn holds(&self, slot: u16, certificate: &Certificate) -> bool {
        let (id, blob) = (certificate.statement.blob.id(), &certificate.statement.blob);
        let index = blob.parameters().expect("good").shard_of_slot(slot, &blob.shards_root).get();
        let peer = Peer::connect(&self.members[&slot]).await;
        let Ok(told) = peer.get_blob(id).await else { return false };
        let signed = told.statements.iter().any(|signed| signed.attestation.is_some());
        signed && peer.get_shard(id, index).await.is_ok()
    }

    pub(super) async fn until_held(&self, slot: u16, certificate: &Certificate) {
        let held = async {
            while !self.holds(slot, certificate).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let within = tokio::time::timeout(Duration::from_secs(30), held).await;
        within.unwrap_or_else(|_| panic!("not made whole: {:?}", self.progress(slot)));
    }

    pub(super) fn progress(&self, slot: u16) -> v1::Repair {
        self.members[&slot].shared().repair.progress().into()
    }

    pub(super) async fn until(&self, slot: u16, what: &str, so: impl Fn(&v1::Repair) -> bool) {
        let met = async {
            while !so(&self.progress(slot)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let within = tokio::time::timeout(Duration::from_secs(30), met).await;
        within.unwrap_or_else(|_| panic!("{what}: {:?}", self.progress(slot)));
    }

    pub(super) async fn reads(&self, certificate: &VerifiedCertificate, payload: &Bytes) {
        let read = self.client.retrieve(certificate, RetrieveOptions::default()).await.expect("read");
        assert_eq!(read.payload, payload);
    }
}
