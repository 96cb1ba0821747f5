//! Many signatures by many sets of signers, checked with little more than one pairing check.
//!
//! # Nothing false passes beside what is genuine
//!
//! Each signature is multiplied by a random number of 128 bits before all are added up, so false ones that cancel each other
//! in the sum cannot be made: one passes with probability 2^-128 (Bellare, Garay, Rabin, "Fast batch verification for modular
//! exponentiation and digital signatures", 1998; all points are in their subgroups, which that needs). Where a sum does not
//! verify it is cut in halves until the false ones are found, down to a check without any random numbers.

use blst::{MultiPoint as _, blst_p1_affine, blst_p2_affine, min_sig};

use crate::keys::{SIGNATURE_TAG, Signature};
use crate::pairing::{self, Pair};
use crate::statement::StatementDigest;

/// Bits of each random number.
const BITS: usize = 128;

/// A signature that is to be checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed {
    /// The sum of the signers' keys; at infinity nothing is by it.
    pub(crate) key: min_sig::PublicKey,
    pub(crate) signature: Signature,
    pub(crate) digest: StatementDigest,
}

/// Which of them are genuine, in their order.
pub(crate) fn genuine(signed: &[Signed]) -> Vec<bool> {
    let items: Vec<Item> = signed.iter().map(Item::new).collect();
    let mut genuine = vec![false; items.len()];
    sort_out(&items, &mut genuine);
    genuine
}

/// One of them, ready to be multiplied.
struct Item {
    key: blst_p2_affine,
    signature: min_sig::Signature,
    hash: min_sig::Signature,
}

impl Item {
    fn new(signed: &Signed) -> Self {
        let hash = pairing::hash(signed.digest.as_bytes(), SIGNATURE_TAG);
        Self { key: signed.key.into(), signature: *signed.signature.point(), hash: hash.into() }
    }
}

fn sort_out(items: &[Item], genuine: &mut [bool]) {
    if items.is_empty() {
        return;
    }
    if all_genuine(items) {
        genuine.fill(true);
    } else if items.len() > 1 {
        let middle = items.len() / 2;
        let (left, right) = genuine.split_at_mut(middle);
        sort_out(&items[..middle], left);
        sort_out(&items[middle..], right);
    }
}

fn all_genuine(items: &[Item]) -> bool {
    if let [Item { key, signature, hash }] = items {
        return pairing::product_is_one(&[pairing::signature(signature), ((*hash).into(), *key)]);
    }
    let mut factors = vec![0; items.len() * BITS / 8];
    // Without randomness each is checked by itself.
    if getrandom::fill(&mut factors).is_err() {
        return false;
    }
    let signatures: Vec<min_sig::Signature> = items.iter().map(|item| item.signature).collect();
    let mut pairs: Vec<Pair> = vec![pairing::signature(&sum(&signatures, &factors))];
    for (key, hashes, factors) in by_key(items, &factors) {
        let hash: blst_p1_affine = sum(&hashes, &factors).into();
        pairs.push((hash, key));
    }
    pairing::product_is_one(&pairs)
}

/// The hashes that were signed with one key, and their factors: most have the same signers, and one Miller loop does for all.
fn by_key(items: &[Item], factors: &[u8]) -> Vec<(blst_p2_affine, Vec<min_sig::Signature>, Vec<u8>)> {
    let mut groups: Vec<(blst_p2_affine, Vec<min_sig::Signature>, Vec<u8>)> = Vec::new();
    for (item, factor) in items.iter().zip(factors.chunks_exact(BITS / 8)) {
        match groups.iter_mut().find(|(key, ..)| *key == item.key) {
            Some((_, hashes, factors)) => {
                hashes.push(item.hash);
                factors.extend_from_slice(factor);
            }
            None => groups.push((item.key, vec![item.hash], factor.to_vec())),
        }
    }
    groups
}

fn sum(points: &[min_sig::Signature], factors: &[u8]) -> min_sig::Signature {
    points.mult(factors, BITS).to_signature()
}
