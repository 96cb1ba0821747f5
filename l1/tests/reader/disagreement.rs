//! Nodes that lie, contradict each other, or serve another chain or fork.

use holdfast_devchain::DevChain;
use holdfast_l1::{ChainRegistry, Error, ReaderOptions, check};
use holdfast_registry::Fault;
use serde_json::json;

use super::{
    logbook,
    proxy::{Plan, Proxy, lie},
    world::{World, eager, until},
};
use crate::{chain::still, node::RawNode};

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_node_among_three_is_outvoted_and_named_once() {
    logbook::open();
    let world = World::start().await;
    for liar in 0..3 {
        let nodes = world.three().await;
        let registry = world.reader(&nodes, eager()).await.unwrap();
        nodes[liar].set(lie);
        let honest = world.reader([&world.proxy().await], eager()).await.unwrap();
        for _ in 0..5 {
            world.advance().await;
            let rules = registry.namespace(&world.namespace).await.unwrap();
            assert_eq!(rules, honest.namespace(&world.namespace).await.unwrap());
            let record = registry.epoch(world.epoch).await.unwrap();
            assert_eq!(record.committee.keys(), world.members.keys());
            assert_eq!(record.revoked_at, None);
        }
        let host = nodes[liar].host();
        until("the liar is known", || async {
            world.advance().await;
            registry.namespace(&world.namespace).await.unwrap();
            registry.finality().dissenters == [host]
        })
        .await;
        assert_eq!(logbook::lines(&[host, "contradicts"]).len(), 1, "named once, not at every call");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_contradict_stop_what_is_new_and_the_last_known_bridges() {
    let world = World::start().await;
    let nodes = [world.proxy().await, world.proxy().await];
    let registry = world.reader(&nodes, eager()).await.unwrap();
    let known = registry.epoch(world.epoch).await.unwrap();
    nodes[1].set(lie);
    world.advance().await;

    let bridged = registry.epoch(world.epoch).await.unwrap();
    assert_eq!(bridged.committee, known.committee);
    let error = registry.namespace(&world.namespace).await.unwrap_err();
    assert!(matches!(&error, Error::Disagreement { what, .. } if what == "namespaceOf"), "{error}");
    assert_eq!((error.fault(), error.is_retryable()), (Fault::L1, true));
    let text = error.to_string();
    assert!(nodes.iter().all(|node| text.contains(node.host())) && !text.contains("SECRET"), "{text}");

    nodes[1].set(|_, _| Plan::Honest);
    registry.namespace(&world.namespace).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_are_never_one() {
    let world = World::start().await;
    let url = world.proxy().await.url();
    let error = ChainRegistry::connect_with(&[&url, &url], world.address(), eager()).await.unwrap_err();
    assert!(error.to_string().contains("stands there twice") && !error.to_string().contains("SECRET"), "{error}");
    for agree in [0, 2] {
        let options = ReaderOptions { agree: Some(agree), ..eager() };
        let error = ChainRegistry::connect_with(&[&url], world.address(), options).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Config, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_on_another_chain_stops_no_start_where_enough_others_serve_the_right_one() {
    logbook::open();
    let world = World::start().await;
    let [first, second, other] = world.three().await;
    other.set(|method, _| match method {
        "eth_chainId" => Plan::Alter(Box::new(|result| *result = "0x5".into())),
        _ => Plan::Honest,
    });
    let nodes = [first.clone(), second.clone(), other.clone()];
    for chain_id in [None, Some(31337)] {
        let registry = world.reader(&nodes, ReaderOptions { chain_id, ..eager() }).await.unwrap();
        assert_eq!(registry.finality().dissenters, [other.host()]);
        world.advance().await;
        registry.namespace(&world.namespace).await.unwrap();
        assert!(!logbook::lines(&[other.host(), "it serves 5, they serve 31337"]).is_empty());
    }
    let urls: Vec<_> = nodes.iter().map(Proxy::url).collect();
    let problems = check(&urls, Some(world.address()), None).await.problems;
    let wrong = format!("{}: wrong chain: expected chain id 31337, the node says 5", other.host());
    assert_eq!(problems, [wrong]);

    // Of two it stops the start, and so it does where it is the one that serves the chain of the settings.
    for (nodes, chain_id, node, expected, got) in [
        (vec![&first, &other], Some(31337), other.host().to_owned(), 31337, 5),
        (vec![&first, &second, &other], Some(5), format!("{}, {}", first.host(), second.host()), 5, 31337),
    ] {
        let error = world.reader(nodes, ReaderOptions { chain_id, ..eager() }).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("L1 node {node}: wrong chain: expected chain id {expected}, the node says {got}")
        );
        assert_eq!((error.fault(), error.is_retryable()), (Fault::Config, false));
    }
    let error = world.reader([&first, &other], eager()).await.unwrap_err();
    assert!(matches!(&error, Error::AtNode { .. }), "{error}");

    // Down at the start and another chain's when it comes back, it counts for nothing.
    other.set(|_, _| Plan::Status(503));
    let registry = world.reader(&nodes, eager()).await.unwrap();
    other.set(|method, _| match method {
        "eth_chainId" => Plan::Alter(Box::new(|result| *result = "0x5".into())),
        _ => Plan::Honest,
    });
    registry.epoch(world.epoch).await.unwrap();
    second.set(|_, _| Plan::Status(503));
    world.advance().await;
    let error = registry.namespace(&world.namespace).await.unwrap_err();
    assert!(matches!(error, Error::TooFewNodes { answered: 1, needed: 2, nodes: 3, .. }), "{error}");
    assert!(error.to_string().contains("wrong chain"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_on_another_fork_contradicts_at_the_first_block() {
    let world = World::start().await;
    // The same numbers, other times and so other hashes.
    let fork = DevChain::start(still()).await.unwrap();
    let forked = RawNode::new(&fork.url());
    let head = world.node.block_number("latest").await;
    forked.pass(7200).await;
    forked.call("evm_mine", json!([head - 1])).await;
    assert_eq!(forked.block_number("finalized").await, world.node.block_number("finalized").await);
    let other = Proxy::start(&fork.url()).await;

    let error = world.reader([&world.proxy().await, &other], eager()).await.unwrap_err();
    assert!(matches!(&error, Error::Disagreement { what, .. } if what.contains("finalized block")), "{error}");

    let registry = world.reader([&world.proxy().await, &other, &world.proxy().await], eager()).await.unwrap();
    assert_eq!(registry.epoch(world.epoch).await.unwrap().committee.keys(), world.members.keys());
    let seen = || async {
        registry.epoch(world.epoch).await.unwrap();
        registry.finality().dissenters == [other.host()]
    };
    until("the fork is known", seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_claims_blocks_nobody_else_has_changes_nothing() {
    let world = World::start().await;
    let [first, second, liar] = world.three().await;
    let registry = world.reader([&liar, &first, &second], eager()).await.unwrap();
    liar.set(|method, params| match method {
        "eth_getBlockByNumber" if params[0] == "finalized" => Plan::Alter(Box::new(|block| {
            block["number"] = "0xffffff".into();
            block["timestamp"] = "0xffffffff".into();
            block["hash"] = format!("0x{}", "ab".repeat(32)).into();
        })),
        _ => Plan::Honest,
    });
    for _ in 0..5 {
        world.advance().await;
        registry.epoch(world.epoch).await.unwrap();
        assert_eq!(registry.finality().block, world.node.block_number("finalized").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_holds_nobody_back() {
    let world = World::start().await;
    let [first, second, behind] = world.three().await;
    let registry = world.reader([&behind, &first, &second], eager()).await.unwrap();
    behind.set(|method, params| match method {
        "eth_getBlockByNumber" if params[0] == "finalized" => Plan::Instead(json!(["0x1", false])),
        "eth_call" => Plan::Refuse("header not found"),
        _ => Plan::Honest,
    });
    for _ in 0..5 {
        world.advance().await;
        registry.epoch(world.epoch).await.unwrap();
        assert_eq!(registry.finality().block, world.node.block_number("finalized").await);
    }
    assert!(registry.finality().dissenters.is_empty(), "to be behind is no lie");
}
