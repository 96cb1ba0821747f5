//! Epochs: who proposes, cancels and revokes them, and when they are active.

use alloy::{
    primitives::{Address, U256, keccak256},
    sol_types::SolValue,
};
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::{Epoch, Registry},
    chain::{Chain, START},
    fixture::{
        DELAY, FIVE, Fixture, GOVERNANCE, GUARDIAN, Key, LARGEST, MAX_PAYLOAD, OPERATOR, OVERLAP, SEVEN, STRANGER,
        Size, id_of, keys_of, opposite, propose, register, secret_keys,
    },
};

#[test]
fn an_epoch_reads_back_as_proposed() {
    for size in [FIVE, SEVEN, LARGEST] {
        let fixture = Fixture::new(size);
        let epoch = read(&fixture.chain, fixture.registry, 1);
        assert_eq!((epoch.originalShards, epoch.totalShards, epoch.threshold), (size.k, size.n, size.t));
        assert_eq!(epoch.maxPayload, MAX_PAYLOAD);
        assert_eq!((epoch.activeFrom, epoch.activeUntil, epoch.revokedAt), (START + DELAY, 0, 0));
        assert!(!epoch.cancelled);

        let (mut ids, mut keys) = (Vec::new(), Vec::new());
        for key in &fixture.keys {
            ids.push(keccak256(key.public_key().to_eip2537()));
            keys.extend_from_slice(&key.public_key().to_eip2537());
        }
        let slots = fixture.chain.call(fixture.registry, &Registry::slotsOfCall { epoch: 1 });
        assert_eq!(slots.iter().map(|slot| slot.keyId).collect::<Vec<_>>(), ids);
        assert_eq!(fixture.chain.call(fixture.registry, &Registry::slotKeysCall { epoch: 1 }).to_vec(), keys);
    }
}

#[test]
fn slots_keep_the_order_in_which_keys_were_proposed() {
    let (mut chain, registry, mut ids) = with_keys(5);
    ids.sort_unstable();
    ids.reverse();
    chain.must(GOVERNANCE, registry, &propose(ids.clone(), FIVE));
    assert_eq!(keys_of(&chain, registry, 1), ids);
}

#[test]
fn only_governance_proposes() {
    let (mut chain, registry, ids) = with_keys(5);
    for sender in [STRANGER, GUARDIAN] {
        chain.send(sender, registry, &propose(ids.clone(), FIVE)).reverted_with(&Registry::NotGovernance { sender });
    }
}

#[test]
fn a_registry_needs_a_governance() {
    let mut chain = Chain::new(SpecId::OSAKA);
    let refused = chain
        .try_deploy("CommitteeRegistry", &(Address::ZERO, GUARDIAN, DELAY, OVERLAP).abi_encode_params())
        .unwrap_err();
    refused.reverted_with(&Registry::ZeroGovernance {});
}

#[test]
fn a_chain_without_the_precompiles_is_refused() {
    let mut chain = Chain::new(SpecId::CANCUN);
    let refused =
        chain.try_deploy("CommitteeRegistry", &(GOVERNANCE, GUARDIAN, DELAY, OVERLAP).abi_encode_params()).unwrap_err();
    refused.reverted_with(&Registry::PrecompileFailed {});
}

