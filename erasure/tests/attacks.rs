//! What a disperser, a member or a server may try, each by its name, and what it comes to.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use holdfast_erasure::{
    Blob, Commitment, Digest, Dispersal, EncodedBlob, Error, LEAF_BYTES, Parameters, ShardIndex, decode, encode,
    merkle, reference, sha256,
};

const LENGTH: usize = 3 * 5_000 + 17;

fn payload(seed: u8, length: usize) -> Bytes {
    (0..length).map(|i| (sha256(&(i as u64 / 32).to_be_bytes()).as_bytes()[i % 32]).wrapping_add(seed)).collect()
}

fn parameters() -> Parameters {
    Parameters::new(3, 7).unwrap()
}

fn encoded() -> EncodedBlob {
    encode(parameters(), payload(1, LENGTH), Dispersal::ByShard).unwrap()
}

fn index(index: u16) -> ShardIndex {
    parameters().index(index).unwrap()
}

fn flipped(bytes: &[u8], at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

fn flipped_digest(digest: Digest, at: usize) -> Digest {
    let mut bytes: [u8; 32] = digest.into();
    bytes[at] ^= 0x80;
    bytes.into()
}

/// The blob of a disperser that commits to these shards, whatever they are, with the given shards' fingerprints.
fn dishonest(payload_length: usize, shards: &[Bytes], fingerprinted: &[Bytes]) -> (Blob, Vec<Digest>, Bytes) {
    let parameters = parameters();
    let shard_roots: Vec<Digest> = shards.iter().map(|shard| merkle::shard_root(shard)).collect();
    let shards_root = merkle::root_of(&shard_roots);
    let payload_length = u32::try_from(payload_length).unwrap();
    let point =
        |j| reference::point(j, parameters.total_shards(), parameters.original_shards(), payload_length, &shards_root);
    let points = [point(0), point(1)];
    let fingerprints: Bytes = fingerprinted[..usize::from(parameters.original_shards())]
        .iter()
        .flat_map(|shard| points.map(|r| reference::fingerprint(shard, &r)))
        .flatten()
        .collect();
    let blob = Blob {
        payload_length,
        payload_digest: Digest::ZERO,
        original_shards: parameters.original_shards(),
        total_shards: parameters.total_shards(),
        shards_root,
        fingerprints_hash: sha256(&fingerprints),
    };
    (blob, shard_roots, fingerprints)
}

/// Protocol, section 3. One disperser commits the original shards of P and the recovery shards of another codeword, Q.
#[test]
fn committed_originals_not_the_codeword() {
    let (p, q) = (payload(1, LENGTH), payload(2, LENGTH));
    let encode = |payload: &Bytes| encode(parameters(), payload.clone(), Dispersal::ByShard).unwrap();
    let (encoded_p, encoded_q) = (encode(&p), encode(&q));
    let shards_of = |encoded: &EncodedBlob| parameters().indices().map(|i| encoded.shard(i)).collect::<Vec<_>>();
    let (shards_p, shards_q) = (shards_of(&encoded_p), shards_of(&encoded_q));
    let (originals, recovery): (Vec<_>, Vec<_>) = parameters().indices().partition(|index| index.get() < 3);
    let committed: Vec<Bytes> = shards_p[..3].iter().chain(&shards_q[3..]).cloned().collect();

    // With the fingerprints of Q, the blob is Q for everyone who reads.
    let (blob, shard_roots, fingerprints) = dishonest(LENGTH, &committed, &shards_q);
    let commitment = Commitment::new(blob, shard_roots, fingerprints).unwrap();
    let accepted: Vec<_> =
        recovery.iter().map(|&i| commitment.accept(i, shards_q[usize::from(i.get())].clone()).unwrap()).collect();
    for (&index, shard) in originals.iter().zip(&shards_p) {
        let refused = commitment.accept(index, shard.clone()).unwrap_err();
        assert!(matches!(refused, Error::Fingerprint { index: got, .. } if got == index.get()), "{refused}");
    }
    assert_eq!(decode(&commitment, &accepted[..3]).unwrap(), q);
    assert_eq!(decode(&commitment, &accepted[1..]).unwrap(), q);

    // A leaf of P verifies by its path all the same: a path proves what was committed, not what the payload is.
    let opening_p = encoded_p.opening(originals[0], 1).unwrap();
    let shard_path = merkle::path(&merkle::hashes_of(commitment.shard_roots()), 0);
    let opening = holdfast_erasure::Opening { shard_path, ..opening_p };
    opening.verify(commitment.blob()).unwrap();
    assert_eq!(opening.leaf, shards_p[0].slice(LEAF_BYTES..));
    assert_ne!(opening.leaf, shards_q[0].slice(LEAF_BYTES..));

    // The positions of the originals can never be filled, and repair says so.
    let unfillable = commitment.rebuild(&accepted, originals[0]).unwrap_err();
    assert!(matches!(unfillable, Error::ShardRoot { index: 0, .. }), "{unfillable}");

    // With the fingerprints of P, the blob is P, and no shard of Q is part of it.
    let (blob, shard_roots, fingerprints) = dishonest(LENGTH, &committed, &shards_p);
    let commitment = Commitment::new(blob, shard_roots, fingerprints).unwrap();
    for &index in &recovery {
        let refused = commitment.accept(index, shards_q[usize::from(index.get())].clone()).unwrap_err();
        assert!(matches!(refused, Error::Fingerprint { index: got, .. } if got == index.get()), "{refused}");
    }
    let accepted: Vec<_> = originals
        .iter()
        .map(|&index| commitment.accept(index, shards_p[usize::from(index.get())].clone()).unwrap())
        .collect();
    assert_eq!(decode(&commitment, &accepted).unwrap(), p);
}

#[test]
fn disperser_commits_one_inconsistent_shard() {
    let honest = encoded();
    for bad in parameters().indices().skip(3) {
        let mut shards: Vec<Bytes> = parameters().indices().map(|i| honest.shard(i)).collect();
        let at = usize::from(bad.get());
        shards[at] = flipped(&shards[at], 4_999);
        let (blob, roots, fingerprints) = dishonest(LENGTH, &shards, &shards);
        let commitment = Commitment::new(blob, roots, fingerprints).unwrap();
        for index in parameters().indices() {
            let result = commitment.accept(index, shards[usize::from(index.get())].clone());
            if index == bad {
                assert!(matches!(result, Err(Error::Fingerprint { .. })), "{result:?}");
            } else {
                result.unwrap();
            }
        }
    }
}

#[test]
fn one_bit_of_a_shard_is_altered_anywhere() {
    let encoded = encoded();
    for index in parameters().indices() {
        let shard = encoded.shard(index);
        for at in (0..shard.len()).step_by(61).chain([127, 128, 4095, 4096, shard.len() - 1]) {
            let refused = encoded.commitment().accept(index, flipped(&shard, at)).unwrap_err();
            assert!(matches!(refused, Error::ShardRoot { index: got, .. } if got == index.get()), "{refused}");
        }
    }
}

#[test]
fn a_shard_is_served_at_another_index() {
    let encoded = encoded();
    for index in parameters().indices() {
        for other in parameters().indices().filter(|other| *other != index) {
            let refused = encoded.commitment().accept(index, encoded.shard(other)).unwrap_err();
            assert!(matches!(refused, Error::ShardRoot { .. }), "{refused}");
        }
    }
}

#[test]
fn a_shard_is_truncated_or_over_long() {
    let encoded = encoded();
    let (shard, commitment) = (encoded.shard(index(5)), encoded.commitment());
    let expected = shard.len();
    for got in [0, 1, 127, expected - 128, expected - 1] {
        let refused = commitment.accept(index(5), shard.slice(..got)).unwrap_err();
        assert_eq!(refused, Error::ShardLength { index: 5, expected, got });
    }
    for more in [1, 128, 4096] {
        let long: Bytes = shard.iter().copied().chain(std::iter::repeat_n(0, more)).collect();
        let refused = commitment.accept(index(5), long).unwrap_err();
        assert_eq!(refused, Error::ShardLength { index: 5, expected, got: expected + more });
    }
}

#[test]
fn an_over_long_stream_is_refused_at_the_first_byte_too_many() {
    let encoded = encoded();
    let shard = encoded.shard(index(0));
    let mut acceptor = encoded.commitment().acceptor(index(0));
    acceptor.push(&shard).unwrap();
    acceptor.push(&[]).unwrap();
    let refused = acceptor.push(&[0]).unwrap_err();
    assert_eq!(refused, Error::ShardLength { index: 0, expected: shard.len(), got: shard.len() + 1 });
    // What was refused did not count.
    acceptor.finish().unwrap();
}

#[test]
fn one_bit_of_a_shard_root_is_altered_anywhere() {
    let encoded = encoded();
    let commitment = encoded.commitment();
    for position in 0..7 {
        for at in 0..32 {
            let mut roots = commitment.shard_roots().to_vec();
            roots[position] = flipped_digest(roots[position], at);
            let refused = Commitment::new(*encoded.blob(), roots, commitment.fingerprints().clone()).unwrap_err();
            assert!(matches!(refused, Error::ShardsRoot { .. }), "{refused}");
        }
    }
}

#[test]
fn one_bit_of_a_fingerprint_is_altered_anywhere() {
    let encoded = encoded();
    let commitment = encoded.commitment();
    for at in 0..commitment.fingerprints().len() {
        let altered = flipped(commitment.fingerprints(), at);
        let roots = commitment.shard_roots().to_vec();
        let refused = Commitment::new(*encoded.blob(), roots.clone(), altered.clone()).unwrap_err();
        assert!(matches!(refused, Error::FingerprintsHash { .. }), "{refused}");
        // A disperser that commits to the altered fingerprints loses the shard concerned and every recovery shard.
        let blob = Blob { fingerprints_hash: sha256(&altered), ..*encoded.blob() };
        let commitment = Commitment::new(blob, roots, altered).unwrap();
        for index in parameters().indices() {
            let result = commitment.accept(index, encoded.shard(index));
            let concerned = usize::from(index.get()) == at / 256 || index.get() >= 3;
            assert_eq!(result.is_err(), concerned, "byte {at}, shard {index}");
        }
    }
}

#[test]
fn the_blob_is_altered_in_any_field() {
    let encoded = encoded();
    let (blob, commitment) = (*encoded.blob(), encoded.commitment());
    let new = |blob| Commitment::new(blob, commitment.shard_roots().to_vec(), commitment.fingerprints().clone());
    let root = flipped_digest(blob.shards_root, 31);
    assert!(matches!(new(Blob { shards_root: root, ..blob }), Err(Error::ShardsRoot { .. })));
    let hash = flipped_digest(blob.fingerprints_hash, 0);
    assert!(matches!(new(Blob { fingerprints_hash: hash, ..blob }), Err(Error::FingerprintsHash { .. })));
    assert!(matches!(new(Blob { total_shards: 8, ..blob }), Err(Error::ShardRootCount { expected: 8, got: 7 })));
    assert!(matches!(
        new(Blob { original_shards: 2, ..blob }),
        Err(Error::FingerprintsLength { expected: 512, got: 768 })
    ));
    assert!(matches!(new(Blob { original_shards: 0, ..blob }), Err(Error::Parameters { .. })));
    assert!(matches!(new(Blob { original_shards: 7, ..blob }), Err(Error::Parameters { .. })));
    assert!(matches!(new(Blob { total_shards: 127, ..blob }), Err(Error::Parameters { .. })));
    assert!(matches!(new(Blob { payload_length: 0, ..blob }), Err(Error::EmptyPayload)));
    // Another length within the same shard length moves the points: no shard is accepted.
    let commitment = new(Blob { payload_length: blob.payload_length + 1, ..blob }).unwrap();
    assert_eq!(commitment.shard_length(), encoded.commitment().shard_length());
    for index in parameters().indices() {
        assert!(matches!(commitment.accept(index, encoded.shard(index)), Err(Error::Fingerprint { .. })));
    }
    // A payload digest is not checked here, but it makes another blob.
    let other = new(Blob { payload_digest: sha256(b"another"), ..blob }).unwrap();
    let shard = other.accept(index(0), encoded.shard(index(0))).unwrap();
    assert!(matches!(decode(encoded.commitment(), &[shard]), Err(Error::ForeignShard { .. })));
}

#[test]
fn one_shard_is_counted_as_many() {
    let encoded = encoded();
    let shards = vec![encoded.accepted(index(4)); 7];
    assert_eq!(decode(encoded.commitment(), &shards).unwrap_err(), Error::TooFewShards { expected: 3, got: 1 });
    let refused = encoded.commitment().rebuild(&shards, index(0)).unwrap_err();
    assert_eq!(refused, Error::TooFewShards { expected: 3, got: 1 });
    assert_eq!(decode(encoded.commitment(), &[]).unwrap_err(), Error::TooFewShards { expected: 3, got: 0 });
}

#[test]
fn an_index_comes_from_a_larger_code() {
    let encoded = encoded();
    let foreign = Parameters::new(3, 20).unwrap().index(7).unwrap();
    let expected = Error::ShardIndex { expected_below: 7, got: 7 };
    assert_eq!(encoded.commitment().accept(foreign, encoded.shard(index(0))).unwrap_err(), expected);
    assert_eq!(encoded.commitment().acceptor(foreign).finish().unwrap_err(), expected);
    let all: Vec<_> = parameters().indices().map(|i| encoded.accepted(i)).collect();
    assert_eq!(encoded.commitment().rebuild(&all, foreign).unwrap_err(), expected);
}

/// Refusing bad padding would let a disperser certify a blob that nobody can read.
#[test]
fn padding_holds_garbage() {
    let length = 3 * 5_120 - 300;
    let garbage = payload(9, 3 * 5_120);
    let honest = encode(parameters(), garbage.clone(), Dispersal::ByShard).unwrap();
    let shards: Vec<Bytes> = parameters().indices().map(|i| honest.shard(i)).collect();
    let (blob, roots, fingerprints) = dishonest(length, &shards, &shards);
    let commitment = Commitment::new(blob, roots, fingerprints).unwrap();
    let accepted: Vec<_> =
        parameters().indices().map(|i| commitment.accept(i, shards[usize::from(i.get())].clone()).unwrap()).collect();
    assert_eq!(decode(&commitment, &accepted[..3]).unwrap(), garbage[..length]);
    assert_eq!(decode(&commitment, &accepted[4..]).unwrap(), garbage[..length]);
}

#[test]
fn an_opening_is_altered_anywhere() {
    let encoded = encoded();
    let opening = encoded.opening(index(6), 1).unwrap();
    opening.verify(encoded.blob()).unwrap();
    let refused = |altered: holdfast_erasure::Opening| altered.verify(encoded.blob()).unwrap_err();

    let mut altered = opening.clone();
    altered.leaf = flipped(&opening.leaf, 17);
    assert!(matches!(refused(altered), Error::Opening { .. }));
    let mut altered = opening.clone();
    altered.leaf = opening.leaf.slice(1..);
    assert!(matches!(refused(altered), Error::LeafLength { .. }));
    for other in (0..6).map(index) {
        assert!(matches!(
            refused(holdfast_erasure::Opening { index: other, ..opening.clone() }),
            Error::Opening { .. }
        ));
    }
    let mut altered = opening.clone();
    altered.leaf_number = 2;
    assert_eq!(refused(altered), Error::LeafNumber { expected_below: 2, got: 2 });
    let mut altered = opening.clone();
    altered.index = Parameters::new(1, 100).unwrap().index(99).unwrap();
    assert_eq!(refused(altered), Error::ShardIndex { expected_below: 7, got: 99 });
    let paths: [fn(&mut holdfast_erasure::Opening) -> &mut Vec<Digest>; 2] =
        [|o| &mut o.leaf_path, |o| &mut o.shard_path];
    for path in paths {
        for at in 0..path(&mut opening.clone()).len() {
            let mut altered = opening.clone();
            path(&mut altered)[at] = flipped_digest(path(&mut altered)[at], 3);
            assert!(matches!(refused(altered), Error::Opening { .. }));
        }
        let mut altered = opening.clone();
        path(&mut altered).pop();
        assert!(matches!(refused(altered), Error::Opening { .. }));
        let mut altered = opening.clone();
        path(&mut altered).push(Digest::ZERO);
        assert!(matches!(refused(altered), Error::Opening { .. }));
    }
    assert!(matches!(encoded.opening(index(0), 2), Err(Error::LeafNumber { expected_below: 2, got: 2 })));
}

#[test]
fn an_empty_payload_is_encoded() {
    assert_eq!(encode(parameters(), Bytes::new(), Dispersal::ByShard).unwrap_err(), Error::EmptyPayload);
}
