//! Encoding and committing beside ZODA, which also proves of each shard that it belongs to one codeword.
#![allow(missing_docs, reason = "criterion's macros make public functions without documentation")]

use std::{hint::black_box, num::NonZeroU16, time::Duration};

use bytes::Bytes;
use commonware_coding::{Config, PhasedAsScheme, Scheme, Zoda};
use commonware_cryptography::Sha256;
use commonware_parallel::Sequential;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_erasure::{Dispersal, Parameters, encode};

/// (original shards, total shards).
const SHAPES: [(u16, u16); 4] = [(2, 5), (3, 10), (6, 20), (16, 50)];
const LENGTHS: [usize; 2] = [100_000, 1 << 20];

fn payload(length: usize) -> Bytes {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn encoding(c: &mut Criterion) {
    for length in LENGTHS {
        let payload = payload(length);
        for (k, n) in SHAPES {
            let mut group = c.benchmark_group(format!("encode {length} bytes k={k} n={n}"));
            group.throughput(Throughput::Bytes(length as u64)).sample_size(10).measurement_time(Duration::from_secs(2));
            group.warm_up_time(Duration::from_millis(500));
            group.bench_function("holdfast", |b| {
                let parameters = Parameters::new(k, n).expect("valid");
                b.iter_with_large_drop(|| {
                    encode(parameters, payload.clone(), Dispersal::ByShard).expect("valid input")
                });
            });
            group.bench_function("zoda sha-256", |b| {
                let count = |shards| NonZeroU16::new(shards).expect("above zero");
                let config = Config { minimum_shards: count(k), extra_shards: count(n - k) };
                b.iter(|| {
                    let encoded = PhasedAsScheme::<Zoda<Sha256>>::encode(&config, payload.clone(), &Sequential)
                        .expect("valid input");
                    black_box(encoded.0)
                });
            });
            group.finish();
        }
    }
}

criterion_group!(benches, encoding);
criterion_main!(benches);
