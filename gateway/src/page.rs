//! The status page: what an operator looks at first. Plain HTML, made anew for each request; no script, and the policy that is sent
//! with it allows none.

mod plot;
mod style;
mod text;
mod view;

use axum::{
    Router,
    http::{
        HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use holdfast_certificate::Namespace;

use crate::{
    app::App,
    clock::unix_now,
    config::{BackendKind, PublishMode},
    metrics::CacheKind,
};
use view::{Cached, View};

/// Nothing but the page's own style sheet and mark. What a member could smuggle in would neither run nor load.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/`, its style sheet and its mark.
pub(crate) fn routes(app: App) -> Router {
    let page = move || async move { served("text/html; charset=utf-8", view(&app).await.to_string()) };
    Router::new()
        .route("/", get(page))
        .route("/status.css", get(|| async { served("text/css; charset=utf-8", style::SHEET) }))
        .route("/status.svg", get(|| async { served("image/svg+xml", style::MARK) }))
}

fn served(kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let mut response = body.into().into_response();
    let headers: [(HeaderName, &'static str); 6] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
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
