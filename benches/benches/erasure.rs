//! Encoding, accepting and decoding on one core. Throughput is payload bytes for a blob, shard bytes for a shard.
#![allow(missing_docs, reason = "criterion's macros make public functions without documentation")]

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_erasure::{AcceptedShard, Dispersal, EncodedBlob, Parameters, decode, encode};

/// 8 MiB.
const PAYLOAD_BYTES: u32 = 8 << 20;

/// The committees measured: (original shards, total shards).
const SHAPES: [(u16, u16); 3] = [(2, 5), (3, 10), (34, 100)];

fn payload() -> Bytes {
    holdfast_benches::payload(PAYLOAD_BYTES as usize, &mut 0)
}

fn parameters((k, n): (u16, u16)) -> Parameters {
    Parameters::new(k, n).expect("the shapes above are valid")
}

fn encoding(c: &mut Criterion) {
    let payload = payload();
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Bytes(PAYLOAD_BYTES.into())).sample_size(20);
    for (name, dispersal) in [("by shard", Dispersal::ByShard), ("by payload", Dispersal::ByPayload)] {
        for (k, n) in SHAPES {
            group.bench_function(format!("{name} k={k} n={n}"), |b| {
                b.iter_with_large_drop(|| encode(parameters((k, n)), payload.clone(), dispersal).expect("valid input"));
            });
        }
    }
    group.finish();
}

fn accepting(c: &mut Criterion) {
    let mut group = c.benchmark_group("accept");
    for (k, n) in SHAPES {
        let encoded = encode(parameters((k, n)), payload(), Dispersal::ByShard).expect("valid input");
        let index = parameters((k, n)).index(n - 1).expect("the last shard exists");
        let shard = encoded.shard(index);
        group.throughput(Throughput::Bytes(shard.len() as u64));
        group.bench_function(format!("shard of k={k} n={n}"), |b| {
            b.iter(|| encoded.commitment().accept(index, shard.clone()).expect("the shard is the blob's"));
        });
    }
    group.finish();
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(PAYLOAD_BYTES.into())).sample_size(20);
    for (k, n) in SHAPES {
        let encoded = encode(parameters((k, n)), payload(), Dispersal::ByShard).expect("valid input");
        for (name, first) in [("originals", 0), ("recovery shards", n - k)] {
            let shards = shards(&encoded, first..first + k);
            group.bench_function(format!("{name} k={k} n={n}"), |b| {
                b.iter_batched(
                    || (),
                    |()| decode(encoded.commitment(), &shards).expect("k shards"),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

fn shards(encoded: &EncodedBlob, positions: std::ops::Range<u16>) -> Vec<AcceptedShard> {
    let parameters = encoded.commitment().parameters();
    positions.map(|i| encoded.accepted(parameters.index(i).expect("within the shape"))).collect()
}

criterion_group!(benches, encoding, accepting, decoding);
criterion_main!(benches);
