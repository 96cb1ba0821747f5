//! What records are read from: the nodes, what is remembered of them, and what they are asked just now.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use alloy::{primitives::B256, sol_types::SolCall};
use holdfast_certificate::{Domain, Namespace};
use holdfast_contracts::bindings::CommitteeRegistry::epochCountCall;
use holdfast_registry::{EpochRecord, NamespaceRecord};

use super::{cache::Cache, flights::Flights, nodes::Nodes, strangers::Strangers, width::Width};
use crate::{error::Error, node::BlockPoint};

/// What reading a record gives; `None` where there is none.
pub(super) type Read<V> = Result<Option<V>, Error>;

/// Nodes that must agree, one registry on their chain, and the memory of what they said.
#[derive(Debug)]
pub(super) struct Source {
    nodes: Nodes,
    domain: Domain,
    cache: Mutex<Cache>,
    pub(super) epochs: Flights<u64, Read<Arc<EpochRecord>>>,
    pub(super) namespaces: Flights<Namespace, Read<NamespaceRecord>>,
    counts: Flights<B256, Result<u64, Error>>,
    pub(super) strangers: Strangers,
    /// How many blocks are asked about at once.
    pub(super) width: Mutex<Width>,
}

impl Source {
    pub(super) fn new(nodes: Nodes, domain: Domain) -> Self {
        Self {
            nodes,
            domain,
            cache: Mutex::default(),
            epochs: Flights::default(),
            namespaces: Flights::default(),
            counts: Flights::default(),
            strangers: Strangers::new(Instant::now()),
            width: Mutex::default(),
        }
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

    /// The number of epochs at the block, asked for once. With it, epochs that are made up cost no call.
    pub(super) async fn epoch_count(self: &Arc<Self>, block: BlockPoint) -> Result<u64, Error> {
        if let Some(count) = self.cache().epoch_count_at(block) {
            return Ok(count);
        }
        let source = Arc::clone(self);
        let counting = self.counts.join(block.hash, || async move {
            let count = source.call(epochCountCall {}, block).await?;
            source.cache().keep_epoch_count(block, count);
            Ok(count)
        });
        counting.await.unwrap_or_else(|| Err(Error::broken_off("epochCount")))
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().expect("no code panics while it holds the lock")
    }
}
