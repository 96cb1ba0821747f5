//! HTTP in front of the JSON-RPC, bounded in size and in what runs at once.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::{net::TcpListener, sync::Semaphore, sync::oneshot};

use super::rpc::Rpc;

/// The largest request body, in bytes.
const MAX_BODY: usize = 2 << 20;

/// The most requests that are worked on at once; others wait.
const MAX_RUNNING: usize = 4;

#[derive(Clone)]
struct Shared {
    rpc: Rpc,
    running: Arc<Semaphore>,
}

/// Serves until `stop` is told or dropped.
pub(super) async fn serve(listener: TcpListener, rpc: Rpc, stop: oneshot::Receiver<()>) {
    let shared = Shared { rpc, running: Arc::new(Semaphore::new(MAX_RUNNING)) };
    let app = Router::new().route("/", post(answer)).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(shared);
    let served = axum::serve(listener, app).with_graceful_shutdown(async {
        // Told or dropped: both mean stop.
        let _ = stop.await;
    });
    if let Err(error) = served.await {
        tracing::error!(%error, "development chain stopped serving");
    }
}

async fn answer(State(shared): State<Shared>, body: Bytes) -> Response {
    let permit = shared.running.acquire_owned().await;
    let rpc = shared.rpc;
    // Calls run in the interpreter for up to a second: not on the async threads.
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        rpc.answer(&body).to_string()
    });
    match work.await {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "development chain failed on a request");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
