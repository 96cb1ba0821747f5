//! `/healthz`: the process serves. `/readyz`: the committee does.

use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use serde_json::json;

use crate::{
    app::App,
    failure::Failure,
    reply::{fresh_json, named},
};

/// Both paths, for every listener.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { named("healthz", fresh_json(StatusCode::OK, &json!({ "ok": true }))) }))
        .route("/readyz", get(|app| async { named("readyz", ready(app).await) }))
}

/// Ready is who can serve what it is there for: a gateway that may write needs the threshold of members, one that only
/// reads as many as rebuild a payload.
async fn ready(State(app): State<App>) -> Result<Response, Failure> {
    let readiness = app.health.readiness(app.backend.as_ref()).await?;
    let (reads, writes) = (readiness.reads(), readiness.writes() && app.backend.can_write());
    let value = json!({
        "ready": if app.backend.can_write() { writes } else { reads },
        "reads": reads,
        "writes": writes,
        "membersStoring": readiness.storing,
        "membersAnswering": readiness.answering,
        "members": readiness.members(),
        "threshold": readiness.threshold,
        "originalShards": readiness.original_shards,
    });
    let status = if value["ready"] == true { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(fresh_json(status, &value))
}
