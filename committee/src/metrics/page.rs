//! The metrics over HTTP, on a listener of their own: it is for the operator, not for the committee.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections at once; further ones wait.
const CONNECTIONS: usize = 8;
/// The longest time for one of them.
const LIMIT: Duration = Duration::from_secs(10);
/// After a failure to accept.
const PAUSE: Duration = Duration::from_millis(100);
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers `GET /metrics` with what `page` says, until told to stop.
pub(crate) async fn serve<F>(tcp: TcpListener, page: impl Fn() -> F + Send + Sync + 'static, stop: CancellationToken)
where
    F: Future<Output = String> + Send + 'static,
{
    let (page, places) = (Arc::new(page), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = tcp.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (page, stop) = (Arc::clone(&page), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(move |request| answer(request, Arc::clone(&page)));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(LIMIT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                _ended = tokio::time::timeout(LIMIT, connection) => {}
            }
        });
    }
}

async fn answer<F>(request: Request<Incoming>, page: Arc<impl Fn() -> F>) -> Result<Response<Full>, Infallible>
where
    F: Future<Output = String>,
{
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, page().await),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(TYPE));
    Ok(response)
}

type Full = http_body_util::Full<Bytes>;
