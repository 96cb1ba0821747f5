//! Gateways over HTTP, on real committees.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod attacks;
mod caches;
mod faults;
mod http;
mod memory;
mod nitro;
mod op;
mod openapi;
mod page;
mod support;
mod tls;
