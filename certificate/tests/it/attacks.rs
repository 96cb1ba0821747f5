//! What an attacker tries against keys, committees and certificates, by name.

use blst::min_sig::AggregatePublicKey;
use holdfast_certificate::{
    Address, Attestation, Certificate, Committee, Domain, Error, Malformed, Namespace, PointProblem, ProvenKey,
    PublicKey, Registration, SecretKey, Signature, Statement,
};

use crate::world::{World, domain, parameters, proven, secret};

/// The order of the groups, big-endian.
const ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53, 0xbd, 0xa4,
    0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];

/// The secret key that cancels `secret`: the group order less it.
fn negated(secret: &SecretKey) -> SecretKey {
    let mut difference = [0; 32];
    let mut borrow = 0;
    for (place, (order, scalar)) in ORDER.iter().zip(secret.to_bytes().iter()).enumerate().rev() {
        let value = i16::from(*order) - i16::from(*scalar) - borrow;
        borrow = i16::from(value < 0);
        difference[place] = u8::try_from(value.rem_euclid(256)).expect("below 256");
    }
    assert_eq!(borrow, 0, "a secret key is below the order");
    SecretKey::from_bytes(&difference).expect("neither zero nor the order")
}

/// The same point with the other y: the sign bit of the compressed form is flipped.
fn negated_key(key: &PublicKey) -> PublicKey {
    let mut bytes = key.to_bytes();
    bytes[0] ^= 0x20;
    PublicKey::from_bytes(&bytes).expect("the negative of a key is a key")
}

#[test]
fn keys_that_cancel_to_the_identity_make_no_committee() {
    let (one, other) = (secret(0), negated(&secret(0)));
    assert_eq!(other.public_key(), negated_key(&one.public_key()));
    // Both proofs are sound, since the attacker has both secrets.
    let keys = vec![proven(&one), proven(&other)];
    let error = Committee::new(domain(), 1, parameters(1, 2, 2), keys).expect_err("the keys cancel");
    assert!(matches!(error, Error::IdentityAggregate), "{error}");
}

#[test]
fn signers_whose_keys_cancel_cannot_sign_for_a_quorum() {
    // Slots 0 and 1 cancel each other and 2 and 3 do; slot 4 is honest, so the whole committee does not cancel.
    let (a, b, honest) = (secret(0), secret(1), secret(2));
    let secrets = [a.clone(), negated(&a), b.clone(), negated(&b), honest];
    let committee = Committee::new(domain(), 1, parameters(2, 5, 4), secrets.iter().map(proven).collect())
        .expect("the aggregate of all five is the honest key");
    let world = World { committee, secrets: secrets.to_vec() };
    let statement = world.statement();

    // All four sign: their signatures cancel too, and the identity is no signature.
    let attestations = world.attest_all(0..4, &statement);
    let error =
        Certificate::aggregate(&world.committee, statement, &attestations).expect_err("the sum is the identity");
    assert!(matches!(&error, Error::BadSignature { slots } if slots == &[0, 1, 2, 3]), "{error}");

    // A certificate that names the four and carries any signature at all.
    let anything = world.attest(4, &statement).signature;
    let error = forged(&statement, 5, 0b01111, &anything).verify(&world.committee).expect_err("nobody signed");
    assert!(matches!(error, Error::BadSignature { .. }), "{error}");
}

#[test]
fn identity_key_is_refused() {
    let mut compressed = [0; 96];
    compressed[0] = 0xc0;
    for refused in [PublicKey::from_bytes(&compressed), PublicKey::from_eip2537(&[0; 256])] {
        let error = refused.expect_err("the identity");
        assert!(matches!(error, Malformed::Point { problem: PointProblem::Identity, .. }), "{error}");
    }
}

#[test]
fn identity_signature_is_refused() {
    let mut compressed = [0; 48];
    compressed[0] = 0xc0;
    for refused in [Signature::from_bytes(&compressed), Signature::from_eip2537(&[0; 128])] {
        let error = refused.expect_err("the identity");
        assert!(matches!(error, Malformed::Point { problem: PointProblem::Identity, .. }), "{error}");
    }
}

