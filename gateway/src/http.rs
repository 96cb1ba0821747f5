//! Plain HTTP.

mod blobs;
mod health;
mod openapi;
mod range;

pub(crate) use blobs::{read_routes, refused_writes, write_routes};
pub(crate) use health::routes as health_routes;
