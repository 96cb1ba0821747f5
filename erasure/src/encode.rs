//! From a payload to its shards and commitment.

use bytes::Bytes;

use crate::code::{Code, combine};
use crate::fingerprint::{Points, fingerprints_of};
use crate::{
    blob::Blob, blob::Dispersal, commitment::AcceptedShard, commitment::Commitment, digest::BlobId, digest::Digest,
    digest::keccak256, digest::sha256, error::Error, merkle, opening::Opening, parameters::LEAF_BYTES,
    parameters::Parameters, parameters::ShardIndex,
};

/// A payload with its shards and its commitment. Cheap to clone: everything is shared.
#[derive(Clone, Debug)]
pub struct EncodedBlob {
    commitment: Commitment,
    payload: Bytes,
    shards: Vec<Bytes>,
}

/// Encodes and commits to a payload. CPU work of milliseconds for each megabyte: call it off async threads.
///
/// The original shards share the payload's memory, except for those that padding completes; the recovery shards share one
/// buffer.
///
/// # Errors
/// [`Error::EmptyPayload`], [`Error::PayloadTooLong`].
pub fn encode(parameters: Parameters, payload: Bytes, dispersal: Dispersal) -> Result<EncodedBlob, Error> {
    if payload.is_empty() {
        return Err(Error::EmptyPayload);
    }
    let payload_length = u32::try_from(payload.len()).map_err(|_| Error::PayloadTooLong { got: payload.len() })?;
    let payload_digest = match dispersal {
        Dispersal::ByShard => Digest::ZERO,
        Dispersal::ByPayload => keccak256(&payload),
    };
    let mut shards = original_shards(parameters, &payload, parameters.shard_length(payload_length));
    let (recovery, shard_roots) = recovery_shards(parameters, &shards);
    let shards_root = merkle::root_of(&shard_roots);
    let points = Points::of(parameters, payload_length, &shards_root);
    let fingerprints: Bytes = shards.iter().flat_map(|shard| fingerprints_of(shard, &points)).collect();
    shards.extend(recovery);
    let blob = Blob {
        payload_length,
        payload_digest,
        original_shards: parameters.original_shards(),
        total_shards: parameters.total_shards(),
        shards_root,
        fingerprints_hash: sha256(&fingerprints),
    };
    let commitment = Commitment::agreed(blob, parameters, shard_roots, fingerprints, points);
    Ok(EncodedBlob { commitment, payload, shards })
}

impl EncodedBlob {
    /// The blob.
    pub fn blob(&self) -> &Blob {
        self.commitment.blob()
    }

    /// The blob's id.
    pub fn id(&self) -> BlobId {
        self.commitment.id()
    }

    /// The commitment.
    pub fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// The payload, as it was given.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The shard at `index`, without a copy.
    ///
    /// # Panics
    /// When `index` was made by parameters with more shards than this blob has.
    pub fn shard(&self, index: ShardIndex) -> Bytes {
        self.shards[index.as_usize()].clone()
    }

    /// The shard at `index` as an accepted one, which it is by construction.
    ///
    /// # Panics
    /// When `index` was made by parameters with more shards than this blob has.
    pub fn accepted(&self, index: ShardIndex) -> AcceptedShard {
        self.commitment.accepted(index, self.shard(index))
    }

    /// One leaf of the shard at `index`, with its paths.
    ///
    /// # Errors
    /// [`Error::LeafNumber`] when the shard has no such leaf.
    ///
    /// # Panics
    /// When `index` was made by parameters with more shards than this blob has.
    pub fn opening(&self, index: ShardIndex, leaf_number: u32) -> Result<Opening, Error> {
        self.commitment.open(&self.accepted(index), leaf_number)
    }
}

/// Cuts the payload into shards, copying only the end that needs padding.
fn original_shards(parameters: Parameters, payload: &Bytes, shard_length: usize) -> Vec<Bytes> {
    let original = usize::from(parameters.original_shards());
    let whole = payload.len() / shard_length;
    let mut tail = payload[whole * shard_length..].to_vec();
    tail.resize((original - whole) * shard_length, 0);
    let tail = Bytes::from(tail);
    let cut = |bytes: &Bytes, at: usize| bytes.slice(at * shard_length..(at + 1) * shard_length);
    (0..original).map(|i| if i < whole { cut(payload, i) } else { cut(&tail, i - whole) }).collect()
}

/// The recovery shards, and the roots of all shards.
///
/// Works down the shards one leaf column at a time: the column of all `n` shards is coded and hashed while it is in the cache.
fn recovery_shards(parameters: Parameters, originals: &[Bytes]) -> (Vec<Bytes>, Vec<Digest>) {
    let shard_length = originals[0].len();
    if let [payload] = originals {
        // Replication: every shard is the payload, and shares its memory.
        let root = merkle::shard_root(payload);
        let recovery = vec![payload.clone(); usize::from(parameters.recovery_shards())];
        return (recovery, vec![root; usize::from(parameters.total_shards())]);
    }
    let code = Code::of(parameters);
    let recovery_count = usize::from(parameters.recovery_shards());
    let mut recovery = vec![0; recovery_count * shard_length];
    let mut remaining: Vec<&mut [u8]> = recovery.chunks_exact_mut(shard_length).collect();
    let mut leaf_hashes = vec![Vec::with_capacity(shard_length.div_ceil(LEAF_BYTES)); originals.len() + recovery_count];
    for from in (0..shard_length).step_by(LEAF_BYTES) {
        let to = (from + LEAF_BYTES).min(shard_length);
        let inputs: Vec<&[u8]> = originals.iter().map(|shard| &shard[from..to]).collect();
        let mut outputs: Vec<&mut [u8]> = remaining
            .iter_mut()
            .map(|shard| shard.split_off_mut(..to - from).expect("each column is within the shard"))
            .collect();
        combine(code.recovery_rows(), &inputs, &mut outputs);
        let column = inputs.into_iter().chain(outputs.into_iter().map(|output| &*output));
        for (hashes, leaf) in leaf_hashes.iter_mut().zip(column) {
            hashes.push(merkle::leaf_hash(leaf));
        }
    }
    let recovery = Bytes::from(recovery);
    let recovery = (0..recovery_count).map(|i| recovery.slice(i * shard_length..(i + 1) * shard_length)).collect();
    (recovery, leaf_hashes.into_iter().map(merkle::root).collect())
}
