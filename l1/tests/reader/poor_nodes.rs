//! Nodes that are slow, down, rate-limited or started anew, and callers that must not wait for them.

use std::time::{Duration, Instant};

use futures::future::join_all;
use holdfast_certificate::Namespace;
use holdfast_devchain::{DevChain, DevChainConfig};
use holdfast_l1::{ChainRegistry, ReaderOptions};
use holdfast_registry::Fault;

use super::{
    logbook,
    proxy::Plan,
    world::{World, eager, until},
};
use crate::{
    chain::{deploy, still},
    fixture::Members,
    node::RawNode,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_node_is_not_waited_for() {
    let world = World::start().await;
    let nodes = world.three().await;
    let options = ReaderOptions { call_limit: Duration::from_secs(3600), ..eager() };
    let registry = world.reader(&nodes, options).await.unwrap();
    nodes[0].set(|_, _| Plan::Silent);
    let started = Instant::now();
    for _ in 0..3 {
        world.advance().await;
        registry.epoch(world.epoch).await.unwrap();
        registry.namespace(&world.namespace).await.unwrap();
        assert_eq!(registry.finality().block, world.node.block_number("finalized").await);
    }
    assert!(started.elapsed() < Duration::from_secs(60), "waited for the slow one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_or_limits_the_rate_stops_nobody() {
    logbook::open();
    let world = World::start().await;
    for plan in [|| Plan::Status(429), || Plan::Status(502), || Plan::Refuse("limit exceeded")] {
        let nodes = world.three().await;
        nodes[1].set(move |_, _| plan());
        let registry = world.reader(&nodes, eager()).await.unwrap();
        for _ in 0..3 {
            world.advance().await;
            registry.epoch(world.epoch).await.unwrap();
            registry.namespace(&world.namespace).await.unwrap();
        }
        let named = logbook::lines(&[nodes[1].host(), "does not answer as it should"]);
        assert_eq!(named.len(), 1, "{named:#?}");

        // With two of three gone nothing new is believed, and the last known bridges.
        nodes[2].set(move |_, _| plan());
        world.advance().await;
        registry.epoch(world.epoch).await.unwrap();
        let error = registry.namespace(&Namespace::from([9; 32])).await.unwrap_err();
        assert_eq!(error.fault(), Fault::L1, "{error}");
        assert!(error.to_string().contains(nodes[2].host()) && !error.to_string().contains("SECRET"), "{error}");
        assert!(registry.finality().failure.is_some());
        // One that has said that it is asked too much is left alone for a while.
        nodes[2].set(|_, _| Plan::Honest);
        until("it answers again", || async {
            registry.epoch(world.epoch).await.unwrap();
            registry.finality().failure.is_none()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_fails_in_another_way_is_named_again_and_once() {
    logbook::open();
    let world = World::start().await;
    let nodes = world.three().await;
    let registry = world.reader(&nodes, eager()).await.unwrap();
    let named = |says: &str| logbook::lines(&[nodes[1].host(), "does not answer as it should", says]).len();
    for _ in 0..3 {
        for (status, says) in [(429, "HTTP error 429"), (200, "unusable answer")] {
            nodes[1].set(move |_, _| Plan::Says(status, "limit exceeded".to_owned()));
            until("it is named", || async {
                world.advance().await;
                registry.namespace(&world.namespace).await.unwrap();
                named(says) > 0
            })
            .await;
        }
    }
    assert_eq!((named("HTTP error 429"), named("unusable answer")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_answer_does_not_wait_for_a_question_to_l1() {
    let world = World::start().await;
    let node = world.proxy().await;
    let hour = Duration::from_secs(3600);
    let options = ReaderOptions { refresh: hour, call_limit: hour, ..ReaderOptions::default() };
    let registry = std::sync::Arc::new(world.reader([&node], options).await.unwrap());
    registry.epoch(world.epoch).await.unwrap();
    node.set(|_, _| Plan::Silent);
    let before = node.asked("eth_call");
    let asking = tokio::spawn({
        let (registry, namespace) = (std::sync::Arc::clone(&registry), world.namespace);
        async move { registry.namespace(&namespace).await }
    });
    until("it asks", || async { node.asked("eth_call") > before }).await;
    let fresh = tokio::time::timeout(Duration::from_secs(10), registry.epoch(world.epoch)).await;
    fresh.expect("does not wait").unwrap();
    assert!(!asking.is_finished());
    asking.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_ask_once() {
    let world = World::start().await;
    let node = world.proxy().await;
    let options = ReaderOptions { refresh: Duration::from_secs(3600), ..ReaderOptions::default() };
    let registry = world.reader([&node], options).await.unwrap();
    let (calls, looks) = (node.asked("eth_call"), node.asked("eth_getBlockByNumber"));
    let namespace = world.namespace;
    for known in join_all((0..50).map(|_| registry.namespace(&namespace))).await {
        known.unwrap();
    }
    assert_eq!(node.asked("eth_call"), calls + 1);
    // What does not exist is remembered like what does.
    let unknown = Namespace::from([9; 32]);
    for missing in join_all((0..50).map(|_| registry.namespace(&unknown))).await {
        missing.unwrap_err();
    }
    assert_eq!(node.asked("eth_call"), calls + 2);
    for epoch in 100..150 {
        registry.epoch(epoch).await.unwrap_err();
    }
    assert_eq!(node.asked("eth_call"), calls + 3, "the number of epochs settles it");
    // The one epoch, its slots and its keys: it begins later.
    for none in join_all((0..50).map(|_| registry.active_epoch(1))).await {
        none.unwrap_err();
    }
    assert_eq!(node.asked("eth_call"), calls + 6);
    assert_eq!(node.asked("eth_getBlockByNumber"), looks);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_when_its_node_is_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = DevChainConfig { state_file: Some(folder.path().join("chain.jsonl")), ..still() };
    let chain = DevChain::start(config.clone()).await.unwrap();
    let publisher = deploy(&chain.url()).await;
    let (epoch, namespace, _) = Members::five().enter(&publisher).await;
    let node = RawNode::new(&chain.url());
    node.pass(10).await;
    node.finalize().await;
    let registry = ChainRegistry::connect_with(&[chain.url()], publisher.registry(), eager()).await.unwrap();
    registry.epoch(epoch).await.unwrap();
    let listen = chain.address();
    chain.stop().await;
    registry.epoch(epoch).await.unwrap();
    assert_eq!(registry.namespace(&namespace).await.unwrap_err().fault(), Fault::L1);
    let before = registry.finality();
    assert!(before.failure.is_some());

    let chain = DevChain::start(DevChainConfig { listen, ..config }).await.unwrap();
    RawNode::new(&chain.url()).pass(1).await;
    registry.namespace(&namespace).await.unwrap();
    let after = registry.finality();
    assert_eq!((after.block, after.failure), (before.block + 1, None));
    chain.stop().await;
}
