//! Taking proposals back costs the same at any history, so that governance cannot keep the guardian from it.

use alloy::primitives::{Address, B256};

use crate::{
    abi::Registry,
    chain::Chain,
    fixture::{DELAY, FIVE, Fixture, GOVERNANCE, GUARDIAN, key_ids, propose},
};

#[test]
fn cancelling_costs_the_same_however_many_were_cancelled_since() {
    let mut fixture = Fixture::new(FIVE);
    let ids = key_ids(&fixture.chain, fixture.registry, 1);
    let mut costs = Vec::new();
    for cancelled in [1u64, 60] {
        let first = proposed(&mut fixture, &ids);
        for epoch in first + 1..=first + cancelled {
            assert_eq!(proposed(&mut fixture, &ids), epoch);
            fixture.chain.must(GOVERNANCE, fixture.registry, &Registry::cancelEpochCall { epoch });
        }
        proposed(&mut fixture, &ids);
        let cancel = Registry::cancelEpochCall { epoch: first };
        costs.push(fixture.chain.clone().send(GUARDIAN, fixture.registry, &cancel).gas_used);
    }
    // Less, where a word that it writes is no longer zero.
    assert!(costs[1] <= costs[0], "{costs:?}");
}

#[test]
fn cancelling_costs_the_same_however_many_were_cancelled_before() {
    let mut fixture = Fixture::new(FIVE);
    let ids = key_ids(&fixture.chain, fixture.registry, 1);
    let mut costs = Vec::new();
    for cancelled in [1, 60] {
        for _ in 0..cancelled {
            let epoch = proposed(&mut fixture, &ids);
            fixture.chain.must(GUARDIAN, fixture.registry, &Registry::cancelEpochCall { epoch });
        }
        let cancel = Registry::cancelEpochCall { epoch: proposed(&mut fixture, &ids) };
        costs.push(fixture.chain.send(GUARDIAN, fixture.registry, &cancel).gas_used);
    }
    assert_eq!(costs[0], costs[1]);
}

/// Every order in which five proposals can be cancelled, with one more proposed in between.
#[test]
fn the_neighbours_are_right_in_every_order_of_cancelling() {
    let mut fixture = Fixture::new(FIVE);
    let ids = key_ids(&fixture.chain, fixture.registry, 1);
    for _ in 0..4 {
        proposed(&mut fixture, &ids);
        fixture.chain.time += 10;
    }
    let mut seen = 0;
    let mut histories = vec![(fixture.chain.clone(), vec![2u64, 3, 4, 5])];
    while let Some((chain, left)) = histories.pop() {
        seen += 1;
        neighbours(&chain, fixture.registry, &left);
        for (place, &epoch) in left.iter().enumerate() {
            let (mut chain, mut left) = (chain.clone(), left.clone());
            left.remove(place);
            chain.must(GUARDIAN, fixture.registry, &Registry::cancelEpochCall { epoch });
            if left.len() == 2 && chain.call(fixture.registry, &Registry::epochCountCall {}) == 5 {
                left.push(chain.must(GOVERNANCE, fixture.registry, &propose(ids.clone(), FIVE)));
            }
            histories.push((chain, left));
        }
    }
    assert_eq!(seen, 1 + 4 + 12 * (1 + 3 + 6 + 6));
}

/// Asserts that each epoch ends when the next one that is left begins, and that it is active until then.
fn neighbours(chain: &Chain, registry: Address, left: &[u64]) {
    let read = |epoch| chain.call(registry, &Registry::getEpochCall { epoch });
    let active = |time| chain.call(registry, &Registry::activeEpochCall { atTime: time });
    for (place, epoch) in std::iter::once(1).chain(left.iter().copied()).enumerate() {
        let until = left.get(place).map_or(0, |next| read(*next).activeFrom);
        assert_eq!(read(epoch).activeUntil, until, "epoch {epoch} of {left:?}");
        assert_eq!(active(read(epoch).activeFrom), epoch, "{left:?}");
        if until != 0 {
            assert_eq!(active(until - 1), epoch, "{left:?}");
        }
    }
}

fn proposed(fixture: &mut Fixture, ids: &[B256]) -> u64 {
    let epoch = fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids.to_vec(), FIVE));
    assert!(
        fixture.chain.call(fixture.registry, &Registry::getEpochCall { epoch }).activeFrom
            >= fixture.chain.time + DELAY
    );
    epoch
}
