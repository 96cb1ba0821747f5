//! Holdfast's L1 side: who the committee is, and what L1 says of a certificate.
//!
//! - [`Registry`] is the one small interface through which members, clients and the CLI see committees and namespaces:
//!   [`ChainRegistry`] reads them from the `CommitteeRegistry` contract at a finalized block on which several nodes agree,
//!   [`FileRegistry`] from a committee file. [`check`] says what a registry's nodes are worth.
//! - [`Publisher`] writes to the contract: keys, epochs, namespaces, endpoints, certificates. It keeps what it sends in a
//!   journal, so that nothing is lost or doubled. An [`Account`] signs, with a key from memory, keystore or key service.
//! - `devchain` (feature of that name) is an embedded development chain on which all of it runs without a node.
//!
//! The contract's Solidity stands beside this crate, in `contracts/src`; the bytecode used here is the committed artifact.
//!
//! ```
//! use holdfast_contracts::{Error, Registry};
//!
//! /// Where the members of the epoch that is active now can be reached.
//! async fn endpoints(registry: &dyn Registry, now: u64) -> Result<Vec<String>, Error> {
//!     Ok(registry.active_epoch(now).await?.endpoints.iter().map(|endpoint| endpoint.url.clone()).collect())
//! }
//! ```

mod error;
mod source;
mod status;
mod verdict;

mod file;
mod reader;
mod report;
mod urls;

mod account;
mod outbox;
mod publisher;

mod call;
mod view;

mod bindings;
mod node;
mod safe_text;
mod transport;

#[cfg(feature = "devchain")]
pub mod devchain;

pub use error::{Error, Fault};
pub use source::{Endpoint, EpochRecord, NamespaceRecord, Registry};
pub use status::Status;
pub use verdict::{NamedEpoch, verdict};

pub use file::FileRegistry;
pub use reader::{ChainRegistry, Finality, ReaderOptions};
pub use report::{L1Report, NodeReport, RegistryReport, check};
pub use urls::RpcUrls;

pub use account::Account;
pub use publisher::{Deployment, Job, JobState, JobStatus, PublishReceipt, Publisher, PublisherOptions, Until};

pub use call::{Argument, RegistryCall};
pub use view::{EpochView, Governance, Moment, RegistryView, SlotView};
