//! Nodes that name no finalized block, as before their consensus client has spoken.

use std::time::{Duration, Instant};

use holdfast_devchain::DEV_KEYS;
use holdfast_l1::{Error, Publisher, ReaderOptions, check};
use holdfast_registry as registry;
use serde_json::Value;

use super::{
    logbook,
    proxy::Plan,
    world::{World, until},
};

const LIMIT: Duration = Duration::from_secs(1);

fn brisk() -> ReaderOptions {
    ReaderOptions {
        refresh: Duration::from_millis(20),
        call_limit: Duration::from_millis(500),
        outage_limit: LIMIT,
        ..ReaderOptions::default()
    }
}

/// What nodes say for it.
fn unknown() -> [fn() -> Plan; 5] {
    [
        || Plan::Error(-39001, "Unknown block"),
        || Plan::Error(-39001, "finalized block not found"),
        || Plan::Refuse("finalized block not found"),
        || Plan::Refuse("header not found"),
        || Plan::Result(Value::Null),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_epoch_is_not_signed_under_for_longer_than_the_limit_while_finalized_is_unknown() {
    logbook::open();
    for plan in unknown() {
        let world = World::start().await;
        let node = world.proxy().await;
        let reader = world.reader([&node], brisk()).await.unwrap();
        let at = reader.epoch(world.epoch).await.unwrap().active_from;
        reader.active_epoch(at).await.unwrap();

        let guardian = Publisher::connect(&world.chain.url(), world.address(), &DEV_KEYS[1]).await.unwrap();
        guardian.revoke_epoch(world.epoch).await.unwrap();
        node.set(move |method, params| match method {
            "eth_getBlockByNumber" if params[0] == "finalized" => plan(),
            _ => Plan::Honest,
        });
        world.node.finalize().await;
        let revoked = Instant::now();
        let error = loop {
            match reader.active_epoch(at).await {
                Err(error) => break error,
                Ok(_) => assert!(revoked.elapsed() < 5 * LIMIT, "still used"),
            }
            tokio::task::yield_now().await;
        };
        assert!(matches!(error, Error::NoFinality { .. }), "{error}");
        assert!(error.to_string().contains("consensus client (beacon node) must be running"), "{error}");
        assert!(reader.finality().expired && reader.finality().failure.is_some());
        let said = ["could not be read for too long", "nothing is signed by it"];
        until("the log says so", || async { !logbook::lines(&said).is_empty() }).await;

        node.set(|_, _| Plan::Honest);
        let now = world.node.time().await + 10;
        until("it sees the revocation", || async {
            matches!(reader.active_epoch(now).await, Err(Error::Registry(registry::Error::NoActiveEpoch { .. })))
        })
        .await;
        assert!(!reader.finality().expired);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_to_several_nodes_of_which_too_few_name_a_finalized_block_end_too() {
    let world = World::start().await;
    let nodes = world.three().await;
    let reader = world.reader(&nodes, brisk()).await.unwrap();
    reader.epoch(world.epoch).await.unwrap();
    for node in &nodes[1..] {
        node.set(|method, params| match method {
            "eth_getBlockByNumber" if params[0] == "finalized" => Plan::Error(-39001, "Unknown block"),
            _ => Plan::Honest,
        });
    }
    until("it is too old", || async { reader.epoch(world.epoch).await.is_err() }).await;
    assert!(reader.finality().expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_connect_name_the_consensus_client_that_is_missing() {
    let world = World::start().await;
    let node = world.proxy().await;
    node.set(|method, params| match method {
        "eth_getBlockByNumber" if params[0] == "finalized" => Plan::Error(-39001, "Unknown block"),
        _ => Plan::Honest,
    });
    let error = world.reader([&node], brisk()).await.unwrap_err();
    assert!(error.to_string().contains("consensus client"), "{error}");
    let report = check(&[node.url()], Some(world.address()), None).await;
    assert!(report.problems.iter().any(|problem| problem.contains("consensus client")), "{:?}", report.problems);
}
