//! Fingerprints: a short digest of a shard that commutes with the code.
//!
//! `fingerprint(encode(shards)) == encode(fingerprint(shards))`, so that a member that has only its own shard checks that it
//! belongs to the one codeword which the original shards' fingerprints fix. From Hendricks, Ganger and Reiter, "Verifying
//! distributed erasure-coded data", PODC 2007; the polynomial evaluated is POLYVAL of RFC 8452.

use polyval::Block;

use crate::evaluate::{Evaluation, POINTS};
use crate::transpose::{self, PLANES};
use crate::{
    digest::Digest, digest::sha256, parameters::FINGERPRINT_BYTES, parameters::GROUP_BYTES, parameters::LEAF_BYTES,
    parameters::Parameters,
};

/// Bytes of fingerprints that a shard has: one fingerprint at each point.
pub(crate) const ROW_BYTES: usize = POINTS * FINGERPRINT_BYTES;

/// Groups transposed before they are hashed: one leaf's, 4 KiB in and 4 KiB out.
const BATCH: usize = LEAF_BYTES / GROUP_BYTES;

/// The two field elements at which a blob's shards are evaluated.
///
/// They depend on the shards root, so they are fixed only after all the shards are: a disperser cannot aim at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Points([[u8; 16]; POINTS]);

/// Fingerprints one shard, fed in pieces.
#[derive(Clone)]
pub(crate) struct Fingerprinter {
    evaluation: Evaluation,
}

impl Points {
    /// The points of one blob. Both are derived from the same inputs, never one from the other.
    pub(crate) fn of(parameters: Parameters, payload_length: u32, shards_root: &Digest) -> Self {
        Self([0, 1].map(|point| {
            let mut text = b"holdfast/v1/fingerprint".to_vec();
            text.push(point);
            text.extend(parameters.total_shards().to_be_bytes());
            text.extend(parameters.original_shards().to_be_bytes());
            text.extend(payload_length.to_be_bytes());
            text.extend(shards_root.as_bytes());
            let hash: [u8; 32] = sha256(&text).into();
            std::array::from_fn(|i| hash[i])
        }))
    }

    pub(crate) const fn as_bytes(&self) -> &[[u8; 16]; POINTS] {
        &self.0
    }
}

impl Fingerprinter {
    /// Starts at the first byte of a shard.
    pub(crate) fn new(points: &Points) -> Self {
        Self { evaluation: Evaluation::new(&points.0) }
    }

    /// Takes the next bytes, a whole number of groups.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let (groups, rest) = bytes.as_chunks::<GROUP_BYTES>();
        assert!(rest.is_empty(), "shards and leaves are whole groups");
        let mut planes = [[Block::default(); BATCH]; PLANES];
        for batch in groups.chunks(BATCH) {
            transpose::groups_to_planes(batch, &mut planes);
            self.evaluation.update(&planes, batch.len());
        }
    }

    /// The shard's fingerprints at both points, in order.
    pub(crate) fn finish(self) -> [u8; ROW_BYTES] {
        let mut row = [0; ROW_BYTES];
        for (planes, fingerprint) in self.evaluation.finish().iter().zip(row.as_chunks_mut::<FINGERPRINT_BYTES>().0) {
            *fingerprint = transpose::planes_to_group(planes);
        }
        row
    }
}

impl std::fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprinter").finish_non_exhaustive()
    }
}

/// The fingerprints of a whole shard.
pub(crate) fn fingerprints_of(shard: &[u8], points: &Points) -> [u8; ROW_BYTES] {
    let mut fingerprinter = Fingerprinter::new(points);
    fingerprinter.update(shard);
    fingerprinter.finish()
}
