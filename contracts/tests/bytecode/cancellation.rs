//! Taking proposals back costs the same at any history, so that governance cannot keep the guardian from it.

use alloy::primitives::Address;

use crate::{
    abi::Registry,
    chain::Chain,
    fixture::{FIVE, Fixture, GOVERNANCE, GUARDIAN, Key, keys_of, propose},
};

/// The most proposals at a time.
const MOST: u64 = 8;

#[test]
fn cancelling_a_flood_costs_the_same_whatever_came_before() {
    let mut fixture = Fixture::new(FIVE);
    let keys = keys_of(&fixture.chain, fixture.registry, 1);
    let mut costs = Vec::new();
    for _ in 0..6 {
        let first = proposed(&mut fixture, &keys);
        for _ in 1..MOST {
            proposed(&mut fixture, &keys);
        }
        let one_more = propose(keys.clone(), FIVE);
        fixture.chain.send(GOVERNANCE, fixture.registry, &one_more).reverted_with(&Registry::TooManyProposals {});
        let cancel = Registry::cancelFromCall { epoch: first };
        costs.push(fixture.chain.send(GUARDIAN, fixture.registry, &cancel).gas_used);
        let active = fixture.chain.call(fixture.registry, &Registry::activeEpochCall { atTime: u64::MAX });
        assert_eq!(active, 1);
    }
    // From the second on a number of cancelled ones is read that is not zero.
    assert!(costs[1..].iter().all(|cost| *cost == costs[1]) && costs[1].abs_diff(costs[0]) < 100, "{costs:?}");
    assert!(costs[0] < 120_000, "{costs:?}");
}

/// Every order of proposing and cancelling, as long as there are few.
#[test]
fn the_neighbours_are_right_in_every_order_of_cancelling() {
    let fixture = Fixture::new(FIVE);
    let keys = keys_of(&fixture.chain, fixture.registry, 1);
    let mut seen = 0;
    let mut histories = vec![(fixture.chain.clone(), vec![], 0)];
    while let Some((chain, left, steps)) = histories.pop() {
        seen += 1;
        neighbours(&chain, fixture.registry, &left);
        if steps == 7 {
            continue;
        }
        if left.len() < 4 {
            let (mut chain, mut left) = (chain.clone(), left.clone());
            chain.time += 10;
            left.push(chain.must(GOVERNANCE, fixture.registry, &propose(keys.clone(), FIVE)));
            histories.push((chain, left, steps + 1));
        }
        for place in 0..left.len() {
            let (mut chain, mut left) = (chain.clone(), left.clone());
            let epoch = left[place];
            left.truncate(place);
            chain.must(GUARDIAN, fixture.registry, &Registry::cancelFromCall { epoch });
            histories.push((chain, left, steps + 1));
        }
    }
    assert!(seen > 100, "{seen}");
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
    let count = chain.call(registry, &Registry::epochCountCall {});
    for epoch in (2..=count).filter(|epoch| !left.contains(epoch)) {
        let gone = read(epoch);
        assert!(gone.cancelled && gone.activeUntil == 0, "epoch {epoch} of {left:?}");
    }
}

fn proposed(fixture: &mut Fixture, keys: &[Key]) -> u64 {
    fixture.chain.must(GOVERNANCE, fixture.registry, &propose(keys.to_vec(), FIVE))
}
