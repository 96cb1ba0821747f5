//! However many threads encode a payload, the blob and every shard are the same.

use bytes::Bytes;
use holdfast_erasure::{Dispersal, Parameters, encode, encode_on};

#[test]
fn as_many_threads_as_there_may_be_make_the_same_blob() {
    // On both sides of a leaf, of the columns that a thread takes at a time, and of what is worth another thread.
    let lengths = [1, 1_000_000, (8 << 20) - 1, (8 << 20) + 4097, 12_600_001];
    for (k, n) in [(1, 3), (2, 5), (3, 10), (7, 11), (34, 40)] {
        let parameters = Parameters::new(k, n).expect("possible numbers");
        for (seed, length) in (1_u64..).zip(lengths) {
            let payload: Bytes = (0..length as u64).map(|at| (at * at * 31 + at * 7 + seed).to_le_bytes()[1]).collect();
            for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
                let expected = encode(parameters, payload.clone(), dispersal).expect("valid");
                for threads in [2, 3, 1000] {
                    let got = encode_on(threads, parameters, payload.clone(), dispersal).expect("valid");
                    assert_eq!(got.blob(), expected.blob(), "k={k} n={n}, {length} bytes, {threads} threads");
                    assert_eq!(got.commitment().fingerprints(), expected.commitment().fingerprints());
                    for index in parameters.indices() {
                        assert!(
                            got.shard(index) == expected.shard(index),
                            "k={k} n={n}, {length} bytes, {threads} threads"
                        );
                    }
                }
            }
        }
    }
    encode_on(0, Parameters::new(2, 5).expect("possible"), Bytes::from_static(b"x"), Dispersal::ByShard)
        .expect("one at least");
}
