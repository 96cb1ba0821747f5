//! Tests of the certificate crate through its public API.

mod attacks;
mod attestations;
mod batches;
mod checkpoint_golden;
mod checkpoints;
mod committee_file;
mod decoding;
mod fuzz;
mod golden;
mod keystores;
mod points;
mod statements;
mod tls_identity;
mod vectors;

mod world;
