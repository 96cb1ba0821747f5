//! What talks to Ethereum for Holdfast.
//!
//! - [`ChainRegistry`] is the [`Registry`](holdfast_registry::Registry) on L1: read at a finalized block on which several
//!   nodes agree. [`check`] says what a registry's nodes are worth, [`RegistryView`] shows a registry to those who govern it.
//! - [`Publisher`] writes to the contract: keys, epochs, namespaces, endpoints, certificates. It keeps what it sends in a
//!   journal, so that nothing is lost or doubled. An [`Account`] signs, with a key from memory, keystore or key service.
//!
//! ```no_run
//! use holdfast_certificate::Address;
//! use holdfast_l1::{ChainRegistry, Error, ReaderOptions};
//!
//! /// The registry as two of three nodes of different operators have it.
//! async fn registry(nodes: &[&str; 3], address: Address) -> Result<ChainRegistry, Error> {
//!     ChainRegistry::connect_with(nodes, address, ReaderOptions::default()).await
//! }
//! ```

mod error;
mod node;

mod prices;
mod reader;
mod report;
mod settings;
mod view;

mod account;
mod kms;
pub mod publisher;

pub use error::Error;
pub use node::RpcUrls;

pub use prices::{Prices, prices};
pub use reader::{ChainRegistry, ReaderOptions};
pub use report::{L1Report, NodeReport, RegistryReport, check};
pub use settings::Settings;
pub use view::{EpochView, Governance, Moment, RegistryView, SlotView};

pub use account::Account;
pub use kms::KeptKey;
pub use publisher::{Deployment, Job, JobState, JobStatus, PublishReceipt, Publisher, PublisherOptions, Until};
