//! What is left of a request's body when its answer is ready: taken and thrown away, within limits, before the answer goes
//! out. HTTP/1.1 can only close a connection whose request was not read to its end, and a client that is cut off while it
//! sends may never see the answer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap,
    body::{Body, Frame, Incoming, SizeHint},
    header::EXPECT,
};
use tokio::{sync::oneshot, time::timeout};

/// How long, and how many bytes, are taken: whoever still sends then has had its chance.
const DISCARD_LIMIT: Duration = Duration::from_secs(2);
const DISCARD_BYTES: usize = 64 << 20;

/// A request's body that comes back when it is dropped before its end.
#[derive(Debug)]
pub(crate) struct Lent {
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
    /// Nothing has been sent yet: the client asked first whether to send, and has no word so far.
    waits: bool,
}

/// Where a lent body comes back.
#[derive(Debug)]
pub(crate) struct Rest(oneshot::Receiver<Incoming>);

/// Lends a request's body to whoever answers it.
pub(crate) fn lend(headers: &HeaderMap, body: Incoming) -> (Lent, Rest) {
    let (back, rest) = oneshot::channel();
    (Lent { body: Some(body), back: Some(back), waits: headers.contains_key(EXPECT) }, Rest(rest))
}

impl Rest {
    /// Takes what still comes, and keeps nothing.
    pub(crate) async fn discard(mut self) {
        let Ok(mut body) = self.0.try_recv() else { return };
        let rest = async {
            let mut taken = 0;
            while let Some(Ok(frame)) = body.frame().await {
                taken += frame.data_ref().map_or(0, Bytes::len);
                if taken > DISCARD_BYTES {
                    break;
                }
            }
        };
        let _ = timeout(DISCARD_LIMIT, rest).await;
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Who asks first whether to send, and was not told to, does not send.
        if self.waits || self.is_end_stream() {
            return;
        }
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            let _ = back.send(body);
        }
    }
}
