//! The write path: from a payload to a certificate, and from blob ids to a checkpoint.

pub(crate) mod checkpoint;
pub(crate) mod disperser;
pub(crate) mod options;
pub(crate) mod renewal;

mod asking;
pub(crate) mod certify;
pub(crate) mod feeding;
mod round;

mod delivery;
mod existing;
mod rules;
mod signing;
mod statement;

pub mod quorum;
