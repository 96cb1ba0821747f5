//! Finality that stalls, goes back or is undone, and nodes that lack its state.

use std::time::{Duration, Instant};

use holdfast_contracts::{Error, ReaderOptions, Registry as _};
use serde_json::json;

use crate::{
    logbook,
    proxy::Plan,
    world::{World, eager},
};

#[tokio::test(flavor = "multi_thread")]
async fn through_a_stall_of_hours_what_is_held_stays_good_and_the_log_says_so_once() {
    logbook::open();
    let world = World::start().await;
    let node = world.proxy().await;
    node.set(|method, params| match method {
        "eth_getBlockByNumber" if params[0] == "finalized" => {
            Plan::Alter(Box::new(|block| block["timestamp"] = "0x65000000".into()))
        }
        _ => Plan::Honest,
    });
    // No outage is bridged: whatever is answered is good because the node says that the block is still final.
    let options = ReaderOptions { outage_limit: Duration::ZERO, ..eager() };
    let registry = world.reader([&node], options).await.unwrap();
    let epoch = registry.epoch(world.epoch).await.unwrap();
    registry.namespace(&world.namespace).await.unwrap();
    let (calls, looks) = (node.asked("eth_call"), node.asked("eth_getBlockByNumber"));
    for _ in 0..20 {
        assert_eq!(registry.epoch(world.epoch).await.unwrap().committee, epoch.committee);
        registry.active_epoch(epoch.active_from).await.unwrap();
        registry.namespace(&world.namespace).await.unwrap();
    }
    assert_eq!(node.asked("eth_call"), calls, "nothing is read twice at one block");
    assert_eq!(node.asked("eth_getBlockByNumber"), looks + 60, "every time it was asked whether it is still the one");
    let finality = registry.finality();
    assert!(finality.stalled);
    assert_eq!(finality.timestamp, 0x6500_0000);
    let block = format!("block={} ", finality.block);
    let said = logbook::lines(&["finality stalls", &block]);
    assert_eq!(said.len(), 1, "{said:?}");

    node.set(|_, _| Plan::Honest);
    world.advance().await;
    registry.epoch(world.epoch).await.unwrap();
    assert!(!registry.finality().stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finalized_block_never_goes_back() {
    let world = World::start().await;
    let node = world.proxy().await;
    let registry = world.reader([&node], eager()).await.unwrap();
    let strict = ReaderOptions { outage_limit: Duration::ZERO, ..eager() };
    let strict = world.reader([&node], strict).await.unwrap();
    for reader in [&registry, &strict] {
        reader.epoch(world.epoch).await.unwrap();
    }
    let known = registry.finality().block;

    let back = json!([format!("{:#x}", known - 1), false]);
    node.set(move |method, params| match method {
        "eth_getBlockByNumber" if params[0] == "finalized" => Plan::Instead(back.clone()),
        _ => Plan::Honest,
    });
    // A slower node of a pool behind one URL: what is known stays, and what is new is read at the known block.
    registry.epoch(world.epoch).await.unwrap();
    registry.namespace(&world.namespace).await.unwrap();
    assert_eq!(registry.finality().block, known);
    // But that does not confirm anything, so it is not endless.
    let error = strict.epoch(world.epoch).await.unwrap_err();
    assert!(matches!(error, Error::WentBack { known: was, got } if was == known && got == known - 1), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalized_block_that_changes_is_not_followed() {
    let world = World::start().await;
    let node = world.proxy().await;
    let registry = world.reader([&node], eager()).await.unwrap();
    registry.epoch(world.epoch).await.unwrap();
    let known = registry.finality().block;
    let other = || Plan::Alter(Box::new(|block| block["hash"] = format!("0x{}", "cd".repeat(32)).into()));

    // The same number with another hash; then a newer block that does not stand on the known one.
    let number = format!("{known:#x}");
    for tag in ["finalized", number.as_str()] {
        let tag = tag.to_owned();
        node.set(move |method, params| match method {
            "eth_getBlockByNumber" if params[0] == tag => other(),
            _ => Plan::Honest,
        });
        registry.epoch(world.epoch).await.unwrap();
        let error = registry.namespace(&world.namespace).await.unwrap_err();
        assert!(matches!(&error, Error::Disagreement { what, .. } if what.contains("was final")), "{error}");
        assert_eq!(registry.finality().block, known);
        assert!(registry.finality().failure.is_some());
        world.advance().await;
    }
    node.set(|_, _| Plan::Honest);
    registry.namespace(&world.namespace).await.unwrap();
    assert_eq!(registry.finality().block, known + 2);
    assert_eq!(registry.finality().failure, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_blocks_state_is_bridged_while_the_block_is_the_finalized_one() {
    let world = World::start().await;
    let limit = Duration::from_secs(1);
    for (message, endless) in [
        ("missing trie node 12ab (path ) state 0x12ab is not available", true),
        ("historical state 12ab is not available", true),
        ("header not found", true),
        ("internal error", false),
    ] {
        let node = world.proxy().await;
        let options = ReaderOptions { outage_limit: limit, ..eager() };
        let registry = world.reader([&node], options).await.unwrap();
        registry.epoch(world.epoch).await.unwrap();
        node.set(move |method, _| if method == "eth_call" { Plan::Refuse(message) } else { Plan::Honest });
        world.advance().await;
        let started = Instant::now();
        let outcome = loop {
            let outcome = registry.epoch(world.epoch).await;
            if outcome.is_err() || started.elapsed() > 2 * limit {
                break outcome;
            }
        };
        assert_eq!(outcome.is_ok(), endless, "{message}: {outcome:?}");
        assert_eq!(matches!(registry.namespace(&world.namespace).await.unwrap_err(), Error::NoState { .. }), endless);
        // With each new finalized block time goes on: a node that never has state does not hide changes for ever.
        while registry.epoch(world.epoch).await.is_ok() {
            assert!(started.elapsed() < 10 * limit, "{message}: used for ever");
            world.advance().await;
        }
    }
}
