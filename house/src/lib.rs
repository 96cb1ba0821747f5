//! What the sources of a crate say about its shape: which file imports from which.
//!
//! The rules that are held against it stand in `tests/`, as ARCHITECTURE.md tells them.

mod circles;
mod imports;
mod sources;

pub use circles::circles;
pub use imports::{Import, imports};
pub use sources::{Source, sources};