#[test]
fn point_outside_the_subgroup_is_refused() {
    // Nearly no point of either curve is in the subgroup: the first with a small x is not.
    let signature = (1..=255u8)
        .map(|x| {
            let mut bytes = [0; 48];
            (bytes[0], bytes[47]) = (0x80, x);
            bytes
        })
        .find(|bytes| blst::min_sig::Signature::uncompress(bytes).is_ok())
        .expect("half of all x are on the curve");
    let key = (1..=255u8)
        .map(|x| {
            let mut bytes = [0; 96];
            (bytes[0], bytes[95]) = (0x80, x);
            bytes
        })
        .find(|bytes| blst::min_sig::PublicKey::uncompress(bytes).is_ok())
        .expect("half of all x are on the curve");
    for error in [
        Signature::from_bytes(&signature).expect_err("outside the subgroup"),
        PublicKey::from_bytes(&key).expect_err("outside the subgroup"),
    ] {
        assert!(matches!(error, Malformed::Point { problem: PointProblem::Subgroup, .. }), "{error}");
    }
}

#[test]
fn rogue_key_without_possession_is_refused() {
    // The attacker registers its key less the victim's, so that the sum of the two is its own key.
    let (attacker, victim) = (secret(0), secret(1));
    let (own, cancelling) = (attacker.public_key(), negated_key(&victim.public_key()));
    let points: Vec<_> = [own, cancelling]
        .iter()
        .map(|key| blst::min_sig::PublicKey::uncompress(&key.to_bytes()).expect("a point"))
        .collect();
    let sum = AggregatePublicKey::aggregate(&points.iter().collect::<Vec<_>>(), true).expect("two keys");
    let rogue = PublicKey::from_bytes(&sum.to_public_key().compress()).expect("a point of the subgroup");

    // Such a committee would let the attacker sign for both: this is what the proofs are for.
    let unproven = vec![ProvenKey::from_registry(rogue), proven(&victim)];
    let committee = Committee::new(domain(), 1, parameters(1, 2, 2), unproven).expect("two keys");
    let world = World { committee, secrets: vec![attacker.clone(), victim] };
    let statement = world.statement();
    let alone = Attestation::sign(0, &attacker, &world.digest(&statement));
    forged(&statement, 2, 0b11, &alone.signature).verify(&world.committee).expect("the attack works on unproven keys");

    // It has no secret of the rogue key: neither its own proof nor one that it has seen is one.
    for proof in [&attacker, &world.secrets[1]].map(|secret| secret.prove_possession(&Registration::WITHOUT_L1)) {
        let error = ProvenKey::check(rogue, proof, &Registration::WITHOUT_L1).expect_err("nobody has the secret");
        assert!(matches!(&error, Error::NotPossessed { public_key } if **public_key == rogue), "{error}");
    }
}

#[test]
fn proof_for_one_registration_is_none_for_another() {
    let (secret, domain) = (secret(0), domain());
    let here = Registration { domain, account: Address::from([1; 20]) };
    let others = [
        Registration { account: Address::from([2; 20]), ..here },
        Registration { domain: Domain { chain_id: domain.chain_id + 1, ..domain }, ..here },
        Registration { domain: Domain { registry: Address::from([3; 20]), ..domain }, ..here },
        Registration::WITHOUT_L1,
    ];
    let proof = secret.prove_possession(&here);
    ProvenKey::check(secret.public_key(), proof, &here).expect("its own");
    for other in others {
        ProvenKey::check(secret.public_key(), proof, &other).expect_err("seen, and brought elsewhere");
        let elsewhere = secret.prove_possession(&other);
        ProvenKey::check(secret.public_key(), elsewhere, &here).expect_err("seen elsewhere, and brought here");
    }
}

#[test]
fn attestation_is_no_proof_of_possession() {
    // The two ciphersuites differ, so a member cannot be made to prove a key by signing a statement whose digest is it.
    let secret = secret(0);
    let digest = holdfast_certificate::StatementDigest::from_bytes(&[3; 32]).expect("32 bytes");
    let attestation = Attestation::sign(0, &secret, &digest);
    let as_proof =
        holdfast_certificate::ProofOfPossession::from_bytes(&attestation.signature.to_bytes()).expect("a point");
    ProvenKey::check(secret.public_key(), as_proof, &Registration::WITHOUT_L1)
        .expect_err("signed something else, under another tag");
}

#[test]
fn same_key_in_two_slots_is_refused() {
    let keys = [0, 1, 0, 2].map(|slot| proven(&secret(slot))).to_vec();
    let error = Committee::new(domain(), 1, parameters(2, 4, 3), keys).expect_err("slots 0 and 2 are one member");
    assert!(matches!(error, Error::DuplicateKey { first: 0, second: 2, .. }), "{error}");
}

