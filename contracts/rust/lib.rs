//! The `CommitteeRegistry` contract as Rust sees it: its interface and bytecode, from the committed artifact, and its calls
//! as data.
//!
//! The contract's Solidity stands beside this crate, in `contracts/src`, and what other contracts import in `contracts/interfaces`. Nothing here talks to a node: `holdfast-l1` does.

pub mod bindings;
mod call;
mod convert;

pub use call::{Argument, RegistryCall};
pub use convert::{address_in, address_out, function_name, key_id};
