//! The client against committees: of members in this process that lie when told to, and of real ones.

#![allow(clippy::unwrap_used)]

mod support;

mod certainty;
mod checkpoint;
mod disperse;
mod epochs;
mod find;
mod members;
mod read;
mod read_lies;
