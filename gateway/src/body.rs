//! A request's body, counted while it comes.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, header::CONTENT_LENGTH};
use tokio::time::{Instant, timeout_at};

use crate::{
    budget::{Budget, Held},
    config::Limits,
    failure::Failure,
};

/// Reads a body of at most `limit` bytes. A length that is told and too large is refused before anything is read, one that
/// is not told while it is counted.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    budget: &Budget,
    held: &mut Held,
    limits: &Limits,
) -> Result<Bytes, Failure> {
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let too_large = Failure::TooLarge { limit: limit as u64 };
    if told.is_some_and(|told| told > limit) {
        return Err(too_large);
    }
    let deadline = Instant::now() + limits.body_deadline;
    let mut joined = BytesMut::new();
    let mut only = Bytes::new();
    loop {
        let until = deadline.min(Instant::now() + limits.stall_deadline);
        let frame = match timeout_at(until, body.frame()).await {
            Err(_) => return Err(Failure::SlowClient),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(Failure::BrokenBody(error.to_string())),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers say nothing here.
        let Ok(chunk) = frame.into_data() else { continue };
        let had = only.len() + joined.len();
        if chunk.len() > limit - had {
            return Err(too_large);
        }
        budget.cover(held, had + chunk.len()).await?;
        if had == 0 {
            only = chunk;
        } else {
            if joined.is_empty() {
                // Pages that are never written to cost nothing, so a length that is only told does no harm.
                joined.reserve(told.unwrap_or(had + chunk.len()).min(limit));
                joined.extend_from_slice(&std::mem::take(&mut only));
            }
            joined.extend_from_slice(&chunk);
        }
    }
    Ok(if joined.is_empty() { only } else { joined.freeze() })
}
