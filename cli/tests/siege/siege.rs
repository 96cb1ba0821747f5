//! One committee for all attacks, one attack at a time.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use holdfast_certificate::{Committee, CommitteeFile, DisperserKey, HOUR, Namespace, Statement};
use holdfast_erasure::{Dispersal, EncodedBlob, Parameters, encode};
use holdfast_proto::v1::{self, dispersal_client::DispersalClient, retrieval_client::RetrievalClient};
use tonic::transport::Channel;

use crate::support::{Devnet, MIB, noise, run};

/// How long an honest put or get may take beside an attack, whatever else the machine does. What was measured is printed.
const HONEST: Duration = Duration::from_secs(15);
/// The member's `limits.memory_mib`, less than it is by default, with room for the blobs of 32 MiB that are attacked.
const MEMORY_MIB: u64 = 1280;
/// Honest puts and gets before and beside each attack, unless `HOLDFAST_SIEGE_ROUNDS` says otherwise.
const ROUNDS: usize = 5;
/// Their median beside an attack may be so many times that before it, unless `HOLDFAST_SIEGE_TIMES` says otherwise: attackers
/// share the cores with the member, and other programs may come and go.
const TIMES: u32 = 10;
/// What is less than this is well in any case.
const WELL: Duration = Duration::from_secs(3);

/// A committee of two, both of whose signatures a put needs; strangers attack the first.
struct Town {
    devnet: Devnet,
    known: String,
}

/// What the member has used.
#[derive(Clone, Copy)]
struct Used {
    at: Instant,
    processor: Duration,
    written: u64,
}

/// The one attack that is going on.
pub(crate) struct Siege {
    /// Where strangers run; ends with the siege. Before the others, for it is dropped first.
    pub(crate) strangers: tokio::runtime::Runtime,
    pub(crate) member: SocketAddr,
    pub(crate) world: World,
    town: Arc<Town>,
    pid: i32,
    /// Medians of honest puts and gets before the attack.
    quiet: (Duration, Duration),
    began: Used,
    _alone: MutexGuard<'static, ()>,
}

/// What a disperser of one namespace knows.
#[derive(Clone)]
pub(crate) struct World {
    committee: Arc<Committee>,
    pub(crate) namespace: Namespace,
    disperser: Arc<DisperserKey>,
}

/// The second namespace of the committee, and the key of its disperser.
pub(crate) const OTHER: ([u8; 32], [u8; 32]) = ([0x0e; 32], [0x0d; 32]);

impl Town {
    fn build() -> Self {
        let devnet = Devnet::up(&["--l1", "none", "--members", "2", "-t", "2", "-k", "1"]);
        // A namespace of somebody else is in the same file.
        devnet.devnet(&["down"]).ok();
        let file = devnet.dir().join("committee.json");
        let mut committee = CommitteeFile::parse(&fs::read_to_string(&file).unwrap()).unwrap();
        let mut other = committee.namespaces[0].clone();
        other.id = Namespace::from(OTHER.0);
        other.dispersers = vec![DisperserKey::from_bytes(&OTHER.1).unwrap().address()];
        committee.namespaces.push(other);
        fs::write(&file, committee.to_json()).unwrap();
        let config = devnet.dir().join("m0/member.toml");
        let text = format!("{}\n[limits]\nmemory_mib = {MEMORY_MIB}\n", fs::read_to_string(&config).unwrap());
        fs::write(&config, text).unwrap();
        devnet.devnet(&["up"]).ok();
        let known = devnet.put("known", &noise(32 * MIB, 1), &[]);
        Self { devnet, known }
    }

    /// How long honest puts and gets take: the medians.
    fn honest(&self, beside: &str) -> (Duration, Duration) {
        static SEED: AtomicU64 = AtomicU64::new(1000);
        let (mut puts, mut gets) = (Vec::new(), Vec::new());
        for _ in 0..number("HOLDFAST_SIEGE_ROUNDS").unwrap_or(ROUNDS) {
            let seed = SEED.fetch_add(1, Ordering::SeqCst);
            let payload = noise(120 << 10, seed);
            let started = Instant::now();
            let certificate = self.devnet.put(&format!("honest-{seed}"), &payload, &[]);
            let put = started.elapsed();
            let started = Instant::now();
            let file = self.devnet.path("honest.read");
            self.devnet.run(&["get", &certificate, "--from", "m0", "--force", "-o", &file]).ok();
            let get = started.elapsed();
            assert!(fs::read(file).unwrap() == payload, "beside {beside} something else was read");
            assert!(put < HONEST && get < HONEST, "beside {beside} a put took {put:?} and a get {get:?}");
            puts.push(put);
            gets.push(get);
        }
        (median(puts), median(gets))
    }
}

impl Siege {
    /// Waits for its turn.
    pub(crate) fn begin() -> Self {
        static TOWN: Mutex<Weak<Town>> = Mutex::new(Weak::new());
        static ALONE: Mutex<()> = Mutex::new(());
        let town = {
            let mut town = TOWN.lock().unwrap_or_else(PoisonError::into_inner);
            town.upgrade().unwrap_or_else(|| {
                let built = Arc::new(Town::build());
                *town = Arc::downgrade(&built);
                built
            })
        };
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = town.devnet.pids()[0];
        let member = town.devnet.state()["members"][0]["listen"].as_str().unwrap().parse().unwrap();
        let key = fs::read_to_string(town.devnet.dir().join("disperser.key")).unwrap();
        let namespace = town.devnet.state()["namespace"].as_str().unwrap().parse().unwrap();
        let world =
            World::new(&town.devnet.dir(), namespace, DisperserKey::from_hex(&format!("0x{}", key.trim())).unwrap());
        let strangers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        // Each time anew: the machine may be busier than it was.
        let quiet = town.honest("nothing");
        // The peak of what is resident begins anew.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        Self { strangers, member, world, town, pid, quiet, began: used(pid), _alone: alone }
    }

