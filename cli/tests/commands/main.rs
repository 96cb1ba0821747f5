//! The `holdfast` binary as its users meet it: exit codes, messages, JSON, files, processes.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod bench;
mod bundles;
mod certificates;
mod checkpoints;
mod configuration;
mod custody;
mod demo;
mod devnet;
mod endpoints;
mod environment;
mod faults;
mod files;
mod gateway;
mod http;
mod keys;
mod looking;
mod member;
mod orders;
mod quorum;
mod results;
mod scripts;
mod signer;
mod spans;
#[path = "../support/command.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;
mod tls;
mod versions;
mod walkthroughs;
