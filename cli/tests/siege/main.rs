//! A member under siege: the binary as it runs, with the limits that it has by default and less memory, strangers at addresses of their own
//! (127.0.0.0/8), and beside each attack honest puts and gets by the same binary. Each test prints what it measured.
#![allow(clippy::unwrap_used)]

mod bodies;
mod calls;
mod connections;
mod frames;
#[path = "../../../committee/src/tests/doors/raw.rs"]
#[allow(dead_code, reason = "the member's own tests use the rest")]
mod raw;
mod siege;
mod statements;
#[path = "../support/command.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;
