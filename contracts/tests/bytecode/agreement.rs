//! The contract and [`holdfast_registry::verdict`] judge the same certificates, most of them damaged or forged, at the same
//! times, and never differ.

use holdfast_registry::Status;
use revm::primitives::hardfork::SpecId;

use crate::world::World;

/// On each hard fork.
const MUTATED: usize = 5_000;

#[test]
fn rust_and_solidity_agree_on_five_thousand_mutated_certificates_on_prague() {
    agree(SpecId::PRAGUE, 0x1dfa_57e5_7a11_0ca7);
}

#[test]
fn rust_and_solidity_agree_on_five_thousand_mutated_certificates_on_osaka() {
    agree(SpecId::OSAKA, 0x7a11_0ca7_1dfa_57e5);
}

fn agree(spec: SpecId, seed: u64) {
    let world = World::new(spec);
    let mut random = Random(seed);
    let mut seen = [0usize; 15];
    for round in 0..MUTATED {
        let (certificate, at) = world.draw(&mut random);
        let here = world.judge(&certificate, at);
        let there = world.fixture.verdict_at(&certificate, at);
        assert_eq!(here, there, "round {round}, at {at}: {}", hex::encode(&certificate));
        seen[there as usize] += 1;
    }
    // Every rule was reached often enough to mean something, and so was OK.
    for (number, count) in (1u8..).zip(&seen[1..]) {
        let status = Status::try_from(number).expect("a status");
        if matches!(status, Status::UnknownCheckpoint | Status::NotIncluded) {
            continue;
        }
        assert!(*count >= MUTATED / 200, "{status} only {count} times: {seen:?}");
    }
}

/// SplitMix64: the same certificates at every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// So many distinct slots of `n`.
    pub(crate) fn choose(&mut self, n: u16, count: u16) -> Vec<u16> {
        let mut slots: Vec<u16> = (0..n).collect();
        while slots.len() > usize::from(count) {
            slots.remove(self.below(slots.len()));
        }
        slots
    }
}
