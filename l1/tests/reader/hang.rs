//! Nodes that hang, and floods of questions: nobody waits where there is an answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use holdfast_certificate::Namespace;
use holdfast_l1::{Error, ReaderOptions};
use holdfast_registry as registry;
use serde_json::Value;

use super::{
    proxy::Plan,
    world::{World, until},
};

/// Far below the limit of a call, and far above what an answer from memory takes on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(500);

fn options() -> ReaderOptions {
    ReaderOptions { refresh: Duration::from_millis(50), call_limit: Duration::from_secs(5), ..ReaderOptions::default() }
}

/// The namespace of that number, which nobody has made.
fn made_up(number: u32) -> Namespace {
    let mut bytes = [0xee; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Namespace::from(bytes)
}

fn is_about_something_made_up(params: &Value) -> bool {
    params[0].to_string().contains(&"ee".repeat(28))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_delays_no_answer_that_is_known() {
    let world = World::start().await;
    let node = world.proxy().await;
    let registry = world.reader([&node], options()).await.unwrap();
    let at = registry.epoch(world.epoch).await.unwrap().active_from;
    registry.namespace(&world.namespace).await.unwrap();
    node.set(|_, _| Plan::Silent);
    let (hung, looks) = (Instant::now(), node.asked("eth_getBlockByNumber"));
    // Over a look that begins to hang, that ends in a time-out, and the next one.
    while node.asked("eth_getBlockByNumber") < looks + 2 {
        assert!(hung.elapsed() < Duration::from_secs(20), "it does not look");
        let asked = Instant::now();
        registry.active_epoch(at).await.unwrap();
        registry.namespace(&world.namespace).await.unwrap();
        assert!(asked.elapsed() < AT_ONCE, "waited {:?}", asked.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(registry.finality().failure.is_some() && !registry.finality().expired);
    // What is not known is refused at once too, once the nodes are known not to answer.
    let asked = Instant::now();
    registry.namespace(&made_up(1)).await.unwrap_err();
    assert!(asked.elapsed() < AT_ONCE, "waited {:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_seen_without_anybody_waiting_for_it() {
    let world = World::start().await;
    let node = world.proxy().await;
    let registry = world.reader([&node], options()).await.unwrap();
    let before = registry.namespace(&world.namespace).await.unwrap().dispersers.len();
    let newcomer = holdfast_certificate::Address::from([7; 20]);
    world.publisher.set_disperser(&world.namespace, newcomer, true).await.unwrap();
    world.node.finalize().await;
    until("the change is seen", || async {
        let asked = Instant::now();
        let found = registry.namespace(&world.namespace).await.unwrap().dispersers.len();
        assert!(asked.elapsed() < AT_ONCE, "waited {:?}", asked.elapsed());
        found == before + 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_made_up_namespaces_costs_a_bounded_number_of_calls_and_holds_up_nobody() {
    let world = World::start().await;
    let node = world.proxy().await;
    let options = ReaderOptions { refresh: Duration::from_secs(60), ..options() };
    let registry = Arc::new(world.reader([&node], options).await.unwrap());
    let at = registry.epoch(world.epoch).await.unwrap().active_from;
    let calls = node.asked("eth_call");
    // Those that are asked for hang.
    node.set(|method, params| match method {
        "eth_call" if is_about_something_made_up(params) => Plan::Silent,
        _ => Plan::Honest,
    });
    let flood = (0..1000).map(|number| {
        let registry = Arc::clone(&registry);
        async move { registry.look_up(&made_up(number)).await }
    });
    let flood = tokio::spawn(join_all(flood));
    until("it is asked as much as it may", || async { node.asked("eth_call") >= calls + 64 }).await;
    let asked = Instant::now();
    registry.active_epoch(at).await.unwrap();
    // One that this process has not asked for before.
    registry.namespace(&world.namespace).await.unwrap();
    registry.look_up(&world.namespace).await.unwrap();
    assert!(asked.elapsed() < AT_ONCE, "waited {:?}", asked.elapsed());
    let is_refused = |answer: &Result<_, Error>| match answer {
        Err(error @ Error::Registry(registry::Error::TooManyUnknown { .. })) => error.is_retryable(),
        _ => false,
    };
    let refused = flood.await.unwrap().iter().filter(|answer| is_refused(answer)).count();
    assert!(refused >= 1000 - 64 - 4, "{refused}");
    let asked = node.asked("eth_call") - calls;
    assert!(asked <= 64 + 1 + 4, "{asked} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_that_exist_are_not_held_back_for_their_number() {
    let world = World::start().await;
    let mut all = Vec::new();
    for salt in 100..180 {
        all.push(world.publisher.create_namespace([salt; 32], 86_400, &[]).await.unwrap().0);
    }
    world.node.finalize().await;
    let registry = world.reader([&world.proxy().await], options()).await.unwrap();
    for namespace in &all {
        registry.look_up(namespace).await.unwrap();
    }
}
