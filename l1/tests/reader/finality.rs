//! Finality that stalls, goes back or is undone, and nodes that lack its state.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use holdfast_l1::{Error, ReaderOptions};
use serde_json::json;

use super::{
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
            Plan::Alter(Box::new(|block| block["timestamp"] = "0x64000000".into()))
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
    let looked = node.asked("eth_getBlockByNumber") - looks;
    assert_eq!(looked, 120, "every time it was asked whether it is still the one, and whether the chain goes on");
    let finality = registry.finality();
    assert!(finality.stalled);
    assert_eq!(finality.timestamp, 0x6400_0000);
    let block = format!("block={} ", finality.block);
    // Other tests have stalls of other ages.
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - finality.timestamp;
    let is_ours = |line: &String| {
        let said = line.split_once("age_seconds=").and_then(|(_, rest)| rest.trim().parse::<u64>().ok());
        said.is_some_and(|said| said.abs_diff(age) < 600)
    };
    let said: Vec<_> = logbook::lines(&["finality stalls", &block]).into_iter().filter(is_ours).collect();
    assert_eq!(said.len(), 1, "{said:?}");

    node.set(|_, _| Plan::Honest);
    world.advance().await;
    registry.epoch(world.epoch).await.unwrap();
    assert!(!registry.finality().stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_node_that_stands_still_is_an_outage_and_no_stall_of_finality() {
    let world = World::start().await;
    let node = world.proxy().await;
    let registry = world.reader([&node], ReaderOptions { outage_limit: Duration::ZERO, ..eager() }).await.unwrap();
    registry.epoch(world.epoch).await.unwrap();
    node.set(|method, _| match method {
        "eth_getBlockByNumber" => Plan::Alter(Box::new(|block| block["timestamp"] = "0x65000000".into())),
        _ => Plan::Honest,
    });
    let error = registry.epoch(world.epoch).await.unwrap_err();
    assert!(matches!(error, Error::StandStill { finalized, .. } if finalized == registry.finality().block), "{error}");
    assert!(error.is_retryable() && registry.finality().failure.is_some() && !registry.finality().stalled);
    let error = world.reader([&node], eager()).await.unwrap_err();
    assert!(matches!(error, Error::StandStill { .. }), "{error}");
    node.set(|_, _| Plan::Honest);
    registry.epoch(world.epoch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_started_again_after_hours_is_waited_for_until_its_first_block() {
    let world = World::start().await;
    let node = world.proxy().await;
    let looks = AtomicUsize::new(0);
    node.set(move |method, params| match method {
        // The newest block is old twice; the finalized one is until finality has caught up.
        "eth_getBlockByNumber" if params[0] == "finalized" || looks.fetch_add(1, Ordering::Relaxed) < 2 => {
            Plan::Alter(Box::new(|block| block["timestamp"] = "0x65000000".into()))
        }
        _ => Plan::Honest,
    });
    let options = ReaderOptions { call_limit: Duration::from_secs(60), ..eager() };
    let registry = world.reader([&node], options).await.unwrap();
    assert!(registry.finality().stalled && registry.finality().failure.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_nodes_that_stands_still_hides_a_change_no_longer_than_an_outage_lasts() {
    let world = World::start().await;
    let nodes = [world.proxy().await, world.proxy().await];
    let registry = world.reader(&nodes, ReaderOptions { outage_limit: Duration::ZERO, ..eager() }).await.unwrap();
    registry.epoch(world.epoch).await.unwrap();
    let frozen = world.node.block_number("finalized").await;
    let block = json!([format!("{frozen:#x}"), false]);
    nodes[1].set(move |method, params| match method {
        "eth_getBlockByNumber" if params[0] == "finalized" || params[0] == "latest" => Plan::Instead(block.clone()),
        _ => Plan::Honest,
    });
    // A little behind is no fault.
    world.node.pass(600).await;
    world.node.finalize().await;
    registry.epoch(world.epoch).await.unwrap();
    assert_eq!(registry.finality().block, frozen);

    world.node.pass(1800).await;
    world.node.finalize().await;
    let error = registry.epoch(world.epoch).await.unwrap_err();
    let Error::Disagreement { said, .. } = &error else { panic!("{error}") };
    for (node, number) in nodes.iter().zip([world.node.block_number("finalized").await, frozen]) {
        assert!(said.contains(&format!("{} says {number} at", node.host())), "{error}");
    }
    assert_eq!(world.reader(&nodes, eager()).await.unwrap_err().to_string(), error.to_string());
    // A third that goes on settles it.
    let third = world.proxy().await;
    let registry = world.reader([&nodes[0], &nodes[1], &third], eager()).await.unwrap();
    assert_eq!(registry.finality().block, world.node.block_number("finalized").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_nodes_does_not_choose_the_finalized_blocks_time() {
    let world = World::start().await;
    let nodes = [world.proxy().await, world.proxy().await];
    nodes[0].set(|method, _| match method {
        "eth_getBlockByNumber" => Plan::Alter(Box::new(|block| block["timestamp"] = "0x7fffffff".into())),
        _ => Plan::Honest,
    });
    let error = world.reader(&nodes, eager()).await.unwrap_err();
    assert!(matches!(&error, Error::Disagreement { said, .. } if said.contains("at 2147483647")), "{error}");
    let three = [nodes[0].clone(), nodes[1].clone(), world.proxy().await];
    let registry = world.reader(&three, eager()).await.unwrap();
    assert!(registry.finality().timestamp < 0x7fff_ffff);
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
