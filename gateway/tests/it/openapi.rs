//! The OpenAPI description, held against what the gateway does.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Answer, Committee, Line, Server, payload};

/// Checks an answer against the description: its status is listed, and what it holds has the described fields.
fn holds(description: &Value, path: &str, method: &str, answer: &Answer, seen: &mut BTreeSet<String>) {
    let operation = &description["paths"][path][method];
    let response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {path} answers {}, which is not described", answer.status);
    seen.insert(format!("{method} {path}"));
    let kind = answer.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
    let Some(content) = response["content"].as_object().filter(|_| method != "head") else { return };
    let schema = &content.get(kind).unwrap_or_else(|| panic!("{method} {path} {}: {kind}", answer.status))["schema"];
    if kind == "application/json" {
        fits(description, schema, &answer.json(), &format!("{method} {path} {}", answer.status));
    }
}

fn fits(description: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/components/schemas/").unwrap();
        return fits(description, &description["components"]["schemas"][name], value, place);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let right = kinds.iter().any(|kind| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{place}: unknown type {other}"),
    });
    assert!(right, "{place}: {value} is none of {kinds:?}");
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{place}: {name} is missing in {value}");
    }
    if let (Some(known), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, field) in fields {
            let known = known.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
            fits(description, known, field, &format!("{place} {name}"));
        }
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(description, &schema["items"], item, &format!("{place} [{number}]"));
    }
}

async fn ask(gateway: &Server, path: &str) -> Answer {
    gateway.get("http", path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_described_is_served_and_answers_as_described() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    let served = ask(&gateway, "/v1/openapi.json").await.ok();
    let description = served.json();
    assert_eq!(description["openapi"], "3.1.0");
    let mut seen = BTreeSet::new();
    holds(&description, "/v1/openapi.json", "get", &served, &mut seen);
    let payload = payload(3000, 1);
    let put = gateway.put("/v1/blobs?by=payload&retain=10d", &payload).await;
    let by_shard = gateway.put("/v1/blobs?by=shard", &payload).await;
    let refused = gateway.put("/v1/blobs?by=neither", &payload).await;
    let (id, shard_id) = (put.json()["blobId"].clone(), by_shard.json()["blobId"].clone());
    for answer in [&put, &by_shard, &refused] {
        holds(&description, "/v1/blobs", "put", answer, &mut seen);
    }
    for id in [id.as_str().unwrap(), shard_id.as_str().unwrap(), &format!("0x{}", "ab".repeat(32)), "0x12"] {
        let read = ask(&gateway, &format!("/v1/blobs/{id}")).await;
        holds(&description, "/v1/blobs/{blob}", "get", &read, &mut seen);
        let certificate = ask(&gateway, &format!("/v1/blobs/{id}/certificate")).await;
        holds(&description, "/v1/blobs/{blob}/certificate", "get", &certificate, &mut seen);
        let inclusion = ask(&gateway, &format!("/v1/blobs/{id}/inclusion")).await;
        holds(&description, "/v1/blobs/{blob}/inclusion", "get", &inclusion, &mut seen);
        let head = gateway.client.head(gateway.url("http", &format!("/v1/blobs/{id}"))).send().await.unwrap();
        holds(&description, "/v1/blobs/{blob}", "head", &Answer::of(head).await, &mut seen);
    }
    let part =
        gateway.get_with("http", &format!("/v1/blobs/{}", id.as_str().unwrap()), &[("range", "bytes=0-1")]).await;
    holds(&description, "/v1/blobs/{blob}", "get", &part, &mut seen);
    for path in ["/v1/committee", "/healthz", "/readyz"] {
        holds(&description, path, "get", &ask(&gateway, path).await, &mut seen);
    }
    committee.lines(0..4, Line::Cut);
    let down = gateway.put("/v1/blobs", &crate::support::payload(3001, 1)).await.fails(503, "quorum");
    holds(&description, "/v1/blobs", "put", &down, &mut seen);

    let described: BTreeSet<String> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    assert_eq!(seen, described);
    gateway.running.stop().await;
}
