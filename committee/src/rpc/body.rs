//! Receiving a body of known length in chunks.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tonic::Status;

use super::Error;

/// One message of a client stream, taken apart.
pub(super) enum Part<H> {
    Header(H),
    Chunk(Bytes),
    Empty,
}

/// The header, which must come first.
pub(super) async fn header<H, S, M>(messages: &mut S, part: impl Fn(M) -> Part<H>, limit: Duration) -> Result<H, Error>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
{
    let first = tokio::time::timeout(limit, messages.next()).await.map_err(|_| Error::Deadline {
        limit,
        expected: 0,
        got: 0,
    })?;
    match first.transpose().map_err(Error::Stream)?.map(part) {
        Some(Part::Header(header)) => Ok(header),
        Some(Part::Chunk(_)) => Err(Error::Order { expected: "the header first", got: "a chunk" }),
        Some(Part::Empty) => Err(Error::Order { expected: "the header first", got: "an empty message" }),
        None => Err(Error::Order { expected: "the header first", got: "nothing" }),
    }
}

/// Exactly `expected` bytes and then the end of the stream, all within `limit`.
pub(super) async fn body<H, S, M>(
    what: &'static str,
    messages: &mut S,
    part: impl Fn(M) -> Part<H>,
    expected: usize,
    limit: Duration,
) -> Result<Bytes, Error>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
{
    let mut got = 0;
    let receive = async {
        // A body that fits one chunk is taken as it is; otherwise the chunks are joined, since the store and the code
        // want them in one piece. The buffer grows with what has come, not with what was announced.
        let mut only = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(message) = messages.next().await {
            match part(message.map_err(Error::Stream)?) {
                Part::Chunk(chunk) if chunk.is_empty() => {
                    return Err(Error::Order { expected: "chunks with bytes in them", got: "an empty chunk" });
                }
                Part::Chunk(chunk) => {
                    got += chunk.len();
                    if got > expected {
                        return Err(Error::BodyLength { what, expected, got, more: true });
                    }
                    if only.is_empty() && joined.is_empty() {
                        only = chunk;
                    } else {
                        if joined.is_empty() {
                            joined.reserve(expected.min(only.len().saturating_mul(4)));
                            joined.extend_from_slice(&only);
                        }
                        joined.extend_from_slice(&chunk);
                    }
                }
                Part::Header(_) => {
                    return Err(Error::Order { expected: "only chunks after the header", got: "a header" });
                }
                Part::Empty => {
                    return Err(Error::Order { expected: "only chunks after the header", got: "an empty message" });
                }
            }
        }
        Ok(if joined.is_empty() { only } else { joined.freeze() })
    };
    let received = tokio::time::timeout(limit, receive).await;
    let bytes = received.map_err(|_| Error::Deadline { limit, expected, got })??;
    if bytes.len() != expected {
        return Err(Error::BodyLength { what, expected, got: bytes.len(), more: false });
    }
    Ok(bytes)
}
