//! Namespaces and their dispersers.

use alloy::{
    primitives::{Address, B256, keccak256},
    sol_types::SolValue,
};
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    chain::Chain,
    fixture::{DISPERSER, Fixture, GOVERNANCE, GUARDIAN, MIN_RETENTION, OWNER, STRANGER},
};

const MAX_HOLD: u64 = 90 * 24 * 3600;

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

#[test]
fn a_hold_only_ever_reaches_further_and_is_bounded() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let namespace = chain.must(OWNER, registry, &create(vec![]));
    let hold = |until| Registry::holdNamespaceCall { namespace, until };
    let read = |chain: &Chain| chain.call(registry, &Registry::namespaceOfCall { namespace }).holdUntil;
    let now = chain.time;
    assert_eq!(read(&chain), 0);
    for sender in [STRANGER, OWNER, GOVERNANCE] {
        chain.send(sender, registry, &hold(now + 1)).reverted_with(&Registry::NotGuardian { sender });
    }
    let nobodys = Registry::holdNamespaceCall { namespace: B256::ZERO, until: now + 1 };
    chain.send(GUARDIAN, registry, &nobodys).reverted_with(&Registry::UnknownNamespace { namespace: B256::ZERO });

    // A hold that is over before it begins, as by a multisig that was late.
    for until in [0, now - 1, now] {
        let refused = chain.send(GUARDIAN, registry, &hold(until));
        refused.reverted_with(&Registry::HoldTooShort { until, earliest: now + 1 });
    }
    let event: Registry::NamespaceHeld = chain.send(GUARDIAN, registry, &hold(now + 100)).event();
    assert_eq!((event.namespace, event.until), (namespace, now + 100));
    assert_eq!(read(&chain), now + 100);
    for until in [now + 1, now + 100] {
        let refused = chain.send(GUARDIAN, registry, &hold(until));
        refused.reverted_with(&Registry::HoldTooShort { until, earliest: now + 101 });
    }
    for until in [now + MAX_HOLD + 1, (1 << 48) + 5, u64::MAX] {
        let refused = chain.send(GUARDIAN, registry, &hold(until));
        refused.reverted_with(&Registry::HoldTooLong { until, latest: now + MAX_HOLD });
    }
    chain.must(GUARDIAN, registry, &hold(now + MAX_HOLD));
    assert_eq!(read(&chain), now + MAX_HOLD);

    // It touches nothing else of the slot that it shares.
    let info = chain.call(registry, &Registry::namespaceOfCall { namespace });
    assert_eq!((info.owner, info.existsFrom, info.minRetention), (OWNER, now + 1, MIN_RETENTION));
    chain.time += 10;
    chain.must(OWNER, registry, &Registry::setMinRetentionCall { namespace, minRetention: 5 });
    assert_eq!(read(&chain), now + MAX_HOLD);
}

fn create(dispersers: Vec<Address>) -> Registry::createNamespaceCall {
    Registry::createNamespaceCall { salt: B256::repeat_byte(9), minRetention: MIN_RETENTION, dispersers }
}

fn listed(chain: &Chain, registry: Address, namespace: B256) -> Vec<Address> {
    chain.call(registry, &Registry::namespaceOfCall { namespace }).dispersers
}
