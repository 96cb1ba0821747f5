//! What honest members' attestations add up to, and who is named when some are bad.

use holdfast_certificate::{Attestation, Certificate, Committee, Error};
use proptest::prelude::*;

use crate::world::{World, domain, parameters, proven};

#[test]
fn every_quorum_verifies() {
    // All sets of signers of 5: below the threshold refused, at or above it a certificate that decodes and verifies.
    let world = World::new(2, 5, 3);
    let statement = world.statement();
    let all = world.attest_all(0..5, &statement);
    for set in 0..32u8 {
        let chosen: Vec<Attestation> = all.iter().filter(|one| set >> one.slot & 1 == 1).copied().collect();
        match Certificate::aggregate(&world.committee, statement, &chosen) {
            Ok(certificate) => {
                assert!(set.count_ones() >= 3);
                let slots: Vec<u16> = chosen.iter().map(|one| one.slot).collect();
                assert_eq!(certificate.signer_slots(), slots);
                let decoded = Certificate::decode(&certificate.encode()).expect("its own encoding");
                assert_eq!(decoded.verify(&world.committee).expect("a quorum"), certificate);
            }
            Err(Error::BelowThreshold { threshold: 3, got }) => {
                assert_eq!(u32::from(got), set.count_ones());
                assert!(got < 3);
            }
            Err(error) => panic!("{set:05b}: {error}"),
        }
    }
}

#[test]
fn order_of_attestations_does_not_matter() {
    let world = World::new(2, 5, 3);
    let statement = world.statement();
    let mut attestations = world.attest_all(0..5, &statement);
    let one = Certificate::aggregate(&world.committee, statement, &attestations).expect("everybody");
    attestations.reverse();
    let other = Certificate::aggregate(&world.committee, statement, &attestations).expect("everybody");
    assert_eq!(one.encode(), other.encode());
}

#[test]
fn largest_committee_works() {
    let world = World::new(34, 126, 84);
    let statement = world.statement();
    let attestations = world.attest_all((0..126).filter(|slot| slot % 3 != 1), &statement);
    let certificate = Certificate::aggregate(&world.committee, statement, &attestations).expect("84 signers");
    assert_eq!(certificate.signers().count(), 84);
    let bytes = certificate.encode();
    assert_eq!(bytes.len(), 161 + 16 + 48);
    assert_eq!(Certificate::decode(&bytes).expect("its own encoding"), *certificate);
    assert_eq!(Certificate::decode_l1(&certificate.encode_l1()).expect("its own encoding"), *certificate);
}

#[test]
fn slot_and_key_find_each_other() {
    let world = World::new(2, 5, 3);
    for (slot, secret) in (0..).zip(&world.secrets) {
        assert_eq!(world.committee.slot_of(&secret.public_key()), Some(slot));
        assert_eq!(world.committee.key(slot), Some(&secret.public_key()));
    }
    assert_eq!(world.committee.key(5), None);
    assert_eq!(world.committee.slot_of(&crate::world::secret(5).public_key()), None);
}

#[test]
fn committee_of_too_few_or_many_keys_is_refused() {
    let world = World::new(2, 5, 3);
    let mut keys: Vec<_> = world.secrets.iter().map(proven).collect();
    keys.pop();
    let error = Committee::new(domain(), 1, parameters(2, 5, 3), keys).expect_err("four keys");
    assert_eq!(error.to_string(), "committee must have 5 members, got 4");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever a set of members signs instead, exactly they are named.
    #[test]
    fn bad_attestations_are_named(bad in 0u8..64, wrong_slot in any::<bool>()) {
        let world = World::new(2, 6, 4);
        let statement = world.statement();
        let mut other = statement;
        other.retain_until += holdfast_certificate::HOUR;
        let attestations: Vec<_> = (0..6u16)
            .map(|slot| match (bad >> slot & 1 == 1, wrong_slot) {
                (false, _) => world.attest(slot, &statement),
                (true, false) => world.attest(slot, &other),
                (true, true) => Attestation { slot, ..world.attest((slot + 1) % 6, &other) },
            })
            .collect();
        let expected: Vec<u16> = (0..6).filter(|slot| bad >> slot & 1 == 1).collect();
        match Certificate::aggregate(&world.committee, statement, &attestations) {
            Ok(_) => prop_assert!(expected.is_empty()),
            Err(Error::BadAttestations { slots }) => prop_assert_eq!(slots, expected),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
