//! The passes over all bytes of a payload: coding and hashing by columns, then fingerprints.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

use bytes::Bytes;

use crate::code::Code;
use crate::combine::combine;
use crate::fingerprint::{Points, fingerprints_of};
use crate::{buffers, digest::Digest, leaves::two_leaf_hashes, merkle, parameters::LEAF_BYTES, parameters::Parameters};

/// Columns of leaves that a thread takes at a time.
const PIECE: usize = 32;

/// A run of columns: the originals' bytes in it, and where the recovery shards' go.
struct Piece<'a> {
    number: usize,
    inputs: Vec<&'a [u8]>,
    outputs: Vec<&'a mut [u8]>,
}

/// The recovery shards and the roots of all shards, on so many threads; and beside it what `other` is.
pub(crate) fn recovery_shards<T: Send>(
    threads: usize,
    parameters: Parameters,
    originals: &[Bytes],
    other: impl FnOnce() -> T + Send,
) -> (T, (Vec<Bytes>, Vec<Digest>)) {
    if let [payload] = originals {
        // Replication: every shard is the payload, and shares its memory.
        let (other, root) = beside(threads, other, || merkle::shard_root(payload));
        let recovery = vec![payload.clone(); usize::from(parameters.recovery_shards())];
        return (other, (recovery, vec![root; usize::from(parameters.total_shards())]));
    }
    let (code, shard_length) = (Code::of(parameters), originals[0].len());
    let count = usize::from(parameters.recovery_shards());
    let mut recovery = buffers::take(count * shard_length);
    let pieces = Mutex::new(pieces(originals, &mut recovery, shard_length).into_iter());
    let work = || {
        let mut done = Vec::new();
        loop {
            let next = pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(piece) = next else { return done };
            done.push((piece.number, piece.code_and_hash(&code)));
        }
    };
    let (other, mut done) = if threads < 2 {
        (other(), work())
    } else {
        thread::scope(|scope| {
            let helpers: Vec<_> = (2..threads).map(|_| scope.spawn(work)).collect();
            // What is beside it comes first, since it cannot be shared.
            let beside = scope.spawn(|| (other(), work()));
            let mut done = work();
            for helper in helpers {
                done.extend(joined(helper));
            }
            let (other, more) = joined(beside);
            done.extend(more);
            (other, done)
        })
    };
    done.sort_unstable_by_key(|(number, _)| *number);
    let mut leaf_hashes = vec![Vec::with_capacity(shard_length.div_ceil(LEAF_BYTES)); originals.len() + count];
    for (_, piece) in done {
        for (all, some) in leaf_hashes.iter_mut().zip(piece) {
            all.extend(some);
        }
    }
    let recovery = buffers::share(recovery);
    let recovery = (0..count).map(|i| recovery.slice(i * shard_length..(i + 1) * shard_length)).collect();
    (other, (recovery, leaf_hashes.into_iter().map(merkle::root).collect()))
}

/// The fingerprints of the original shards at both points, on so many threads.
pub(crate) fn fingerprints(threads: usize, originals: &[Bytes], points: &Points) -> Bytes {
    if threads < 2 || originals.len() < 2 {
        return originals.iter().flat_map(|shard| fingerprints_of(shard, points)).collect();
    }
    let each = originals.len().div_ceil(threads.min(originals.len()));
    let of = |shards: &[Bytes]| shards.iter().map(|shard| fingerprints_of(shard, points)).collect::<Vec<_>>();
    let rows = thread::scope(|scope| {
        let mut parts = originals.chunks(each);
        let first = parts.next().unwrap_or_default();
        let helpers: Vec<_> = parts.map(|part| scope.spawn(move || of(part))).collect();
        let mut rows = of(first);
        helpers.into_iter().for_each(|helper| rows.extend(joined(helper)));
        rows
    });
    rows.into_iter().flatten().collect()
}

impl Piece<'_> {
    /// Codes its columns one after the other, and hashes the leaves of all shards while they are in the cache. The hashes of
    /// each shard's leaves, in order.
    fn code_and_hash(mut self, code: &Code) -> Vec<Vec<Digest>> {
        let length = self.inputs[0].len();
        let mut hashes = vec![Vec::with_capacity(PIECE); self.inputs.len() + self.outputs.len()];
        for from in (0..length).step_by(LEAF_BYTES) {
            let to = (from + LEAF_BYTES).min(length);
            let inputs: Vec<&[u8]> = self.inputs.iter().map(|shard| &shard[from..to]).collect();
            let mut outputs: Vec<&mut [u8]> = self.outputs.iter_mut().map(|shard| &mut shard[from..to]).collect();
            combine(code.recovery_rows(), &inputs, &mut outputs);
            let column: Vec<&[u8]> = inputs.into_iter().chain(outputs.into_iter().map(|output| &*output)).collect();
            for (hashes, leaves) in hashes.chunks_mut(2).zip(column.chunks(2)) {
                match (hashes, leaves) {
                    ([one, other], [leaf, beside]) => {
                        let [hash, hash_beside] = two_leaf_hashes([leaf, beside]);
                        one.push(hash);
                        other.push(hash_beside);
                    }
                    ([one, ..], [leaf, ..]) => one.push(merkle::leaf_hash(leaf)),
                    _ => {}
                }
            }
        }
        hashes
    }
}

fn pieces<'a>(originals: &'a [Bytes], recovery: &'a mut [u8], shard_length: usize) -> Vec<Piece<'a>> {
    let length = PIECE * LEAF_BYTES;
    let mut outputs: Vec<_> = recovery.chunks_exact_mut(shard_length).map(|shard| shard.chunks_mut(length)).collect();
    let pieces = (0..shard_length.div_ceil(length)).map(|number| {
        let (from, to) = (number * length, shard_length.min((number + 1) * length));
        let inputs = originals.iter().map(|shard| &shard[from..to]).collect();
        let outputs = outputs.iter_mut().filter_map(Iterator::next).collect();
        Piece { number, inputs, outputs }
    });
    pieces.collect()
}

fn beside<T: Send, U>(threads: usize, other: impl FnOnce() -> T + Send, work: impl FnOnce() -> U) -> (T, U) {
    if threads < 2 {
        return (other(), work());
    }
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let done = work();
        (joined(other), done)
    })
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
