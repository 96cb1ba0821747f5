//! The `holdfast` binary as its users meet it: exit codes, messages, JSON, processes.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod certificates;
mod checkpoints;
mod committee;
mod configuration;
mod demo;
mod devnet;
mod keys;
mod l1;
mod member;
mod namespaces;
mod quorum;
mod support;
