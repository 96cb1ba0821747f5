//! The generated messages, clients and servers of `holdfast.v1`.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, clippy::use_self)]

tonic::include_proto!("holdfast.v1");
