//! The registry's interface and bytecode, from the artifact that its Solidity compiles to.

// The items are generated; their documentation is the Solidity source's.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, clippy::unwrap_used)]

alloy::sol!(
    #[sol(all_derives)]
    CommitteeRegistry,
    "artifacts/CommitteeRegistry.json"
);

/// The same artifact, for what `sol!` does not take from it.
pub const ARTIFACT: &str = include_str!("../artifacts/CommitteeRegistry.json");