#[test]
fn parameters_out_of_bounds() {
    let (mut chain, registry, ids) = with_keys(127);
    let refused = [
        Size { n: 5, t: 4, k: 0 },
        Size { n: 5, t: 5, k: 5 },
        Size { n: 5, t: 3, k: 4 },
        Size { n: 5, t: 6, k: 2 },
        Size { n: 5, t: 2, k: 2 },
        Size { n: 6, t: 3, k: 2 },
        Size { n: 1, t: 1, k: 1 },
        Size { n: 0, t: 0, k: 0 },
        Size { n: 127, t: 64, k: 20 },
    ];
    for size in refused {
        let call = propose(ids[..usize::from(size.n)].to_vec(), size);
        chain.send(GOVERNANCE, registry, &call).reverted_with(&bad_parameters(size, MAX_PAYLOAD));
    }
    for max_payload in [0, (1 << 30) + 1, u32::MAX] {
        let mut call = propose(ids[..5].to_vec(), FIVE);
        call.maxPayload = max_payload;
        chain.send(GOVERNANCE, registry, &call).reverted_with(&bad_parameters(FIVE, max_payload));
    }
    let accepted = [
        Size { n: 2, t: 2, k: 1 },
        Size { n: 5, t: 3, k: 1 },
        Size { n: 5, t: 4, k: 4 },
        Size { n: 5, t: 5, k: 4 },
        Size { n: 94, t: 48, k: 48 },
    ];
    for (number, size) in (1..).zip(accepted) {
        let call = propose(ids[..usize::from(size.n)].to_vec(), size);
        assert_eq!(chain.must(GOVERNANCE, registry, &call), number);
    }
}

/// What a chain lets a contract's code hold bounds a committee, and not the registry: today that is 94 members.
#[test]
fn as_many_slots_as_the_chain_s_limit_of_code_takes() {
    let (mut chain, registry, keys) = with_keys(95);
    let mut propose = |n: u16| {
        let size = Size { n, t: n / 2 + 1, k: 20 };
        chain.send(GOVERNANCE, registry, &propose(keys[..usize::from(n)].to_vec(), size))
    };
    assert!(propose(94).success);
    propose(95).reverted_with(&Registry::CreateFailed {});
}

#[test]
fn a_key_of_another_account_than_the_proposal_names() {
    let (mut chain, registry, keys) = with_keys(5);
    for slot in 0..5 {
        let mut call = propose(keys.clone(), FIVE);
        call.accounts[slot] = STRANGER;
        chain.send(GOVERNANCE, registry, &call).reverted_with(&Registry::NotKeyAccount { account: OPERATOR });
    }
    for count in [0, 4, 6] {
        let mut call = propose(keys.clone(), FIVE);
        call.accounts.resize(count, OPERATOR);
        chain.send(GOVERNANCE, registry, &call).reverted_with(&Registry::BadLength {});
    }
    assert!(chain.send(GOVERNANCE, registry, &propose(keys, FIVE)).success);
}

#[test]
fn a_key_that_nobody_registered() {
    let (mut chain, registry, mut ids) = with_keys(5);
    ids[3] = Key::repeat_byte(3);
    let call = propose(ids.clone(), FIVE);
    chain.send(GOVERNANCE, registry, &call).reverted_with(&Registry::UnknownKey { keyId: id_of(&ids[3]) });
}

#[test]
fn a_key_in_two_slots() {
    let (mut chain, registry, ids) = with_keys(5);
    for (a, b) in [(0, 1), (0, 4), (2, 3)] {
        let mut twice = ids.clone();
        twice[b] = ids[a];
        let call = propose(twice, FIVE);
        chain.send(GOVERNANCE, registry, &call).reverted_with(&Registry::DuplicateKey { keyId: id_of(&ids[a]) });
    }
    // What was marked by the proposals that failed, or by one before, does not stand in the way of the next.
    chain.must(GOVERNANCE, registry, &propose(ids.clone(), FIVE));
    chain.must(GOVERNANCE, registry, &propose(ids, FIVE));
}

#[test]
fn keys_that_cancel_out() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let keys = secret_keys(0, 2);
    let ids: Vec<Key> = [&keys[0], &keys[1], &opposite(&keys[0]), &opposite(&keys[1])]
        .map(|key| register(&mut chain, registry, key))
        .to_vec();
    let pair = propose(vec![ids[0], ids[2]], Size { n: 2, t: 2, k: 1 });
    chain.send(GOVERNANCE, registry, &pair).reverted_with(&Registry::AggregateIsIdentity {});
    let four = propose(ids, Size { n: 4, t: 3, k: 2 });
    chain.send(GOVERNANCE, registry, &four).reverted_with(&Registry::AggregateIsIdentity {});
}

