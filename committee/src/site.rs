//! What the operator sees over HTTP, on a listener of its own that is not for the committee: the status page, and the metrics.

mod view;

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_transport::page::{CSS, HEADERS, HTML, MARK, SHEET, SVG};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{accept, report::Report};
use view::View;

/// Connections at once; further ones wait.
const CONNECTIONS: usize = 8;
/// The longest time for one of them.
const LIMIT: Duration = Duration::from_secs(10);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Full = http_body_util::Full<Bytes>;

/// Answers with what the report says, until told to stop.
pub(crate) async fn serve(tcp: TcpListener, report: Report, stop: CancellationToken) {
    let report = Arc::new(report);
    let serve = |(stream, _)| {
        let report = Arc::clone(&report);
        let service = service_fn(move |request| {
            let report = Arc::clone(&report);
            async move { Ok::<_, Infallible>(answer(&request, &report).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(LIMIT)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        async move {
            let _ended = tokio::time::timeout(LIMIT, connection).await;
        }
    };
    accept::each(|context| tcp.poll_accept(context), CONNECTIONS, stop, serve).await;
}

async fn answer(request: &Request<Incoming>, report: &Report) -> Response<Full> {
    let get = request.method() == Method::GET;
    let (status, kind, body) = match request.uri().path() {
        "/" | "/status.css" | "/status.svg" | "/metrics" if !get => {
            (StatusCode::METHOD_NOT_ALLOWED, OPEN_METRICS, Bytes::new())
        }
        "/" => (StatusCode::OK, HTML, View(report.status().await).to_string().into()),
        "/status.css" => (StatusCode::OK, CSS, Bytes::from_static(SHEET.as_bytes())),
        "/status.svg" => (StatusCode::OK, SVG, Bytes::from_static(MARK.as_bytes())),
        "/metrics" => (StatusCode::OK, OPEN_METRICS, report.metrics().await.into()),
        _ => (StatusCode::NOT_FOUND, OPEN_METRICS, Bytes::new()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
