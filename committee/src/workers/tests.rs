use futures::{StreamExt, stream::FuturesUnordered};

use super::*;

fn origin(last: u8) -> Option<Origin> {
    Some(Origin::of([192, 0, 2, last].into()))
}

/// A call of `origin` that waits for its turn and tells who got it; the turn ends with the call.
async fn call(queue: &Queue, last: u8, served: &Mutex<Vec<u8>>) {
    Origin::scope(origin(last), async {
        let turn = queue.turn().await.expect("a turn");
        served.lock().expect("not poisoned").push(last);
        // As long as any other: what counts is the order.
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(turn);
    })
    .await;
}

#[tokio::test]
async fn who_asks_for_little_is_not_behind_who_asks_for_much() {
    let queue = Queue::of(1, 1);
    let served = Mutex::new(Vec::new());
    let held = queue.turn().await.expect("free");
    let mut calls = FuturesUnordered::new();
    for _ in 0..50 {
        calls.push(call(&queue, 1, &served));
    }
    // In line before the other comes.
    assert!(futures::poll!(calls.next()).is_pending());
    calls.push(call(&queue, 2, &served));
    assert!(futures::poll!(calls.next()).is_pending());
    drop(held);
    while calls.next().await.is_some() {}
    drop(calls);
    let served = served.into_inner().expect("not poisoned");
    assert_eq!(served.len(), 51);
    let place = served.iter().position(|last| *last == 2).expect("served");
    assert!(place <= 2, "served after {place} of the other's calls");
}

#[tokio::test]
async fn a_line_is_bounded_and_others_are_still_taken() {
    let queue = Queue::of(1, 1);
    let held = queue.turn().await.expect("free");
    let mut waiting = Vec::new();
    for _ in 0..LINE {
        let mut turn = Box::pin(Origin::scope(origin(1), queue.turn()));
        assert!(futures::poll!(&mut turn).is_pending());
        waiting.push(turn);
    }
    let refused = Origin::scope(origin(1), queue.turn()).await;
    assert!(matches!(refused, Err(Unfinished::Busy { waiting }) if waiting == LINE));
    let mut other = Box::pin(Origin::scope(origin(2), queue.turn()));
    assert!(futures::poll!(&mut other).is_pending());
    // Callers that go away leave their places.
    drop(waiting);
    drop(held);
    tokio::time::timeout(Duration::from_secs(10), other).await.expect("in time").expect("a turn");
    assert!(Origin::scope(origin(1), queue.turn()).await.is_ok());
}

#[tokio::test]
async fn an_origin_whose_work_hangs_leaves_turns_for_others() {
    let queue = Queue::of(4, 2);
    let mut hanging = Vec::new();
    for _ in 0..2 {
        hanging.push(Origin::scope(origin(1), queue.turn()).await.expect("a turn"));
    }
    let mut third = Box::pin(Origin::scope(origin(1), queue.turn()));
    assert!(futures::poll!(&mut third).is_pending(), "it has as many as it may");
    let other = Origin::scope(origin(2), queue.turn()).await.expect("a turn is free");
    assert!(!queue.is_quiet());
    hanging.pop();
    tokio::time::timeout(Duration::from_secs(10), third).await.expect("in time").expect("a turn");
    drop((hanging, other));
    assert!(queue.is_quiet());
}