#[test]
fn active_no_sooner_than_the_delay_and_after_the_epoch_before() {
    let (mut chain, registry, ids) = with_keys(5);
    let from = |time| Registry::proposeEpochCall { activeFrom: time, ..propose(ids.clone(), FIVE) };
    let early = |time, earliest| Registry::ActiveTooEarly { activeFrom: time, earliest };

    chain.send(GOVERNANCE, registry, &from(START + DELAY - 1)).reverted_with(&early(START + DELAY - 1, START + DELAY));
    assert_eq!(chain.must(GOVERNANCE, registry, &from(START + DELAY + 100)), 1);
    // The second must come after the first, even where the delay is over sooner.
    chain
        .send(GOVERNANCE, registry, &from(START + DELAY + 100))
        .reverted_with(&early(START + DELAY + 100, START + DELAY + 101));
    assert_eq!(chain.must(GOVERNANCE, registry, &from(0)), 2);
    assert_eq!(read(&chain, registry, 2).activeFrom, START + DELAY + 101);
    assert_eq!(read(&chain, registry, 1).activeUntil, START + DELAY + 101);
}

#[test]
fn a_proposal_that_a_multisig_executes_late() {
    let (mut chain, registry, ids) = with_keys(5);
    let planned = START + DELAY + 100;
    let at_a_time = Registry::proposeEpochCall { activeFrom: planned, ..propose(ids.clone(), FIVE) };
    // So late that the delay no longer fits, and so late that the time has passed.
    for time in [START + 101, planned, planned + DELAY] {
        chain.time = time;
        let early = Registry::ActiveTooEarly { activeFrom: planned, earliest: time + DELAY };
        chain.send(GOVERNANCE, registry, &at_a_time).reverted_with(&early);
    }
    assert_eq!(chain.must(GOVERNANCE, registry, &propose(ids, FIVE)), 1);
    assert_eq!(read(&chain, registry, 1).activeFrom, chain.time + DELAY);
}

#[test]
fn times_that_do_not_fit_their_slot() {
    let (mut chain, registry, ids) = with_keys(5);
    let from = |time| Registry::proposeEpochCall { activeFrom: time, ..propose(ids.clone(), FIVE) };
    let latest = (1 << 48) - 2;
    for time in [latest + 1, 1 << 48, (1 << 48) + START + 2 * DELAY, u64::MAX] {
        let late = Registry::ActiveTooLate { activeFrom: time, latest };
        chain.send(GOVERNANCE, registry, &from(time)).reverted_with(&late);
    }
    assert_eq!(chain.must(GOVERNANCE, registry, &from(latest)), 1);
    assert_eq!(read(&chain, registry, 1).activeFrom, latest);
    assert!(!read(&chain, registry, 1).cancelled);
    // Nothing can come after it, until it is taken back.
    let late = Registry::ActiveTooLate { activeFrom: latest + 1, latest };
    chain.send(GOVERNANCE, registry, &from(0)).reverted_with(&late);
    chain.must(GOVERNANCE, registry, &Registry::cancelFromCall { epoch: 1 });
    assert_eq!(chain.must(GOVERNANCE, registry, &from(0)), 2);

    for (delay, accepted) in [(365 * 24 * 3600, true), (365 * 24 * 3600 + 1, false), (u64::MAX, false)] {
        let outcome =
            chain.try_deploy("CommitteeRegistry", &(GOVERNANCE, GUARDIAN, delay, OVERLAP).abi_encode_params());
        match outcome {
            Ok(_) => assert!(accepted, "{delay}"),
            Err(refused) => refused.reverted_with(&Registry::DelayTooLong { delay }),
        }
    }
}

