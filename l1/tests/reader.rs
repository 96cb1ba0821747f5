//! The registry end to end: deployed, filled, read at finality, asked and published to, on the embedded development
//! chain and, by the same code, on anvil; and what the development chain does with requests that it should refuse.

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
