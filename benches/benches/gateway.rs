//! What the gateway adds to the SDK: PUTs over HTTP against dispersals of the same size by the same settings, in the same run, and
//! GETs of what is cached. Five members (t = 4, k = 2), as in `store.rs`.
//!
//! Besides criterion's figures the two are measured in turns, so that both see the same machine, and their ratio is printed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::payload;
use holdfast_client::{Client, DisperseOptions};
use holdfast_erasure::keccak256;
use holdfast_gateway::{Config, Gateway, Running, config::Listen};
use holdfast_testing::{Committee, Setup};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Batches of an OP Stack chain and of an Arbitrum chain.
const LENGTHS: [usize; 2] = [120_000, 1_000_000];
/// Pairs of which the ratio is the medians'.
const PAIRS: usize = 60;
/// What the slowest member is still being sent after a certificate must not be measured in the next round.
const SETTLE: Duration = Duration::from_millis(25);

/// A committee, a client of it, and a gateway of it with a client of its own.
struct World {
    client: Client,
    gateway: Running,
    http: reqwest::Client,
    committee: Committee,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        // A bench stores more than a namespace's share of a day.
        let setup = Setup::of(5, 4, 2).settings(|config| {
            config.policy.namespace_quota_gib_days = 1 << 40;
            config.limits.costly_calls_per_second = 10_000;
        });
        let committee = Committee::start_with(setup).await.expect("the members start");
        let builder = Client::builder().registry(committee.registry()).namespace(committee.namespace());
        let client = builder.disperser(committee.disperser()).build().expect("a client");
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("disperser.key");
        std::fs::write(&key, hex::encode(committee.disperser().to_bytes().as_ref())).expect("written");
        let config = Config {
            namespace: Some(committee.namespace()),
            disperser_key_file: Some(key),
            // The registry is given; a gateway still wants to be told of one.
            committee_file: Some(folder.path().join("committee.json")),
            listen: Listen { op: Some(([127, 0, 0, 1], 0).into()), ..Listen::default() },
            ..Config::default()
        };
        let gateway = Gateway::new(config).with_registry(committee.registry()).start().await.expect("a gateway");
        Self { client, gateway, http: reqwest::Client::new(), committee, _folder: folder }
    }

    async fn stop(self) {
        self.client.close().await;
        self.gateway.stop().await;
        self.committee.close().await.expect("the members stop");
    }

    /// How long a dispersal by payload takes, and nothing of what goes on after its certificate.
    async fn disperse(&self, payload: Bytes) -> Duration {
        let started = Instant::now();
        self.client.disperse(payload, DisperseOptions::by_payload()).await.expect("a certificate");
        let took = started.elapsed();
        tokio::time::sleep(SETTLE).await;
        took
    }

    /// How long the same takes through the gateway, as op-batcher asks for it.
    async fn put(&self, payload: Bytes) -> Duration {
        let started = Instant::now();
        let answer = self.http.post(self.url("/put")).body(payload).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.bytes().await.expect("a commitment").len(), 34);
        let took = started.elapsed();
        tokio::time::sleep(SETTLE).await;
        took
    }

    async fn get(&self, path: &str, length: usize) -> Duration {
        let started = Instant::now();
        let answer = self.http.get(self.url(path)).send().await.expect("an answer");
        assert_eq!(answer.bytes().await.expect("a payload").len(), length);
        started.elapsed()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.address("op").expect("it listens"))
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Both in turns, and what the one is of the other.
async fn compare(world: &World, length: usize, number: &mut u64) {
    let (mut alone, mut through) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        alone.push(world.disperse(payload(length, number)).await);
        through.push(world.put(payload(length, number)).await);
    }
    let (alone, through) = (median(alone), median(through));
    let ratio = through.as_secs_f64() / alone.as_secs_f64();
    println!("PUT of {length} bytes, {PAIRS} pairs in turns: SDK {alone:.2?}, gateway {through:.2?}, ratio {ratio:.2}");
}

fn gateway(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::start());
    let mut number = 0;
    let mut group = criterion.benchmark_group("put by payload, n=5 t=4 k=2");
    group.sample_size(30).measurement_time(Duration::from_secs(8));
    for length in LENGTHS {
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::new("SDK", length), |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds).map(|_| runtime.block_on(world.disperse(payload(length, &mut number)))).sum()
            });
        });
        group.bench_function(BenchmarkId::new("gateway", length), |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds).map(|_| runtime.block_on(world.put(payload(length, &mut number)))).sum()
            });
        });
        runtime.block_on(compare(&world, length, &mut number));
    }
    group.finish();

    let mut group = criterion.benchmark_group("cached get");
    for length in LENGTHS {
        let kept = payload(length, &mut number);
        let path = format!("/get/0x01ff{}", hex::encode(keccak256(&kept).as_bytes()));
        runtime.block_on(world.put(kept));
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| runtime.block_on(world.get(&path, length))).sum());
        });
    }
    group.finish();
    runtime.block_on(world.stop());
}

criterion_group!(benches, gateway);
criterion_main!(benches);