#[test]
fn duplicate_slot_attestation_does_not_count_twice() {
    let world = World::new(2, 4, 3);
    let statement = world.statement();
    let attestations = world.attest_all([0, 1, 1, 1], &statement);
    let error = Certificate::aggregate(&world.committee, statement, &attestations).expect_err("two members");
    assert!(matches!(error, Error::BelowThreshold { threshold: 3, got: 2 }), "{error}");

    // A copy does not spoil the sum either.
    let attestations = world.attest_all([0, 1, 1, 2], &statement);
    let certificate = Certificate::aggregate(&world.committee, statement, &attestations).expect("three members");
    assert_eq!(certificate.signer_slots(), [0, 1, 2]);
}

#[test]
fn forgery_that_comes_first_does_not_silence_a_member() {
    let world = World::new(2, 4, 3);
    let statement = world.statement();
    let forgery = Attestation { slot: 1, ..world.attest(3, &statement) };
    let mut attestations = vec![forgery];
    attestations.extend(world.attest_all(0..3, &statement));
    let certificate = Certificate::aggregate(&world.committee, statement, &attestations).expect("three members signed");
    assert_eq!(certificate.signer_slots(), [0, 1, 2]);
}

#[test]
fn attestation_of_another_members_slot_is_refused() {
    let world = World::new(2, 4, 3);
    let statement = world.statement();
    let digest = world.digest(&statement);
    let stolen = Attestation { slot: 2, ..world.attest(3, &statement) };
    let error = stolen.verify(&world.committee, &digest).expect_err("slot 3 signed it");
    assert!(matches!(error, Error::BadAttestation { slot: 2 }), "{error}");

    let mut attestations = world.attest_all(0..2, &statement);
    attestations.push(stolen);
    let error = Certificate::aggregate(&world.committee, statement, &attestations).expect_err("slot 2 did not sign");
    assert!(matches!(&error, Error::BadAttestations { slots } if slots == &[2]), "{error}");
}

#[test]
fn attestation_of_a_slot_that_does_not_exist_is_refused() {
    let world = World::new(2, 4, 3);
    let statement = world.statement();
    for slot in [4, 127, 128, u16::MAX] {
        let stray = Attestation { slot, ..world.attest(3, &statement) };
        let mut attestations = world.attest_all(0..3, &statement);
        attestations.push(stray);
        for error in [
            stray.verify(&world.committee, &world.digest(&statement)).expect_err("no such slot"),
            Certificate::aggregate(&world.committee, statement, &attestations).expect_err("no such slot"),
        ] {
            assert!(matches!(error, Error::Slot { members: 4, got } if got == slot), "{error}");
        }
    }
}

#[test]
fn below_threshold_is_refused() {
    let world = World::new(2, 4, 3);
    let statement = world.statement();
    let attestations = world.attest_all(0..2, &statement);
    let error = Certificate::aggregate(&world.committee, statement, &attestations).expect_err("two of three");
    assert!(matches!(error, Error::BelowThreshold { threshold: 3, got: 2 }), "{error}");

    let nobody = Certificate::aggregate(&world.committee, statement, &[]).expect_err("nobody");
    assert!(matches!(nobody, Error::BelowThreshold { threshold: 3, got: 0 }), "{nobody}");

    // A laxer committee of the same keys makes a certificate of two, which this one refuses.
    let lax = Committee::new(domain(), 1, parameters(1, 3, 2), (0..3).map(|slot| proven(&secret(slot))).collect());
    let lax = World { committee: lax.expect("a committee"), secrets: world.secrets.clone() };
    let two = Certificate::aggregate(&lax.committee, lax.statement(), &lax.attest_all(0..2, &lax.statement()));
    let strict = World::new(1, 3, 3);
    let error = two.expect("two of two").verify(&strict.committee).expect_err("needs three");
    assert!(matches!(error, Error::BelowThreshold { threshold: 3, got: 2 }), "{error}");
}

/// What the members signed, and what the attacker shows it for.
fn signed_for_another(change: impl Fn(&mut Statement)) {
    let world = World::new(2, 4, 3);
    let statement = world.statement();
    let attestations = world.attest_all(0..3, &statement);
    let certificate = Certificate::aggregate(&world.committee, statement, &attestations).expect("three members");

    let mut changed = certificate.into_inner();
    change(&mut changed.statement);
    assert_ne!(changed.statement, statement);
    let error = changed.verify(&world.committee).expect_err("nobody signed this");
    assert!(matches!(error, Error::BadSignature { .. } | Error::WrongEpoch { .. }), "{error}");
    for attestation in attestations {
        attestation.verify(&world.committee, &world.digest(&changed.statement)).expect_err("nobody signed this");
    }
}

