//! Where a registry is, as daemons' settings say it.

use holdfast_certificate::Address;
use holdfast_erasure::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    node::RpcUrls,
    reader::{ChainRegistry, ReaderOptions},
};

/// Where the committee registry is: the table `l1` of a daemon's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// URL of an Ethereum JSON-RPC node, or a list of several: with two or more, two must give the same answer.
    pub rpc_url: RpcUrls,
    /// The CommitteeRegistry contract.
    pub registry: Address,
    /// keccak256 of that contract's code, where it is of another version than this daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_hash: Option<Digest>,
}

impl Settings {
    /// Connects to the registry that they name.
    ///
    /// # Errors
    /// As [`ChainRegistry::connect_with`].
    pub async fn connect(&self) -> Result<ChainRegistry, Error> {
        let options = ReaderOptions { code_hash: self.code_hash, ..ReaderOptions::default() };
        ChainRegistry::connect_with(self.rpc_url.as_slice(), self.registry, options).await
    }
}
