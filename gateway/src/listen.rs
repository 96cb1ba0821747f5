//! Listening and connections: the one file that knows sockets.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, body::Body, http::Request, response::Response};
use holdfast_transport::tls::ServerTls;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, Sleep, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

use crate::{
    config::{Config, Limits},
    error::Error,
    metrics::Metrics,
    unread,
};

/// The largest head of a request: a certificate in the path takes 900 bytes.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// How long accepting pauses after the system had no room for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// What is spoken over TLS, by its name there.
const HTTP: &str = "http/1.1";
/// How often the certificate's files are looked at.
const RENEWAL: Duration = Duration::from_secs(60);

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// A bound address that is not yet served.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// What all listeners share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    /// Takes nothing new and ends what is idle.
    pub(crate) stop: CancellationToken,
    /// Every listener and connection.
    pub(crate) tasks: TaskTracker,
}

impl Bound {
    /// Binds an address.
    pub(crate) async fn new(key: &'static str, address: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Listen { key, address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens, with the port that was free.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until it is to stop, over TLS where it has an identity.
    pub(crate) fn serve(self, router: Router, tls: Option<ServerTls>, shared: Shared) {
        let tasks = shared.tasks.clone();
        tasks.spawn(accept(self.listener, router, tls, shared));
    }
}

/// The gateway's identity, where it has one.
pub(crate) fn identity(config: &Config) -> Result<Option<ServerTls>, Error> {
    let Some(tls) = &config.tls else { return Ok(None) };
    Ok(Some(ServerTls::load(&tls.certificate, &tls.key)?.speaking(HTTP)))
}

/// Takes a certificate that was replaced, until the gateway is to stop. One that is not whole is not taken.
pub(crate) async fn renew(tls: ServerTls, stop: CancellationToken) {
    let mut ticks = interval(RENEWAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let looking = tls.clone();
        match tokio::task::spawn_blocking(move || looking.reload()).await {
            Ok(Ok(true)) => tracing::info!(not_after = tls.not_after(), "the TLS certificate was replaced"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the TLS certificate cannot be replaced; the one before stays"),
            Err(error) => tracing::warn!(%error, "the TLS certificate could not be looked at"),
        }
    }
}

async fn accept(listener: TcpListener, router: Router, tls: Option<ServerTls>, shared: Shared) {
    let room = Arc::new(Semaphore::new(shared.limits.connections));
    loop {
        // Past the limit the others wait in the system's queue.
        let place = tokio::select! {
            () = shared.stop.cancelled() => return,
            place = Arc::clone(&room).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, tls, of_connection) = (router.clone(), tls.clone(), shared.clone());
                shared.tasks.spawn(async move {
                    let _place = place;
                    connection(stream, peer, router, tls, of_connection).await;
                });
            }
            Err(error) => {
                // Out of file descriptors, or a connection that broke at once: neither ends the listener.
                tracing::warn!(%error, "a connection cannot be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, tls: Option<ServerTls>, shared: Shared) {
    let _counted = shared.metrics.connected();
    // Small replies must not wait for more.
    let _ = stream.set_nodelay(true);
    let stream = Stalling::new(stream, shared.limits.stall_deadline);
    let Some(tls) = tls else { return converse(stream, peer, router, shared).await };
    let handshake = tokio::select! {
        () = shared.stop.cancelled() => return,
        handshake = timeout(shared.limits.head_deadline, tls.acceptor().accept(stream)) => handshake,
    };
    match handshake {
        Ok(Ok(stream)) => converse(stream, peer, router, shared).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn converse<S>(stream: S, peer: SocketAddr, router: Router, shared: Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let mut router = router.clone();
        async move {
            let (head, body) = request.into_parts();
            let (lent, rest) = unread::lend(&head.headers, body);
            let response = router.call(Request::from_parts(head, Body::new(lent))).await;
            rest.discard().await;
            Ok::<Response, Infallible>(response.unwrap_or_else(|never| match never {}))
        }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(shared.limits.head_deadline)
            .max_buf_size(MAX_HEAD_BYTES)
            .half_close(false)
            .serve_connection(io, service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match timeout(shared.limits.drain_deadline, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}

/// A stream whose other end must take what is written: who takes nothing for the limit is cut off. (What is not read is
/// bounded where it is read.)
#[derive(Debug)]
struct Stalling<S> {
    stream: S,
    limit: Duration,
    since: Option<Pin<Box<Sleep>>>,
}

impl<S> Stalling<S> {
    fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, since: None }
    }

    /// Looks at what a write said, and at the clock.
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.since = None;
            return written;
        }
        let limit = self.limit;
        let since = self.since.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        ready!(since.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, closed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(400);

    #[tokio::test]
    async fn who_takes_nothing_is_cut_off_and_who_takes_slowly_is_not() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Stalling::new(near, LIMIT);
        let writing = tokio::spawn(async move { (near.write_all(&[7; 160]).await, near) });
        let mut taken = [0; 16];
        for _ in 0..9 {
            sleep(LIMIT / 2).await;
            far.read_exact(&mut taken).await.expect("written");
        }
        let (written, mut near) = writing.await.expect("no panic");
        written.expect("long in all, but never for the limit without a byte");
        let begun = Instant::now();
        let error = near.write_all(&[7; 160]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= LIMIT);
    }
}
