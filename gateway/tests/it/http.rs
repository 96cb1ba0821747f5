//! Plain HTTP.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use holdfast_certificate::Certificate;
use holdfast_erasure::keccak256;
use serde_json::json;

use crate::support::{Committee, client_from, payload, raw};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_read_back_by_id_digest_and_certificate_at_any_gateway() {
    let committee = Committee::start().await;
    let (here, there) = (committee.gateway().await, committee.gateway().await);
    for (length, query) in [(1, ""), (100_001, "?by=payload&retain=14d"), (700_000, "?by=shard"), (4 << 20, "")] {
        let payload = payload(length, 1);
        let stored = here.put(&format!("/v1/blobs{query}"), &payload).await.ok().json();
        let digest = keccak256(&payload).to_string();
        assert_eq!((&stored["keccak256"], &stored["payloadLength"]), (&json!(digest), &json!(length)));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let days = if query.contains("14d") { 14 } else { 28 };
        let left = stored["retainUntil"].as_u64().unwrap() - now;
        assert!((days * 86_400..=days * 86_400 + 3600).contains(&left), "{left}");
        assert!(stored["signers"].as_array().unwrap().len() >= 3 && stored["reused"] == false);
        let encoded = hex::decode(stored["certificate"].as_str().unwrap().trim_start_matches("0x")).unwrap();
        let certificate = Certificate::decode(&encoded).unwrap();
        let record = committee.registry.epoch(1).await.unwrap();
        certificate.verify(&record.committee).expect("genuine");
        assert_eq!(stored["blobId"], certificate.statement.blob.id().to_string());

        let (id, by_shard) = (stored["blobId"].as_str().unwrap(), query.contains("shard"));
        let mut names =
            vec![id.to_owned(), id.trim_start_matches("0x").to_uppercase(), format!("0x{}", hex::encode(&encoded))];
        if by_shard {
            // Nobody has vouched for its digest, so that nobody finds it by that: not even who has it in its cache.
            here.get("http", &format!("/v1/blobs/{digest}")).await.fails(404, "not_found");
        } else {
            names.push(digest);
        }
        for gateway in [&here, &there] {
            for name in &names {
                let read = gateway.get("http", &format!("/v1/blobs/{name}")).await.ok();
                assert!(read.body == payload, "{length} bytes by {name}");
                assert_eq!(read.header("etag"), format!("\"{id}\""));
                assert_eq!(read.header("cache-control"), "public, max-age=31536000, immutable");
                let known = gateway.get("http", &format!("/v1/blobs/{name}/certificate")).await.ok();
                assert_eq!(known.json()["blobId"], id);
                assert_eq!(known.header("cache-control"), "no-store");
            }
        }
        let again = there.put(&format!("/v1/blobs{query}"), &payload).await.ok().json();
        assert_eq!((&again["blobId"], &again["retainUntil"]), (&stored["blobId"], &stored["retainUntil"]));
        assert_eq!(again["reused"], !by_shard);
    }
    here.running.stop().await;
    there.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_heads_and_conditions_are_those_of_the_standard() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    let payload = payload(10_000, 2);
    let id = gateway.put("/v1/blobs", &payload).await.ok().json()["blobId"].as_str().unwrap().to_owned();
    let path = format!("/v1/blobs/{id}");
    let part = gateway.get_with("http", &path, &[("range", "bytes=100-199")]).await;
    assert_eq!((part.status, &part.body[..]), (206, &payload[100..200]));
    assert_eq!((part.header("content-range"), part.header("cache-control")), ("bytes 100-199/10000", "no-store"));
    let end = gateway.get_with("http", &path, &[("range", "bytes=-5")]).await;
    assert_eq!((end.status, &end.body[..]), (206, &payload[9_995..]));
    let outside = gateway.get_with("http", &path, &[("range", "bytes=10000-")]).await.fails(416, "range");
    assert_eq!(outside.header("content-range"), "bytes */10000");
    let same = gateway.get_with("http", &path, &[("if-none-match", &format!("\"{id}\""))]).await;
    assert_eq!((same.status, same.body.len(), same.header("cache-control")), (304, 0, "no-store"));
    let head = gateway.client.head(gateway.url("http", &path)).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "10000"));
    let missing = gateway.client.head(gateway.url("http", &format!("/v1/blobs/0x{}", "ab".repeat(32)))).send().await;
    assert_eq!(missing.unwrap().status(), 404);
    gateway.running.stop().await;
}

