//! Receiving a body of known length in chunks.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use holdfast_proto::MAX_CHUNK_BYTES;
use holdfast_transport::{Body, Misfit};
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
    let mut received = Body::announced(expected);
    let receive = async {
        while let Some(message) = messages.next().await {
            match part(message.map_err(Error::Stream)?) {
                Part::Chunk(chunk) => received.push(chunk).map_err(|misfit| refusal(what, misfit))?,
                Part::Header(_) => {
                    return Err(Error::Order { expected: "only chunks after the header", got: "a header" });
                }
                Part::Empty => {
                    return Err(Error::Order { expected: "only chunks after the header", got: "an empty message" });
                }
            }
        }
        Ok(())
    };
    let in_time = tokio::time::timeout(limit, receive).await;
    in_time.map_err(|_| Error::Deadline { limit, expected, got: received.received() })??;
    received.finish().map_err(|misfit| refusal(what, misfit))
}

/// What is wrong with a body, in the words of a refusal.
fn refusal(what: &'static str, misfit: Misfit) -> Error {
    match misfit {
        Misfit::Chunk { got: 0 } => Error::Order { expected: "chunks with bytes in them", got: "an empty chunk" },
        // Longer than a chunk may be: the transport's own bound on messages is as high only where a header needs it.
        Misfit::Chunk { got } => Error::BodyLength { what, expected: MAX_CHUNK_BYTES, got, more: false },
        Misfit::Long { expected, got } => Error::BodyLength { what, expected, got, more: true },
        Misfit::Short { expected, got } => Error::BodyLength { what, expected, got, more: false },
    }
}
