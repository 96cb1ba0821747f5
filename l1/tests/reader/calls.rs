//! How many calls a member makes, and nodes that want fewer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use holdfast_devchain::DEV_KEYS;
use holdfast_l1::{Error, Publisher, ReaderOptions};
use holdfast_registry as registry;

use super::{
    logbook,
    proxy::{Plan, Proxy},
    world::{World, eager, until},
};

/// Every call that the node has served.
fn all(node: &Proxy) -> usize {
    ["eth_call", "eth_getBlockByNumber", "eth_getCode", "eth_chainId"].iter().map(|method| node.asked(method)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_makes_six_calls_for_a_finalized_block_and_one_for_a_look_however_much_it_is_asked() {
    const BLOCKS: usize = 5;
    let world = World::start().await;
    let node = world.proxy().await;
    let refresh = Duration::from_millis(100);
    let registry =
        Arc::new(world.reader([&node], ReaderOptions { refresh, ..ReaderOptions::default() }).await.unwrap());
    let at = registry.epoch(world.epoch).await.unwrap().active_from;
    registry.namespace(&world.namespace).await.unwrap();
    // What a store asks, and `GetInfo`, by eight at a time and without a pause.
    let over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (registry, over, namespace) = (Arc::clone(&registry), Arc::clone(&over), world.namespace);
            tokio::spawn(async move {
                let mut answers = 0_usize;
                while !over.load(Ordering::Relaxed) {
                    registry.active_epoch(at).await.unwrap();
                    registry.namespace(&namespace).await.unwrap();
                    answers += 2;
                    tokio::task::yield_now().await;
                }
                answers
            })
        })
        .collect();
    let (started, calls, looks) = (Instant::now(), node.asked("eth_call"), node.asked("eth_getBlockByNumber"));
    for block in 1..=BLOCKS {
        world.advance().await;
        let number = world.node.block_number("finalized").await;
        // The number of epochs, the epoch, its slots, and the namespace.
        until("the block is read", || async {
            registry.finality().block == number && node.asked("eth_call") >= calls + 4 * block
        })
        .await;
    }
    // Two looks more, at which nothing is new.
    let quiet = node.asked("eth_getBlockByNumber");
    until("it goes on looking", || async { node.asked("eth_getBlockByNumber") >= quiet + 2 }).await;
    over.store(true, Ordering::Relaxed);
    let most = started.elapsed().as_millis() / refresh.as_millis() + 1;
    let mut answers = 0;
    for asker in load {
        answers += asker.await.unwrap();
    }
    assert_eq!(node.asked("eth_call") - calls, 4 * BLOCKS, "for {answers} answers");
    let looked = node.asked("eth_getBlockByNumber") - looks;
    let most = usize::try_from(most).unwrap() + BLOCKS;
    assert!(looked <= most, "{looked} looks, and the blocks before; at most {most}");
    assert!(answers > 100 * looked, "{answers} answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_are_as_far_apart_as_the_chains_blocks() {
    let world = World::start().await;
    let node = world.proxy().await;
    let options = ReaderOptions { refresh: Duration::from_millis(20), ..ReaderOptions::default() };
    let registry = world.reader([&node], options).await.unwrap();
    // Blocks of an hour: then a look every 12 s is enough.
    for _ in 0..3 {
        world.node.pass(3600).await;
    }
    let number = world.node.block_number("finalized").await;
    until("the slow blocks are seen", || async { registry.finality().block == number }).await;
    let (before, waited) = (all(&node), Instant::now());
    while waited.elapsed() < Duration::from_secs(1) {
        registry.epoch(world.epoch).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What the epoch takes, and at most the end of what was under way.
    assert!(all(&node) - before <= 6, "{} calls in a second", all(&node) - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_without_an_epoch_costs_no_call_before_the_next_block_or_the_next_epoch() {
    let world = World::start().await;
    let node = world.proxy().await;
    let options = ReaderOptions { refresh: Duration::from_secs(3600), ..ReaderOptions::default() };
    let from = world.node.time().await + 100_000;
    let guardian = Publisher::connect(&world.chain.url(), world.address(), &DEV_KEYS[1]).await.unwrap();
    guardian.revoke_epoch(world.epoch).await.unwrap();
    let (next, _) = world
        .publisher
        .propose_epoch(&world.members.members(&world.publisher), &world.members.parameters, Some(from))
        .await
        .unwrap();
    world.node.finalize().await;
    let registry = world.reader([&node], options).await.unwrap();
    let now = world.node.time().await + 10;
    let none = |error: Error| matches!(error, Error::Registry(registry::Error::NoActiveEpoch { .. }));
    assert!(none(registry.active_epoch(now).await.unwrap_err()));
    let before = all(&node);
    for second in 1..1000 {
        assert!(none(registry.active_epoch(now + second).await.unwrap_err()));
    }
    assert_eq!(registry.active_epoch(from).await.unwrap().committee.epoch(), next, "it is known when it begins");
    assert!(none(registry.active_epoch(from - 1).await.unwrap_err()));
    assert_eq!(all(&node), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_limits_its_callers_is_left_alone_for_as_long_as_it_says() {
    let world = World::start().await;
    let node = world.proxy().await;
    let registry = world.reader([&node], eager()).await.unwrap();
    registry.epoch(world.epoch).await.unwrap();
    node.set(|_, _| Plan::Limited("2"));
    let (limited, before) = (Instant::now(), all(&node));
    registry.namespace(&world.namespace).await.unwrap_err();
    assert_eq!(all(&node), before + 1);
    node.set(|_, _| Plan::Honest);
    let error = loop {
        let asked = all(&node);
        match registry.namespace(&world.namespace).await {
            Ok(_) => break None,
            Err(error) if all(&node) == asked => assert!(error.to_string().contains("limits its callers"), "{error}"),
            Err(error) => break Some(error),
        }
        assert!(limited.elapsed() < Duration::from_secs(10), "left alone for ever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(error.is_none(), "{error:?}");
    assert!(limited.elapsed() >= Duration::from_secs(2), "asked after {:?}", limited.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalized_block_that_goes_back_is_logged_once_with_both_numbers() {
    logbook::open();
    let world = World::start().await;
    let node = world.proxy().await;
    world.node.pass(77).await;
    for _ in 0..30 {
        world.advance().await;
    }
    let registry = world.reader([&node], eager()).await.unwrap();
    registry.epoch(world.epoch).await.unwrap();
    let known = registry.finality().block;
    let back = serde_json::json!([format!("{:#x}", known - 23), false]);
    node.set(move |method, params| match method {
        "eth_getBlockByNumber" if params[0] == "finalized" => Plan::Instead(back.clone()),
        _ => Plan::Honest,
    });
    for _ in 0..3 {
        registry.epoch(world.epoch).await.unwrap();
    }
    let said = || logbook::lines(&["has gone back", &format!("known={known} "), &format!("got={} ", known - 23)]).len();
    assert_eq!(said(), 1);
}
