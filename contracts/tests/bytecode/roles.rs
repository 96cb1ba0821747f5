//! Registries without a guardian, and with one who also governs.

use alloy::{
    primitives::{Address, B256},
    sol_types::SolValue as _,
};
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    chain::Chain,
    fixture::{DELAY, FIVE, GOVERNANCE, OVERLAP, OWNER, STRANGER, propose, register, secret_keys},
};

#[test]
fn without_a_guardian_nobody_revokes_or_holds_and_governance_cancels() {
    let Roles { mut chain, registry, namespace } = Roles::new(Address::ZERO);
    let cancel = Registry::cancelFromCall { epoch: 2 };
    chain.send(STRANGER, registry, &cancel).reverted_with(&Registry::NotGuardianOrGovernance { sender: STRANGER });
    chain.must(GOVERNANCE, registry, &cancel);
    for sender in [GOVERNANCE, OWNER, STRANGER] {
        let refused = Registry::NotGuardian { sender };
        chain.send(sender, registry, &Registry::revokeEpochCall { epoch: 1 }).reverted_with(&refused);
        let hold = Registry::holdNamespaceCall { namespace, until: chain.time + 1000 };
        chain.send(sender, registry, &hold).reverted_with(&refused);
    }
    assert_eq!(chain.call(registry, &Registry::activeEpochCall { atTime: u64::MAX }), 1);
}

#[test]
fn a_guardian_that_governs_has_both_powers_and_no_more() {
    let Roles { mut chain, registry, namespace } = Roles::new(GOVERNANCE);
    chain.must(GOVERNANCE, registry, &Registry::cancelFromCall { epoch: 2 });
    chain.must(GOVERNANCE, registry, &Registry::holdNamespaceCall { namespace, until: chain.time + 1000 });
    let lower = Registry::setMinRetentionCall { namespace, minRetention: 0 };
    chain.send(GOVERNANCE, registry, &lower).reverted_with(&Registry::NotNamespaceOwner { owner: OWNER });
    chain.must(GOVERNANCE, registry, &Registry::revokeEpochCall { epoch: 1 });
    assert_eq!(chain.call(registry, &Registry::activeEpochCall { atTime: chain.time }), 1);
    assert_eq!(chain.call(registry, &Registry::activeEpochCall { atTime: chain.time + 1 }), 0);
}

/// A registry of this guardian: epoch 1 is active, epoch 2 proposed.
struct Roles {
    chain: Chain,
    registry: Address,
    namespace: B256,
}

impl Roles {
    fn new(guardian: Address) -> Self {
        let mut chain = Chain::new(SpecId::OSAKA);
        let registry = chain.deploy("CommitteeRegistry", &(GOVERNANCE, guardian, DELAY, OVERLAP).abi_encode_params());
        let ids: Vec<_> = secret_keys(0, 5).iter().map(|key| register(&mut chain, registry, key)).collect();
        chain.must(GOVERNANCE, registry, &propose(ids.clone(), FIVE));
        let create = Registry::createNamespaceCall { salt: B256::ZERO, minRetention: 1, dispersers: Vec::new() };
        let namespace = chain.must(OWNER, registry, &create);
        chain.time += DELAY;
        chain.must(GOVERNANCE, registry, &propose(ids, FIVE));
        Self { chain, registry, namespace }
    }
}
