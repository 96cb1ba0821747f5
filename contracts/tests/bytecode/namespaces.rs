//! Namespaces and their dispersers.

use alloy::{
    primitives::{Address, B256, keccak256},
    sol_types::SolValue,
};
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    chain::Chain,
    fixture::{DISPERSER, Fixture, MIN_RETENTION, OWNER, STRANGER},
};

#[test]
fn a_namespace_is_named_by_owner_and_salt() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let namespace = chain.must(OWNER, registry, &create(vec![DISPERSER]));
    assert_eq!(namespace, keccak256((OWNER, B256::repeat_byte(9)).abi_encode()));
    let read = chain.call(registry, &Registry::namespaceOfCall { namespace });
    assert_eq!((read.owner, read.minRetention), (OWNER, MIN_RETENTION));

    chain.send(OWNER, registry, &create(vec![])).reverted_with(&Registry::NamespaceExists { namespace });
    assert_ne!(chain.must(STRANGER, registry, &create(vec![])), namespace);
    let none = chain.call(registry, &Registry::namespaceOfCall { namespace: B256::ZERO });
    assert_eq!((none.owner, none.minRetention), (Address::ZERO, 0));
}

#[test]
fn only_the_owner_sets_dispersers() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let namespace = chain.must(OWNER, registry, &create(vec![]));
    let allow = Registry::setDisperserCall { namespace, disperser: STRANGER, allowed: true };
    chain.send(STRANGER, registry, &allow).reverted_with(&Registry::NotNamespaceOwner { owner: OWNER });
    assert!(listed(&chain, registry, namespace).is_empty());
    let unknown = Registry::setDisperserCall { namespace: B256::ZERO, disperser: STRANGER, allowed: true };
    chain.send(STRANGER, registry, &unknown).reverted_with(&Registry::NotNamespaceOwner { owner: Address::ZERO });
}

#[test]
fn dispersers_come_and_go() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let [a, b, c] = [1, 2, 3].map(Address::repeat_byte);
    // One named twice is listed once.
    let namespace = chain.must(OWNER, registry, &create(vec![a, b, a]));
    assert_eq!(listed(&chain, registry, namespace), [a, b]);
    let steps = [
        (c, true, vec![a, b, c]),
        (b, true, vec![a, b, c]),
        (a, false, vec![c, b]),
        (a, false, vec![c, b]),
        (b, false, vec![c]),
        (c, false, vec![]),
        (b, true, vec![b]),
    ];
    for (disperser, allowed, expected) in steps {
        chain.must(OWNER, registry, &Registry::setDisperserCall { namespace, disperser, allowed });
        assert_eq!(listed(&chain, registry, namespace), expected);
        for address in [a, b, c] {
            let is = chain.call(registry, &Registry::isDisperserCall { namespace, disperser: address });
            assert_eq!(is, expected.contains(&address));
        }
    }
}

#[test]
fn bounds() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let many = |count: u16| {
        (1..=count).map(|number| Address::from_word(B256::left_padding_from(&number.to_be_bytes()))).collect()
    };
    chain.send(OWNER, registry, &create(many(65))).reverted_with(&Registry::TooManyDispersers {});
    chain.send(OWNER, registry, &create(vec![Address::ZERO])).reverted_with(&Registry::ZeroDisperser {});
    let ten_years = 3650 * 24 * 3600;
    for (retention, accepted) in [(ten_years + 1, false), (u64::MAX, false), (ten_years, true)] {
        let call = Registry::createNamespaceCall { minRetention: retention, ..create(many(64)) };
        let outcome = chain.send(OWNER, registry, &call);
        assert_eq!(outcome.success, accepted);
        if !accepted {
            outcome.reverted_with(&Registry::RetentionTooLong { minRetention: retention });
        }
    }
}

fn create(dispersers: Vec<Address>) -> Registry::createNamespaceCall {
    Registry::createNamespaceCall { salt: B256::repeat_byte(9), minRetention: MIN_RETENTION, dispersers }
}

fn listed(chain: &Chain, registry: Address, namespace: B256) -> Vec<Address> {
    chain.call(registry, &Registry::namespaceOfCall { namespace }).dispersers
}
