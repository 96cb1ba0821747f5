//! The write path: from a payload to a certificate, and from blob ids to a checkpoint.

pub(crate) mod checkpoint;
pub(crate) mod disperser;

mod delivery;
mod feeding;
mod round;
mod statement;

pub mod quorum;
