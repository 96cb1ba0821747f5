//! A target, and how it is run.

use std::{
    hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState},
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::{
    memory,
    mutant::{Recipe, Stock},
};

/// For how long a target runs, in seconds.
const SECONDS: &str = "HOLDFAST_FUZZ_SECONDS";
/// The number that the mutants of a run follow from.
const SEED: &str = "HOLDFAST_FUZZ_SEED";
/// In a test: so many mutants at most, and no longer than this after the first round.
const TEST_CASES: u32 = 20_000;
const TEST_LIMIT: Duration = Duration::from_secs(1);
/// Mutants between two looks at the clock, at the most.
const ROUND: u32 = 100;
/// Steps in making a failure smaller.
const SHRINK: u32 = 2000;
/// Memory that a check may take by default: this, and so much for each byte of the input.
const LEAST_MEMORY: usize = 256 << 10;
const MEMORY_OF_A_BYTE: usize = 256;
/// Bytes of a failing input that are shown.
const SHOWN: usize = 2048;

/// Something that reads bytes from elsewhere.
#[derive(Clone, Debug)]
pub struct Target {
    name: &'static str,
    stock: Stock,
    cases: u32,
    memory: (usize, usize),
}

/// How long, and with which numbers.
#[derive(Clone, Copy, Debug)]
struct Run {
    limit: Duration,
    cases: u64,
    seed: u64,
}

impl Target {
    /// A target with inputs to begin with.
    ///
    /// # Panics
    ///
    /// Without any seed.
    #[must_use]
    pub fn new<S: AsRef<[u8]>>(name: &'static str, seeds: impl IntoIterator<Item = S>) -> Self {
        let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|seed| seed.as_ref().to_vec()).collect();
        assert!(!seeds.is_empty(), "{name} has no seeds");
        Self { name, stock: Stock::new(seeds), cases: TEST_CASES, memory: (LEAST_MEMORY, MEMORY_OF_A_BYTE) }
    }

    /// How many mutants a test makes at most, where one costs more than microseconds.
    #[must_use]
    pub fn cases(self, cases: u32) -> Self {
        Self { cases, ..self }
    }

    /// The memory that a check may take: so many bytes, and so many for each byte of its input. It is counted in programs with
    /// [`crate::Counting`].
    #[must_use]
    pub fn memory(self, least: usize, of_a_byte: usize) -> Self {
        Self { memory: (least, of_a_byte), ..self }
    }

    /// Gives every seed and then mutants to `check`, which panics where something is wrong.
    ///
    /// # Panics
    ///
    /// With the smallest input that was found, if there is one that fails.
    pub fn run(&self, check: impl Fn(&[u8])) {
        for seed in self.stock.seeds() {
            self.one(seed, &check);
        }
        let run = Run::of_environment(self.name, self.cases);
        if let Some((reason, input)) = self.search(run, &check) {
            let shown = input.get(..SHOWN).unwrap_or(&input);
            panic!(
                "{}: {reason}\n{SEED}={}, {} bytes: 0x{}\n{}",
                self.name,
                run.seed,
                input.len(),
                hex::encode(shown),
                String::from_utf8_lossy(shown).escape_debug()
            );
        }
    }

    /// The first failure, made small: why, and with which input.
    fn search(&self, run: Run, check: &impl Fn(&[u8])) -> Option<(String, Vec<u8>)> {
        let (began, mut left) = (Instant::now(), run.cases);
        let strategy = self.stock.recipes();
        for number in 0u64.. {
            if left == 0 {
                break;
            }
            let round = u32::try_from(left.min(ROUND.into())).unwrap_or(ROUND);
            left -= u64::from(round);
            let config =
                Config { cases: round, failure_persistence: None, max_shrink_iters: SHRINK, ..Config::default() };
            let rng = TestRng::from_seed(RngAlgorithm::XorShift, &seed_bytes(run.seed, number));
            let mut runner = TestRunner::new_with_rng(config, rng);
            let outcome = runner.run(&strategy, |recipe: Recipe| {
                self.one(&self.stock.make(&recipe), check);
                Ok(())
            });
            match outcome {
                Ok(()) => {}
                Err(TestError::Fail(reason, recipe)) => return Some((reason.to_string(), self.stock.make(&recipe))),
                Err(TestError::Abort(reason)) => return Some((reason.to_string(), Vec::new())),
            }
            if began.elapsed() >= run.limit {
                break;
            }
        }
        None
    }

    fn one(&self, input: &[u8], check: &impl Fn(&[u8])) {
        let (least, of_a_byte) = self.memory;
        let (may, took) = (least + of_a_byte * input.len(), memory::most(|| check(input)));
        assert!(took <= may, "{took} bytes of memory for {} bytes of input, expected at most {may}", input.len());
    }
}

impl Run {
    fn of_environment(name: &str, cases: u32) -> Self {
        let number = |variable: &str| std::env::var(variable).ok()?.trim().parse::<u64>().ok();
        let fixed = number(SEED);
        match number(SECONDS) {
            Some(seconds) => {
                let seed = fixed.unwrap_or_else(|| RandomState::new().hash_one(name));
                Self { limit: Duration::from_secs(seconds), cases: u64::MAX, seed }
            }
            None => Self { limit: TEST_LIMIT, cases: cases.into(), seed: fixed.unwrap_or_else(|| number_of(name)) },
        }
    }
}

/// The same number for a name on every machine (FNV-1a).
fn number_of(name: &str) -> u64 {
    struct Fnv(u64);
    impl std::hash::Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }

        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    name.hash(&mut hasher);
    hasher.finish()
}

/// What one round's mutants follow from.
fn seed_bytes(seed: u64, round: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    // The generator wants one that is not zero.
    bytes[8..].copy_from_slice(&(round + 1).to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests;
