//! HTTP/2 by hand, for what no library sends.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::task::AbortOnDropHandle;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&[a, b, c, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

/// One header, spelt out.
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("short");
    [&[0, length(name)][..], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// The headers of a call.
pub(crate) fn headers(path: &str) -> Vec<u8> {
    let all = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "member"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    all.into_iter().flat_map(|(name, value)| header(name, value)).collect()
}

/// A message as gRPC frames it.
pub(crate) fn message(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    [&[0][..], &u32::try_from(bytes.len()).expect("short").to_be_bytes(), &bytes].concat()
}

/// A connection of a stranger. Everything that comes is thrown away.
pub(crate) struct Raw {
    write: OwnedWriteHalf,
    pub(crate) received: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
    _reads: AbortOnDropHandle<()>,
}

/// A connection to a member, from an address of loopback.
pub(crate) async fn tcp(member: SocketAddr, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::from(from), 0))?;
    socket.connect(member).await
}

impl Raw {
    /// From 127.0.0.`last`, with streams that may take `window` bytes.
    pub(crate) async fn connect(member: SocketAddr, last: u8, window: u32) -> Self {
        Self::try_connect(member, last, window).await.expect("connects")
    }

    /// The same where the member may refuse.
    pub(crate) async fn try_connect(member: SocketAddr, last: u8, window: u32) -> Option<Self> {
        let stream = tcp(member, [127, 0, 0, last]).await.ok()?;
        let (read, mut write) = stream.into_split();
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        write.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat()).await.ok()?;
        let (received, closed) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let reads = tokio::spawn(drain(read, Arc::clone(&received), Arc::clone(&closed)));
        Some(Self { write, received, closed, _reads: AbortOnDropHandle::new(reads) })
    }

    /// Sends; false when the member has closed the connection.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = tokio::time::timeout(Duration::from_secs(30), self.write.write_all(bytes)).await;
        sent.expect("the member reads or hangs up").is_ok() && !self.is_closed()
    }

    /// A call with one message, and the end of the request.
    pub(crate) async fn call(&mut self, stream: u32, path: &str, request: &impl Message) -> bool {
        let call =
            [frame(HEADERS, END_HEADERS, stream, &headers(path)), frame(DATA, END_STREAM, stream, &message(request))]
                .concat();
        self.send(&call).await
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

async fn drain(mut read: OwnedReadHalf, received: Arc<AtomicUsize>, closed: Arc<AtomicBool>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = read.read(&mut buffer).await {
        received.fetch_add(count, Ordering::SeqCst);
    }
    closed.store(true, Ordering::SeqCst);
}
