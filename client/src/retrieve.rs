//! The read path: from a blob id or a certificate back to the payload, from whoever is left.

pub(crate) mod find;
pub(crate) mod gather;
pub(crate) mod listing;
pub(crate) mod lookup;
pub(crate) mod options;
pub(crate) mod reference;
pub(crate) mod retriever;

mod epochs;
mod locate;
mod shards;
mod whole;

mod ledger;
mod patience;
mod race;
mod read;

pub mod plan;