#[test]
fn signature_for_another_namespace_is_refused() {
    signed_for_another(|statement| statement.namespace = Namespace::from([8; 32]));
}

#[test]
fn signature_for_another_epoch_is_refused() {
    signed_for_another(|statement| statement.epoch = 2);

    // The committee of the next epoch may well have the same keys.
    let world = World::new(2, 4, 3);
    let statement = world.statement();
    let certificate = Certificate::aggregate(&world.committee, statement, &world.attest_all(0..3, &statement));
    let keys = world.secrets.iter().map(proven).collect();
    let next = Committee::new(domain(), 2, parameters(2, 4, 3), keys).expect("a committee");
    let error = certificate.expect("three members").verify(&next).expect_err("of epoch 1");
    assert!(matches!(error, Error::WrongEpoch { expected: 2, got: 1 }), "{error}");
}

#[test]
fn signature_for_a_shorter_retention_is_refused() {
    signed_for_another(|statement| statement.retain_until += holdfast_certificate::HOUR);
}

#[test]
fn signature_for_another_blob_is_refused() {
    signed_for_another(|statement| statement.blob.payload_length += 1);
    signed_for_another(|statement| statement.blob.fingerprints_hash = [9; 32].into());
}

#[test]
fn signature_on_another_domain_is_refused() {
    let world = World::new(2, 4, 3);
    let statement = world.statement();
    let attestations = world.attest_all(0..3, &statement);
    let certificate = Certificate::aggregate(&world.committee, statement, &attestations).expect("three members");
    for other in [
        Domain { chain_id: 1, ..domain() },
        Domain { registry: holdfast_certificate::Address::from([0xac; 20]), ..domain() },
    ] {
        let keys = world.secrets.iter().map(proven).collect();
        let committee = Committee::new(other, 1, parameters(2, 4, 3), keys).expect("a committee");
        let error = certificate.verify(&committee).expect_err("signed for another chain or registry");
        assert!(matches!(error, Error::BadSignature { .. }), "{error}");
        for attestation in &attestations {
            attestation.verify(&committee, &statement.digest(&other)).expect_err("signed for another domain");
        }
    }
}

#[test]
fn committee_without_l1_that_differs_in_anything_has_another_domain() {
    let keys = |slots: [u16; 4]| slots.map(|slot| proven(&secret(slot))).to_vec();
    let registries = [
        Committee::off_chain(1, parameters(2, 4, 3), keys([0, 1, 2, 3])),
        Committee::off_chain(2, parameters(2, 4, 3), keys([0, 1, 2, 3])),
        Committee::off_chain(1, parameters(1, 4, 3), keys([0, 1, 2, 3])),
        Committee::off_chain(1, parameters(2, 4, 4), keys([0, 1, 2, 3])),
        Committee::off_chain(1, parameters(2, 4, 3), keys([1, 0, 2, 3])),
        Committee::off_chain(1, parameters(2, 4, 3), keys([0, 1, 2, 4])),
    ]
    .map(|committee| committee.expect("a committee").domain().registry);
    let distinct: std::collections::HashSet<_> = registries.into_iter().collect();
    assert_eq!(distinct.len(), 6);
}

#[test]
fn signers_of_a_larger_committee_are_refused() {
    // The statement is a field that anybody can set; the signers were decoded for the numbers of shards it had before.
    let (larger, smaller) = (World::new(2, 5, 4), World::new(2, 4, 3));
    let statement = larger.statement();
    let certificate = Certificate::aggregate(&larger.committee, statement, &larger.attest_all(1..5, &statement))
        .expect("four of five");
    let mut changed = certificate.into_inner();
    changed.statement = smaller.statement();
    let error = changed.verify(&smaller.committee).expect_err("a bitmap of five");
    assert_eq!(error.to_string(), "committee must have 4 members, got 5");
}

/// The certificate that an attacker writes: `statement`, any bitmap of `members` up to 8, any signature.
fn forged(statement: &Statement, members: u16, bitmap: u8, signature: &Signature) -> Certificate {
    let world = World::new(statement.blob.original_shards, members, members);
    let honest = Certificate::aggregate(&world.committee, *statement, &world.attest_all(0..members, statement));
    let mut bytes = honest.expect("everybody signed").encode();
    let bitmap_at = bytes.len() - 49;
    bytes[bitmap_at] = bitmap;
    bytes[bitmap_at + 1..].copy_from_slice(&signature.to_bytes());
    Certificate::decode(&bytes).expect("well-formed")
}
