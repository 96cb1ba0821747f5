//! A whole committee in one thread: real members and the real client over real HTTP/2, on a simulated network, with simulated
//! disks, clocks and L1. What goes wrong, and when, follows from a seed; so does everything else.
//!
//! # The same seed gives the same log, byte for byte
//!
//! Nothing runs beside anything else, and what a program asks its machine for, the time and random bytes, comes from the seed
//! (`nature.rs`). A seed has a process of its own, for Tokio counts its runtimes across a process.
//!
//! # Oracles
//!
//! A certificate that was returned is readable from every set of survivors that the protocol allows. Nothing was signed that is
//! not there after a crash. Once nothing goes wrong any more a store succeeds, and repair comes to an end. Nothing is dropped
//! before its time. No byte that is read is wrong. Nothing panics.
//!
//! What is not simulated: TLS, RocksDB, threads, and the members' L1 reader, which have tests of their own.
//!
//! To read: `course.rs`, `faults.rs`, `rollup.rs`, `oracles.rs`.

pub mod nature;

mod cursor;
mod disk;
mod ledger;
mod log;
mod network;
mod plant;

mod faults;
mod member;
mod promises;
mod world;

mod course;
mod oracles;
mod rollup;

pub use course::{Outcome, run};
pub use disk::SimulatedDisk;
pub use plant::Plant;
