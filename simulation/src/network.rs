//! The network: turmoil's, under real HTTP/2.

use std::net::SocketAddr;

use holdfast_transport::{Listen, Network, Soon, Stream};
use turmoil::net::{TcpListener, TcpStream};

/// The network of the world in which the task runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Net;

impl Network for Net {
    fn connect(&self, host: &str, port: u16) -> Soon<'static, Box<dyn Stream>> {
        let host = host.to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn listen(&self, addr: SocketAddr) -> Soon<'static, Box<dyn Listen>> {
        Box::pin(async move { Ok(Box::new(Door(TcpListener::bind(addr).await?)) as Box<dyn Listen>) })
    }
}

struct Door(TcpListener);

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl Listen for Door {
    fn accept(&self) -> Soon<'_, (Box<dyn Stream>, SocketAddr)> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((Box::new(stream) as Box<dyn Stream>, peer))
        })
    }
}
