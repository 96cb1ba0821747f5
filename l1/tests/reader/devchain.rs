//! The scenario on the embedded development chain, and how the chain itself behaves.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use holdfast_devchain::{DevChain, DevChainConfig, Error, Hardfork};
use serde_json::json;

use super::{lifetime, scenario};
use crate::{
    chain::{deploy, still},
    fixture::account,
    node::{RawNode, quantity},
};

#[tokio::test(flavor = "multi_thread")]
async fn everything_on_osaka() {
    let chain = DevChain::start(still()).await.unwrap();
    scenario::run(&chain.url()).await;
    chain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_s_life_on_osaka() {
    let chain = DevChain::start(still()).await.unwrap();
    lifetime::run(&chain.url()).await;
    chain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_on_prague() {
    let config = DevChainConfig { hardfork: Hardfork::Prague, ..still() };
    let chain = DevChain::start(config).await.unwrap();
    scenario::run(&chain.url()).await;
    chain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_s_life_on_prague() {
    let config = DevChainConfig { hardfork: Hardfork::Prague, ..still() };
    let chain = DevChain::start(config).await.unwrap();
    lifetime::run(&chain.url()).await;
    chain.stop().await;
}

#[tokio::test]
async fn listens_on_loopback_only() {
    for refused in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let listen: SocketAddr = refused.parse().unwrap();
        let error = DevChain::start(DevChainConfig { listen, ..still() }).await.unwrap_err();
        assert!(matches!(error, Error::NotLoopback { got } if got == listen), "{error}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let chain = DevChain::start(still()).await.unwrap();
    let error = DevChain::start(DevChainConfig { listen: chain.address(), ..still() }).await.unwrap_err();
    assert!(matches!(&error, Error::Listen { listen, .. } if *listen == chain.address()), "{error}");
}

#[tokio::test]
async fn blocks_come_by_themselves_and_finality_lags() {
    let config = DevChainConfig { block_time: Duration::from_millis(20), finality_lag: 3, ..DevChainConfig::default() };
    let chain = DevChain::start(config).await.unwrap();
    let node = RawNode::new(&chain.url());
    let started = Instant::now();
    while node.block_number("finalized").await < 2 {
        assert!(started.elapsed() < Duration::from_secs(10), "no blocks in ten seconds");
        tokio::task::yield_now().await;
    }
    assert!(node.block_number("latest").await >= 5);
    chain.stop().await;
}

#[tokio::test]
async fn headers_hash_and_link_as_on_ethereum() {
    let chain = DevChain::start(still()).await.unwrap();
    let node = RawNode::new(&chain.url());
    deploy(&chain.url()).await;
    node.call("evm_mine", json!([{ "blocks": 2 }])).await;
    let head = node.block_number("latest").await;
    assert_eq!(head, 3);
    let mut parent = None;
    for number in 0..=head {
        let block = node.call("eth_getBlockByNumber", json!([format!("{number:#x}"), true])).await;
        // The consensus header is decoded from the answer and hashed anew.
        let parsed: alloy::rpc::types::Block = serde_json::from_value(block.clone()).unwrap();
        assert_eq!(parsed.header.inner.hash_slow(), parsed.header.hash, "block {number}");
        let root =
            parsed.clone().map_transactions(|transaction| transaction.into_inner()).calculate_transactions_root();
        assert_eq!(root, Some(parsed.header.transactions_root), "block {number}");
        if let Some((hash, time)) = parent {
            assert_eq!(parsed.header.parent_hash, hash);
            assert!(parsed.header.timestamp >= time, "times never go back");
        }
        parent = Some((parsed.header.hash, parsed.header.timestamp));
        assert_eq!(node.call("eth_getBlockByHash", json!([parsed.header.hash, true])).await, block);
    }
}

#[tokio::test]
async fn past_states_can_be_called() {
    let chain = DevChain::start(still()).await.unwrap();
    let node = RawNode::new(&chain.url());
    let publisher = deploy(&chain.url()).await;
    let registry = publisher.registry();
    assert_eq!(node.call("eth_getCode", json!([registry, "0x0"])).await, "0x");
    assert_ne!(node.call("eth_getCode", json!([registry, "0x1"])).await, "0x");
    assert_eq!(node.call("eth_getTransactionCount", json!([account(0), "earliest"])).await, "0x0");
    assert_eq!(node.call("eth_getTransactionCount", json!([account(0), "latest"])).await, "0x1");
    let before = node.call("eth_getBalance", json!([account(0), "earliest"])).await;
    let after = node.call("eth_getBalance", json!([account(0), "latest"])).await;
    assert_eq!(before, "0x21e19e0c9bab2400000", "10,000 ether");
    assert_ne!(before, after, "gas was paid");
    let (code, message) = node.refusal("eth_getBalance", json!([account(0), "0x5"])).await;
    assert_eq!((code, message.as_str()), (-32000, "header not found"));
}

#[tokio::test]
async fn time_can_be_moved_ahead() {
    let chain = DevChain::start(still()).await.unwrap();
    let node = RawNode::new(&chain.url());
    let before = node.time().await;
    assert_eq!(node.call("evm_increaseTime", json!([7200])).await, 7200);
    node.call("evm_mine", json!([])).await;
    assert!(node.time().await >= before + 7200);
    let history = node.call("eth_feeHistory", json!(["0x2", "latest", [50.0]])).await;
    assert_eq!(history["baseFeePerGas"].as_array().unwrap().len(), 3, "{history}");
    assert!(quantity(&history["baseFeePerGas"][1]) < quantity(&history["baseFeePerGas"][0]), "empty blocks lower it");
}
