//! Who the committee is, as an interface: what members, clients and the command line need to know of epochs and
//! namespaces, wherever it comes from.
//!
//! # No node, no chain
//!
//! Nothing here talks to anybody. [`Registry`] is the one small interface; [`FileRegistry`] answers from a committee file,
//! and `holdfast-l1` has the one that reads the contract. [`verdict`] is the contract's judgement of a certificate, made
//! from records that are given to it.
//!
//! ```
//! use holdfast_registry::{Error, Registry};
//!
//! /// Where the members of the epoch that is active now can be reached.
//! async fn endpoints(registry: &dyn Registry, now: u64) -> Result<Vec<String>, Error> {
//!     Ok(registry.active_epoch(now).await?.endpoints.iter().map(|endpoint| endpoint.url.clone()).collect())
//! }
//! ```

mod error;
mod published;
mod records;
mod registry;

mod file;

mod status;
mod verdict;

pub use error::{Error, Fault, Unavailable};
pub use published::{Position, Publication, Publications, Since};
pub use records::{Endpoint, EpochRecord, Finality, NamespaceRecord};
pub use registry::Registry;

pub use file::FileRegistry;

pub use status::{Status, UnknownStatus};
pub use verdict::{NamedEpoch, verdict};
