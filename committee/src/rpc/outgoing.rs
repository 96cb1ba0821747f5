//! An answer's body on its way out: in small pieces, and timed.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{Stream, stream};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};

use super::{
    budget::Share,
    outcome::Outcome,
    places::Place,
    shelf::{Item, Shelf},
    status::Error,
};
use crate::{
    archive::Archive,
    line::{Answer, Open},
    origin::Origin,
    store::Store,
    workers::Workers,
};

/// Bytes of a body that one message carries.
const CHUNK: usize = 256 << 10;
/// Bytes that are handed to HTTP/2 at a time: it holds at most this and [`holdfast_transport::settings::SEND_BUFFER_BYTES`] of an answer that
/// nobody reads.
const PIECE: usize = 64 << 10;
/// What an answer on its way takes of memory, however long it is: a chunk in the making and one that HTTP/2 has.
pub(super) const IN_FLIGHT: usize = 2 * CHUNK;

pub(super) type Chunks<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where a body is read from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) shelf: Arc<Shelf>,
    pub(super) store: Arc<Store>,
    pub(super) archive: Option<Arc<Archive>>,
    pub(super) workers: Workers,
    pub(super) item: Item,
}

impl Source {
    pub(super) async fn whole(&self) -> Result<Bytes, Error> {
        self.shelf.take(self.item, &self.store, self.archive.as_ref(), &self.workers).await
    }
}

/// The body in chunks, of which `first` is whole already. Between chunks nothing of it is held.
pub(super) fn chunks<T: Send + 'static>(
    source: Source,
    first: Bytes,
    share: Share,
    message: impl Fn(Bytes) -> T + Send + Sync + 'static,
) -> Chunks<T> {
    let (length, origin) = (first.len(), Origin::current());
    let message = Arc::new(message);
    Box::pin(stream::try_unfold((0, Some(first), share), move |(offset, first, share)| {
        let (source, message) = (source.clone(), Arc::clone(&message));
        async move {
            if offset >= length {
                return Ok(None);
            }
            let whole = match first {
                Some(first) => first,
                None => Origin::scope(origin, source.whole()).await?,
            };
            let end = length.min(offset + CHUNK);
            Ok(Some((message(whole.slice(offset..end)), (end, None, share))))
        }
    }))
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    inner: tonic::body::Body,
    /// What HTTP/2 has not been given yet of the last message.
    rest: Bytes,
    /// Bytes given since the transport last asked.
    given: usize,
    answer: Answer,
    outcome: Outcome,
    /// Memory and the call's places, until the last piece is given.
    _held: Held,
}

/// What an answer holds for as long as it is on its way.
type Held = (Share, Open, Option<Place>);

impl Outgoing {
    pub(super) fn new(inner: tonic::body::Body, answer: Answer, outcome: Outcome, held: Held) -> Self {
        // Even before its first piece: the transport does not ask for one while the peer has no room for it.
        answer.given();
        Self { inner, rest: Bytes::new(), given: 0, answer, outcome, _held: held }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        // The transport asks only when it has room, so the peer has taken what was given before.
        this.answer.taken(std::mem::take(&mut this.given));
        if this.rest.is_empty() {
            match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => {
                        if let Some(trailers) = frame.trailers_ref() {
                            this.outcome.finish(trailers);
                        }
                        return Poll::Ready(Some(Ok(frame)));
                    }
                },
                Poll::Ready(Some(Err(status))) => {
                    this.outcome.end(status.code(), status.message());
                    return Poll::Ready(Some(Err(status)));
                }
                Poll::Ready(None) => {
                    this.outcome.end(Code::Ok, "");
                    return Poll::Ready(None);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        this.given = piece.len();
        this.answer.given();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
