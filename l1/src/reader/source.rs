//! What records are read from: the nodes, and what is remembered of them.

use std::{
    fmt::Debug,
    sync::{Mutex, MutexGuard},
};

use alloy::sol_types::SolCall;
use holdfast_certificate::Domain;

use super::{cache::Cache, nodes::Nodes};
use crate::{error::Error, node::BlockPoint};

/// Nodes that must agree, one registry on their chain, and the memory of what they said.
#[derive(Debug)]
pub(super) struct Source {
    nodes: Nodes,
    domain: Domain,
    cache: Mutex<Cache>,
}

impl Source {
    pub(super) fn new(nodes: Nodes, domain: Domain) -> Self {
        Self { nodes, domain, cache: Mutex::default() }
    }

    pub(super) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub(super) fn domain(&self) -> Domain {
        self.domain
    }

    /// `eth_call` of one function of the registry.
    pub(super) async fn call<C>(&self, call: C, block: BlockPoint) -> Result<C::Return, Error>
    where
        C: SolCall + Clone + Send + Sync + 'static,
        C::Return: Clone + PartialEq + Debug + Send + Sync + 'static,
    {
        self.nodes.call(self.domain.registry, call, block.id()).await
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().expect("no code panics while it holds the lock")
    }
}
