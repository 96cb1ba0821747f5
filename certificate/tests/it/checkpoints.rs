//! What an attacker tries against checkpoints and proofs of inclusion, by name.

use holdfast_certificate::{
    Attestation, Certificate, Checkpoint, CheckpointCertificate, CheckpointProof, Domain, Error, HOUR, Malformed,
    Namespace, SignerBitmap,
};
use holdfast_erasure::{BlobId, Digest, merkle};
use proptest::prelude::*;

use crate::world::{RETAIN_UNTIL, World, domain};

fn id(number: u32) -> BlobId {
    let mut bytes = [0x11; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

fn ids(count: u32) -> Vec<BlobId> {
    (0..count).map(id).collect()
}

fn checkpoint(ids: &[BlobId]) -> Checkpoint {
    Checkpoint::over(Namespace::from([7; 32]), 1, ids, RETAIN_UNTIL).expect("a sound checkpoint")
}

fn attest(world: &World, checkpoint: &Checkpoint, slots: impl IntoIterator<Item = u16>) -> Vec<Attestation> {
    let digest = checkpoint.digest(world.committee.domain());
    slots.into_iter().map(|slot| Attestation::sign(slot, &world.secrets[usize::from(slot)], &digest)).collect()
}

fn certified(world: &World, checkpoint: Checkpoint) -> CheckpointCertificate {
    let threshold = world.committee.parameters().threshold();
    let attestations = attest(world, &checkpoint, 0..threshold);
    CheckpointCertificate::aggregate(&world.committee, checkpoint, &attestations).expect("a quorum").into_inner()
}

#[test]
fn sizes_are_those_of_the_protocol() {
    let checkpoint = checkpoint(&ids(3));
    for (n, compact) in [(5, 134), (8, 134), (9, 135), (17, 136)] {
        assert_eq!(CheckpointCertificate::compact_length(n), compact);
        assert_eq!(certified(&World::new(2, n, n), checkpoint).encode().len(), compact);
    }
    assert_eq!(CheckpointCertificate::L1_BYTES, 245);
    assert_eq!(certified(&World::new(2, 5, 4), checkpoint).encode_l1().len(), 245);
}

#[test]
fn duplicate_ids_are_refused() {
    let mut twice = ids(4);
    twice[2] = twice[1];
    let error = Checkpoint::over(Namespace::from([7; 32]), 1, &twice, RETAIN_UNTIL).expect_err("one is there twice");
    assert!(matches!(error, Error::BlobOrder { position: 2, before, got } if before == got && got == id(1)), "{error}");
    // Nor can the attacker make a proof over such a list under a root that it has computed by itself.
    let forged = Checkpoint { blobs_root: root(&twice), ..checkpoint(&ids(4)) };
    let error = CheckpointProof::build(forged, &twice, &id(1)).expect_err("one is there twice");
    assert!(matches!(error, Error::BlobOrder { position: 2, .. }), "{error}");
}

#[test]
fn unsorted_ids_are_refused() {
    let mut swapped = ids(4);
    swapped.swap(2, 3);
    let error = Checkpoint::over(Namespace::from([7; 32]), 1, &swapped, RETAIN_UNTIL).expect_err("out of order");
    assert!(matches!(error, Error::BlobOrder { position: 3, before, got } if before > got), "{error}");
}

#[test]
fn no_blob_and_more_than_4096_are_refused() {
    let namespace = Namespace::from([7; 32]);
    for count in [0, 4097, 5000] {
        let error = Checkpoint::over(namespace, 1, &ids(count), RETAIN_UNTIL).expect_err("out of bounds");
        assert!(matches!(error, Error::CheckpointCount { most: 4096, got } if got == count as usize), "{error}");
    }
    for count in [1, 4096] {
        assert_eq!(Checkpoint::over(namespace, 1, &ids(count), RETAIN_UNTIL).expect("in bounds").count, count);
    }
    // Signed all the same: neither decoded nor verified.
    let world = World::new(2, 5, 4);
    for count in [0, 4097, u32::MAX] {
        let forged = Checkpoint { count, ..checkpoint(&ids(1)) };
        let attestations = attest(&world, &forged, 0..5);
        let error = CheckpointCertificate::aggregate(&world.committee, forged, &attestations).expect_err("a count");
        assert!(matches!(error, Error::CheckpointCount { .. }), "{error}");
        let mut bytes = certified(&world, checkpoint(&ids(1))).encode();
        bytes[73..77].copy_from_slice(&count.to_be_bytes());
        let error = CheckpointCertificate::decode(&bytes, 5).expect_err("a count");
        assert!(matches!(error, Error::CheckpointCount { .. }), "{error}");
    }
}

#[test]
fn time_off_the_grid_is_refused() {
    let error = Checkpoint::over(Namespace::from([7; 32]), 1, &ids(2), RETAIN_UNTIL + 1).expect_err("off the grid");
    assert!(matches!(error, Error::OffGrid { field: "retain_until", .. }), "{error}");
}

#[test]
fn signatures_for_another_checkpoint_are_refused() {
    let world = World::new(2, 5, 4);
    let good = certified(&world, checkpoint(&ids(3)));
    good.verify(&world.committee).expect("genuine as it is");
    let changes: [fn(&mut Checkpoint); 5] = [
        |checkpoint| checkpoint.namespace = Namespace::from([8; 32]),
        |checkpoint| checkpoint.epoch = 2,
        |checkpoint| checkpoint.blobs_root = Digest::from([9; 32]),
        |checkpoint| checkpoint.count = 4,
        |checkpoint| checkpoint.retain_until += HOUR,
    ];
    for change in changes {
        let mut changed = good;
        change(&mut changed.checkpoint);
        let error = changed.verify(&world.committee).expect_err("nobody signed this");
        assert!(matches!(error, Error::BadSignature { .. } | Error::WrongEpoch { .. }), "{error}");
    }
    let elsewhere = Domain { chain_id: 1, ..domain() };
    assert_ne!(good.digest(&elsewhere), good.digest(&domain()));
}

#[test]
fn duplicate_slots_and_bad_attestations_do_not_count() {
    let world = World::new(2, 5, 4);
    let checkpoint = checkpoint(&ids(3));
    let twice = attest(&world, &checkpoint, [0, 1, 2, 2]);
    let error = CheckpointCertificate::aggregate(&world.committee, checkpoint, &twice).expect_err("three members");
    assert!(matches!(error, Error::BelowThreshold { threshold: 4, got: 3 }), "{error}");
    let mut stolen = attest(&world, &checkpoint, 0..4);
    stolen[3].slot = 4;
    let error = CheckpointCertificate::aggregate(&world.committee, checkpoint, &stolen).expect_err("slot 3 signed it");
    assert!(matches!(&error, Error::BadAttestations { slots } if slots == &[4]), "{error}");
}

#[test]
fn signature_for_availability_is_none_for_a_checkpoint() {
    let world = World::new(2, 5, 4);
    let checkpoint = checkpoint(&ids(1));
    let attestations = world.attest_all(0..4, &world.statement());
    let error =
        CheckpointCertificate::aggregate(&world.committee, checkpoint, &attestations).expect_err("another type");
    assert!(matches!(error, Error::BadAttestations { .. }), "{error}");
    let attestations = attest(&world, &checkpoint, 0..4);
    let error = Certificate::aggregate(&world.committee, world.statement(), &attestations).expect_err("another type");
    assert!(matches!(error, Error::BadAttestations { .. }), "{error}");
}

#[test]
fn checkpoint_bytes_are_no_certificate_and_back() {
    let world = World::new(2, 5, 4);
    let checkpoint = certified(&world, checkpoint(&ids(3)));
    let statement = world.statement();
    let certificate = Certificate::aggregate(&world.committee, statement, &world.attest_all(0..4, &statement));
    let certificate = certificate.expect("a quorum");
    for bytes in [checkpoint.encode(), checkpoint.encode_l1()] {
        for refused in [Certificate::decode(&bytes), Certificate::decode_l1(&bytes)] {
            assert!(matches!(
                refused,
                Err(Error::Malformed(Malformed::Version { what: "certificate", got: 0xc1, .. }))
            ));
        }
    }
    for bytes in [certificate.encode(), certificate.encode_l1()] {
        for refused in [
            CheckpointCertificate::decode(&bytes, 5).map(|_| ()),
            CheckpointCertificate::decode_l1(&bytes, 5).map(|_| ()),
            CheckpointProof::decode(&bytes).map(|_| ()),
            Checkpoint::peek(&bytes).map(|_| ()),
        ] {
            assert!(matches!(refused, Err(Error::Malformed(Malformed::Version { what: "checkpoint", got: 1, .. }))));
        }
    }
}

#[test]
fn one_changed_bit_is_refused() {
    let world = World::new(2, 5, 4);
    let good = certified(&world, checkpoint(&ids(3)));
    type Decode = fn(&[u8], u16) -> Result<CheckpointCertificate, Error>;
    let forms: [(Vec<u8>, Decode); 2] =
        [(good.encode(), CheckpointCertificate::decode), (good.encode_l1(), CheckpointCertificate::decode_l1)];
    for (bytes, decode) in forms {
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(decoded) = decode(&changed, 5) {
                decoded.verify(&world.committee).expect_err("one bit differs from what was signed");
            }
        }
    }
    let ids = ids(5);
    let proof = CheckpointProof::build(checkpoint(&ids), &ids, &ids[2]).expect("among them");
    let bytes = proof.encode();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(decoded) = CheckpointProof::decode(&changed) {
            // Another checkpoint's digest is another: the rest of the head is bound by the signatures, not by the path.
            let same = decoded.checkpoint() == proof.checkpoint();
            assert!(!same || decoded.verify(&ids[2]).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn every_other_length_is_refused() {
    let world = World::new(2, 5, 4);
    let good = certified(&world, checkpoint(&ids(3)));
    for length in 0..300 {
        let resized = |mut bytes: Vec<u8>| {
            bytes.resize(length, 0);
            bytes
        };
        for (form, refused) in [
            (134, CheckpointCertificate::decode(&resized(good.encode()), 5)),
            (245, CheckpointCertificate::decode_l1(&resized(good.encode_l1()), 5)),
        ] {
            if length != form {
                assert!(matches!(refused, Err(Error::Malformed(Malformed::Length { got, .. })) if got == length));
            }
        }
    }
}

#[test]
fn signer_at_or_past_n_and_impossible_committees_are_refused() {
    let world = World::new(2, 5, 4);
    let bytes = certified(&world, checkpoint(&ids(3))).encode();
    for slot in 5..8u16 {
        let mut changed = bytes.clone();
        changed[85] |= 1 << slot;
        let error = CheckpointCertificate::decode(&changed, 5).expect_err("no such slot");
        assert!(matches!(error, Error::BitmapRange { members: 5, got } if got == slot), "{error}");
    }
    assert!(matches!(CheckpointCertificate::decode(&bytes, 127), Err(Error::Slot { .. })));
    // The bitmap of six takes as many bytes as that of five: then the committee says no.
    let decoded = CheckpointCertificate::decode(&bytes, 6).expect("well-formed for six members");
    let error = decoded.verify(&world.committee).expect_err("five members");
    assert!(matches!(error, Error::MemberCount { expected: 5, got: 6 }), "{error}");
}

#[test]
fn proof_for_another_index_is_refused() {
    for count in [2, 3, 5, 8, 13] {
        let ids = ids(count);
        let checkpoint = checkpoint(&ids);
        for (at, own) in ids.iter().enumerate() {
            let bytes = CheckpointProof::build(checkpoint, &ids, own).expect("among them").encode();
            for index in (0..count + 2).filter(|index| *index as usize != at) {
                let mut moved = bytes.clone();
                moved[85..89].copy_from_slice(&index.to_be_bytes());
                if let Ok(decoded) = CheckpointProof::decode(&moved) {
                    for id in &ids {
                        let error = decoded.verify(id).expect_err("that path is of another place");
                        assert!(matches!(error, Error::NotIncluded { .. }), "{error}");
                    }
                }
            }
            let proof = CheckpointProof::decode(&bytes).expect("well-formed");
            assert_eq!(ids.iter().filter(|id| proof.verify(id).is_ok()).collect::<Vec<_>>(), [own]);
        }
    }
}

#[test]
fn node_is_no_leaf_and_leaf_no_node() {
    // Four leaves: the node above the first two, shown as the first leaf of a tree of two.
    let ids = ids(4);
    let hashes: Vec<Digest> = ids.iter().map(|id| merkle::leaf_hash(id.as_bytes())).collect();
    let (left, right) = (merkle::node_hash(&hashes[0], &hashes[1]), merkle::node_hash(&hashes[2], &hashes[3]));
    let honest = checkpoint(&ids);
    let smaller = Checkpoint { count: 2, ..honest };
    for shown in [left, right, hashes[0]] {
        for index in 0..2u32 {
            let mut bytes = head(&smaller);
            bytes.extend_from_slice(&index.to_be_bytes());
            bytes.extend_from_slice(if index == 0 { right.as_bytes() } else { left.as_bytes() });
            let proof = CheckpointProof::decode(&bytes).expect("the length of a tree of two");
            let error = proof.verify(&shown.into()).expect_err("a node is hashed with another prefix");
            assert!(matches!(error, Error::NotIncluded { .. }), "{error}");
        }
    }
    // The true count leaves no room for the shorter path.
    let mut bytes = head(&honest);
    bytes.extend_from_slice(&0u32.to_be_bytes());
    bytes.extend_from_slice(right.as_bytes());
    assert!(matches!(CheckpointProof::decode(&bytes), Err(Error::Malformed(Malformed::Length { .. }))));
}

#[test]
fn proof_from_other_ids_is_refused() {
    let all = ids(5);
    let honest = checkpoint(&all);
    let error = CheckpointProof::build(honest, &all[..4], &all[0]).expect_err("one is missing");
    assert!(matches!(error, Error::BlobsRoot { .. }), "{error}");
    let error = CheckpointProof::build(Checkpoint { count: 4, ..honest }, &all, &all[0]).expect_err("another count");
    assert!(matches!(error, Error::BlobsRoot { .. }), "{error}");
    let error = CheckpointProof::build(honest, &all, &id(99)).expect_err("not among them");
    assert!(matches!(error, Error::BlobAbsent { blob } if blob == id(99)), "{error}");
}

/// The head of a checkpoint, taken off the encoding of a proof.
fn head(checkpoint: &Checkpoint) -> Vec<u8> {
    let world = World::new(2, 5, 4);
    let mut bytes = certified(&world, *checkpoint).encode();
    bytes.truncate(Checkpoint::HEAD_BYTES);
    bytes
}

fn root(ids: &[BlobId]) -> Digest {
    merkle::root(ids.iter().map(|id| merkle::leaf_hash(id.as_bytes())).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_blob_of_a_checkpoint_is_proven_and_encoding_is_one((count, at) in (1u32..600).prop_flat_map(|c| (Just(c), 0..c))) {
        let ids = ids(count);
        let proof = CheckpointProof::build(checkpoint(&ids), &ids, &ids[at as usize]).expect("among them");
        proof.verify(&ids[at as usize]).expect("leads to the root");
        prop_assert!(proof.path().len() <= 12);
        prop_assert_eq!(CheckpointProof::decode(&proof.encode()).expect("well-formed"), proof);
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), n in 0u16..200, form in 0..4) {
        // Most random bytes fail at the first one; also try those that get further.
        if form > 0 && bytes.len() > 90 {
            bytes[0] = 0xc1;
            bytes[73..77].copy_from_slice(&(u32::from(n) + 1).to_be_bytes());
            bytes[77..85].copy_from_slice(&(480_000 * HOUR).to_be_bytes());
            bytes[85..88].fill(0);
            match form {
                1 => bytes.resize(85 + SignerBitmap::compact_length(n) + 48, 0),
                2 => bytes.resize(245, 0),
                _ => {}
            }
        }
        if let Ok(decoded) = CheckpointCertificate::decode(&bytes, n) {
            prop_assert_eq!(decoded.encode(), bytes.clone());
        }
        if let Ok(decoded) = CheckpointCertificate::decode_l1(&bytes, n) {
            prop_assert_eq!(decoded.encode_l1(), bytes.clone());
        }
        if let Ok(decoded) = CheckpointProof::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
    }
}
