//! The registry end to end: deployed, filled, read at finality, asked and published to, on the embedded development
//! chain and, by the same code, on anvil; and what the development chain does with requests that it should refuse.
#![allow(clippy::unwrap_used)]

#[path = "../../../contracts/tests/bytecode/abi.rs"]
mod abi;
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
#[path = "../../../contracts/tests/golden/vectors.rs"]
mod vectors;

mod block_names;
mod calls;
mod changes;
mod devchain;
mod disagreement;
mod environment;
mod events;
mod finality;
mod golden;
mod hang;
mod hostile;
mod kept;
mod lifetime;
mod logbook;
mod on_anvil;
mod outage;
mod poor_nodes;
mod proxy;
mod refusals;
mod restart;
mod scenario;
mod secrets;
mod unknown_finality;
mod world;
