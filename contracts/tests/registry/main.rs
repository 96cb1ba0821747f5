//! The registry end to end: deployed, filled, read at finality, asked and published to, on the embedded development
//! chain and, by the same code, on anvil. And what the development chain does with requests that it should refuse.
#![allow(clippy::unwrap_used)]

mod anvil;
mod devchain;
mod fixture;
mod hostile;
mod node;
mod outage;
mod restart;
mod scenario;
