//! The contracts' bytecode, run in an EVM: what the registry accepts, and what attackers get.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod abi;
mod chain;
mod checkpoint;
mod fixture;
#[path = "../golden/vectors.rs"]
mod vectors;
mod world;

mod agreement;
mod attacks;
mod bls;
mod cancellation;
mod checkpoints;
mod epochs;
mod gas;
mod golden;
mod inclusion;
mod keys;
mod malformed;
mod namespaces;
mod openings;
mod replacement;
mod retention;
mod roles;
mod snapshot;
mod state;
mod statuses;