/// Two MiB and one byte: the limit that axum has when nobody sets one.
#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_committees_limit_is_taken_and_not_one_byte_more_with_or_without_a_length() {
    for max in [(2 << 20) + 1, 3_000_000] {
        let committee = Committee::start_with(4, 3, 2, max).await;
        let gateway = committee.gateway().await;
        let fits = payload(max as usize, 3);
        let stored = gateway.put("/v1/blobs", &fits).await.ok().json();
        let read = gateway.get("http", &format!("/v1/blobs/{}", stored["blobId"].as_str().unwrap())).await.ok();
        assert!(read.body == fits);
        let too_large = payload(max as usize + 1, 3);
        for told in [
            gateway.put("/v1/blobs", &too_large).await.fails(413, "too_large"),
            gateway.op_put(&too_large).await.fails(413, "too_large"),
        ] {
            assert!(told.json()["message"].as_str().unwrap().contains(&max.to_string()));
        }
        let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let head = b"PUT /v1/blobs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        for (bytes, status) in [(&fits, " 200 "), (&too_large, " 413 ")] {
            let chunks: Vec<Vec<u8>> = bytes.chunks(300_000).map(chunk).collect();
            let mut parts: Vec<&[u8]> = vec![head];
            parts.extend(chunks.iter().map(Vec::as_slice));
            parts.push(b"0\r\n\r\n");
            let answer = raw(gateway.at("http"), &parts).await;
            assert!(answer.starts_with("HTTP/1.1") && answer[..16].contains(status), "{answer}");
        }
        // A length alone is refused: not a byte of the body is waited for.
        let head =
            format!("PUT /v1/blobs HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n", max + 1);
        let answer = raw(gateway.at("http"), &[head.as_bytes()]).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        gateway.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_malformed_is_400_and_a_wrong_path_is_never_404() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    gateway.put("/v1/blobs", &Bytes::new()).await.fails(400, "empty");
    let payload = payload(10, 4);
    for query in ["retain=never", "retain=1s", "retain=99999d", "by=both", "retian=3d", "by"] {
        gateway.put(&format!("/v1/blobs?{query}"), &payload).await.fails(400, "malformed");
    }
    for name in ["zz", "0x12", &"ab".repeat(210), &format!("{}0", "ab".repeat(32))] {
        gateway.get("http", &format!("/v1/blobs/{name}")).await.fails(400, "malformed");
        gateway.get("http", &format!("/v1/blobs/{name}/certificate")).await.fails(400, "malformed");
    }
    for listener in ["http", "op", "read", "nitro"] {
        gateway.get(listener, "/").await.fails(
            if listener == "nitro" { 405 } else { 400 },
            if listener == "nitro" { "method" } else { "no_such_path" },
        );
        gateway.get(listener, &format!("/rollup/get/0x{}", "00".repeat(33))).await.fails(400, "no_such_path");
        gateway.get(listener, "/healthz").await.ok();
    }
    let deleted = gateway.client.delete(gateway.url("http", "/v1/blobs")).send().await.unwrap();
    assert_eq!(deleted.status(), 405);
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_read_listener_cannot_write_and_a_gateway_without_a_key_cannot_either() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    let payload = payload(5_000, 5);
    let put = |url: String| gateway.client.put(url).body(payload.clone()).send();
    assert_eq!(put(gateway.url("read", "/v1/blobs")).await.unwrap().status(), 403);
    for path in ["/put", "/put/", &format!("/put/0x{}", crate::support::keccak(&payload))] {
        assert_eq!(
            gateway.client.post(gateway.url("read", path)).body(payload.clone()).send().await.unwrap().status(),
            403
        );
    }
    gateway.get("read", &format!("/get/0x{}", crate::support::commitment(&payload))).await.fails(404, "not_found");
    gateway.op_put(&payload).await.ok();
    assert!(
        gateway.get("read", &format!("/get/0x{}", crate::support::commitment(&payload))).await.ok().body == payload
    );

    let reader = committee.gateway_with(|config| config.disperser_key_file = None).await;
    reader.put("/v1/blobs", &payload).await.fails(403, "read_only");
    let digest = keccak256(&payload).to_string();
    assert!(reader.get("http", &format!("/v1/blobs/{digest}")).await.ok().body == payload);
    assert_eq!(reader.get("http", "/readyz").await.ok().json()["writes"], false);
    gateway.running.stop().await;
    reader.running.stop().await;
}

