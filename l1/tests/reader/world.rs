//! A development chain with a registry, a committee and a namespace, all final, for readers to be tried on.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use holdfast_certificate::{Address, Namespace};
use holdfast_devchain::DevChain;
use holdfast_l1::{ChainRegistry, Error, Publisher, ReaderOptions};

use super::proxy::Proxy;
use crate::{
    chain::{deploy, still},
    fixture::Members,
    node::RawNode,
};

pub(crate) struct World {
    pub(crate) chain: DevChain,
    pub(crate) node: RawNode,
    pub(crate) publisher: Publisher,
    pub(crate) members: Members,
    pub(crate) epoch: u64,
    pub(crate) namespace: Namespace,
}

/// Reads without remembering, so that every call asks the nodes for their finalized block.
pub(crate) fn eager() -> ReaderOptions {
    ReaderOptions { refresh: Duration::ZERO, ..ReaderOptions::default() }
}

impl World {
    pub(crate) async fn start() -> Self {
        let chain = DevChain::start(still()).await.unwrap();
        let node = RawNode::new(&chain.url());
        let publisher = deploy(&chain.url()).await;
        let members = Members::five();
        let (epoch, namespace, _) = members.enter(&publisher).await;
        node.pass(10).await;
        node.finalize().await;
        Self { chain, node, publisher, members, epoch, namespace }
    }

    pub(crate) fn address(&self) -> Address {
        self.publisher.registry()
    }

    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::start(&self.chain.url()).await
    }

    pub(crate) async fn three(&self) -> [Proxy; 3] {
        [self.proxy().await, self.proxy().await, self.proxy().await]
    }

    /// Reads through all of these.
    pub(crate) async fn reader<'a>(
        &self,
        nodes: impl IntoIterator<Item = &'a Proxy>,
        options: ReaderOptions,
    ) -> Result<ChainRegistry, Error> {
        let urls: Vec<String> = nodes.into_iter().map(Proxy::url).collect();
        ChainRegistry::connect_with(&urls, self.address(), options).await
    }

    /// Makes the next block the finalized one.
    pub(crate) async fn advance(&self) {
        self.node.call("evm_mine", serde_json::json!([])).await;
    }
}

/// Repeats something until it is so, for ten seconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut look: impl FnMut() -> F) {
    let started = Instant::now();
    while !look().await {
        assert!(started.elapsed() < Duration::from_secs(10), "ten seconds pass without: {what}");
        tokio::task::yield_now().await;
    }
}
