//! What answers have in common.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::{
    app::App,
    failure::Failure,
    history::History,
    metrics::{Direction, Metrics, Protocol},
};

/// A payload as an answer.
pub(crate) fn payload_body(app: &App, bytes: Bytes) -> Response {
    app.metrics.passed(Direction::Out, bytes.len());
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}

/// JSON that must not be kept by anybody.
pub(crate) fn fresh_json(status: StatusCode, value: &serde_json::Value) -> Response {
    let mut response = (status, axum::Json(value)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Ends a router: paths and methods that it does not have, and the count of what was answered.
pub(crate) fn finish(router: Router<App>, app: App, protocol: Protocol) -> Router {
    let counted = (Arc::clone(&app.metrics), Arc::clone(&app.history), protocol);
    router
        .fallback(
            |request: Request| async move { Failure::NoSuchPath(request.uri().path().chars().take(100).collect()) },
        )
        .method_not_allowed_fallback(|| async { Failure::Method })
        .layer(middleware::from_fn_with_state(counted, count))
        .with_state(app)
}

/// The name of a route in the metrics; set by the handlers' routers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation(pub(crate) &'static str);

type Counted = (Arc<Metrics>, Arc<History>, Protocol);

async fn count(State((metrics, history, protocol)): State<Counted>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let response = next.run(request).await;
    let operation = response.extensions().get::<Operation>().map_or("other", |operation| operation.0);
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    metrics.answered(protocol, operation, status, took);
    history.answered(operation, status, took);
    response
}

/// Marks a handler's answer with its name.
pub(crate) fn named(name: &'static str, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.extensions_mut().insert(Operation(name));
    response
}
