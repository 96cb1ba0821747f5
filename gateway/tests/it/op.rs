//! OP Stack Alt-DA.

use bytes::Bytes;
use futures::future::join_all;
use holdfast_certificate::Certificate;
use holdfast_gateway::config::{CommitmentKind, Invalid};
use serde_json::json;

use crate::support::{Committee, Line, Server, client_from, commitment, eventually, keccak, payload};

#[tokio::test(flavor = "multi_thread")]
async fn a_generic_put_answers_the_raw_commitment_and_every_spelling_of_it_is_read() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    for (path, length) in [("/put", 1), ("/put/", 130_672), ("/put", 1_000_000)] {
        let payload = payload(length, 1);
        let raw = gateway.op_post(path, &payload).await.ok();
        assert_eq!((raw.body.len(), hex::encode(&raw.body)), (34, commitment(&payload)));
        assert_eq!(raw.header("cache-control"), "no-store");
        let digits = commitment(&payload);
        for name in
            [format!("0x{digits}"), digits.clone(), digits.to_uppercase(), format!("0x{}", digits.to_uppercase())]
        {
            let read = gateway.get("op", &format!("/get/{name}")).await.ok();
            assert!(read.body == payload, "{name}");
        }
        // The same bytes by the other kind of commitment.
        assert!(gateway.get("op", &format!("/get/0x{}", keccak(&payload))).await.ok().body == payload);
    }
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_keccak_mode_the_body_must_hash_to_the_commitment_or_nothing_is_stored() {
    let committee = Committee::start().await;
    let gateway = committee.gateway_with(|config| config.op.keccak_max = Some(130_672)).await;
    let (right, wrong) = (payload(130_672, 2), payload(130_672, 3));
    gateway.op_post(&format!("/put/0x{}", keccak(&right)), &wrong).await.fails(400, "wrong_digest");
    for payload in [&right, &wrong] {
        gateway.get("op", &format!("/get/0x{}", keccak(payload))).await.fails(404, "not_found");
    }
    let stored = gateway.op_post(&format!("/put/0x{}", keccak(&right)), &right).await.ok();
    assert_eq!(hex::encode(&stored.body), keccak(&right));
    assert!(gateway.get("op", &format!("/get/{}", keccak(&right).to_uppercase())).await.ok().body == right);
    let long = payload(130_673, 4);
    let refused = gateway.op_post(&format!("/put/0x{}", keccak(&long)), &long).await.fails(413, "too_large");
    assert!(refused.text().contains("130672"));
    // Only keccak mode has this limit.
    gateway.op_put(&long).await.ok();
    gateway.op_post(&format!("/put/0x{}", keccak(&right)), &Bytes::new()).await.fails(400, "empty");
    for bad in ["0x", "0x00", "zz", &format!("0x{}", commitment(&right)), "0x02"] {
        gateway.op_post(&format!("/put/{bad}"), &right).await.fails(400, "commitment");
    }
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_certificates_as_commitments_a_reader_searches_nobody() {
    let committee = Committee::start().await;
    let gateway = committee.gateway_with(|config| config.op.commitment = CommitmentKind::Certificate).await;
    let stranger = committee.gateway_with(|config| config.op.invalid = Invalid::Forks).await;
    let payload = payload(50_000, 5);
    let raw = gateway.op_put(&payload).await.ok().body;
    assert_eq!(raw[..2], [0x01, 0xff]);
    let certificate = Certificate::decode(&raw[2..]).unwrap();
    assert_eq!(certificate.statement.blob.payload_length, 50_000);
    assert!(stranger.get("op", &format!("/get/0x{}", hex::encode(&raw))).await.ok().body == payload);

    // A changed certificate is invalid for ever: 400, and 418 with status 3 for the forks.
    let mut bent = raw.to_vec();
    bent[2 + 1 + 32 + 8 + 4] ^= 1;
    let path = format!("/get/0x{}", hex::encode(bent));
    gateway.get("op", &path).await.fails(400, "certificate");
    let dropped = stranger.get("op", &format!("{path}?l1_inclusion_block_number=7")).await;
    assert_eq!((dropped.status, &dropped.json()["StatusCode"]), (418, &json!(3)));
    let unreadable = stranger.get("op", "/get/0x01ff0102").await;
    assert_eq!((unreadable.status, &unreadable.json()["StatusCode"]), (418, &json!(1)));
    assert_eq!(unreadable.header("cache-control"), "no-store");
    // What was never stored is 404 there, too.
    stranger.get("op", &format!("/get/0x01ff{}", "ab".repeat(32))).await.fails(404, "not_found");
    // An epoch that is not there yet may come: never 418.
    let mut later = raw.to_vec();
    later[2 + 1 + 32 + 7] = 9;
    stranger.get("op", &format!("/get/0x{}", hex::encode(later))).await.fails(503, "unknown_epoch");
    gateway.running.stop().await;
    stranger.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_puts_of_the_same_bytes_at_two_gateways_are_one_blob_and_one_commitment() {
    let committee = Committee::start().await;
    let gateways = [committee.gateway().await, committee.gateway().await];
    let payload = payload(200_000, 6);
    let puts = (0..24).map(|number| gateways[number % 2].op_put(&payload));
    for answer in join_all(puts).await {
        assert_eq!(hex::encode(&answer.ok().body), commitment(&payload));
    }
    let made = made(&gateways[0]).await + made(&gateways[1]).await;
    assert!(made <= 2.0, "one dispersal at each, the others joined it or found it: {made}");
    let mut ids = Vec::new();
    for gateway in &gateways {
        let known = gateway.get("http", &format!("/v1/blobs/{}/certificate", &commitment(&payload)[4..])).await.ok();
        ids.push(known.json()["blobId"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    // Later, at a third gateway that knows nothing: found through members, not made.
    let third = committee.gateway().await;
    assert_eq!(hex::encode(&third.op_put(&payload).await.ok().body), commitment(&payload));
    assert_eq!(self::made(&third).await, 0.0);
    for gateway in gateways.into_iter().chain([third]) {
        gateway.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_leave_in_the_order_of_arrival_when_asked() {
    let committee = Committee::start().await;
    let gateway = committee
        .gateway_with(|config| {
            config.op.in_order = true;
            // What the reader of one reply has until the next one comes, on a machine that has much else to do.
            config.op.in_order_gap = std::time::Duration::from_millis(200);
        })
        .await;
    // The first is large, and two members take their time over every part of it, so that the others are ready before it.
    committee.lines([0, 1], Line::Slow(std::time::Duration::from_millis(50)));
    let payloads: Vec<Bytes> = (0..8).map(|n| payload(if n == 0 { 4 << 20 } else { 100 }, 100 + n)).collect();
    let done = std::sync::Mutex::new(Vec::new());
    let mut puts = Vec::new();
    for (number, payload) in payloads.iter().enumerate() {
        let (gateway, done) = (&gateway, &done);
        puts.push(async move {
            // They arrive one after the other.
            eventually("the one before has arrived", || async { taken(gateway).await >= number as f64 }).await;
            gateway.op_put(payload).await.ok();
            done.lock().unwrap().push(number);
        });
    }
    join_all(puts).await;
    committee.lines([0, 1], Line::Good);
    let done = done.into_inner().unwrap();
    assert_eq!(done, [0, 1, 2, 3, 4, 5, 6, 7]);
    // Another client is not held up by them.
    let other = client_from(9);
    let held = gateway.op_put(&payloads[0]);
    let free = other.post(gateway.url("op", "/put")).body(payloads[1].clone()).send();
    let (held, free) = tokio::join!(held, free);
    assert_eq!((held.ok().body.len(), free.unwrap().status().as_u16()), (34, 200));
    gateway.running.stop().await;
}

/// Bodies that have come in.
async fn taken(gateway: &Server) -> f64 {
    gateway.metric("holdfast_gateway_stage_seconds_count{stage=\"Body\"}").await
}

async fn made(gateway: &Server) -> f64 {
    gateway.metric("holdfast_gateway_certificates_total{how=\"Made\"}").await
}
