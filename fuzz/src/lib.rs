//! What the fuzz targets of all crates share. A target is a test whose name begins with `fuzz`, beside the decoder that it is
//! for: seeds, most from `testdata/golden`, and a check of what is made of each of their mutants.
//!
//! ```
//! use holdfast_fuzz::Target;
//!
//! // Whatever is read as a number is written as it was read.
//! Target::new("numbers", ["7", "1234567"]).run(|bytes| {
//!     let Ok(text) = std::str::from_utf8(bytes) else { return };
//!     if let Ok(number) = text.parse::<u32>() {
//!         assert_eq!(number.to_string().parse::<u32>(), Ok(number));
//!     }
//! });
//! ```
//!
//! # Bounded in a test, long on request
//!
//! A target runs at most a second and a few thousand mutants, the same ones each time. `HOLDFAST_FUZZ_SECONDS` lets it run for so
//! long with others (`make fuzz`); what fails is made smaller, and printed with the seed of `HOLDFAST_FUZZ_SEED` that brings it
//! back.
//!
//! # Why not a fuzzer that watches the code
//!
//! Decoders here are strict and small: nearly all of their branches are one mutation away from a golden vector, which is where
//! the mutants begin. `bolero`, which runs on stable Rust, pins `indexmap` to a version below what `toml` needs.

mod driver;
mod memory;
mod mutant;
mod seeds;

pub use driver::Target;
pub use memory::Counting;
pub use seeds::{golden, hex_of};
