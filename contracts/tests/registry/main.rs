//! The registry end to end: deployed, filled, read at finality, asked and published to, on the embedded development
//! chain and, by the same code, on anvil; and what the development chain does with requests that it should refuse. Then the
//! publisher, attack by attack (`publisher_*`): each counts what is on the chain in the end.
#![allow(clippy::unwrap_used)]

#[path = "../bytecode/abi.rs"]
mod abi;
#[path = "../golden/mod.rs"]
mod vectors;

mod anvil;
mod changes;
mod devchain;
mod disagreement;
mod finality;
mod fixture;
mod golden;
mod hostile;
mod lifetime;
mod logbook;
mod node;
mod outage;
mod poor_nodes;
mod proxy;
mod publisher_chaos;
mod publisher_fees;
mod publisher_journal;
mod publisher_kill;
mod publisher_nonce;
mod publisher_outage;
mod publisher_proxy;
mod publisher_refusal;
mod publisher_reorg;
mod publisher_support;
mod refusals;
mod restart;
mod scenario;
mod secrets;
mod world;
