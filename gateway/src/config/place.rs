//! Where payloads are stored.

use holdfast_certificate::Address;
use holdfast_erasure::Digest;
use holdfast_l1::RpcUrls;
use serde::{Deserialize, Serialize};

/// Where the committee registry is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L1 {
    /// URL of an Ethereum JSON-RPC node, or a list of several: with two or more, two must give the same answer.
    pub rpc_url: RpcUrls,
    /// The CommitteeRegistry contract.
    pub registry: Address,
    /// keccak256 of that contract's code, where it is of another version than this gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_hash: Option<Digest>,
}

/// Where payloads are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// At the committee.
    #[default]
    Committee,
    /// In this process, until it ends: for tests of software that talks to a gateway.
    Memory,
}
