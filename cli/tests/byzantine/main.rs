//! Members that lie, over real connections, against the client as people run it: every command that asks members gives the
//! right answer in its time and in a bounded memory, and names the liar.
#![allow(clippy::unwrap_used)]

mod asked;
mod liar;
mod lies;
#[path = "../support/command.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;
