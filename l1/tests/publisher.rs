//! The publisher, attack by attack, on anvil and on the embedded development chain: each counts what is on the chain in the
//! end.

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
