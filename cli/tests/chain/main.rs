//! What the `holdfast` binary does on a chain: registries, keys, namespaces, epochs. Apart from the other tests, for it sends
//! transactions of its own and so links the Ethereum stack.
#![allow(clippy::unwrap_used)]

mod committee;
mod l1;
mod namespaces;
mod revoked;
#[path = "../support/command.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;
