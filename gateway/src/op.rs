//! OP Stack Alt-DA: what op-batcher and op-node send (`op-alt-da` of the optimism repository, `specs/experimental/alt-da.md`).

mod commitment;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use holdfast_erasure::{Digest, keccak256};
use http_body_util::BodyExt as _;

use crate::{
    app::{App, Writing},
    config::{CommitmentKind, Invalid},
    cpu::off_thread,
    failure::Failure,
    metrics::Stage,
    order::Ticket,
    payload::Payload,
    reads::Ask,
    reply::{named, payload_body},
    status::dropped_or_failed,
};
use commitment::Commitment;

/// What only reads.
pub(crate) fn read_routes() -> Router<App> {
    Router::new().route("/get/{commitment}", get(|app, path| async { named("get", read(app, path).await) }))
}

/// What writes. The client of today posts to `/put`, the one before to `/put/`, keccak mode to `/put/0x00...`.
pub(crate) fn write_routes() -> Router<App> {
    let generic = || {
        let write = |State(app), request: Request| async { named("put", write(app, None, request).await) };
        post(write).put(write)
    };
    let keccak = |State(app), Path(path): Path<String>, request: Request| async {
        named("put", write(app, Some(path), request).await)
    };
    Router::new()
        .route("/put", generic())
        .route("/put/", generic())
        .route("/put/{commitment}", post(keccak).put(keccak))
}

/// The same paths where nobody may write.
pub(crate) fn refused_writes() -> Router<App> {
    let refuse = || async { named("put", Failure::ReadOnly("this listener only reads")) };
    Router::new()
        .route("/put", post(refuse).put(refuse))
        .route("/put/", post(refuse).put(refuse))
        .route("/put/{commitment}", post(refuse).put(refuse))
}

async fn write(app: App, path: Option<String>, request: Request) -> Result<Response, Failure> {
    let Writing { client } = app.writing(&request)?;
    let expected = path.as_deref().map(keccak_of).transpose()?;
    // The place is taken before the body comes, which may take longer for one than for another.
    let ticket = app.config.op.in_order.then(|| app.order.take(client));
    let reply = store(&app, expected, request).await;
    if let Some(ticket) = &ticket {
        let timer = app.metrics.stage(Stage::Order);
        if !ticket.turn(app.config.op.in_order_wait, app.config.op.in_order_gap).await {
            tracing::warn!("a reply leaves before one that was asked for earlier: that one takes too long");
        }
        timer.stop();
    }
    Ok(released(reply.into_response(), ticket))
}

async fn store(app: &App, expected: Option<Digest>, request: Request) -> Result<Response, Failure> {
    let most = expected.and(app.config.op.keccak_max);
    let (payload, held) = app.take_payload(request, most).await?;
    if let Some(expected) = expected {
        let hashed = payload.clone();
        let got = off_thread(move || keccak256(&hashed)).await?;
        if got != expected {
            return Err(Failure::WrongDigest { expected, got });
        }
    }
    let stored = app.put_by_payload(payload, held).await?;
    let commitment = match (expected, app.config.op.commitment) {
        (Some(digest), _) => Commitment::Keccak(digest),
        (None, CommitmentKind::Digest) => Commitment::Digest(stored.digest),
        (None, CommitmentKind::Certificate) => Commitment::Certificate(Box::new(stored.certificate.into_inner())),
    };
    let mut response = payload_body(app, Bytes::from(commitment.encode()));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn read(State(app): State<App>, Path(text): Path<String>) -> Response {
    match payload(&app, &text).await {
        Ok(bytes) => {
            let mut response = payload_body(&app, bytes);
            response
                .headers_mut()
                .insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
            response
        }
        Err(failure) => match app.config.op.invalid {
            Invalid::Stock => failure.into_response(),
            Invalid::Forks => dropped_or_failed(failure),
        },
    }
}

async fn payload(app: &App, text: &str) -> Result<Bytes, Failure> {
    let Payload { bytes, .. } = match Commitment::parse(text)? {
        Commitment::Keccak(digest) | Commitment::Digest(digest) => app.reads.get(Ask::Digest(digest)).await?,
        Commitment::Certificate(certificate) => {
            let verified = app.backend.verify(*certificate).await?;
            app.reads.get_certified(verified).await?
        }
    };
    Ok(bytes)
}

/// The digest of a path in keccak mode.
fn keccak_of(text: &str) -> Result<Digest, Failure> {
    match Commitment::parse(text)? {
        Commitment::Keccak(digest) => Ok(digest),
        Commitment::Digest(_) | Commitment::Certificate(_) => {
            Err(Failure::Commitment("a generic commitment cannot be put to: the gateway makes it; POST to /put".into()))
        }
    }
}

/// The reply, which lets the next one go when it has been handed to the connection.
fn released(response: Response, ticket: Option<Ticket>) -> Response {
    let Some(ticket) = ticket else { return response };
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _until_sent = &ticket;
            frame
        }))
    })
}
