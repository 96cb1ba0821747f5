//! The adapter against a devnet with its gateway and its L1. `HOLDFAST` names the binary (`make interop` sets it).

#![allow(clippy::unwrap_used, unreachable_pub)]

mod chain;
mod devnet;
