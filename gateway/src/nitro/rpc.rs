//! JSON-RPC 2.0 over HTTP, as go-ethereum's client speaks it.

use axum::{
    extract::Request,
    http::{HeaderValue, header::CACHE_CONTROL},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    errors::RpcError,
    methods::{self, Provider},
    parameters::Parameters,
};
use crate::{
    app::App,
    body,
    budget::Held,
    failure::Failure,
    jwt::Secret,
    metrics::{Direction, Stage},
};

/// What a call takes beside twice its bytes: names, braces, signatures.
const ENVELOPE_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
struct Call {
    jsonrpc: String,
    #[serde(default)]
    id: Value,
    method: String,
    #[serde(default)]
    params: Vec<Value>,
}

/// Answers one request; with the method's name for the metrics.
pub(super) async fn answer(
    app: &App,
    provider: &Provider,
    secret: Option<&Secret>,
    request: Request,
) -> (&'static str, Response) {
    // Whether the sender may write is known before the body is read, and matters to some methods only.
    let may_write = match secret.map(|secret| secret.check(request.headers())) {
        Some(Ok(())) => app.puts.check_can_write(),
        Some(Err(failure)) => return ("call", failure.into_response()),
        None => app.writing(&request).map(drop),
    };
    let (bytes, held) = match take(app, request).await {
        Ok(taken) => taken,
        Err(failure @ Failure::TooLarge { .. }) => {
            let error = RpcError::of_store(&failure);
            return ("call", respond(&json!({ "jsonrpc": "2.0", "id": null, "error": shown(&error) })));
        }
        Err(failure) => return ("call", failure.into_response()),
    };
    let call: Call = match serde_json::from_slice(&bytes) {
        Ok(call) => call,
        Err(error) => {
            let error = if bytes.trim_ascii_start().starts_with(b"[") {
                RpcError::invalid("batches are not taken")
            } else if error.is_data() {
                RpcError::invalid(error)
            } else {
                RpcError::parse(error)
            };
            return ("call", respond(&json!({ "jsonrpc": "2.0", "id": null, "error": shown(&error) })));
        }
    };
    drop(bytes);
    let (name, result) = if call.jsonrpc == "2.0" {
        methods::call(provider, &call.method, Parameters::new(call.params), may_write, held).await
    } else {
        ("call", Err(RpcError::invalid("expected jsonrpc 2.0")))
    };
    let value = match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": call.id, "result": result }),
        Err(error) => {
            tracing::info!(method = name, error = %error.message, "a call failed");
            json!({ "jsonrpc": "2.0", "id": call.id, "error": shown(&error) })
        }
    };
    (name, respond(&value))
}

/// Takes the body: bytes in hex are twice as long as they are.
async fn take(app: &App, request: Request) -> Result<(Bytes, Held), Failure> {
    let limit = app.puts.max_payload().await?.saturating_mul(2).saturating_add(ENVELOPE_BYTES);
    let (parts, incoming) = request.into_parts();
    let mut held = app.budget.put().await?;
    let timer = app.metrics.stage(Stage::Body);
    let bytes = body::read(&parts.headers, incoming, limit, &app.budget, &mut held, &app.config.limits).await?;
    timer.stop();
    // The text, the values that are read of it, and the bytes that these stand for.
    app.budget.cover(&mut held, bytes.len().saturating_mul(3)).await?;
    app.metrics.passed(Direction::In, bytes.len());
    Ok((bytes, held))
}

fn shown(error: &RpcError) -> Value {
    json!({ "code": error.code, "message": error.message })
}

fn respond(value: &Value) -> Response {
    let mut response = axum::Json(value).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
