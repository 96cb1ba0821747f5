//! The client against committees: of members in this process that lie when told to, and of real ones.

#![allow(clippy::unwrap_used)]

mod support;

mod callers;
mod certainty;
mod checkpoint;
mod disperse;
mod epochs;
mod find;
mod lookup;
mod members;
mod patience;
mod promises;
mod read;
mod read_lies;
