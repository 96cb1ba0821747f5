//! Certificates that attackers would present. None is ever OK, and none makes `verify` revert.

use alloy::{
    primitives::{B256, U256},
    sol_types::SolValue,
};
use holdfast_certificate::{Domain, Namespace, Statement};
use holdfast_registry::Status;

use crate::{
    abi::Registry,
    fixture::{
        DELAY, FIVE, Fixture, GOVERNANCE, GUARDIAN, Key, OVERLAP, OWNER, SEVEN, SIGNATURE_OFFSET, SIGNERS_OFFSET, Size,
        add_g1, bitmap, domain, encode_l1, keys_of, opposite, propose, register,
    },
};

#[test]
fn one_bit_flipped_anywhere() {
    let fixture = Fixture::new(SEVEN);
    // One signer is missing, so that flips of the bitmap go both ways.
    let good = fixture.certify(&fixture.statement(), &[0, 1, 2, 3, 5, 6]);
    assert_eq!(fixture.verdict(&good), Status::Ok);
    let mut seen = [0u32; 15];
    for bit in 0..good.len() * 8 {
        let mut certificate = good.clone();
        certificate[bit / 8] ^= 1 << (bit % 8);
        let status = fixture.verdict(&certificate);
        assert_ne!(status, Status::Ok, "bit {bit}");
        assert_ne!(fixture.genuine(&certificate), Status::Ok, "bit {bit}");
        seen[status as usize] += 1;
    }
    // The flips reach what they should; no single one moves a time along the grid.
    for status in [
        Status::Malformed,
        Status::UnknownEpoch,
        Status::WrongParameters,
        Status::BelowThreshold,
        Status::BadSignature,
        Status::UnknownNamespace,
    ] {
        assert!(seen[status as usize] > 0, "{status}: {seen:?}");
    }
}

#[test]
fn signed_for_another_chain() {
    let fixture = Fixture::new(FIVE);
    for chain_id in [0, 1, fixture.chain.chain_id + 1] {
        assert_eq!(signed_for(&fixture, &domain(chain_id, fixture.registry)), Status::BadSignature);
    }
}

#[test]
fn signed_for_another_registry() {
    let mut fixture = Fixture::new(FIVE);
    let other = fixture.chain.deploy("CommitteeRegistry", &(GOVERNANCE, GUARDIAN, DELAY, OVERLAP).abi_encode_params());
    assert_eq!(signed_for(&fixture, &domain(fixture.chain.chain_id, other)), Status::BadSignature);
    assert_eq!(signed_for(&fixture, &fixture.domain()), Status::Ok);
}

#[test]
fn moved_to_another_namespace() {
    let mut fixture = Fixture::new(FIVE);
    let create = Registry::createNamespaceCall { salt: B256::ZERO, minRetention: 0, dispersers: vec![] };
    let id = fixture.chain.must(OWNER, fixture.registry, &create);
    fixture.chain.time += 1;
    let statement = fixture.statement();
    let signature = fixture.sign(&statement, &fixture.domain(), &fixture.all());
    let moved = Statement { namespace: Namespace::from_bytes(id.as_slice()).unwrap(), ..statement };
    assert_eq!(fixture.verdict(&encode_l1(&moved, bitmap(&fixture.all()), &signature)), Status::BadSignature);
}

#[test]
fn moved_to_another_epoch_of_the_same_members() {
    let mut fixture = Fixture::new(FIVE);
    let ids = keys_of(&fixture.chain, fixture.registry, 1);
    fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids, FIVE));
    fixture.chain.time += DELAY;
    let statement = fixture.statement();
    let signature = fixture.sign(&statement, &fixture.domain(), &fixture.all());
    let moved = Statement { epoch: 2, ..statement };
    assert_eq!(fixture.verdict(&encode_l1(&moved, bitmap(&fixture.all()), &signature)), Status::BadSignature);
    assert_eq!(fixture.verdict(&encode_l1(&statement, bitmap(&fixture.all()), &signature)), Status::EpochClosed);
}

#[test]
fn every_field_changed_after_signing() {
    let fixture = Fixture::new(FIVE);
    let statement = fixture.statement();
    let signature = fixture.sign(&statement, &fixture.domain(), &fixture.all());
    let digest = holdfast_erasure::Digest::from([9; 32]);
    let edited: [&dyn Fn(&mut Statement); 5] = [
        &|s| s.blob.payload_length += 1,
        &|s| s.blob.shards_root = digest,
        &|s| s.blob.fingerprints_hash = digest,
        &|s| s.retain_until += 3600,
        &|s| {
            s.blob.payload_digest = digest;
            s.whole_until = 3600;
        },
    ];
    for edit in edited {
        let mut changed = statement;
        edit(&mut changed);
        let certificate = encode_l1(&changed, bitmap(&fixture.all()), &signature);
        assert_eq!(fixture.verdict(&certificate), Status::BadSignature, "{changed:?}");
    }
}

