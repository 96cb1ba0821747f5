//! Storing on a committee of five (t = 4, k = 2) over gRPC on loopback: five members in this process, each with its own
//! RocksDB and a real fsync before it signs. A figure is the time from the payload to the verified certificate.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::payload;
use holdfast_client::{Client, DisperseOptions, RetrieveOptions};
use holdfast_testing::{Committee, Setup};
use tokio::runtime::Runtime;

/// A committee and a client of it.
struct World {
    client: Client,
    committee: Committee,
}

impl World {
    async fn start() -> Self {
        // A bench stores more than a namespace's share of a day.
        let setup = Setup::of(5, 4, 2).settings(|config| config.policy.namespace_quota_gib_days = 1 << 40);
        let committee = Committee::start_with(setup).await.expect("the members start");
        let builder = Client::builder().registry(committee.registry()).namespace(committee.namespace());
        let client = builder.disperser(committee.disperser()).build().expect("a client");
        Self { client, committee }
    }

    async fn stop(self) {
        self.client.close().await;
        self.committee.close().await.expect("the members stop");
    }
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
