//! Receiving a header, and a body of known length in chunks. How long that may take is the transport's to say
//! ([`super::incoming`]).

use bytes::Bytes;
use futures::{Stream, StreamExt};
use holdfast_proto::MAX_CHUNK_BYTES;
use holdfast_transport::{Body, Misfit};
use tonic::Status;

use super::status::Error;

/// One message of a client stream, taken apart.
pub(super) enum Part<H> {
    Header(H),
    Chunk(Bytes),
    Empty,
}

/// The header, which must come first.
pub(super) async fn header<H, S, M>(messages: &mut S, part: impl Fn(M) -> Part<H>) -> Result<H, Error>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
{
    match messages.next().await.transpose().map_err(Error::Stream)?.map(part) {
        Some(Part::Header(header)) => Ok(header),
        Some(Part::Chunk(_)) => Err(Error::Order { expected: "the header first", got: "a chunk" }),
        Some(Part::Empty) => Err(Error::Order { expected: "the header first", got: "an empty message" }),
        None => Err(Error::Order { expected: "the header first", got: "nothing" }),
    }
}

/// Exactly `expected` bytes and then the end of the stream.
pub(super) async fn body<H, S, M>(
    what: &'static str,
    messages: &mut S,
    part: impl Fn(M) -> Part<H>,
    expected: usize,
) -> Result<Bytes, Error>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
{
    let mut received = Body::announced(expected);
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
