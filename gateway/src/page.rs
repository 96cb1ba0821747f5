//! The status page: what an operator looks at first.

mod plot;
mod view;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
};
use holdfast_certificate::Namespace;
use holdfast_transport::page::{CSS, HEADERS, HTML, MARK, SHEET, SVG};

use crate::{
    app::App,
    clock::unix_now,
    config::{BackendKind, PublishMode},
    metrics::CacheKind,
};
use view::{Cached, View};

/// `/`, its style sheet and its mark.
pub(crate) fn routes(app: App) -> Router {
    let page = move || async move { served(HTML, view(&app).await.to_string()) };
    Router::new()
        .route("/", get(page))
        .route("/status.css", get(|| async { served(CSS, SHEET) }))
        .route("/status.svg", get(|| async { served(SVG, MARK) }))
}

fn served(kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let mut response = body.into().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// What there is to see now. Members are asked at most as often as probes ask them.
async fn view(app: &App) -> View {
    let record = app.backend.newest_epoch().await;
    let failures = record.as_ref().map_or_else(
        |_| Vec::new(),
        |record| (0..record.committee.parameters().total_shards()).map(|slot| app.metrics.failures_of(slot)).collect(),
    );
    let publishes = app.config.publish.as_ref().is_some_and(|publish| publish.mode != PublishMode::Never);
    let (bytes, _) = app.reads.cached_bytes();
    let (hits, asked) = app.metrics.cache_hits(CacheKind::Memory);
    View {
        now: unix_now(),
        namespace: app.config.namespace.as_ref().map(Namespace::to_string),
        in_memory: app.config.backend == BackendKind::Memory,
        can_write: app.backend.can_write(),
        record: record.map_err(|failure| failure.to_string()),
        readiness: app.health.readiness(app.backend.as_ref()).await.map_err(|failure| failure.to_string()),
        failures,
        requests: app.history.requests(),
        certificates: app.history.certificates(),
        unpublished: publishes.then(|| app.metrics.unpublished_now()),
        cached: Cached { bytes, hits, asked },
        under_way: app.puts.in_flight(),
    }
}
