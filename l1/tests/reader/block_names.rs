//! Nodes that do not take a block's hash where a block is named (EIP-1898), or do not look at it.

use holdfast_l1::{Error, check};
use serde_json::json;

use super::{
    proxy::Plan,
    world::{World, eager, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_takes_no_block_hashes_is_asked_by_number_and_for_the_numbers_hash() {
    let world = World::start().await;
    let node = world.proxy().await;
    let refuse = |method: &str, params: &serde_json::Value| {
        ["eth_call", "eth_getCode"].contains(&method) && params[1].is_object()
    };
    node.set(move |method, params| match refuse(method, params) {
        true => Plan::Error(-32602, "invalid argument 1: json: cannot unmarshal object into Go value of type string"),
        false => Plan::Honest,
    });
    let report = check(&[node.url()], Some(world.address()), None).await;
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.nodes[0].by_hash, Some(true));
    let registry = world.reader([&node], eager()).await.unwrap();
    let record = registry.epoch(world.epoch).await.unwrap();
    assert_eq!(record.committee.keys(), world.members.keys());
    registry.namespace(&world.namespace).await.unwrap();

    // Its block of that number is another one in between.
    world.advance().await;
    let number = format!("{:#x}", world.node.block_number("finalized").await);
    let hash = format!("0x{}", "cd".repeat(32));
    let by_number = json!(number);
    node.set(move |method, params| match method {
        _ if refuse(method, params) => Plan::Error(-32602, "invalid argument 1"),
        "eth_getBlockByNumber" if params[0] == by_number => {
            let hash = hash.clone();
            Plan::Alter(Box::new(move |block| block["hash"] = hash.into()))
        }
        _ => Plan::Honest,
    });
    let fresh = holdfast_certificate::Namespace::from([9; 32]);
    let error = registry.namespace(&fresh).await.unwrap_err();
    assert!(matches!(&error, Error::BadAnswer { reason, .. } if reason.contains("cdcd")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_node_that_answers_for_its_newest_block_is_found_out_by_check_and_not_connected_to() {
    let world = World::start().await;
    let node = world.proxy().await;
    // One does not look at the hash at all; one looks whether there is such a block, and answers for the newest one.
    for looks in [false, true] {
        node.set(move |method, params| {
            let known = !looks || params[1]["blockHash"] != json!(unknown_hash());
            if method == "eth_call" && params[1].is_object() && known {
                return Plan::Instead(json!([params[0], "latest"]));
            }
            Plan::Honest
        });
        let report = check(&[node.url()], Some(world.address()), None).await;
        let says = "does not answer for the block that is asked for";
        assert!(report.problems.iter().any(|problem| problem.contains(says)), "{looks}: {:?}", report.problems);
        assert_eq!(report.nodes[0].by_hash, Some(false));
        let error = world.reader([&node], eager()).await.unwrap_err();
        assert!(matches!(error, Error::OtherBlock { .. }) && !error.is_retryable(), "{error}");
    }
    // Among three it is outvoted, and named.
    let others = [world.proxy().await, world.proxy().await];
    let registry = world.reader([&node, &others[0], &others[1]], eager()).await.unwrap();
    registry.epoch(world.epoch).await.unwrap();
    until("it is named", || async { registry.finality().dissenters == [node.host()] }).await;
}

/// The hash by which no block is known.
fn unknown_hash() -> String {
    alloy::primitives::keccak256(b"holdfast: no block has this hash").to_string()
}
