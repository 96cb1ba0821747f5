//! From a payload to its shards and commitment.

use bytes::Bytes;

use crate::fingerprint::Points;
use crate::{
    blob::Blob, blob::Dispersal, columns, commitment::AcceptedShard, commitment::Commitment, digest::BlobId,
    digest::Digest, digest::keccak256, digest::sha256, error::Error, merkle, opening::Opening, parameters::Parameters,
    parameters::ShardIndex,
};

/// Payload bytes that are worth a thread of their own: some ten milliseconds of work, so that where the machine is busy and the
/// thread has to wait for its turn, little is lost.
const BYTES_FOR_A_THREAD: usize = 4 << 20;

/// A payload with its shards and its commitment. Cheap to clone: everything is shared.
#[derive(Clone, Debug)]
pub struct EncodedBlob {
    commitment: Commitment,
    payload: Bytes,
    shards: Vec<Bytes>,
}

/// Encodes and commits to a payload, on this thread. CPU work of milliseconds for each megabyte: call it off async threads.
///
/// The original shards share the payload's memory, except for those that padding completes; the recovery shards share one
/// buffer.
///
/// # Errors
/// [`Error::EmptyPayload`], [`Error::PayloadTooLong`].
pub fn encode(parameters: Parameters, payload: Bytes, dispersal: Dispersal) -> Result<EncodedBlob, Error> {
    encode_on(1, parameters, payload, dispersal)
}

/// The same on up to so many threads, this one among them: as many as the payload gives work for.
///
/// # Errors
/// As [`encode`].
pub fn encode_on(
    threads: usize,
    parameters: Parameters,
    payload: Bytes,
    dispersal: Dispersal,
) -> Result<EncodedBlob, Error> {
    if payload.is_empty() {
        return Err(Error::EmptyPayload);
    }
    let payload_length = u32::try_from(payload.len()).map_err(|_| Error::PayloadTooLong { got: payload.len() })?;
    let threads = threads.min(payload.len() / BYTES_FOR_A_THREAD).max(1);
    let mut shards = original_shards(parameters, &payload, parameters.shard_length(payload_length));
    let digest = || match dispersal {
        Dispersal::ByShard => Digest::ZERO,
        Dispersal::ByPayload => keccak256(&payload),
    };
    let (payload_digest, (recovery, shard_roots)) = columns::recovery_shards(threads, parameters, &shards, digest);
    let shards_root = merkle::root_of(&shard_roots);
    let points = Points::of(parameters, payload_length, &shards_root);
    let fingerprints = columns::fingerprints(threads, &shards, &points);
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