#[test]
fn signers_added_to_reach_the_threshold() {
    let fixture = Fixture::new(SEVEN);
    let statement = fixture.statement();
    let signature = fixture.sign(&statement, &fixture.domain(), &[0, 1, 2]);
    for claimed in [bitmap(&fixture.all()), bitmap(&[0, 1, 2, 3, 4, 5])] {
        assert_eq!(fixture.verdict(&encode_l1(&statement, claimed, &signature)), Status::BadSignature);
    }
}

#[test]
fn one_member_signs_many_times() {
    let fixture = Fixture::new(FIVE);
    let statement = fixture.statement();
    let one = fixture.sign(&statement, &fixture.domain(), &[0]);
    let many = (1..4).fold(one, |sum, _| add_g1(&fixture.chain, &sum, &one));
    assert_eq!(fixture.verdict(&encode_l1(&statement, bitmap(&[0, 1, 2, 3]), &many)), Status::BadSignature);
}

#[test]
fn signers_past_the_last_slot() {
    let fixture = Fixture::new(FIVE);
    let good = fixture.certificate();
    for slot in 5..256usize {
        let mut certificate = good.clone();
        let signers: U256 = bitmap(&fixture.all()) | (U256::from(1) << slot);
        certificate[SIGNERS_OFFSET..SIGNATURE_OFFSET].copy_from_slice(&signers.to_be_bytes::<32>());
        assert_eq!(fixture.verdict(&certificate), Status::Malformed, "slot {slot}");
    }
}

#[test]
fn a_key_and_its_opposite_cancel_out() {
    let mut fixture = Fixture::new(FIVE);
    let opposite = opposite(&fixture.keys[0]);
    register(&mut fixture.chain, fixture.registry, &opposite);
    fixture.keys = vec![fixture.keys[0].clone(), opposite, fixture.keys[1].clone()];
    fixture.size = Size { n: 3, t: 2, k: 1 };
    let ids = fixture.keys.iter().map(|key| Key::from(key.public_key().to_eip2537())).collect();
    fixture.epoch = fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids, fixture.size));
    fixture.chain.time += DELAY;

    // The two together have the identity as key and signature, on any statement at all.
    let statement = fixture.statement();
    let nothing = fixture.sign(&statement, &fixture.domain(), &[0, 1]);
    assert_eq!(nothing, [0; 128]);
    assert_eq!(fixture.verdict(&encode_l1(&statement, bitmap(&[0, 1]), &nothing)), Status::Malformed);
    let some = fixture.sign(&statement, &fixture.domain(), &[0]);
    assert_eq!(fixture.verdict(&encode_l1(&statement, bitmap(&[0, 1]), &some)), Status::BadSignature);
    // Their keys are proven, so with the third member they are what they claim to be: three signers.
    assert_eq!(fixture.verdict(&fixture.certificate()), Status::Ok);
}

#[test]
fn the_identity_signature() {
    let fixture = Fixture::new(FIVE);
    let certificate = encode_l1(&fixture.statement(), bitmap(&fixture.all()), &[0; 128]);
    assert_eq!(fixture.verdict(&certificate), Status::Malformed);
}

#[test]
fn the_negated_signature() {
    let fixture = Fixture::new(FIVE);
    let good = fixture.certificate();
    let modulus =
        hex::decode("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab")
            .unwrap();
    let mut certificate = good;
    let y = &mut certificate[SIGNATURE_OFFSET + 80..];
    let mut borrow = 0;
    for (byte, of_modulus) in y.iter_mut().zip(&modulus).rev() {
        let difference = i16::from(*of_modulus) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    assert_eq!(fixture.verdict(&certificate), Status::BadSignature);
}

#[test]
fn coordinates_that_are_not_canonical() {
    let fixture = Fixture::new(FIVE);
    let good = fixture.certificate();
    let modulus = U256::from_str_radix("1a0111ea397fe69a4b1ba7b6434bacd7", 16).unwrap();
    let low = U256::from_str_radix("64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16).unwrap();
    for coordinate in [SIGNATURE_OFFSET, SIGNATURE_OFFSET + 64] {
        // The same number, one modulus higher.
        let mut certificate = good.clone();
        let words = &mut certificate[coordinate..coordinate + 64];
        let (sum, carry) = U256::from_be_slice(&words[32..]).overflowing_add(low);
        let high = U256::from_be_slice(&words[..32]) + modulus + U256::from(u8::from(carry));
        words[..32].copy_from_slice(&high.to_be_bytes::<32>());
        words[32..].copy_from_slice(&sum.to_be_bytes::<32>());
        assert_eq!(fixture.verdict(&certificate), Status::Malformed);
        // Something in the padding.
        for byte in [0, 15] {
            let mut certificate = good.clone();
            certificate[coordinate + byte] = 1;
            assert_eq!(fixture.verdict(&certificate), Status::Malformed);
        }
    }
}

/// What the registry says of a certificate that all signed under this domain.
fn signed_for(fixture: &Fixture, domain: &Domain) -> Status {
    let statement = fixture.statement();
    let signature = fixture.sign(&statement, domain, &fixture.all());
    fixture.verdict(&encode_l1(&statement, bitmap(&fixture.all()), &signature))
}
