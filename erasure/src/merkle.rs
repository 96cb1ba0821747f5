//! Merkle trees as in RFC 6962: SHA-256, leaves prefixed 0x00 and nodes 0x01, no padding of the leaf count.
//!
//! A shard's tree has the shard's 4096-byte leaves, the last possibly short; the shards' tree has the 32-byte shard roots
//! as leaves. Functions here work on leaf *hashes*, except where they say otherwise.

use sha2::{Digest as _, Sha256};

pub use crate::leaves::leaf_hash;
use crate::{digest::Digest, leaves::two_leaf_hashes, parameters::LEAF_BYTES};

const NODE_PREFIX: u8 = 0x01;

/// Root of a shard's tree.
pub fn shard_root(shard: &[u8]) -> Digest {
    root(leaf_hashes(shard))
}

/// Root of the tree whose leaves are the given 32-byte shard roots: the shards root.
pub fn root_of(shard_roots: &[Digest]) -> Digest {
    root(hashes_of(shard_roots))
}

/// Hash of each of a shard's leaves, in order.
pub fn leaf_hashes(shard: &[u8]) -> Vec<Digest> {
    let mut hashes = Vec::with_capacity(shard.len().div_ceil(LEAF_BYTES));
    for leaves in shard.chunks(2 * LEAF_BYTES) {
        push_leaf_hashes(leaves, &mut hashes);
    }
    hashes
}

/// Appends the hash of each leaf, two at a time.
pub(crate) fn push_leaf_hashes(leaves: &[u8], hashes: &mut Vec<Digest>) {
    for two in leaves.chunks(2 * LEAF_BYTES) {
        match two.split_at_checked(LEAF_BYTES) {
            Some((one, other)) if one.len() == other.len() => hashes.extend(two_leaf_hashes([one, other])),
            _ => hashes.extend(two.chunks(LEAF_BYTES).map(leaf_hash)),
        }
    }
}

/// Hash of each shard root as a leaf of the shards' tree, in order.
pub fn hashes_of(shard_roots: &[Digest]) -> Vec<Digest> {
    shard_roots.iter().map(|root| leaf_hash(root.as_bytes())).collect()
}

/// Hash of the node above two others.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let digest: [u8; 32] =
        Sha256::new().chain_update([NODE_PREFIX]).chain_update(left).chain_update(right).finalize().into();
    digest.into()
}

/// Root of the tree with these leaf hashes; of none, RFC 6962's SHA-256 of nothing.
pub fn root(leaf_hashes: impl Into<Vec<Digest>>) -> Digest {
    let mut level = leaf_hashes.into();
    while level.len() > 1 {
        raise(&mut level);
    }
    level.pop().unwrap_or_else(|| crate::digest::sha256(&[]))
}

/// The hashes beside the way from leaf `index` to the root, lowest first; empty when there is no such leaf.
pub fn path(leaf_hashes: &[Digest], index: usize) -> Vec<Digest> {
    let mut path = Vec::new();
    if index >= leaf_hashes.len() {
        return path;
    }
    let (mut level, mut at) = (leaf_hashes.to_vec(), index);
    while level.len() > 1 {
        path.extend(level.get(at ^ 1));
        raise(&mut level);
        at /= 2;
    }
    path
}

/// Number of hashes in the path of leaf `index` of `count` leaves; none when there is no such leaf.
pub fn path_length(index: usize, count: usize) -> Option<usize> {
    if index >= count {
        return None;
    }
    let (mut at, mut last, mut length) = (index, count - 1, 0);
    while last > 0 {
        length += usize::from(at % 2 == 1 || at < last);
        at /= 2;
        last /= 2;
    }
    Some(length)
}

/// Whether `path` leads from the leaf hash at `index` of `count` leaves to `root`, with nothing left over.
pub fn verify(root: &Digest, leaf_hash: Digest, index: usize, count: usize, path: &[Digest]) -> bool {
    climb(leaf_hash, index, count, path).as_ref() == Some(root)
}

/// The root to which `path` leads from the leaf hash at `index` of `count` leaves; none when the path has another length than
/// such a leaf's, or there is no such leaf.
pub fn climb(leaf_hash: Digest, index: usize, count: usize, path: &[Digest]) -> Option<Digest> {
    if index >= count {
        return None;
    }
    let (mut hash, mut at, mut last) = (leaf_hash, index, count - 1);
    let mut path = path.iter();
    while last > 0 {
        // A node without a right neighbour is the last of an odd level, and moves up as it is.
        if at % 2 == 1 {
            hash = node_hash(path.next()?, &hash);
        } else if at < last {
            hash = node_hash(&hash, path.next()?);
        }
        at /= 2;
        last /= 2;
    }
    path.next().is_none().then_some(hash)
}

/// Replaces a level by the one above. An odd node at the end moves up unhashed, which gives RFC 6962's split at the
/// largest power of two.
fn raise(level: &mut Vec<Digest>) {
    let above = level.len().div_ceil(2);
    for i in 0..above {
        level[i] = match level.get(2 * i + 1) {
            Some(right) => node_hash(&level[2 * i], right),
            None => level[2 * i],
        };
    }
    level.truncate(above);
}
