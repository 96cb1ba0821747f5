//! `/v1/blobs`: payloads in and out for everybody with curl.

use std::time::Duration;

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, ETAG},
    },
    response::{IntoResponse as _, Response},
    routing::{get, put},
};
use holdfast_certificate::{Certificate, HOUR, VerifiedCertificate};
use holdfast_erasure::{BlobId, Digest, Dispersal};
use serde_json::{Value, json};

use super::{
    openapi,
    range::{self, Part},
};
use crate::{
    app::App,
    failure::Failure,
    payload::Payload,
    publish::Inclusion,
    reads::Ask,
    reply::{fresh_json, named, payload_body},
};

/// What a payload's bytes are stays true for ever.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// The longest retention that can be asked for, 10 years; members have their own policy.
const MAX_RETENTION: Duration = Duration::from_secs(3650 * 24 * 3600);

/// What only reads.
pub(crate) fn read_routes() -> Router<App> {
    Router::new()
        .route("/v1/blobs/{blob}", get(|app, path, headers| async { named("get", read(app, path, headers).await) }))
        .route(
            "/v1/blobs/{blob}/certificate",
            get(|app, path| async { named("certificate", certificate(app, path).await) }),
        )
        .route("/v1/blobs/{blob}/inclusion", get(|app, path| async { named("inclusion", inclusion(app, path).await) }))
        .route("/v1/committee", get(|app| async { named("committee", committee(app).await) }))
        .route(openapi::PATH, get(|| async { named("openapi", openapi::serve()) }))
}

/// What writes.
pub(crate) fn write_routes() -> Router<App> {
    Router::new().route("/v1/blobs", put(|app, request| async { named("put", write(app, request).await) }))
}

/// The same path where nobody may write: 403 says more than 400.
pub(crate) fn refused_writes() -> Router<App> {
    let refuse = || async { named("put", Failure::ReadOnly("this listener only reads")) };
    Router::new().route("/v1/blobs", put(refuse))
}

async fn write(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    app.writing(&request)?;
    let (dispersal, retention) = options(&app, request.uri().query().unwrap_or(""))?;
    let (payload, held) = app.take_payload(request, None).await?;
    let length = payload.len();
    let stored = app.puts.put(payload, dispersal, retention, held).await?;
    let mut value = describe(&stored.certificate);
    value["keccak256"] = json!(stored.digest);
    value["payloadLength"] = json!(length);
    value["reused"] = json!(stored.reused);
    Ok(fresh_json(StatusCode::OK, &value))
}

/// `retain` and `by` of a query; whatever else stands there is refused, since a mistyped option would be a wrong promise.
fn options(app: &App, query: &str) -> Result<(Dispersal, Duration), Failure> {
    let (mut dispersal, mut retention) = (app.puts.dispersal(), app.puts.retention());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("by", "payload")) => dispersal = Dispersal::ByPayload,
            Some(("by", "shard")) => dispersal = Dispersal::ByShard,
            Some(("by", other)) => {
                return Err(Failure::Malformed(format!("by: expected payload or shard, got {other:?}")));
            }
            Some(("retain", text)) => {
                let parsed = humantime::parse_duration(text)
                    .map_err(|error| Failure::Malformed(format!("retain: expected a duration such as 28d: {error}")))?;
                if parsed < Duration::from_secs(HOUR) || parsed > MAX_RETENTION {
                    return Err(Failure::Malformed(format!("retain: expected 1h to 3650d, got {text:?}")));
                }
                retention = parsed;
            }
            _ => return Err(Failure::Malformed(format!("unknown option {pair:?}, expected by or retain"))),
        }
    }
    Ok((dispersal, retention))
}

async fn read(State(app): State<App>, Path(blob): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let Payload { blob, bytes } = match parse(&blob)? {
        Named::Thirty2(bytes) => app.reads.get(Ask::Either(bytes)).await?,
        Named::Certificate(certificate) => {
            let verified = app.backend.verify(*certificate).await?;
            app.reads.get_certified(verified).await?
        }
    };
    let etag = format!("\"{}\"", blob.id());
    let length = bytes.len();
    let mut response = match range::asked(&headers, &etag, length)? {
        Part::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Part::Whole => payload_body(&app, bytes),
        Part::Range(from, to) => {
            let mut response = payload_body(&app, bytes.slice(from..to));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let value = format!("bytes {from}-{}/{length}", to.saturating_sub(1));
            insert(&mut response, CONTENT_RANGE, &value);
            response
        }
    };
    insert(&mut response, ETAG, &etag);
    insert(&mut response, ACCEPT_RANGES, "bytes");
    // Only the whole is kept by caches: everything else says so.
    let keep = if response.status() == StatusCode::OK { IMMUTABLE } else { "no-store" };
    insert(&mut response, CACHE_CONTROL, keep);
    Ok(response)
}

