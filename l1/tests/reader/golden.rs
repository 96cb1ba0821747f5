//! The golden vectors against anvil, whose chain id and first account give the registry the vectors' domain.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, Bytes};
use serde_json::{Value, json};

use crate::{
    anvil::{Anvil, installed},
    node::RawNode,
    vectors::{DEPLOYER, Golden, REGISTRY, START, constructor_arguments},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_golden_vector_on_anvil_with_prague() {
    if let Some(program) = installed() {
        run(&Anvil::start(&program, "prague").url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_golden_vector_on_anvil_with_osaka() {
    if let Some(program) = installed() {
        run(&Anvil::start(&program, "osaka").url).await;
    }
}

async fn run(url: &str) {
    let node = RawNode::new(url);
    let golden = Golden::load();
    node.call("anvil_setNextBlockTimestamp", json!([START])).await;
    let code = [artifact(), constructor_arguments()].concat();
    let receipt = mined(&node, json!({ "from": DEPLOYER, "data": Bytes::from(code), "gas": "0x900000" })).await;
    assert_eq!(receipt["contractAddress"].as_str().unwrap().parse::<Address>().unwrap(), REGISTRY);
    let senders: BTreeSet<Address> = golden.steps.iter().map(|step| step.from).collect();
    for sender in senders {
        node.call("anvil_impersonateAccount", json!([sender])).await;
        node.call("anvil_setBalance", json!([sender, "0x8ac7230489e80000"])).await;
    }
    for step in &golden.steps {
        // Blocks of anvil have times of their own, each later than the one before.
        if step.time > node.time().await {
            node.call("anvil_setNextBlockTimestamp", json!([step.time])).await;
        }
        let transaction = json!({ "from": step.from, "to": REGISTRY, "data": step.data, "gas": "0x900000" });
        mined(&node, transaction).await;
    }
    for check in &golden.checks {
        let request = json!([{ "to": REGISTRY, "data": check.data, "gas": "0x900000" }, "latest"]);
        let answer: Bytes = serde_json::from_value(node.call("eth_call", request).await).unwrap();
        assert_eq!(answer, check.expected, "{}: {}", check.name, check.data);
    }
}

/// Sends a transaction that must succeed; gives its receipt.
async fn mined(node: &RawNode, transaction: Value) -> Value {
    let hash = node.call("eth_sendTransaction", json!([transaction])).await;
    // Anvil answers before it has mined.
    let end = Instant::now() + Duration::from_secs(30);
    let receipt = loop {
        let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
        if !receipt.is_null() || Instant::now() > end {
            break receipt;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(receipt["status"], "0x1", "{transaction}");
    receipt
}

/// The registry's committed bytecode.
fn artifact() -> Vec<u8> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts/artifacts/CommitteeRegistry.json"));
    let json: Value = serde_json::from_str(&text.expect("the artifact")).expect("JSON");
    hex::decode(&json["bytecode"].as_str().expect("bytecode")[2..]).expect("hex")
}
