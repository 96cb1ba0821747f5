//! A request's body on its way in: timed, bounded, and charged as it comes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use super::{budget::Bill, status::Error};
use crate::pace::{Pace, Progress};

/// A frame for which there is no room yet, and what waits for it.
type Held = (Frame<Bytes>, Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>);

/// The body.
pub(super) struct Incoming<B> {
    inner: B,
    held: Option<Held>,
    bill: Bill,
    most: usize,
    pace: Pace,
    progress: Progress,
    timer: Option<Pin<Box<Sleep>>>,
    failed: bool,
}

impl<B> Incoming<B> {
    /// A body of at most so many bytes.
    pub(super) fn new(inner: B, most: usize, pace: Pace, bill: Bill) -> Self {
        Self { inner, held: None, bill, most, pace, progress: pace.start(), timer: None, failed: false }
    }

    /// Counts and charges a frame; if there is no room for it, it is held until there is.
    fn take(&mut self, frame: Frame<Bytes>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.progress.moved(bytes, Instant::now());
        if self.progress.bytes() > self.most as u64 {
            return self.fail(Error::Request { most: self.most }.into());
        }
        if self.bill.grow(bytes).is_ok() {
            return Poll::Ready(Some(Ok(frame)));
        }
        self.held = Some((frame, Box::pin(self.bill.clone().grow_soon(bytes))));
        self.wait(cx)
    }

    /// Waits for room for the frame that is held.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some((frame, mut room)) = self.held.take() else { return Poll::Ready(None) };
        match room.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Err(error)) => self.fail(error.into()),
            Poll::Pending => {
                self.held = Some((frame, room));
                Poll::Pending
            }
        }
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.failed = true;
        Poll::Ready(Some(Err(status)))
    }
}

impl<B> Body for Incoming<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.failed {
            return Poll::Ready(None);
        }
        if this.held.is_some() {
            return this.wait(cx);
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => this.take(frame, cx),
            Poll::Ready(Some(Err(error))) => this.fail(Status::from_error(Box::new(error))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                this.progress.wait(Instant::now());
                let Some(due) = this.progress.due() else { return Poll::Pending };
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
                if timer.deadline() != due {
                    timer.as_mut().reset(due);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let Pace { grace, least } = this.pace;
                this.fail(Error::TooSlow { got: this.progress.bytes(), grace, least }.into())
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.failed && self.held.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
