//! A process that holds a member's BLS key and signs for it (`holdfast signer run`).
//!
//! # A statement, not a hash
//!
//! What is asked for is a statement, whose digest is computed here, for the one chain and registry of the settings. Whoever has
//! the member's machine can have statements signed that the rules here allow, and nothing else; the key stays here.
//!
//! It cannot know whether the data is on the member's disk: that the member signs only what is, is the member's to keep.

mod config;
mod rules;
mod serve;

pub(crate) use config::token;
pub use config::{Config, ENVIRONMENT, Listen, Settings};
#[cfg(test)]
pub(crate) use serve::start_by;
pub use serve::{Running, run, start};