    /// The process's seconds of processor a second since the siege began.
    pub(crate) fn cores(&self) -> f64 {
        let now = used(self.pid);
        (now.processor - self.began.processor).as_secs_f64() / (now.at - self.began.at).as_secs_f64()
    }

    /// Bytes that the member has written since the siege began.
    pub(crate) fn written(&self) -> u64 {
        used(self.pid).written - self.began.written
    }

    pub(crate) fn other(&self) -> World {
        let (id, key) = OTHER;
        World::new(&self.town.devnet.dir(), Namespace::from(id), DisperserKey::from_bytes(&key).unwrap())
    }

    /// A blob of 32 MiB that everybody knows of, of which the member holds all.
    pub(crate) fn known_shard(&self) -> v1::GetShardRequest {
        let shown = run(&["--json", "cert", "show", &self.town.known]).ok().json();
        let id = hex::decode(shown["blobId"].as_str().unwrap().trim_start_matches("0x")).unwrap();
        let parameters = Parameters::new(1, 2).unwrap();
        let root: [u8; 32] =
            hex::decode(shown["shardsRoot"].as_str().unwrap().trim_start_matches("0x")).unwrap().try_into().unwrap();
        let index = parameters.shard_of_slot(0, &root.into()).get();
        v1::GetShardRequest { blob_id: id.into(), shard_index: index.into() }
    }

    /// Stores a small blob honestly and gives its id.
    pub(crate) fn put(&self, name: &str) -> (Bytes, Vec<u8>) {
        let certificate = self.town.devnet.put(name, name.as_bytes(), &[]);
        let shown = run(&["--json", "cert", "show", &certificate]).ok().json();
        let id = hex::decode(shown["blobId"].as_str().unwrap().trim_start_matches("0x")).unwrap();
        (id.into(), name.as_bytes().to_vec())
    }

    /// Honest puts and gets beside the attack, against the same before it; then the member's memory at its highest.
    pub(crate) fn endure(&self, attack: &str) {
        let (put, get) = self.town.honest(attack);
        let (peak, bound) = (self.peak(), MEMORY_MIB << 20);
        let times = |now: Duration, then: Duration| now.as_secs_f64() / then.as_secs_f64();
        let (quiet_put, quiet_get) = self.quiet;
        eprintln!(
            "{attack}: a put takes {put:.0?}, {:.1} times what it took before, a get {get:.0?}, {:.1} times; {:.2} cores; {} MiB of {MEMORY_MIB}",
            times(put, quiet_put),
            times(get, quiet_get),
            self.cores(),
            peak >> 20,
        );
        assert!(peak < bound, "beside {attack} the member took {peak} bytes, expected less than {bound}");
        let most = number("HOLDFAST_SIEGE_TIMES").map_or(TIMES, |times| u32::try_from(times).unwrap());
        for (what, now, then) in [("put", put, quiet_put), ("get", get, quiet_get)] {
            let well = if most < TIMES { then * most } else { WELL.max(then * most) };
            assert!(now <= well, "beside {attack} a {what} takes {now:?}, expected at most {well:?}");
        }
    }

    /// The most memory that was resident since the siege began.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    /// Descriptors that the member has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count()
    }

    /// A channel from 127.0.0.`last`.
    pub(crate) fn channel(&self, last: u8) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.member)).unwrap();
        let endpoint = endpoint.local_address(Some([127, 0, 0, last].into()));
        self.strangers.block_on(endpoint.connect()).unwrap()
    }

    pub(crate) fn retrieval(&self, last: u8) -> RetrievalClient<Channel> {
        RetrievalClient::new(self.channel(last))
    }

    pub(crate) fn dispersal(&self, last: u8) -> DispersalClient<Channel> {
        DispersalClient::new(self.channel(last))
    }
}

/// What stands in a variable.
fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, got {text:?}")))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn used(pid: i32) -> Used {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // In hundredths of a second, behind the name, which may have blanks in it.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap();
    Used { at: Instant::now(), processor: Duration::from_millis(ticks * 10), written }
}

impl World {
    fn new(devnet: &Path, namespace: Namespace, disperser: DisperserKey) -> Self {
        let file = CommitteeFile::parse(&fs::read_to_string(devnet.join("committee.json")).unwrap()).unwrap();
        Self { committee: Arc::new(file.committee().unwrap()), namespace, disperser: Arc::new(disperser) }
    }

    pub(crate) fn coded(&self, payload: &[u8]) -> EncodedBlob {
        let parameters = Parameters::new(1, 2).unwrap();
        encode(parameters, Bytes::copy_from_slice(payload), Dispersal::ByShard).unwrap()
    }

    /// What a disperser sends to the first member before the shard: a promise for so many hours.
    pub(crate) fn header(&self, encoded: &EncodedBlob, hours: u64) -> v1::StoreShardHeader {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let statement = Statement {
            namespace: self.namespace,
            epoch: self.committee.epoch(),
            blob: *encoded.blob(),
            whole_until: 0,
            retain_until: now / HOUR * HOUR + hours * HOUR,
        };
        let commitment = encoded.commitment();
        let index = commitment.parameters().shard_of_slot(0, &encoded.blob().shards_root).get();
        let signature = self.disperser.sign(&statement.digest(self.committee.domain()));
        v1::StoreShardHeader {
            statement: Some((&statement).into()),
            disperser_signature: Bytes::copy_from_slice(&signature.to_bytes()),
            shard_index: index.into(),
            shard_roots: holdfast_proto::digests_to_bytes(commitment.shard_roots()),
            fingerprints: commitment.fingerprints().clone(),
        }
    }
}
