//! A reader whose node goes away.

use std::time::{Duration, Instant};

use holdfast_devchain::DevChain;
use holdfast_l1::{ChainRegistry, Error, ReaderOptions};
use holdfast_registry::Fault;

use crate::{
    chain::{deploy, still},
    fixture::Members,
    node::RawNode,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_last_known_registry_is_used_for_a_bounded_time() {
    let chain = DevChain::start(still()).await.unwrap();
    let publisher = deploy(&chain.url()).await;
    let (epoch, namespace, _) = Members::five().enter(&publisher).await;
    RawNode::new(&chain.url()).finalize().await;
    let options =
        ReaderOptions { refresh: Duration::ZERO, outage_limit: Duration::from_secs(2), ..ReaderOptions::default() };
    let registry = ChainRegistry::connect_with(&[chain.url()], publisher.registry(), options).await.unwrap();
    let read = Instant::now();
    let before = registry.epoch(epoch).await.unwrap();
    registry.namespace(&namespace).await.unwrap();
    chain.stop().await;

    let during = registry.epoch(epoch).await.unwrap();
    assert_eq!(during.committee, before.committee);
    assert_eq!(registry.active_epoch(before.active_from).await.unwrap().committee.epoch(), epoch);
    registry.namespace(&namespace).await.unwrap();
    let unknown = registry.epoch(epoch + 1).await.unwrap_err();
    assert_eq!(unknown.fault(), Fault::L1, "nobody knows: {unknown}");

    let ended = loop {
        match registry.epoch(epoch).await {
            Err(error) => break error,
            Ok(_) => assert!(read.elapsed() < Duration::from_secs(10), "used for longer than its limit"),
        }
    };
    assert!(read.elapsed() >= Duration::from_secs(2), "given up before its limit");
    assert_eq!(ended.fault(), Fault::L1, "{ended}");
    assert!(ended.is_retryable());
}

#[tokio::test]
async fn a_node_that_never_answers_is_given_up_on() {
    // Accepts connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let options = ReaderOptions { call_limit: Duration::from_millis(200), ..ReaderOptions::default() };
    let started = Instant::now();
    let error = ChainRegistry::connect_with(&[url], holdfast_certificate::Address::ZERO, options).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(matches!(error, Error::Timeout { .. } | Error::Rpc { .. }), "{error}");
    assert_eq!(error.fault(), Fault::L1);
}
