//! Faults to order, for the backend `memory` only: a rollup's own CI tries what its software does when the committee is
//! slow, down, or does not have a blob.

use std::sync::Arc;

use axum::{Json, Router, extract::State, http::StatusCode, response::Response, routing::get};
use serde_json::json;

use crate::{
    backend::{Faults, MemoryBackend},
    failure::Failure,
    reply::fresh_json,
};

/// `GET`, `PUT` and `DELETE /faults`.
pub(crate) fn router(backend: Arc<MemoryBackend>) -> Router {
    Router::new()
        .route("/faults", get(show).put(order).delete(clear))
        .fallback(|| async { Failure::NoSuchPath("expected /faults".into()) })
        .method_not_allowed_fallback(|| async { Failure::Method })
        .with_state(backend)
}

async fn show(State(backend): State<Arc<MemoryBackend>>) -> Response {
    fresh_json(StatusCode::OK, &json!(backend.faults()))
}

async fn order(State(backend): State<Arc<MemoryBackend>>, body: String) -> Result<Response, Failure> {
    let Json(faults): Json<Faults> =
        Json::from_bytes(body.as_bytes()).map_err(|error| Failure::Malformed(error.to_string()))?;
    backend.set_faults(faults);
    Ok(show(State(backend)).await)
}

async fn clear(State(backend): State<Arc<MemoryBackend>>) -> Response {
    backend.set_faults(Faults::default());
    show(State(backend)).await
}
