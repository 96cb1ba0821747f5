//! The door: accepts connections within their bounds, serves each over HTTP/2, and closes those that keep this member
//! waiting.
//!
//! # A stop waits for work, not for peers
//!
//! When the member stops every peer is told so. A connection on which nothing is under way is closed a moment later,
//! whether or not its peer answers, and so is one that only watches.

mod admission;
mod meter;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use holdfast_transport::{Listen, Stream, settings, tls::ServerTls};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

use crate::{
    line::{Cut, Patience},
    origin::Origin,
    rpc::{Gate, Shared},
};

use admission::Place;
pub(crate) use admission::{Admission, Caps};
use meter::Meter;

/// How often a connection is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long a peer that has nothing under way may take to hear that the member stops.
const FAREWELL: Duration = Duration::from_millis(300);
/// A frame is at most one part in so many of what may be in flight: a part of one that has come is counted by nobody.
const WINDOW_FRAMES: u32 = 32;
/// After a failure to accept, such as that the process has no descriptor left: trying at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(crate) trait Doorstep: Send + Sync + 'static {
    type Stream: Stream + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Doorstep for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        // Only latency and the detection of dead peers are at stake.
        let _set = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}

impl Doorstep for Box<dyn Listen> {
    type Stream = Box<dyn Stream>;

    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        (**self).accept().await
    }
}

/// What listens.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    shared: Arc<Shared>,
    routes: Routes,
    admission: Admission,
    tls: Option<ServerTls>,
    /// Nothing new is accepted, and every peer is told.
    stop: CancellationToken,
    /// What is left is cut off.
    kill: CancellationToken,
}

impl Listener {
    pub(crate) fn new(
        shared: Arc<Shared>,
        routes: Routes,
        admission: Admission,
        tls: Option<ServerTls>,
        stop: CancellationToken,
        kill: CancellationToken,
    ) -> Self {
        Self { shared, routes: routes.prepare(), admission, tls, stop, kill }
    }

    /// Accepts until told to stop, and then returns when the last connection is closed.
    pub(crate) async fn run<D: Doorstep>(self, doorstep: D) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = doorstep.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer, &connections),
                Err(error) => {
                    self.shared.metrics.refused("accept");
                    tracing::debug!(%error, "listener.accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // The port is free from here on.
        drop(doorstep);
        connections.close();
        connections.wait().await;
    }

    fn take<T: Stream + 'static>(&self, stream: T, peer: SocketAddr, connections: &TaskTracker) {
        match self.admission.admit(Origin::of(peer.ip()), Instant::now()) {
            Ok(place) => {
                connections.spawn(self.clone().serve(stream, place));
            }
            // Closed by being dropped: a stranger is not worth an answer when there are too many.
            Err(refused) => self.shared.metrics.refused(refused.name()),
        }
    }

    async fn serve<T: Stream + 'static>(self, stream: T, place: Place) {
        let cut = tokio::select! {
            cut = self.welcome(stream, &place) => cut,
            () = self.kill.cancelled() => None,
        };
        if let Some(cut) = cut {
            if cut == Cut::Frames {
                self.admission.cool(place.line.origin(), Instant::now());
            }
            self.shared.metrics.cut(cut.name());
            tracing::debug!(origin = %place.line.origin(), why = cut.name(), "listener.cut");
        }
    }

    /// Over TLS, if the member has a certificate.
    async fn welcome<T: Stream + 'static>(&self, stream: T, place: &Place) -> Option<Cut> {
        let Some(tls) = &self.tls else { return self.converse(stream, place).await };
        let handshake = tokio::select! {
            () = self.stop.cancelled() => return None,
            handshake = tokio::time::timeout(self.shared.limits.opening_deadline, tls.acceptor().accept(stream)) => handshake,
        };
        match handshake {
            Ok(Ok(stream)) => self.converse(stream, place).await,
            Ok(Err(error)) => {
                self.shared.metrics.cut("handshake");
                tracing::debug!(%error, origin = %place.line.origin(), "listener.handshake");
                None
            }
            Err(_) => Some(Cut::Silent),
        }
    }

    /// Serves one connection to its end; says why if it is this member that ended it.
    async fn converse<T: Stream + 'static>(&self, io: T, place: &Place) -> Option<Cut> {
        let limits = &self.shared.limits;
        let patience = Patience {
            opening: limits.opening_deadline,
            idle: limits.idle_deadline,
            blocked: limits.stall_deadline * 2,
        };
        let line = &place.line;
        let meter = Meter::new(io, Arc::clone(line), limits.frames_per_second, self.shared.rates.clone());
        let gate = Gate::new(Arc::clone(&self.shared), self.routes.clone(), Arc::clone(line));
        let mut connection = std::pin::pin!(self.http(place.window).serve_connection(TokioIo::new(meter), gate));
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut farewell: Option<Instant> = None;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "listener.connection");
                    }
                    return line.has_flooded().then_some(Cut::Frames);
                }
                () = self.stop.cancelled(), if farewell.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    farewell = Some(Instant::now());
                    look.reset_after(FAREWELL);
                }
                _ = look.tick() => match (line.overdue(&patience, Instant::now()), farewell) {
                    (_, Some(since)) if line.calls() == 0 && since.elapsed() >= FAREWELL => return None,
                    // Told to go first, since a request may be on its way.
                    (Some(Cut::Idle), None) => {
                        connection.as_mut().graceful_shutdown();
                        farewell = Some(Instant::now());
                    }
                    (Some(Cut::Idle) | None, _) => {}
                    (Some(cut), _) => return Some(cut),
                }
            }
        }
    }

    /// HTTP/2 as a member speaks it. What is not set here, h2 bounds itself: a header block's CONTINUATION frames, by the
    /// size of headers; empty and tiny DATA frames, by a budget; unanswered PINGs and SETTINGS, by not reading on.
    fn http(&self, window: usize) -> http2::Builder<TokioExecutor> {
        let connection = u32::try_from(window).unwrap_or(u32::MAX);
        let stream = (connection / 2).clamp(settings::LEAST_STREAM_WINDOW_BYTES, settings::STREAM_WINDOW_BYTES);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(stream)
            .initial_connection_window_size(connection)
            .adaptive_window(false)
            .max_frame_size((connection / WINDOW_FRAMES).clamp(settings::LEAST_FRAME_BYTES, settings::FRAME_BYTES))
            .max_send_buf_size(settings::SEND_BUFFER_BYTES)
            .max_header_list_size(settings::HEADER_BYTES)
            .max_concurrent_streams(self.shared.limits.streams_per_connection)
            .max_pending_accept_reset_streams(settings::PENDING_RESETS)
            .max_local_error_reset_streams(settings::BROKEN_STREAMS)
            .keep_alive_interval(settings::SERVER_KEEP_ALIVE)
            .keep_alive_timeout(settings::SERVER_KEEP_ALIVE_LIMIT);
        builder
    }
}
