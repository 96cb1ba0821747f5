//! Openings and shards of strangers: nothing but what was committed is taken, whatever is sent.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use holdfast_erasure::{Blob, Digest, Dispersal, Opening, Parameters, encode};
use holdfast_fuzz::Target;

/// `index 2 | leaf number 4 | leaves of the path 1 | path | rest of the path, and the leaf behind it`, for this test alone.
fn pack(opening: &Opening) -> Vec<u8> {
    let mut bytes = opening.index.get().to_be_bytes().to_vec();
    bytes.extend(opening.leaf_number.to_be_bytes());
    for path in [&opening.leaf_path, &opening.shard_path] {
        bytes.push(u8::try_from(path.len()).unwrap());
        path.iter().for_each(|node| bytes.extend(node.as_bytes()));
    }
    bytes.extend(&opening.leaf);
    bytes
}

fn unpack(parameters: &Parameters, bytes: &[u8]) -> Option<Opening> {
    let (index, rest) = bytes.split_first_chunk()?;
    let (number, mut rest) = rest.split_first_chunk()?;
    let mut path = || -> Option<Vec<Digest>> {
        let (count, behind) = rest.split_first()?;
        let (nodes, behind) = behind.split_at_checked(usize::from(*count) * 32)?;
        rest = behind;
        Some(nodes.as_chunks::<32>().0.iter().map(|node| Digest::from(*node)).collect())
    };
    let (leaf_path, shard_path) = (path()?, path()?);
    let index = parameters.index(u16::from_be_bytes(*index)).ok()?;
    let leaf = Bytes::copy_from_slice(rest);
    Some(Opening { index, leaf_number: u32::from_be_bytes(*number), leaf, leaf_path, shard_path })
}

#[test]
fn fuzz_openings() {
    let parameters = Parameters::new(2, 5).unwrap();
    let payload: Bytes = (0..40_000u32).map(|at| at.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect();
    let encoded = encode(parameters, payload, Dispersal::ByPayload).unwrap();
    let genuine: Vec<Opening> = (0..5u16)
        .flat_map(|index| (0..3u32).map(move |number| (index, number)))
        .map(|(index, number)| encoded.opening(parameters.index(index).unwrap(), number).unwrap())
        .collect();
    let blob: Blob = *encoded.blob();
    Target::new("openings", genuine.iter().map(pack)).cases(10_000).run(|bytes| {
        let Some(opening) = unpack(&parameters, bytes) else { return };
        if opening.verify(&blob).is_ok() {
            let there = encoded.opening(opening.index, opening.leaf_number).unwrap();
            assert_eq!(opening, there, "only what was committed opens");
        }
        // A blob of other numbers has no such opening, and asks for no more than a path.
        for (k, n, length) in [(1, 2, 0), (0, 0, 1), (125, 126, u32::MAX), (2, 5, 1)] {
            let other = Blob { original_shards: k, total_shards: n, payload_length: length, ..blob };
            opening.verify(&other).unwrap_err();
        }
    });
}

#[test]
fn fuzz_shards() {
    let parameters = Parameters::new(2, 5).unwrap();
    let payload: Bytes = (0..9_000u32).map(|at| at.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect();
    let encoded = encode(parameters, payload, Dispersal::ByShard).unwrap();
    let shards: Vec<Bytes> = parameters.indices().map(|index| encoded.shard(index)).collect();
    Target::new("shards", shards.iter()).cases(10_000).run(|bytes| {
        for index in parameters.indices() {
            let shard = Bytes::copy_from_slice(bytes);
            let accepted = encoded.commitment().accept(index, shard.clone());
            assert_eq!(accepted.is_ok(), shard == shards[usize::from(index.get())], "the shard itself, and no other");
            // In chunks it is the same.
            let mut acceptor = encoded.commitment().acceptor(index);
            let pushed = bytes.chunks(997).try_for_each(|chunk| acceptor.push(chunk));
            assert_eq!(pushed.is_ok() && acceptor.finish().is_ok(), accepted.is_ok());
        }
    });
}