#[test]
fn without_a_delay_an_epoch_still_starts_after_the_block_that_proposes_it() {
    let mut chain = Chain::new(SpecId::OSAKA);
    let registry = chain.deploy("CommitteeRegistry", &(GOVERNANCE, GUARDIAN, 0u64, OVERLAP).abi_encode_params());
    let ids = secret_keys(0, 5).iter().map(|key| register(&mut chain, registry, key)).collect();
    chain.must(GOVERNANCE, registry, &propose(ids, FIVE));
    assert_eq!(read(&chain, registry, 1).activeFrom, START + 1);
}

#[test]
fn an_epoch_ends_only_when_a_successor_is_active() {
    let (mut chain, registry, ids) = with_keys(5);
    let call = propose(ids, FIVE);
    chain.must(GOVERNANCE, registry, &call);
    assert_eq!(active(&chain, registry, START + DELAY - 1), 0);
    assert_eq!(active(&chain, registry, START + DELAY), 1);
    assert_eq!(active(&chain, registry, u64::MAX), 1);

    chain.time = START + DELAY + 1000;
    chain.must(GOVERNANCE, registry, &call);
    let second = START + 2 * DELAY + 1000;
    assert_eq!(active(&chain, registry, second - 1), 1);
    assert_eq!(active(&chain, registry, second), 2);
    assert_eq!(read(&chain, registry, 1).activeUntil, second);
    assert_eq!(read(&chain, registry, 2).activeUntil, 0);
}

#[test]
fn a_cancelled_proposal_closes_nothing_and_its_number_is_not_used_again() {
    let (mut chain, registry, ids) = with_keys(5);
    let call = propose(ids, FIVE);
    for _ in 0..4 {
        chain.must(GOVERNANCE, registry, &call);
        chain.time += 10;
    }
    let first = START + DELAY;
    let until = |chain: &Chain| [1, 2, 3, 4].map(|epoch| read(chain, registry, epoch).activeUntil);
    assert_eq!(until(&chain), [first + 10, first + 20, first + 30, 0]);

    // The last one, then all that are left.
    chain.must(GUARDIAN, registry, &Registry::cancelFromCall { epoch: 4 });
    assert_eq!(until(&chain), [first + 10, first + 20, 0, 0]);
    assert_eq!(active(&chain, registry, first + 30), 3);
    chain.must(GOVERNANCE, registry, &Registry::cancelFromCall { epoch: 2 });
    assert_eq!(until(&chain), [0; 4]);
    assert_eq!(active(&chain, registry, u64::MAX), 1);

    let again = chain.send(GUARDIAN, registry, &Registry::cancelFromCall { epoch: 3 });
    again.reverted_with(&Registry::AlreadyCancelled { epoch: 3 });
    assert_eq!(chain.must(GOVERNANCE, registry, &call), 5);
    assert_eq!(until(&chain)[0], chain.time + DELAY);
    assert_eq!(chain.call(registry, &Registry::epochCountCall {}), 5);
}

#[test]
fn cancelling_the_only_epoch_leaves_none() {
    let (mut chain, registry, ids) = with_keys(5);
    let call = propose(ids, FIVE);
    chain.must(GOVERNANCE, registry, &call);
    chain.must(GUARDIAN, registry, &Registry::cancelFromCall { epoch: 1 });
    assert!(read(&chain, registry, 1).cancelled);
    assert_eq!(active(&chain, registry, u64::MAX), 0);
    assert_eq!(chain.must(GOVERNANCE, registry, &call), 2);
    assert_eq!(active(&chain, registry, START + DELAY), 2);
}

