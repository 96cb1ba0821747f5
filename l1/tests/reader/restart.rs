//! A development chain that is stopped and started again on its state file.

use std::{fs, io::Write as _, path::Path};

use holdfast_devchain::{DevChain, DevChainConfig, Error};
use serde_json::{Value, json};

use crate::{
    chain::{deploy, reader, still},
    fixture::Members,
    node::RawNode,
};

fn on(path: &Path) -> DevChainConfig {
    DevChainConfig { state_file: Some(path.to_owned()), ..still() }
}

async fn blocks(node: &RawNode) -> Vec<Value> {
    let mut all = Vec::new();
    for number in 0..=node.block_number("latest").await {
        all.push(node.call("eth_getBlockByNumber", json!([format!("{number:#x}"), true])).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_chain_has_its_blocks_its_registry_and_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.jsonl");

    let chain = DevChain::start(on(&path)).await.unwrap();
    let node = RawNode::new(&chain.url());
    let publisher = deploy(&chain.url()).await;
    let (epoch, _, _) = Members::five().enter(&publisher).await;
    node.call("evm_increaseTime", json!([86_400])).await;
    node.finalize().await;
    let before = blocks(&node).await;
    let time = node.time().await;
    chain.stop().await;

    let chain = DevChain::start(on(&path)).await.unwrap();
    let node = RawNode::new(&chain.url());
    assert_eq!(blocks(&node).await, before);
    node.call("evm_mine", json!([])).await;
    assert!((time..time + 3600).contains(&node.time().await), "the clock is still a day ahead");
    let registry = reader(&chain.url(), &publisher).await.unwrap();
    assert_eq!(registry.epoch(epoch).await.unwrap().committee.keys(), Members::five().keys());
    chain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_cut_off_by_a_crash_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.jsonl");
    let chain = DevChain::start(on(&path)).await.unwrap();
    RawNode::new(&chain.url()).call("evm_mine", json!([3])).await;
    chain.stop().await;
    let whole = fs::read(&path).unwrap();
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"number\":4,\"time").unwrap();

    let chain = DevChain::start(on(&path)).await.unwrap();
    let node = RawNode::new(&chain.url());
    assert_eq!(node.block_number("latest").await, 3);
    assert_eq!(fs::read(&path).unwrap(), whole);
    node.call("evm_mine", json!([])).await;
    chain.stop().await;
    let chain = DevChain::start(on(&path)).await.unwrap();
    assert_eq!(RawNode::new(&chain.url()).block_number("latest").await, 4);
    chain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_foreign_state_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.jsonl");
    let chain = DevChain::start(on(&path)).await.unwrap();
    deploy(&chain.url()).await;
    RawNode::new(&chain.url()).call("evm_mine", json!([2])).await;

    let locked = DevChain::start(on(&path)).await.unwrap_err();
    assert!(matches!(locked, Error::StateFile { .. }), "{locked}");
    chain.stop().await;

    let foreign = DevChain::start(DevChainConfig { chain_id: 5, ..on(&path) }).await.unwrap_err();
    assert!(matches!(foreign, Error::BadStateFile { line: 1, .. }), "{foreign}");

    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let transaction = lines.iter().position(|line| line.contains("transaction")).unwrap();
    for (what, damaged) in [
        ("a missing line", [&lines[..transaction], &lines[transaction + 1..]].concat().join("\n") + "\n"),
        ("a line that is no JSON", whole.replacen("{\"number\":1", "\"number\":1", 1)),
        ("another time under the same hash", whole.replacen(":1,\"timestamp\":1", ":1,\"timestamp\":2", 1)),
    ] {
        assert_ne!(damaged, whole);
        fs::write(&path, damaged).unwrap();
        let error = DevChain::start(on(&path)).await.unwrap_err();
        assert!(matches!(error, Error::BadStateFile { line: 2, .. }), "{what}: {error}");
    }
}