/// Whoever is refused while it still sends learns why, whatever the reason and wherever it is found: a connection that is
/// closed on a body loses the answer every so often.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_client_that_is_still_sending_its_body() {
    let committee = Committee::start().await;
    let file = committee.folder().join("writers");
    std::fs::write(&file, "bearer t0ken\n").unwrap();
    let open = committee.gateway().await;
    let closed = committee.gateway_with(|config| config.auth.write_file = Some(file)).await;
    let payload = payload(6 << 20, 9);
    for _ in 0..10 {
        for (gateway, listener, path, status) in [
            (&open, "op", "/put/0x02", 400),
            (&open, "http", "/v1/blobs?retain=never", 400),
            (&open, "http", "/v1/blobs/zz", 405),
            (&open, "op", "/no/such/path", 400),
            (&open, "read", "/put", 403),
            (&open, "http", "/healthz", 405),
            (&closed, "op", "/put", 401),
            (&closed, "http", "/v1/blobs", 401),
        ] {
            let sent = open.client.put(gateway.url(listener, path)).body(payload.clone()).send().await;
            let answer = sent.unwrap_or_else(|error| panic!("{listener}{path}: {error:?}"));
            assert_eq!(answer.status(), status, "{listener}{path}");
        }
    }
    for gateway in [open, closed] {
        gateway.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_needs_credentials_where_they_are_set_and_reading_never() {
    let committee = Committee::start().await;
    let file = committee.folder().join("writers");
    std::fs::write(&file, "basic batcher:secret\nbearer t0ken\n").unwrap();
    let gateway = committee.gateway_with(|config| config.auth.write_file = Some(file)).await;
    let payload = payload(5_000, 6);
    let refused = gateway.op_put(&payload).await.fails(401, "unauthorized");
    assert!(refused.header("www-authenticate").starts_with("Basic"));
    gateway.put("/v1/blobs", &payload).await.fails(401, "unauthorized");
    let address = gateway.at("op");
    let client = client_from(1);
    // As Go's client does with the user of a URL.
    let with_user = client.post(format!("http://batcher:secret@{address}/put")).body(payload.clone());
    assert_eq!(with_user.send().await.unwrap().status(), 200);
    let wrong = client.post(format!("http://batcher:secreT@{address}/put")).body(payload.clone());
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let token = client.post(format!("http://{address}/put")).bearer_auth("t0ken").body(payload.clone());
    assert_eq!(token.send().await.unwrap().status(), 200);
    gateway.get("op", &format!("/get/0x{}", crate::support::commitment(&payload))).await.ok();
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committee_and_the_metrics_are_shown() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    let shown = gateway.get("http", "/v1/committee").await.ok().json();
    assert_eq!(
        (&shown["threshold"], &shown["totalShards"], &shown["maxPayload"]),
        (&json!(3), &json!(4), &json!(4 << 20))
    );
    assert_eq!(shown["members"].as_array().unwrap().len(), 4);
    let ready = gateway.get("http", "/readyz").await.ok().json();
    assert_eq!((&ready["ready"], &ready["membersStoring"]), (&json!(true), &json!(4)));
    let payload = payload(1000, 7);
    gateway.op_put(&payload).await.ok();
    gateway.op_put(&payload).await.ok();
    gateway.get("op", &format!("/get/0x{}", crate::support::commitment(&payload))).await.ok();
    gateway.get("op", "/get/0x00").await.fails(400, "commitment");
    for (line, value) in [
        ("holdfast_gateway_requests_total{protocol=\"Op\",operation=\"put\",status=\"200\"}", 2.0),
        ("holdfast_gateway_requests_total{protocol=\"Op\",operation=\"get\",status=\"400\"}", 1.0),
        ("holdfast_gateway_certificates_total{how=\"Made\"}", 1.0),
        ("holdfast_gateway_certificates_total{how=\"Reused\"}", 1.0),
        ("holdfast_gateway_payload_bytes_total{direction=\"In\"}", 2000.0),
        ("holdfast_gateway_quorum_margin_count", 2.0),
        ("holdfast_gateway_receiving_bytes", 0.0),
    ] {
        assert_eq!(gateway.metric(line).await, value, "{line}");
    }
    gateway.running.stop().await;
}
