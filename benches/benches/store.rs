//! Storing on a committee of five (t = 4, k = 2) over gRPC on loopback: five members in this process, each with its own
//! RocksDB and a real fsync before it signs. A figure is the time from the payload to the verified certificate.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_certificate::{
    CommitteeFile, DisperserKey, FileMember, FileNamespace, Namespace, Registration, SecretKey,
};
use holdfast_client::{Client, DisperseOptions, RetrieveOptions};
use holdfast_committee::{Config, Member, Running, store::IfMissing};
use holdfast_registry::{FileRegistry, Registry};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const MEMBERS: u16 = 5;
const THRESHOLD: u16 = 4;
const ORIGINAL_SHARDS: u16 = 2;

/// A committee and a client of it.
struct World {
    client: Client,
    members: Vec<Running>,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let held: Vec<TcpListener> =
            (0..MEMBERS).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let addresses: Vec<SocketAddr> = held.iter().map(|it| it.local_addr().expect("an address")).collect();
        drop(held);
        let keys: Vec<SecretKey> = addresses.iter().map(|_| SecretKey::generate()).collect();
        let disperser = DisperserKey::generate();
        let namespace = Namespace::from([1; 32]);
        let file = CommitteeFile {
            chain_id: 0,
            registry: None,
            epoch: 1,
            original_shards: ORIGINAL_SHARDS,
            total_shards: MEMBERS,
            threshold: THRESHOLD,
            max_payload: 32 << 20,
            members: (0..MEMBERS)
                .zip(keys.iter().zip(&addresses))
                .map(|(slot, (key, address))| FileMember {
                    slot,
                    public_key: key.public_key(),
                    proof_of_possession: key.prove_possession(&Registration::WITHOUT_L1),
                    account: None,
                    endpoint: format!("http://{address}"),
                })
                .collect(),
            namespaces: vec![FileNamespace { id: namespace, dispersers: vec![disperser.address()], min_retention: 0 }],
        };
        let registry: Arc<dyn Registry> = Arc::new(FileRegistry::from_file(file).expect("a good committee"));
        let mut members = Vec::new();
        for (number, (key, address)) in keys.into_iter().zip(addresses).enumerate() {
            let mut config = Config::in_folder(address, &folder.path().join(format!("m{number}")));
            // A bench stores more than a namespace's share of a day.
            config.policy.namespace_quota_gib_days = 1 << 40;
            let member = Member::new(config, key, Arc::clone(&registry)).if_missing(IfMissing::Create);
            members.push(member.launch().await.expect("the member starts"));
        }
        let client = Client::builder().registry(registry).namespace(namespace).disperser(disperser).build();
        Self { client: client.expect("a client"), members, _folder: folder }
    }

    async fn stop(self) {
        self.client.close().await;
        for member in self.members {
            member.stop().await.expect("the member stops");
        }
    }
}

/// Another payload each time: storing the same one again would be answered from what is held.
fn payload(length: usize, number: &mut u64) -> Bytes {
    *number += 1;
    let mut state = *number;
    (0..length.div_ceil(8))
        .flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()
        })
        .take(length)
        .collect::<Vec<u8>>()
        .into()
}

async fn disperse(world: &World, rounds: u64, length: usize, options: DisperseOptions, number: &mut u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let payload = payload(length, number);
        let started = Instant::now();
        world.client.disperse(payload, options).await.expect("a certificate");
        total += started.elapsed();
        // The slow members of one round are not measured in the next.
        world.client.drain().await;
    }
    total
}

fn store(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::start());
    let mut number = 0;
    let mut group = criterion.benchmark_group("store, n=5 t=4 k=2");
    group.sample_size(30).measurement_time(Duration::from_secs(8));
    for (name, options) in [("by shard", DisperseOptions::by_shard()), ("by payload", DisperseOptions::by_payload())] {
        for length in [120_000, 1_000_000, 8_000_000] {
            group.throughput(Throughput::Bytes(length as u64));
            group.bench_function(BenchmarkId::new(name, length), |bencher| {
                bencher.iter_custom(|rounds| runtime.block_on(disperse(&world, rounds, length, options, &mut number)));
            });
        }
    }
    group.finish();

    let stored = runtime.block_on(async {
        let payload = payload(1_000_000, &mut number);
        world.client.disperse(payload, DisperseOptions::by_shard()).await.expect("a certificate").certificate
    });
    let mut group = criterion.benchmark_group("read, n=5 t=4 k=2");
    group.throughput(Throughput::Bytes(1_000_000));
    group.bench_function(BenchmarkId::new("by shard", 1_000_000), |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let started = Instant::now();
                for _ in 0..rounds {
                    world.client.retrieve(&stored, RetrieveOptions::default()).await.expect("a payload");
                }
                started.elapsed()
            })
        });
    });
    group.finish();
    runtime.block_on(world.stop());
}

criterion_group!(benches, store);
criterion_main!(benches);
