//! A committee in this process: real gRPC on loopback, real keys, real checks, data in memory. Every member is honest
//! until a test says how it lies.

mod committee;
mod dispersal;
mod lie;
mod member;
mod registry;
mod retrieval;
mod stored;
mod tools;

pub(crate) use committee::{MAX_PAYLOAD, TestCommittee, quick};
pub(crate) use lie::Lie;
pub(crate) use registry::TestRegistry;
pub(crate) use stored::{stored, stored_for_the_patient, stored_hedged};
pub(crate) use tools::{eventually, payload};
