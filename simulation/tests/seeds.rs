//! Worlds from many seeds: 500, or `HOLDFAST_SEEDS` of them, from `HOLDFAST_FIRST_SEED` on. `HOLDFAST_SEED=n` is one of them, and
//! prints what happened.

use std::{
    env,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

mod support;

/// Seeds, where nobody says how many.
const SEEDS: u64 = 500;
/// Seeds that have failed are told up to so many; the rest of them is left.
const TOLD: usize = 3;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, got {text:?}")))
}

#[test]
fn whatever_goes_wrong_nothing_that_was_promised_is_lost() {
    if let Some(seed) = number("HOLDFAST_SEED") {
        let (good, log) = support::world(seed, None);
        println!("{log}");
        assert!(good, "seed {seed}");
        return;
    }
    let first = number("HOLDFAST_FIRST_SEED").unwrap_or(0);
    let last = first + number("HOLDFAST_SEEDS").unwrap_or(SEEDS);
    let (next, failed) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last || failed.lock().expect("no panic").len() >= TOLD {
                        return;
                    }
                    let (good, log) = support::world(seed, None);
                    if !good {
                        failed.lock().expect("no panic").push((seed, log));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic");
    for (seed, log) in &failed {
        println!("{log}\nseed {seed} again: HOLDFAST_SEED={seed} make test-simulation\n");
    }
    let seeds: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    assert!(failed.is_empty(), "seeds {seeds:?}");
}
