//! Members that are slow, silent, below the quorum, below reconstruction.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use holdfast_gateway::Gateway;

use crate::support::{Committee, Line, Server, commitment, eventually, payload};

/// Waits that a test can sit out.
fn quick(config: &mut holdfast_gateway::Config) {
    config.limits.disperse_deadline = Duration::from_secs(3);
    config.limits.read_deadline = Duration::from_secs(4);
    config.limits.lookup_deadline = Duration::from_millis(500);
}

/// A gateway that has never seen what another one has stored.
async fn stranger(committee: &Committee) -> Server {
    committee.gateway_with(quick).await
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_quorum_a_put_is_503_in_time_and_afterwards_200() {
    let committee = Committee::start().await;
    let gateway = committee.gateway_with(quick).await;
    for (line, payload) in [(Line::Silent, payload(50_000, 1)), (Line::Cut, payload(50_000, 2))] {
        committee.lines([0, 1], line);
        let begun = Instant::now();
        let refused = gateway.op_put(&payload).await.fails(503, "quorum");
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert!(refused.json()["message"].as_str().unwrap().contains("quorum not reached"));
        committee.lines([0, 1], Line::Good);
        eventually("the members are back", || async { gateway.op_put(&payload).await.status == 200 }).await;
        assert!(gateway.get("op", &format!("/get/0x{}", commitment(&payload))).await.ok().body == payload);
    }
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn below_reconstruction_a_read_is_503_and_never_404() {
    let committee = Committee::start().await;
    let writer = committee.gateway_with(quick).await;
    let stored = payload(50_000, 3);
    writer.op_put(&stored).await.ok();
    let path = format!("/get/0x{}", commitment(&stored));
    let never = format!("/get/0x01ff{}", "cd".repeat(32));
    for line in [Line::Cut, Line::Silent] {
        // Two of four may have it and do not answer: that nobody has it is not certain.
        committee.lines([0, 1], line);
        let reader = stranger(&committee).await;
        reader.get("op", &never).await.fails(503, "unavailable");
        assert!(reader.get("op", &path).await.ok().body == stored, "two shards, or one whole, suffice");
        committee.lines(0..4, line);
        let reader = stranger(&committee).await;
        let begun = Instant::now();
        reader.get("op", &path).await.fails(503, "unavailable");
        reader.get("op", &never).await.fails(503, "unavailable");
        reader.get("http", &format!("/v1/blobs/{}", &commitment(&stored)[4..])).await.fails(503, "unavailable");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        committee.lines(0..4, Line::Good);
    }
    let reader = stranger(&committee).await;
    eventually("they are back", || async { reader.get("op", &never).await.status == 404 }).await;
    writer.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_puts_at_once_with_one_slow_member_are_all_certified() {
    let committee = Committee::start().await;
    let gateway = committee.gateway_with(quick).await;
    committee.line(2, Line::Slow(Duration::from_millis(200)));
    let payloads: Vec<_> = (0..12).map(|seed| payload(100_000, seed)).collect();
    let begun = Instant::now();
    for (answer, payload) in
        join_all(payloads.iter().map(|payload| gateway.op_put(payload))).await.iter().zip(&payloads)
    {
        assert_eq!((answer.status, hex::encode(&answer.body)), (200, commitment(payload)));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let reader = stranger(&committee).await;
    for payload in &payloads {
        assert!(reader.get("op", &format!("/get/0x{}", commitment(payload))).await.ok().body == *payload);
    }
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_not_ready_below_the_quorum_and_alive_all_the_same() {
    let committee = Committee::start().await;
    let gateway = committee.gateway_with(quick).await;
    assert_eq!(gateway.get("http", "/readyz").await.ok().json()["writes"], true);
    committee.lines([0, 1], Line::Cut);
    eventually("not ready", || async { gateway.get("op", "/readyz").await.status == 503 }).await;
    let told = gateway.get("http", "/readyz").await.json();
    assert_eq!((&told["ready"], &told["reads"], &told["membersStoring"]), (&false.into(), &true.into(), &2.into()));
    gateway.get("http", "/healthz").await.ok();
    committee.lines([0, 1], Line::Good);
    eventually("ready again", || async { gateway.get("op", "/readyz").await.status == 200 }).await;
    gateway.running.stop().await;
}

/// A gateway that dies in the middle of a PUT, at a point that chance chooses, and the batcher that tries another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_a_gateway_died_in_is_repeated_at_another_and_is_one_blob() {
    let committee = Committee::start().await;
    for after in [0, 1, 3, 6, 10, 15, 25, 40] {
        let payload = payload(300_000, 1000 + after);
        // On a runtime of its own, so that all of it, dispersals as well, is cut where it is.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut config = committee.config();
        quick(&mut config);
        let gateway = Gateway::new(config).with_registry(Arc::clone(&committee.registry));
        let dying = Server::of(runtime.spawn(gateway.start()).await.unwrap().unwrap());
        let request = dying.client.post(dying.url("op", "/put")).body(payload.clone()).send();
        let request = tokio::spawn(request);
        tokio::time::sleep(Duration::from_millis(after)).await;
        runtime.shutdown_background();
        request.abort();
        let other = committee.gateway_with(quick).await;
        assert_eq!(hex::encode(&other.op_put(&payload).await.ok().body), commitment(&payload));
        let third = committee.gateway_with(quick).await;
        let path = format!("/v1/blobs/{}", &commitment(&payload)[4..]);
        let (a, b) = (other.get("http", &path).await.ok(), third.get("http", &path).await.ok());
        assert!(a.body == payload && b.body == payload);
        assert_eq!(a.header("etag"), b.header("etag"), "one blob");
        other.running.stop().await;
        third.running.stop().await;
    }
}
