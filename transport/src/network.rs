//! The network under connections, where it is not the machine's: simulations bring one.

use std::{
    fmt::Debug,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::{
    codegen::{Service, http::Uri},
    transport::{Channel, Endpoint},
};

/// What a call comes to in a moment.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Bytes in both directions, in their order, until one side ends it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A network.
pub trait Network: Debug + Send + Sync {
    /// Connects to a port of a host.
    fn connect(&self, host: &str, port: u16) -> Soon<'static, Box<dyn Stream>>;

    /// Listens at an address of the host on which the task runs.
    fn listen(&self, addr: SocketAddr) -> Soon<'static, Box<dyn Listen>>;
}

/// A place at which a [`Network`] is listened to.
pub trait Listen: Debug + Send + Sync {
    /// The next connection, and where it comes from. Nothing is lost where the future is dropped.
    ///
    /// # Errors
    /// Of one connection: the next may succeed.
    fn accept(&self) -> Soon<'_, (Box<dyn Stream>, SocketAddr)>;
}

/// A channel to `endpoint`, connected when it is first used: over `network`, or over the machine's.
#[must_use]
pub fn connect_lazy(endpoint: &Endpoint, network: Option<&Arc<dyn Network>>) -> Channel {
    match network {
        None => endpoint.connect_lazy(),
        Some(network) => endpoint.connect_with_connector_lazy(Dial(Arc::clone(network))),
    }
}

/// A network as tonic asks for it.
#[derive(Clone, Debug)]
struct Dial(Arc<dyn Network>);

impl Service<Uri> for Dial {
    type Response = TokioIo<Box<dyn Stream>>;
    type Error = io::Error;
    type Future = Soon<'static, Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.connect(uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
        Box::pin(async move { connecting.await.map(TokioIo::new) })
    }
}
