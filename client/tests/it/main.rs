//! The client against committees of members in this process that lie when told to. Against real ones: crate testing.

#![allow(clippy::unwrap_used)]

mod support;

mod callers;
mod certainty;
mod checkpoint;
mod disperse;
mod epochs;
mod find;
mod lookup;
mod patience;
mod promises;
mod read;
mod read_lies;
mod renew;
mod signers;
