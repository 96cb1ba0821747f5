//! The publisher, attack by attack, on anvil and on the embedded development chain: each counts what is on the chain in the
//! end.
#![allow(clippy::unwrap_used)]

#[path = "../support/anvil.rs"]
mod anvil;
#[path = "../support/chain.rs"]
mod chain;
#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "../support/dropping.rs"]
mod dropping;
#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "../support/fixture.rs"]
mod fixture;
#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "../support/node.rs"]
mod node;

mod chains;
mod chaos;
mod fees;
mod journal;
mod kill;
mod missing;
mod nonce;
mod outage;
mod proxy;
mod refusal;
mod reorg;
mod stage;
mod tips;
