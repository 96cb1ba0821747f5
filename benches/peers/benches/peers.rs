//! Encoding and committing, side by side. Each group is one payload and one committee, so the ratios are of one run.
//!
//! What each does is not the same: `reed-solomon-simd` codes and commits to nothing; commonware's Reed-Solomon commits to the
//! shards with SHA-256 or BLAKE3, and a shard alone does not show that it belongs to one codeword; rsema1d and Holdfast prove
//! that of each shard.
#![allow(missing_docs, reason = "criterion's macros make public functions without documentation")]

use std::{hint::black_box, num::NonZeroU16, time::Duration};

use bytes::Bytes;
use commonware_coding::{Config, ReedSolomon, Scheme};
use commonware_cryptography::{Blake3, Sha256};
use commonware_parallel::Sequential;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_erasure::{Dispersal, Parameters, encode};
use rsema1d::RowMatrix;

/// (original shards, total shards).
const SHAPES: [(u16, u16); 4] = [(2, 5), (3, 10), (6, 20), (16, 50)];
const LENGTHS: [usize; 3] = [100_000, 1 << 20, 8 << 20];

fn payload(length: usize) -> Bytes {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn commonware<S: Scheme>(k: u16, n: u16, payload: &Bytes) -> S::Commitment {
    let count = |shards| NonZeroU16::new(shards).expect("above zero");
    let config = Config { minimum_shards: count(k), extra_shards: count(n - k) };
    S::encode(&config, payload.clone(), &Sequential).expect("valid input").0
}

fn encoding(c: &mut Criterion) {
    for length in LENGTHS {
        let payload = payload(length);
        for (k, n) in SHAPES {
            let mut group = c.benchmark_group(format!("encode {length} bytes k={k} n={n}"));
            group.throughput(Throughput::Bytes(length as u64)).sample_size(20).measurement_time(Duration::from_secs(2));
            group.warm_up_time(Duration::from_millis(500));
            group.bench_function("holdfast", |b| {
                let parameters = Parameters::new(k, n).expect("valid");
                b.iter_with_large_drop(|| {
                    encode(parameters, payload.clone(), Dispersal::ByShard).expect("valid input")
                });
            });
            group.bench_function("commonware reed-solomon sha-256", |b| {
                b.iter(|| black_box(commonware::<ReedSolomon<Sha256>>(k, n, &payload)));
            });
            group.bench_function("commonware reed-solomon blake3", |b| {
                b.iter(|| black_box(commonware::<ReedSolomon<Blake3>>(k, n, &payload)));
            });
            let (original, recovery) = (usize::from(k), usize::from(n - k));
            let row = length.div_ceil(original).next_multiple_of(64);
            let mut rows = payload.to_vec();
            rows.resize(original * row, 0);
            group.bench_function("rsema1d, one worker", |b| {
                let parameters = rsema1d::Parameters::new(original, recovery, row).expect("valid");
                let matrix = RowMatrix::with_shape(rows.clone(), original, row).expect("valid");
                b.iter_with_large_drop(|| rsema1d::encode(&matrix, &parameters).expect("valid input"));
            });
            group.bench_function("reed-solomon-simd, no commitment", |b| {
                b.iter_with_large_drop(|| {
                    reed_solomon_simd::encode(original, recovery, rows.chunks(row)).expect("valid input")
                });
            });
            group.finish();
        }
    }
}

criterion_group!(benches, encoding);
criterion_main!(benches);
