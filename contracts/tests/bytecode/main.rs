//! The contracts' bytecode, run in an EVM: what the registry accepts, and what attackers get.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod abi;
mod chain;
mod fixture;

mod agreement;
mod attacks;
mod bls;
mod epochs;
mod gas;
mod keys;
mod namespaces;
mod statuses;
