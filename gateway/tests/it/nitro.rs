//! Arbitrum Nitro's DA provider.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::future::join_all;
use holdfast_certificate::Certificate;
use holdfast_erasure::keccak256;
use serde_json::{Value, json};

use crate::support::{Answer, Committee, Line, Server, payload};

/// Calls a method; the error's message where it fails.
async fn call(gateway: &Server, method: &str, params: Value) -> Result<Value, String> {
    let body =
        json!({ "jsonrpc": "2.0", "id": 7, "method": format!("daprovider_{method}"), "params": params }).to_string();
    let request = gateway.client.post(gateway.url("nitro", "/")).header("content-type", "application/json").body(body);
    let answer = Answer::of(request.send().await.unwrap()).await.ok().json();
    assert_eq!(answer["jsonrpc"], "2.0");
    // A call that is too long is refused before its id is read.
    let unread = answer["id"].is_null() && answer.get("error").is_some();
    assert!(answer["id"] == 7 || unread, "{answer}");
    match answer.get("error") {
        Some(error) => Err(error["message"].as_str().unwrap().to_owned()),
        None => Ok(answer["result"].clone()),
    }
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn in_an_hour() -> String {
    format!("0x{:x}", now() + 3600)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn store(gateway: &Server, payload: &[u8]) -> Result<Vec<u8>, String> {
    let stored = call(gateway, "store", json!([hex(payload), in_an_hour()])).await?;
    Ok(hex::decode(stored["serialized-da-cert"].as_str().unwrap().trim_start_matches("0x")).unwrap())
}

/// A sequencer message with a certificate, before it is in a block.
fn message(certificate: &[u8]) -> Value {
    let message = [&[0u8; 40], certificate].concat();
    json!(["0x2a", hex(&[0; 32]), hex(&message)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_stored_and_read_back_with_its_preimage() {
    let committee = Committee::start().await;
    let (gateway, other) = (committee.gateway().await, committee.gateway().await);
    assert_eq!(call(&gateway, "getSupportedHeaderBytes", json!([])).await, Ok(json!({ "headerBytes": "0x01" })));
    assert_eq!(call(&gateway, "getMaxMessageSize", json!([])).await, Ok(json!({ "maxSize": 4 << 20 })));
    for length in [1, 2, 3, 4, 5, 1_000_000] {
        let payload = payload(length, 1);
        let certificate = store(&gateway, &payload).await.unwrap();
        assert_eq!((certificate.len(), &certificate[..2]), (323, [0x01, 0x48].as_slice()));
        let decoded = Certificate::decode_l1(&certificate[2..]).unwrap();
        assert_eq!(decoded.statement.blob.payload_digest, keccak256(&payload));
        let expected = STANDARD.encode(&payload);
        let preimages = json!({ "3": { keccak256(&certificate).to_string(): expected } });
        for gateway in [&gateway, &other] {
            let params = message(&certificate);
            assert_eq!(call(gateway, "recoverPayload", params.clone()).await, Ok(json!({ "Payload": expected })));
            assert_eq!(call(gateway, "collectPreimages", params.clone()).await, Ok(json!({ "Preimages": preimages })));
            let both = json!({ "Payload": expected, "Preimages": preimages });
            assert_eq!(call(gateway, "recoverPayloadAndPreimages", params).await, Ok(both));
        }
        // Stored again it is the same certificate: one that exists is given.
        assert_eq!(store(&other, &payload).await, Ok(certificate));
    }
    let (limit, too_large) = (payload(4 << 20, 2), payload((4 << 20) + 1, 2));
    store(&gateway, &limit).await.unwrap();
    let refused = store(&gateway, &too_large).await.unwrap_err();
    assert!(refused.starts_with("message too large for current DA backend"), "{refused}");
    let far_too_large = store(&gateway, &payload(9 << 20, 2)).await.unwrap_err();
    assert!(far_too_large.starts_with("message too large for current DA backend"), "{far_too_large}");
    assert!(store(&gateway, &[]).await.unwrap_err().contains("empty"));
    gateway.running.stop().await;
    other.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_dropped_for_an_invalid_certificate_and_for_nothing_else() {
    let committee = Committee::start().await;
    let quick = |config: &mut holdfast_gateway::Config| {
        config.limits.read_deadline = std::time::Duration::from_secs(2);
        config.limits.disperse_deadline = std::time::Duration::from_secs(2);
    };
    let gateway = committee.gateway_with(quick).await;
    let good = store(&gateway, &payload(5_000, 3)).await.unwrap();
    let validity =
        |certificate: Vec<u8>| call(&gateway, "generateCertificateValidityProof", json!([hex(&certificate)]));
    assert_eq!(validity(good.clone()).await, Ok(json!({ "proof": "0x01" })));
    let bend = |at: usize, to: u8| {
        let mut bent = good.clone();
        bent[at] ^= to;
        bent
    };
    let (namespace, epoch, payload_length, digest, signature) = (3, 42, 46, 50, 250);
    for bent in [
        bend(1, 0xff),
        bend(2, 2),
        bend(namespace, 1),
        bend(payload_length, 1),
        bend(digest, 1),
        bend(signature, 1),
        bend(epoch, 9),
        good[..100].to_vec(),
        [good.as_slice(), &[0]].concat(),
        vec![0x01],
    ] {
        let error = call(&gateway, "recoverPayload", message(&bent)).await.unwrap_err();
        assert!(error.contains("certificate validation failed"), "{error}: {}", hex(&bent));
        let error = call(&gateway, "collectPreimages", message(&bent)).await.unwrap_err();
        assert!(error.contains("certificate validation failed"), "{error}");
        assert_eq!(validity(bent).await, Ok(json!({ "proof": "0x00" })), "the two must agree");
    }
    // The next epoch may exist by now where others look: no verdict.
    let next = bend(epoch, 0x03);
    assert_eq!(Certificate::decode_l1(&next[2..]).unwrap().statement.epoch, 2);
    let error = call(&gateway, "recoverPayload", message(&next)).await.unwrap_err();
    assert!(error.contains("not known yet") && !error.contains("validation failed"), "{error}");
    assert!(validity(next).await.is_err());
    // Other ways of posting, and messages that are too short.
    for params in [message(&[0x80, 1, 2]), message(&[0x50]), message(&[]), json!(["0x1", hex(&[0; 32]), "0x"])] {
        let error = call(&gateway, "recoverPayload", params).await.unwrap_err();
        assert!(!error.contains("validation failed"), "{error}");
    }
    // Members that are away are no verdict either.
    let stranger = committee.gateway_with(quick).await;
    committee.lines(0..4, Line::Cut);
    let error = call(&stranger, "recoverPayload", message(&good)).await.unwrap_err();
    assert!(!error.contains("validation failed"), "{error}");
    let error = store(&stranger, &payload(77, 4)).await.unwrap_err();
    assert!(error.starts_with("DA provider requests fallback to next writer"), "{error}");
    gateway.running.stop().await;
    stranger.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_word_is_opened_by_one_leaf_in_both_arities_at_any_gateway() {
    let committee = Committee::start().await;
    let (gateway, other) = (committee.gateway().await, committee.gateway().await);
    let payload = payload(50_000, 5);
    let certificate = store(&gateway, &payload).await.unwrap();
    let last = json!(format!("0x{:x}", 50_000 / 32 * 32));
    for offset in [json!("0x0"), json!("0x20"), json!("0x61a0"), last] {
        let proof = call(&gateway, "generateReadPreimageProof", json!([offset, hex(&certificate)])).await.unwrap();
        let bytes = hex::decode(proof["proof"].as_str().unwrap().trim_start_matches("0x")).unwrap();
        // A version, one leaf, at most three nodes in a shard of seven leaves and two among four shards.
        assert!(bytes[0] == 1 && bytes.len() <= 1 + 4096 + 5 * 32, "{}", bytes.len());
        let at = usize::try_from(u64::from_str_radix(&offset.as_str().unwrap()[2..], 16).unwrap()).unwrap();
        let word = &payload[at..payload.len().min(at + 32)];
        assert!(bytes.windows(word.len()).any(|window| window == word), "the word is in the leaf");
        // With the hash before, as nodes before v3.10 ask.
        let hash = hex(keccak256(&certificate).as_bytes());
        let older = call(&other, "generateReadPreimageProof", json!([hash, offset, hex(&certificate)])).await;
        assert_eq!(older, Ok(proof));
    }
    let past = call(&gateway, "generateReadPreimageProof", json!(["0xc360", hex(&certificate)])).await;
    assert_eq!(past, Ok(json!({ "proof": "0x" })), "nothing is there to be opened");
    for (params, part) in [
        (json!(["0x0"]), "missing value"),
        (json!(["0x21", hex(&certificate)]), "multiple of 32"),
        (json!(["0x0", "0x0148"]), "certificate validation failed"),
    ] {
        let error = call(&gateway, "generateReadPreimageProof", params).await.unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    other.running.stop().await;
    gateway.running.stop().await;
}

/// keccak256 over bytes and big-endian numbers, as Nitro signs its streams.
fn sign(bytes: &[u8], numbers: &[u64]) -> String {
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    hex(keccak256(&[bytes, &numbers].concat()).as_bytes())
}

async fn start(gateway: &Server, total: u64, size: u64, timeout: u64) -> Result<u64, String> {
    let numbers = [now(), total.div_ceil(size), size, total, timeout];
    let mut params: Vec<Value> = numbers.iter().map(|number| json!(format!("0x{number:x}"))).collect();
    params.push(json!(sign(&[], &numbers)));
    let started = call(gateway, "startChunkedStore", json!(params)).await?;
    Ok(u64::from_str_radix(started["BatchId"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap())
}

async fn send(gateway: &Server, id: u64, number: u64, chunk: &[u8]) -> Result<Value, String> {
    let params = json!([format!("0x{id:x}"), format!("0x{number:x}"), hex(chunk), sign(chunk, &[id, number])]);
    call(gateway, "sendChunk", params).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_in_chunks_sent_in_parallel_and_twice_is_the_same_batch() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    let payload = payload(1_000_001, 6);
    let id = start(&gateway, payload.len() as u64, 100_000, now() + 3600).await.unwrap();
    let chunks: Vec<Bytes> = payload.chunks(100_000).map(Bytes::copy_from_slice).collect();
    let twice = (0u64..).zip(&chunks).chain((0u64..).zip(&chunks));
    for sent in join_all(twice.map(|(number, chunk)| send(&gateway, id, number, chunk))).await {
        assert_eq!(sent, Ok(Value::Null));
    }
    let stored = call(&gateway, "commitChunkedStore", json!([format!("0x{id:x}"), sign(&[], &[id])])).await.unwrap();
    let certificate = hex::decode(stored["serialized-da-cert"].as_str().unwrap().trim_start_matches("0x")).unwrap();
    assert_eq!(store(&gateway, &payload).await, Ok(certificate));

    let id = start(&gateway, 10, 5, now() + 3601).await.unwrap();
    send(&gateway, id, 0, b"abcde").await.unwrap();
    assert!(send(&gateway, id, 0, b"abcdX").await.unwrap_err().contains("aborting protocol"));
    assert!(send(&gateway, id, 1, b"fghij").await.unwrap_err().contains("unknown message"));
    let refused = start(&gateway, (4 << 20) + 1, 100_000, now()).await.unwrap_err();
    assert!(refused.starts_with("message too large for current DA backend"), "{refused}");
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_call_is_an_error_of_json_rpc() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"daprovider_getMaxMessageSize"}]"#, -32600),
        (r#"{"id":1,"method":"daprovider_getMaxMessageSize"}"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"daprovider_getMaxMessageSize"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"daprovider_nothing"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"daprovider_store","params":["0x01"]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"daprovider_getMaxMessageSize","params":[1]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"daprovider_recoverPayload","params":["0x1","0x02","0x03"]}"#, -32602),
    ] {
        let request = gateway.client.post(gateway.url("nitro", "/")).body(body);
        let answer = Answer::of(request.send().await.unwrap()).await.ok().json();
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
    }
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_every_call_needs_a_token() {
    let committee = Committee::start().await;
    let file = committee.folder().join("jwt");
    std::fs::write(&file, format!("0x{}\n", "ab".repeat(32))).unwrap();
    let gateway = committee.gateway_with(|config| config.nitro.jwt_file = Some(file)).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"daprovider_getMaxMessageSize"}"#;
    let without = gateway.client.post(gateway.url("nitro", "/")).body(body).send().await.unwrap();
    Answer::of(without).await.fails(401, "unauthorized");
    let old = include_str!("../jwt.txt").trim();
    let with_old = gateway.client.post(gateway.url("nitro", "/")).bearer_auth(old).body(body).send().await.unwrap();
    Answer::of(with_old).await.fails(401, "unauthorized");
    gateway.running.stop().await;
}
