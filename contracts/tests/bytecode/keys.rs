//! Registration of keys: what proves possession, and what does not.

use alloy::primitives::{Address, B256, Bytes, keccak256};
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    fixture::{
        DELAY, FIVE, Fixture, LARGEST, OPERATOR, OVERLAP, STRANGER, deploy, id_of, opposite, register, registration,
        registration_by, secret_keys,
    },
};

#[test]
fn a_key_is_registered_for_the_sender_under_the_hash_of_its_bytes() {
    for spec in [SpecId::PRAGUE, SpecId::OSAKA] {
        let (mut chain, registry) = Fixture::empty(spec);
        // Enough keys for both values of the flag that says which of `y` and `-y` is meant.
        let mut flags = 0;
        for key in secret_keys(0, 12) {
            let call = registration(&chain, registry, &key);
            let outcome = chain.send(OPERATOR, registry, &call);
            assert!(outcome.success);
            let event: Registry::KeyRegistered = outcome.event();
            let compressed = key.public_key().to_bytes();
            flags += usize::from(compressed[0] & 0x20 != 0);
            assert_eq!(event.compressedKey, Bytes::from(compressed));
            assert_eq!(event.account, OPERATOR);
            assert_eq!(event.keyId, keccak256(key.public_key().to_eip2537()));
            assert_eq!(event.keyId.as_slice(), key.public_key().id().as_bytes());
            assert_eq!(chain.call(registry, &Registry::keyAccountCall { keyId: event.keyId }), OPERATOR);
        }
        assert!((1..12).contains(&flags), "{flags} keys of 12 with the flag");
    }
}

#[test]
fn opposite_keys_are_two_keys() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let key = &secret_keys(0, 1)[0];
    let ids = [register(&mut chain, registry, key), register(&mut chain, registry, &opposite(key))];
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn duplicate_key() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let key = &secret_keys(0, 1)[0];
    let id = id_of(&register(&mut chain, registry, key));
    let by_stranger = registration_by(STRANGER, &chain, registry, key);
    let again = chain.send(STRANGER, registry, &by_stranger);
    again.reverted_with(&Registry::KeyAlreadyRegistered { keyId: id });
    assert_eq!(chain.call(registry, &Registry::keyAccountCall { keyId: id }), OPERATOR);
}

/// Seen in the mempool, or in a registry elsewhere, a proof lets nobody but its account register the key.
#[test]
fn proof_for_another_account_registry_or_chain() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let key = &secret_keys(0, 1)[0];
    let good = registration(&chain, registry, key);
    chain.send(STRANGER, registry, &good).reverted_with(&Registry::BadProofOfPossession {});
    let other = deploy(&mut chain, DELAY, OVERLAP);
    chain.send(OPERATOR, other, &good).reverted_with(&Registry::BadProofOfPossession {});
    chain.chain_id += 1;
    chain.send(OPERATOR, registry, &good).reverted_with(&Registry::BadProofOfPossession {});
    chain.chain_id -= 1;
    assert!(chain.send(OPERATOR, registry, &good).success);
}

#[test]
fn proof_of_another_key() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let keys = secret_keys(0, 2);
    let mut call = registration(&chain, registry, &keys[0]);
    call.proof = registration(&chain, registry, &keys[1]).proof;
    chain.send(OPERATOR, registry, &call).reverted_with(&Registry::BadProofOfPossession {});
}

#[test]
fn proof_of_the_opposite_key() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let key = &secret_keys(0, 1)[0];
    let mut call = registration(&chain, registry, key);
    call.proof = registration(&chain, registry, &opposite(key)).proof;
    chain.send(OPERATOR, registry, &call).reverted_with(&Registry::BadProofOfPossession {});
}

#[test]
fn one_bit_of_the_proof_or_key_flipped() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let good = registration(&chain, registry, &secret_keys(0, 1)[0]);
    for bit in (0..256 * 8).step_by(37) {
        let mut call = good.clone();
        call.key = flip(&good.key, bit);
        chain.send(OPERATOR, registry, &call).reverted_with(&Registry::BadProofOfPossession {});
    }
    for bit in (0..128 * 8).step_by(37) {
        let mut call = good.clone();
        call.proof = flip(&good.proof, bit);
        chain.send(OPERATOR, registry, &call).reverted_with(&Registry::BadProofOfPossession {});
    }
    assert!(chain.send(OPERATOR, registry, &good).success);
}

