//! What opens 32 bytes of a payload to the contract (`contracts/validators/NitroValidator.sol`): one leaf and its path.
//!
//! ```text
//! 01 | leaf | path to the shard's root | path from there to the shards root
//! ```

use bytes::Bytes;
use holdfast_erasure::{Blob, Dispersal, LEAF_BYTES, encode};

use crate::failure::Failure;

/// The version of this encoding.
const VERSION: u8 = 0x01;
/// What a machine reads at once.
const WORD_BYTES: u64 = 32;

/// Opens the payload's bytes at `offset`. Empty from the payload's end on, where there is nothing to open.
///
/// The whole blob is coded for it, which takes about as long as its dispersal: proofs are made once in a challenge.
pub(super) fn open(blob: &Blob, payload: Bytes, offset: u64) -> Result<Vec<u8>, Failure> {
    if !offset.is_multiple_of(WORD_BYTES) {
        return Err(Failure::Malformed(format!("offset: expected a multiple of {WORD_BYTES}, got {offset}")));
    }
    if offset >= u64::from(blob.payload_length) {
        return Ok(Vec::new());
    }
    let wrong = |error: holdfast_erasure::Error| Failure::Inconsistent(error.to_string());
    let parameters = blob.parameters().map_err(wrong)?;
    let encoded = encode(parameters, payload, Dispersal::ByPayload).map_err(wrong)?;
    if encoded.id() != blob.id() {
        return Err(Failure::Inconsistent("the payload is not the blob that was certified".into()));
    }
    let shard_length = parameters.shard_length(blob.payload_length) as u64;
    let out_of_range = |_| Failure::Inconsistent("the payload is longer than its shards".into());
    let shard = parameters.index(u16::try_from(offset / shard_length).map_err(out_of_range)?).map_err(wrong)?;
    let leaf_number = u32::try_from(offset % shard_length / LEAF_BYTES as u64).map_err(out_of_range)?;
    let opening = encoded.opening(shard, leaf_number).map_err(wrong)?;
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&opening.leaf);
    opening.leaf_path.iter().chain(&opening.shard_path).for_each(|node| bytes.extend_from_slice(node.as_bytes()));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use holdfast_erasure::{Digest, Opening, Parameters};

    use super::*;

    /// Reads an opening back as the contract does, and checks it.
    fn word(blob: &Blob, offset: u64, bytes: &[u8]) -> Vec<u8> {
        let parameters = blob.parameters().expect("good");
        let shard_length = parameters.shard_length(blob.payload_length);
        let offset = usize::try_from(offset).expect("small");
        let (shard, in_shard) = (offset / shard_length, offset % shard_length);
        let (number, in_leaf) = (in_shard / LEAF_BYTES, in_shard % LEAF_BYTES);
        let leaf_bytes = LEAF_BYTES.min(shard_length - number * LEAF_BYTES);
        assert_eq!(bytes[0], VERSION);
        let (leaf, path) = bytes[1..].split_at(leaf_bytes);
        let nodes: Vec<Digest> =
            path.chunks(32).map(|node| <[u8; 32]>::try_from(node).expect("whole nodes").into()).collect();
        // How many of them lead to the shard's root: the one split with which it verifies.
        let verified = (0..=nodes.len()).any(|split| {
            let opening = Opening {
                index: parameters.index(u16::try_from(shard).expect("small")).expect("a shard"),
                leaf_number: u32::try_from(number).expect("small"),
                leaf: Bytes::copy_from_slice(leaf),
                leaf_path: nodes[..split].to_vec(),
                shard_path: nodes[split..].to_vec(),
            };
            opening.verify(blob).is_ok()
        });
        assert!(verified, "offset {offset}");
        let end = (offset + 32).min(blob.payload_length as usize) - offset;
        leaf[in_leaf..in_leaf + end].to_vec()
    }

    #[test]
    fn every_word_is_opened_whatever_the_length_and_the_code() {
        for (k, n, length) in [(2, 4, 1), (2, 4, 100), (2, 7, 256), (3, 10, 40_000), (4, 7, 16_384), (1, 3, 9_000)] {
            let payload: Bytes = (0..length).map(|at: u32| (at.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
            let parameters = Parameters::new(k, n).expect("good");
            let blob = *encode(parameters, payload.clone(), Dispersal::ByPayload).expect("encodes").blob();
            // Each leaf's first and last word, and those around shards' ends.
            let step = if length > 1000 { 992 } else { 32 };
            let mut read = Vec::new();
            for offset in (0..u64::from(length)).step_by(step) {
                let opened = word(&blob, offset, &open(&blob, payload.clone(), offset).expect("opens"));
                let from = usize::try_from(offset).expect("small");
                assert_eq!(opened, payload[from..payload.len().min(from + 32)], "{length} at {offset}");
                read.extend(opened);
            }
            assert!(step > 32 || read == payload);
            let end = u64::from(length).next_multiple_of(32);
            assert_eq!(open(&blob, payload.clone(), end), Ok(Vec::new()), "past the end there is nothing");
            assert_eq!(open(&blob, payload, u64::MAX - 31), Ok(Vec::new()));
        }
    }

    #[test]
    fn another_payload_and_offsets_within_a_word_are_refused() {
        let payload = Bytes::from(vec![7; 500]);
        let parameters = Parameters::new(2, 4).expect("good");
        let blob = *encode(parameters, payload.clone(), Dispersal::ByPayload).expect("encodes").blob();
        assert!(matches!(open(&blob, payload, 33), Err(Failure::Malformed(_))));
        assert!(matches!(open(&blob, vec![8; 500].into(), 0), Err(Failure::Inconsistent(_))));
    }
}
