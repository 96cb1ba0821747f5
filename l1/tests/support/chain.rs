//! A chain with a registry, and who reads it.

use std::time::Duration;

use holdfast_devchain::{DEV_KEYS, DevChainConfig};
use holdfast_l1::{ChainRegistry, Deployment, Error, Publisher, PublisherOptions, ReaderOptions};

use crate::fixture::account;

/// A chain that makes no block by itself, so that a test says when.
pub(crate) fn still() -> DevChainConfig {
    DevChainConfig { block_time: Duration::from_secs(3600), ..DevChainConfig::default() }
}

/// A registry with the fixture's members, deployed and governed by the first development account, guarded by the second.
pub(crate) async fn deploy(url: &str) -> Publisher {
    let deployment = Deployment { governance: account(0), guardian: account(1), delay: 0, overlap: 0 };
    let (publisher, receipt) =
        Publisher::deploy(url, &DEV_KEYS[0], deployment, PublisherOptions::default()).await.unwrap();
    assert!(receipt.gas_used > 1_000_000, "{receipt:?}");
    publisher
}

/// Reads without caching, so that a test sees each block at once.
pub(crate) async fn reader(url: &str, publisher: &Publisher) -> Result<ChainRegistry, Error> {
    let options = ReaderOptions { chain_id: Some(31337), refresh: Duration::ZERO, ..ReaderOptions::default() };
    ChainRegistry::connect_with(&[url], publisher.registry(), options).await
}