#[test]
fn identity_key_with_identity_proof() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let good = registration(&chain, registry, &secret_keys(0, 1)[0]);
    let no_key = Bytes::from(vec![0; 256]);
    let no_proof = Bytes::from(vec![0; 128]);
    for (key, proof) in [(&no_key, &no_proof), (&no_key, &good.proof), (&good.key, &no_proof)] {
        let call = Registry::registerKeyCall { key: key.clone(), proof: proof.clone() };
        chain.send(OPERATOR, registry, &call).reverted_with(&Registry::PointAtInfinity {});
    }
}

#[test]
fn coefficients_of_fp2_swapped() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let mut call = registration(&chain, registry, &secret_keys(0, 1)[0]);
    let key = call.key.to_vec();
    call.key = [&key[64..128], &key[..64], &key[192..], &key[128..192]].concat().into();
    chain.send(OPERATOR, registry, &call).reverted_with(&Registry::BadProofOfPossession {});
}

#[test]
fn lengths_other_than_the_points() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let good = registration(&chain, registry, &secret_keys(0, 1)[0]);
    for (key_bytes, proof_bytes) in [(255, 128), (257, 128), (0, 128), (256, 127), (256, 129), (256, 0), (128, 256)] {
        let call =
            Registry::registerKeyCall { key: resized(&good.key, key_bytes), proof: resized(&good.proof, proof_bytes) };
        chain.send(OPERATOR, registry, &call).reverted_with(&Registry::BadLength {});
    }
}

#[test]
fn only_the_keys_account_sets_its_endpoint() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let key_id = id_of(&register(&mut chain, registry, &secret_keys(0, 1)[0]));
    let endpoint = |text: &str| Registry::setEndpointCall {
        keyId: key_id,
        endpoint: text.to_owned(),
        tlsPin: B256::repeat_byte(0x7f),
    };
    let read = Registry::endpointOfCall { keyId: key_id };
    let unset = chain.call(registry, &read);
    assert_eq!((unset.endpoint.as_str(), unset.tlsPin), ("", B256::ZERO));

    chain.must(OPERATOR, registry, &endpoint("https://member-0.example:7000"));
    chain
        .send(STRANGER, registry, &endpoint("https://elsewhere.example"))
        .reverted_with(&Registry::NotKeyAccount { account: OPERATOR });
    let set = chain.call(registry, &read);
    assert_eq!((set.endpoint.as_str(), set.tlsPin), ("https://member-0.example:7000", B256::repeat_byte(0x7f)));

    let longest = "x".repeat(255);
    chain.must(OPERATOR, registry, &endpoint(&longest));
    chain
        .send(OPERATOR, registry, &endpoint(&"x".repeat(256)))
        .reverted_with(&Registry::EndpointTooLong { length: alloy::primitives::U256::from(256) });
    assert_eq!(chain.call(registry, &read).endpoint, longest);
}

#[test]
fn all_of_an_epochs_slots_in_one_call() {
    for size in [FIVE, LARGEST] {
        let mut fixture = Fixture::new(size);
        let ids: Vec<B256> = fixture.keys.iter().map(|key| keccak256(key.public_key().to_eip2537())).collect();
        let last = ids.len() - 1;
        let endpoint = format!("https://{}.example", "x".repeat(200));
        let set =
            Registry::setEndpointCall { keyId: ids[last], endpoint: endpoint.clone(), tlsPin: B256::repeat_byte(0x7f) };
        let event: Registry::EndpointSet = fixture.chain.send(OPERATOR, fixture.registry, &set).event();
        assert_eq!((event.keyId, &event.endpoint, event.tlsPin), (ids[last], &endpoint, B256::repeat_byte(0x7f)));

        let slots = fixture.chain.call(fixture.registry, &Registry::slotsOfCall { epoch: 1 });
        assert_eq!(slots.iter().map(|slot| slot.keyId).collect::<Vec<_>>(), ids);
        assert!(slots.iter().all(|slot| slot.account == OPERATOR));
        for slot in &slots[..last] {
            assert_eq!((slot.endpoint.as_str(), slot.tlsPin), ("", B256::ZERO));
        }
        assert_eq!((&slots[last].endpoint, slots[last].tlsPin), (&endpoint, B256::repeat_byte(0x7f)));
    }
}

#[test]
fn an_unknown_key_has_no_account_that_could_set_its_endpoint() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let call = Registry::setEndpointCall { keyId: keccak256("nobody's"), endpoint: "x".to_owned(), tlsPin: B256::ZERO };
    chain.send(STRANGER, registry, &call).reverted_with(&Registry::NotKeyAccount { account: Address::ZERO });
}

fn flip(bytes: &Bytes, bit: usize) -> Bytes {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped.into()
}

fn resized(bytes: &Bytes, length: usize) -> Bytes {
    let mut resized = bytes.to_vec();
    resized.resize(length, 0);
    resized.into()
}
