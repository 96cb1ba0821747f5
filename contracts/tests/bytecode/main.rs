//! The contracts' bytecode, run in an EVM: what the registry accepts, and what attackers get.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod abi;
mod chain;
mod checkpoint;
mod fixture;
mod world;

mod agreement;
mod attacks;
mod bls;
mod cancellation;
mod checkpoints;
mod epochs;
mod gas;
mod inclusion;
mod keys;
mod namespaces;
mod openings;
mod retention;
mod snapshot;
mod statuses;