async fn certificate(State(app): State<App>, Path(blob): Path<String>) -> Result<Response, Failure> {
    let certificate = match parse(&blob)? {
        Named::Thirty2(bytes) => app.reads.certificate(Ask::Either(bytes)).await?,
        Named::Certificate(certificate) => app.backend.verify(*certificate).await?,
    };
    Ok(fresh_json(StatusCode::OK, &describe(&certificate)))
}

/// That a blob is in a checkpoint on L1: what `verifyInCheckpoint` of the registry takes, so that a bridge can use it.
async fn inclusion(State(app): State<App>, Path(blob): Path<String>) -> Result<Response, Failure> {
    let id = match parse(&blob)? {
        Named::Thirty2(bytes) if app.publishing.has(&BlobId::from(bytes)) => BlobId::from(bytes),
        // Members know which blob has this digest.
        Named::Thirty2(bytes) => app.reads.certificate(Ask::Either(bytes)).await?.statement.blob.id(),
        Named::Certificate(certificate) => certificate.statement.blob.id(),
    };
    let Inclusion { id: checkpoint_id, proof, is_final } = app.publishing.inclusion(id).await?;
    let checkpoint = proof.checkpoint();
    let value = json!({
        "blobId": id.to_string(),
        "checkpointId": checkpoint_id.to_string(),
        "namespace": checkpoint.namespace.to_string(),
        "epoch": checkpoint.epoch,
        "blobsRoot": checkpoint.blobs_root.to_string(),
        "count": checkpoint.count,
        "retainUntil": checkpoint.retain_until,
        "index": proof.index(),
        "path": proof.path().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "proof": format!("0x{}", hex::encode(proof.encode())),
        "final": is_final,
    });
    Ok(fresh_json(StatusCode::OK, &value))
}

async fn committee(State(app): State<App>) -> Result<Response, Failure> {
    let record = app.backend.newest_epoch().await?;
    let committee = &record.committee;
    let parameters = committee.parameters();
    let members: Vec<Value> = committee
        .keys()
        .iter()
        .enumerate()
        .map(|(slot, key)| {
            let endpoint = record.endpoints.get(slot).map_or("", |endpoint| &endpoint.url);
            json!({ "slot": slot, "publicKey": key.to_string(), "endpoint": endpoint })
        })
        .collect();
    let value = json!({
        "chainId": committee.domain().chain_id,
        "registry": committee.domain().registry.to_string(),
        "epoch": committee.epoch(),
        "threshold": parameters.threshold(),
        "originalShards": parameters.original_shards(),
        "totalShards": parameters.total_shards(),
        "maxPayload": parameters.max_payload(),
        "activeFrom": record.active_from,
        "activeUntil": record.active_until,
        "revokedAt": record.revoked_at,
        "members": members,
    });
    Ok(fresh_json(StatusCode::OK, &value))
}

/// What a path names.
enum Named {
    /// A blob id or keccak256 of a payload.
    Thirty2([u8; 32]),
    /// A certificate in its compact encoding.
    Certificate(Box<Certificate>),
}

fn parse(text: &str) -> Result<Named, Failure> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let bytes = hex::decode(digits).map_err(|error| {
        Failure::Malformed(format!("expected a blob id, keccak256 of a payload or a certificate, in hex: {error}"))
    })?;
    match <[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(bytes) => Ok(Named::Thirty2(bytes)),
        Err(_) => match Certificate::decode(&bytes) {
            Ok(certificate) => Ok(Named::Certificate(Box::new(certificate))),
            Err(error) => Err(Failure::Malformed(format!(
                "{} bytes are neither the 32 of a blob id or digest nor a certificate: {error}",
                bytes.len()
            ))),
        },
    }
}

/// A certificate and what it says.
fn describe(certificate: &VerifiedCertificate) -> Value {
    let statement = &certificate.statement;
    let blob = &statement.blob;
    json!({
        "blobId": blob.id().to_string(),
        "payloadLength": blob.payload_length,
        // Zero, and so absent, by shard: nobody has vouched for one.
        "payloadDigest": (blob.payload_digest != Digest::ZERO).then(|| blob.payload_digest.to_string()),
        "namespace": statement.namespace.to_string(),
        "epoch": statement.epoch,
        "wholeUntil": statement.whole_until,
        "retainUntil": statement.retain_until,
        "signers": certificate.signer_slots(),
        "certificate": format!("0x{}", hex::encode(certificate.encode())),
        "certificateL1": format!("0x{}", hex::encode(certificate.encode_l1())),
    })
}

fn insert(response: &mut Response, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
