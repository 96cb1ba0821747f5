//! Registry and reader end to end, and the publisher under attack. One program: what they are made of is compiled once.

#![allow(clippy::unwrap_used)]

#[path = "../../contracts/tests/bytecode/abi.rs"]
mod abi;
#[path = "support/anvil.rs"]
mod anvil;
#[path = "support/chain.rs"]
mod chain;
#[path = "support/dropping.rs"]
mod dropping;
#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/node.rs"]
mod node;
mod publisher;
mod reader;
#[path = "../../contracts/tests/golden/vectors.rs"]
mod vectors;
