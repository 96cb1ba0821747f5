//! The protocol's coding and commitment once more, slowly and as written down, to hold the fast code against.
//!
//! Shares nothing with the fast code but the hash functions and the [`Blob`](crate::Blob): its own field, its own polynomial
//! interpolation in place of matrices, its own trees, bits one at a time.

use crate::{blob::Blob, blob::Dispersal, digest::Digest, digest::keccak256, digest::sha256};

/// Everything that encoding a payload gives.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The blob.
    pub blob: Blob,
    /// All `n` shards.
    pub shards: Vec<Vec<u8>>,
    /// Their roots.
    pub shard_roots: Vec<Digest>,
    /// The two points.
    pub points: [[u8; 16]; 2],
    /// The original shards' fingerprints.
    pub fingerprints: Vec<u8>,
}

/// Encodes a payload that is not empty, with valid parameters.
pub fn encode(original_shards: u16, total_shards: u16, payload: &[u8], dispersal: Dispersal) -> Encoded {
    let k = usize::from(original_shards);
    let shard_length = payload.len().div_ceil(k).div_ceil(128) * 128;
    let mut padded = payload.to_vec();
    padded.resize(k * shard_length, 0);
    let originals: Vec<(u16, &[u8])> = (0..).zip(padded.chunks(shard_length)).collect();
    let shards: Vec<Vec<u8>> = (0..total_shards).map(|position| shard_at(position, &originals)).collect();

    let shard_roots: Vec<Digest> = shards.iter().map(|shard| tree(&shard.chunks(4096).collect::<Vec<_>>())).collect();
    let shards_root = tree(&shard_roots.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let payload_length = u32::try_from(payload.len()).expect("a reference payload is short");
    let points = [0, 1].map(|j| point(j, total_shards, original_shards, payload_length, &shards_root));
    let fingerprints: Vec<u8> =
        shards[..k].iter().flat_map(|shard| points.map(|r| fingerprint(shard, &r))).flatten().collect();
    let blob = Blob {
        payload_length,
        payload_digest: match dispersal {
            Dispersal::ByShard => Digest::ZERO,
            Dispersal::ByPayload => keccak256(payload),
        },
        original_shards,
        total_shards,
        shards_root,
        fingerprints_hash: sha256(&fingerprints),
    };
    Encoded { blob, shards, shard_roots, points, fingerprints }
}

/// The shard at `position`, from any `k` shards with their positions: at each byte offset, the value at `position` of the
/// polynomial of degree below `k` through the given bytes (Lagrange's formula; in this field minus is plus).
pub fn shard_at(position: u16, shards: &[(u16, &[u8])]) -> Vec<u8> {
    let element = |position: u16| u8::try_from(position).expect("positions are field elements");
    let factors: Vec<u8> = shards
        .iter()
        .map(|(own, _)| {
            shards.iter().filter(|(other, _)| other != own).fold(1, |factor, (other, _)| {
                let above = element(position) ^ element(*other);
                let below = element(*own) ^ element(*other);
                multiply(factor, multiply(above, inverse(below)))
            })
        })
        .collect();
    (0..shards[0].1.len())
        .map(|at| factors.iter().zip(shards).fold(0, |sum, (&factor, (_, bytes))| sum ^ multiply(factor, bytes[at])))
        .collect()
}

/// Merkle tree hash of RFC 6962, section 2.1, over leaves given by their bytes.
pub fn tree(leaves: &[&[u8]]) -> Digest {
    match leaves {
        [] => sha256(&[]),
        [leaf] => sha256(&[&[0], *leaf].concat()),
        _ => {
            let mut split = 1;
            while split * 2 < leaves.len() {
                split *= 2;
            }
            sha256(&[&[1], tree(&leaves[..split]).as_ref(), tree(&leaves[split..]).as_ref()].concat())
        }
    }
}

/// Point `j`.
pub fn point(j: u8, total_shards: u16, original_shards: u16, payload_length: u32, shards_root: &Digest) -> [u8; 16] {
    let text = [
        &b"holdfast/v1/fingerprint"[..],
        &[j],
        &total_shards.to_be_bytes(),
        &original_shards.to_be_bytes(),
        &payload_length.to_be_bytes(),
        shards_root.as_ref(),
    ];
    let hash = sha256(&text.concat());
    std::array::from_fn(|i| hash.as_bytes()[i])
}

/// A shard's fingerprint at `point`.
pub fn fingerprint(shard: &[u8], point: &[u8; 16]) -> [u8; 128] {
    let mut fingerprint = [0; 128];
    for p in 0..8 {
        let mut h = 0;
        for group in shard.chunks(128) {
            let block = (0..128).fold(0u128, |block, u| block | u128::from(group[u] >> p & 1) << u);
            h = dot(h ^ block, u128::from_le_bytes(*point));
        }
        for (u, byte) in fingerprint.iter_mut().enumerate() {
            *byte |= u8::from(h >> u & 1 == 1) << p;
        }
    }
    fingerprint
}

/// `a * b * x^-128` modulo x^128 + x^127 + x^126 + x^121 + 1, bit `i` being the coefficient of x^i: RFC 8452, section 3.
fn dot(a: u128, b: u128) -> u128 {
    (0..128).fold(0, |sum, i| {
        let sum = if a >> i & 1 == 1 { sum ^ b } else { sum };
        // Division by x: an odd sum first has the modulus added, whose lowest bit is 1 and whose highest becomes x^127.
        if sum & 1 == 1 { sum >> 1 ^ (1 << 127 | 1 << 126 | 1 << 125 | 1 << 120) } else { sum >> 1 }
    })
}

/// Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        a = if a & 0x80 == 0 { a << 1 } else { a << 1 ^ 0x1d };
        b >>= 1;
    }
    product
}

/// `1 / a`, as `a^254`: the product of `a^2`, `a^4`, `a^8` and so on to `a^128`.
fn inverse(a: u8) -> u8 {
    let (mut power, mut product) = (a, 1);
    for _ in 1..8 {
        power = multiply(power, power);
        product = multiply(product, power);
    }
    product
}