#[test]
fn an_active_epoch_cannot_be_cancelled() {
    let (mut chain, registry, ids) = with_keys(5);
    chain.must(GOVERNANCE, registry, &propose(ids, FIVE));
    chain.time = START + DELAY;
    let cancel = Registry::cancelFromCall { epoch: 1 };
    for sender in [GUARDIAN, GOVERNANCE] {
        chain.send(sender, registry, &cancel).reverted_with(&Registry::AlreadyActive { epoch: 1 });
    }
    chain.time -= 1;
    chain.send(STRANGER, registry, &cancel).reverted_with(&Registry::NotGuardianOrGovernance { sender: STRANGER });
    chain.must(GUARDIAN, registry, &cancel);
}

#[test]
fn an_epoch_is_revoked_once_by_the_guardian_from_now_on() {
    let (mut chain, registry, ids) = with_keys(5);
    chain.must(GOVERNANCE, registry, &propose(ids, FIVE));
    let revoke = Registry::revokeEpochCall { epoch: 1 };
    chain.send(GUARDIAN, registry, &revoke).reverted_with(&Registry::NotYetActive { epoch: 1 });

    chain.time = START + DELAY + 5;
    for sender in [STRANGER, GOVERNANCE] {
        chain.send(sender, registry, &revoke).reverted_with(&Registry::NotGuardian { sender });
    }
    chain.must(GUARDIAN, registry, &revoke);
    assert_eq!(read(&chain, registry, 1).revokedAt, START + DELAY + 6);
    assert_eq!(active(&chain, registry, START + DELAY + 5), 1);
    assert_eq!(active(&chain, registry, START + DELAY + 6), 0);

    chain.time += 100;
    chain.send(GUARDIAN, registry, &revoke).reverted_with(&Registry::AlreadyRevoked { epoch: 1 });
    assert_eq!(read(&chain, registry, 1).revokedAt, START + DELAY + 6);
}

#[test]
fn a_cancelled_epoch_cannot_be_revoked() {
    let (mut chain, registry, ids) = with_keys(5);
    chain.must(GOVERNANCE, registry, &propose(ids, FIVE));
    chain.must(GUARDIAN, registry, &Registry::cancelFromCall { epoch: 1 });
    chain.time += 10 * DELAY;
    chain
        .send(GUARDIAN, registry, &Registry::revokeEpochCall { epoch: 1 })
        .reverted_with(&Registry::AlreadyCancelled { epoch: 1 });
}

#[test]
fn epochs_that_do_not_exist() {
    let (mut chain, registry, ids) = with_keys(5);
    chain.must(GOVERNANCE, registry, &propose(ids, FIVE));
    for epoch in [0, 2, u64::MAX] {
        let unknown = Registry::UnknownEpoch { epoch };
        chain.send(GUARDIAN, registry, &Registry::cancelFromCall { epoch }).reverted_with(&unknown);
        chain.send(GUARDIAN, registry, &Registry::revokeEpochCall { epoch }).reverted_with(&unknown);
        chain.send(STRANGER, registry, &Registry::getEpochCall { epoch }).reverted_with(&unknown);
        chain.send(STRANGER, registry, &Registry::slotsOfCall { epoch }).reverted_with(&unknown);
        chain.send(STRANGER, registry, &Registry::slotKeysCall { epoch }).reverted_with(&unknown);
    }
}

fn with_keys(count: u16) -> (Chain, Address, Vec<Key>) {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let ids = secret_keys(0, count).iter().map(|key| register(&mut chain, registry, key)).collect();
    (chain, registry, ids)
}

fn read(chain: &Chain, registry: Address, epoch: u64) -> Epoch {
    chain.call(registry, &Registry::getEpochCall { epoch })
}

fn active(chain: &Chain, registry: Address, time: u64) -> u64 {
    chain.call(registry, &Registry::activeEpochCall { atTime: time })
}

fn bad_parameters(size: Size, max_payload: u32) -> Registry::BadParameters {
    Registry::BadParameters {
        originalShards: U256::from(size.k),
        totalShards: U256::from(size.n),
        threshold: U256::from(size.t),
        maxPayload: U256::from(max_payload),
    }
}
