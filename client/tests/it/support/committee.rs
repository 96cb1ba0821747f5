use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use holdfast_certificate::{
    Certificate, Committee, CommitteeParameters, DisperserKey, Namespace, ProvenKey, Registration, SecretKey,
    Statement, VerifiedCertificate,
};
use holdfast_client::{Builder, Client, Config};
use holdfast_erasure::{EncodedBlob, Parameters};
use holdfast_proto::v1::{
    dispersal_server::DispersalServer, node_server::NodeServer, retrieval_server::RetrievalServer,
};
use holdfast_registry::{Endpoint, EpochRecord, Registry};
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;

use super::{
    lie::Lie,
    member::Member,
    registry::{TestRegistry, domain},
};

pub(crate) const MAX_PAYLOAD: u32 = 8 << 20;

/// A committee of one epoch, each member on a runtime of its own so that it can be killed with all its connections.
pub(crate) struct TestCommittee {
    pub(crate) members: Vec<Arc<Member>>,
    pub(crate) registry: Arc<TestRegistry>,
    pub(crate) namespace: Namespace,
    pub(crate) disperser: DisperserKey,
    pub(crate) epoch: u64,
    servers: Mutex<Vec<Option<Runtime>>>,
    addresses: Vec<SocketAddr>,
    /// Each keeps one member's only thread where it is.
    frozen: Mutex<Vec<mpsc::Sender<()>>>,
}

impl TestCommittee {
    /// `n` members of which `t` must sign and `k` suffice to read.
    pub(crate) fn start(n: u16, t: u16, k: u16) -> Self {
        Self::start_epoch(1, n, t, k, Arc::new(TestRegistry::default()))
    }

    /// The same as an epoch of a registry that may have others; the newest started is the active one.
    pub(crate) fn start_epoch(epoch: u64, n: u16, t: u16, k: u16, registry: Arc<TestRegistry>) -> Self {
        Self::start_epoch_for(epoch, (n, t, k), registry, DisperserKey::generate())
    }

    /// The same for a disperser that there is already.
    pub(crate) fn start_epoch_for(
        epoch: u64,
        (n, t, k): (u16, u16, u16),
        registry: Arc<TestRegistry>,
        disperser: DisperserKey,
    ) -> Self {
        let keys: Vec<SecretKey> = (0..n).map(|_| SecretKey::generate()).collect();
        let proven = keys
            .iter()
            .map(|key| {
                let proof = key.prove_possession(&Registration::WITHOUT_L1);
                ProvenKey::check(key.public_key(), proof, &Registration::WITHOUT_L1).expect("its own proof")
            })
            .collect();
        let parameters = CommitteeParameters::new(Parameters::new(k, n).unwrap(), t, MAX_PAYLOAD).unwrap();
        let committee = Arc::new(Committee::new(domain(), epoch, parameters, proven).expect("a valid committee"));
        let namespace = Namespace::from([7; 32]);
        let members: Vec<Arc<Member>> = (0u16..)
            .zip(keys)
            .map(|(slot, key)| Arc::new(Member::new(slot, key, Arc::clone(&committee), disperser.address())))
            .collect();
        let (servers, addresses): (Vec<_>, Vec<_>) =
            members.iter().map(|member| serve(Arc::clone(member), "127.0.0.1:0".parse().unwrap())).unzip();
        registry.add(EpochRecord {
            committee,
            active_from: 0,
            active_until: None,
            accepted_until: None,
            revoked_at: None,
            endpoints: addresses.iter().map(|address| Endpoint::unpinned(format!("http://{address}"))).collect(),
        });
        registry.allow(namespace, disperser.address());
        let servers = Mutex::new(servers.into_iter().map(Some).collect());
        Self { members, registry, namespace, disperser, epoch, servers, addresses, frozen: Mutex::default() }
    }

    /// A client that can write, with short waits.
    pub(crate) fn client(&self) -> Client {
        self.client_with(|builder| builder)
    }

    pub(crate) fn client_with(&self, change: impl FnOnce(Builder) -> Builder) -> Client {
        let builder = Client::builder()
            .registry(Arc::clone(&self.registry) as Arc<dyn Registry>)
            .namespace(self.namespace)
            .disperser(self.disperser.clone())
            .config(quick());
        change(builder).build().expect("a valid configuration")
    }

    pub(crate) fn lie(&self, slot: u16, lie: Lie) {
        self.members[usize::from(slot)].lie(lie);
    }

    /// Stops a member with all its connections, as SIGKILL would. Its data stays.
    pub(crate) fn kill(&self, slot: u16) {
        let runtime = self.servers.lock().unwrap()[usize::from(slot)].take();
        runtime.expect("alive").shutdown_background();
    }

    /// Stops a member as SIGSTOP would: its connections stay, and new ones are taken by the system, but nothing is answered.
    pub(crate) fn freeze(&self, slot: u16) {
        let (thaw, never) = mpsc::channel();
        self.frozen.lock().unwrap().push(thaw);
        let (stopped, has_stopped) = mpsc::channel();
        let servers = self.servers.lock().unwrap();
        servers[usize::from(slot)].as_ref().expect("alive").spawn(async move {
            stopped.send(()).unwrap();
            never.recv().unwrap_err();
        });
        has_stopped.recv().unwrap();
    }

    /// A certificate over a blob by all members, as if they held it until then.
    pub(crate) fn certify(&self, encoded: &EncodedBlob, retain_until: u64) -> VerifiedCertificate {
        let statement = Statement {
            namespace: self.namespace,
            epoch: self.epoch,
            blob: *encoded.blob(),
            whole_until: 0,
            retain_until,
        };
        let attestations: Vec<_> = self.members.iter().map(|member| member.sign(&statement)).collect();
        Certificate::aggregate(&self.members[0].committee, statement, &attestations).unwrap()
    }

    /// Starts a killed member again, at its address and with its data.
    pub(crate) fn restart(&self, slot: u16) {
        let place = usize::from(slot);
        let (runtime, _) = serve(Arc::clone(&self.members[place]), self.addresses[place]);
        self.servers.lock().unwrap()[place] = Some(runtime);
    }
}

impl Drop for TestCommittee {
    fn drop(&mut self) {
        for runtime in self.servers.lock().unwrap().drain(..).flatten() {
            runtime.shutdown_background();
        }
    }
}

/// The defaults, but nobody waits long for what should not come.
pub(crate) fn quick() -> Config {
    Config::default()
        .disperse_deadline(Duration::from_secs(20))
        .background_limit(Duration::from_secs(4))
        .read_deadline(Duration::from_secs(20))
}

fn serve(member: Arc<Member>, address: SocketAddr) -> (Runtime, SocketAddr) {
    // A killed member's port can be in use until its runtime has gone.
    let listener = (0..500)
        .find_map(|_| {
            std::net::TcpListener::bind(address).inspect_err(|_| std::thread::sleep(Duration::from_millis(10))).ok()
        })
        .expect("the address becomes free");
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tonic::transport::Server::builder()
            .add_service(DispersalServer::from_arc(Arc::clone(&member)))
            .add_service(RetrievalServer::from_arc(Arc::clone(&member)))
            .add_service(NodeServer::from_arc(member))
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await
            .unwrap();
    });
    (runtime, address)
}
