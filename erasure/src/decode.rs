//! From any `k` accepted shards back to the payload, or to another shard.

use bytes::Bytes;

use crate::code::Code;
use crate::combine::combine;
use crate::{
    commitment::AcceptedShard, commitment::Commitment, error::Error, parameters::LEAF_BYTES, parameters::ShardIndex,
};

/// The payload, from any `k` accepted shards at distinct positions; what there is more than that is not used.
///
/// The payload is the first `payload_length` bytes of the original shards, whatever the padding after it holds.
///
/// # Unique blob
/// Every choice of accepted shards gives the same bytes, whoever made the commitment and the shards.
///
/// # Errors
/// [`Error::ForeignShard`] when a shard was accepted for another blob, [`Error::TooFewShards`].
pub fn decode(commitment: &Commitment, shards: &[AcceptedShard]) -> Result<Bytes, Error> {
    let (present, inputs) = choose(commitment, shards)?;
    let shard_length = commitment.shard_length();
    let payload_length = usize::try_from(commitment.blob().payload_length).expect("usize has at least 64 bits");
    if inputs.len() == 1 {
        return Ok(inputs[0].slice(..payload_length));
    }
    // Shards that are nothing but padding need not be rebuilt.
    let used = payload_length.div_ceil(shard_length);
    let mut payload = vec![0; used * shard_length];
    let (mut wanted, mut outputs) = (Vec::new(), Vec::new());
    for (position, output) in payload.chunks_exact_mut(shard_length).enumerate() {
        match present.binary_search(&position) {
            Ok(at) => output.copy_from_slice(inputs[at]),
            Err(_) => {
                wanted.push(position);
                outputs.push(output);
            }
        }
    }
    rebuild_into(commitment, &present, &inputs, &wanted, outputs);
    payload.truncate(payload_length);
    Ok(payload.into())
}

impl Commitment {
    /// Rebuilds the shard at `missing` from any `k` accepted ones, and accepts it.
    ///
    /// # Errors
    /// [`Error::ShardIndex`], [`Error::ForeignShard`], [`Error::TooFewShards`]. [`Error::ShardRoot`] when the rebuilt shard does
    /// not have the committed root: then the disperser lied about this position, and it can never be filled.
    pub fn rebuild(&self, shards: &[AcceptedShard], missing: ShardIndex) -> Result<AcceptedShard, Error> {
        self.check_index(missing)?;
        let (present, inputs) = choose(self, shards)?;
        if let Ok(at) = present.binary_search(&missing.as_usize()) {
            return Ok(self.accepted(missing, inputs[at].clone()));
        }
        let mut shard = vec![0; self.shard_length()];
        rebuild_into(self, &present, &inputs, &[missing.as_usize()], vec![&mut shard]);
        self.accept(missing, shard.into())
    }
}

/// The `k` shards to work from, by position in ascending order: original shards first, since they need only be copied.
fn choose<'a>(commitment: &Commitment, shards: &'a [AcceptedShard]) -> Result<(Vec<usize>, Vec<&'a Bytes>), Error> {
    let mut at: Vec<Option<&Bytes>> = vec![None; commitment.shard_roots().len()];
    for shard in shards {
        if shard.blob_id() != commitment.id() {
            return Err(Error::ForeignShard { expected: commitment.id(), got: shard.blob_id() });
        }
        at[shard.index().as_usize()] = Some(shard.bytes());
    }
    let expected = usize::from(commitment.parameters().original_shards());
    let chosen = at.into_iter().enumerate().filter_map(|(position, bytes)| Some((position, bytes?)));
    let (present, inputs): (Vec<_>, Vec<_>) = chosen.take(expected).unzip();
    if present.len() < expected {
        return Err(Error::TooFewShards { expected, got: present.len() });
    }
    Ok((present, inputs))
}

/// Computes the shards at `wanted` into `outputs`, one leaf column at a time.
fn rebuild_into(
    commitment: &Commitment,
    present: &[usize],
    inputs: &[&Bytes],
    wanted: &[usize],
    mut outputs: Vec<&mut [u8]>,
) {
    if wanted.is_empty() {
        return;
    }
    let rows = Code::of(commitment.parameters()).rows(present, wanted);
    let shard_length = commitment.shard_length();
    for from in (0..shard_length).step_by(LEAF_BYTES) {
        let to = (from + LEAF_BYTES).min(shard_length);
        let inputs: Vec<&[u8]> = inputs.iter().map(|shard| &shard[from..to]).collect();
        let mut outputs: Vec<&mut [u8]> = outputs.iter_mut().map(|shard| &mut shard[from..to]).collect();
        combine(&rows, &inputs, &mut outputs);
    }
}
