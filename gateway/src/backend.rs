//! Where payloads are stored: at the committee, or in this process.

mod committee;
mod interface;
mod memory;

pub(crate) use committee::CommitteeBackend;
pub(crate) use interface::{Backend, Readiness, Seat, ToDisperse};
pub(crate) use memory::{Faults, MemoryBackend};
