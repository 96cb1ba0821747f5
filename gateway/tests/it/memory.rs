//! The backend `memory`, and faults to order.

use std::time::{Duration, Instant};

use holdfast_gateway::{Gateway, config::BackendKind};
use serde_json::json;

use crate::support::{Answer, Server, commitment, config_on_free_ports, payload};

async fn gateway(change: impl FnOnce(&mut holdfast_gateway::Config)) -> Server {
    let mut config = config_on_free_ports();
    config.backend = BackendKind::Memory;
    config.listen.admin = config.listen.http;
    config.cache.memory_mib = 0;
    change(&mut config);
    Server::of(Gateway::new(config).start().await.unwrap())
}

async fn order(gateway: &Server, faults: serde_json::Value) -> Answer {
    let request = gateway.client.put(gateway.url("admin", "/faults")).body(faults.to_string());
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answers_as_with_a_committee_and_every_fault_on_order() {
    let gateway = gateway(|_| {}).await;
    let (stored, other) = (payload(100_000, 1), payload(10, 2));
    let path = format!("/get/0x{}", commitment(&stored));
    gateway.get("op", &path).await.fails(404, "not_found");
    assert_eq!(hex::encode(gateway.op_put(&stored).await.ok().body), commitment(&stored));
    assert!(gateway.get("op", &path).await.ok().body == stored);
    let by_shard = gateway.put("/v1/blobs?by=shard", &stored).await.ok().json();
    let id = by_shard["blobId"].as_str().unwrap();
    assert!(gateway.get("http", &format!("/v1/blobs/{id}")).await.ok().body == stored);
    let certificate = by_shard["certificate"].as_str().unwrap();
    gateway.get("http", &format!("/v1/blobs/{certificate}")).await.ok();
    gateway.get("http", "/readyz").await.ok();

    assert_eq!(order(&gateway, json!({ "putUnavailable": true })).await.ok().json()["putUnavailable"], true);
    gateway.op_put(&other).await.fails(503, "quorum");
    gateway.get("op", &path).await.ok();
    order(&gateway, json!({ "getUnavailable": true })).await.ok();
    gateway.get("op", &path).await.fails(503, "unavailable");
    order(&gateway, json!({ "getNotFound": true })).await.ok();
    gateway.get("op", &path).await.fails(404, "not_found");
    order(&gateway, json!({ "getExpired": true })).await.ok();
    gateway.get("op", &path).await.fails(410, "expired");
    order(&gateway, json!({ "invalidCertificate": true })).await.ok();
    gateway.get("http", &format!("/v1/blobs/{certificate}")).await.fails(400, "certificate");
    order(&gateway, json!({ "latencyMs": 300 })).await.ok();
    let begun = Instant::now();
    gateway.get("op", &path).await.ok();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    order(&gateway, json!({ "latency": 300 })).await.fails(400, "malformed");
    let cleared = gateway.client.delete(gateway.url("admin", "/faults")).send().await.unwrap();
    assert_eq!(Answer::of(cleared).await.ok().json()["latencyMs"], 0);
    gateway.op_put(&other).await.ok();
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reply_that_takes_its_time_holds_the_others_of_that_client_for_the_bound_only() {
    let gateway = gateway(|config| {
        config.op.in_order = true;
        config.op.in_order_wait = Duration::from_millis(500);
    })
    .await;
    order(&gateway, json!({ "latencyMs": 3000 })).await.ok();
    let (slow, quick) = (payload(100, 1), payload(100, 2));
    let begun = Instant::now();
    let slow = async { (gateway.op_put(&slow).await.ok(), begun.elapsed()).1 };
    let quick = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        order(&gateway, json!({})).await.ok();
        (gateway.op_put(&quick).await.ok(), begun.elapsed()).1
    };
    let (slow, quick) = tokio::join!(slow, quick);
    assert!(slow >= Duration::from_secs(3), "{slow:?}");
    assert!((Duration::from_millis(800)..Duration::from_secs(3)).contains(&quick), "{quick:?}");
    gateway.running.stop().await;
}
