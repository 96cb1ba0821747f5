//! The write path: from a payload to a certificate, and from blob ids to a checkpoint.

pub(crate) mod checkpoint;
pub(crate) mod disperser;
pub(crate) mod options;

mod asking;
pub(crate) mod feeding;
mod round;

mod delivery;
mod rules;
mod signing;
mod statement;

pub mod quorum;
