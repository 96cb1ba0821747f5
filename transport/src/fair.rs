//! A connection whose answers let others have their turn.
//!
//! # No peer holds a task
//!
//! What a peer sends without end is always there to be taken, and whoever takes it in a loop, as gRPC does with what follows the
//! answer to a call, never gives way: not even a deadline around the call is looked at. Here each part that is taken counts as
//! work, and after some of it others run.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::task::coop::cooperative;
use tower_service::Service;

/// A connection, such as a [`tonic::transport::Channel`], whose answers give way.
#[derive(Clone, Debug)]
pub struct Fair<S>(S);

/// An answer that gives way.
#[derive(Debug)]
pub struct FairBody<B>(B);

impl<S> Fair<S> {
    /// Over this connection.
    pub fn new(connection: S) -> Self {
        Self(connection)
    }
}

impl<S, T, B> Service<Request<T>> for Fair<S>
where
    S: Service<Request<T>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<FairBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<T>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move { Ok(answer.await?.map(FairBody)) })
    }
}

impl<B: Body + Unpin> Body for FairBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let body = &mut self.get_mut().0;
        pin!(cooperative(poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)))).poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use bytes::Bytes;

    use super::*;

    /// An empty frame, again and again.
    #[derive(Debug)]
    struct Endless;

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
        }
    }

    #[tokio::test]
    async fn a_deadline_around_an_answer_without_end_is_kept() {
        let mut body = FairBody(Endless);
        let taken = async {
            loop {
                let _frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            }
        };
        let late: Result<(), _> = tokio::time::timeout(Duration::from_millis(20), taken).await;
        late.expect_err("it never ends by itself");
    }
}
