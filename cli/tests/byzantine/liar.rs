//! A member that answers with HTTP/2 that no library of servers would send.

use std::{future::poll_fn, net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::{Reason, SendStream, server::SendResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// What it does with every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Full messages without end.
    Endless,
    /// Empty messages without end.
    EmptyForEver,
    /// A message of a byte now and then.
    Drip,
    /// A message of parts that take a hundred times as much memory as they have bytes.
    EmptyParts,
    /// An error with a text of a megabyte.
    GiantStatus,
    /// An error with a text that steers terminals.
    ControlCharacters,
    /// An error whose headers say that it is compressed, three bytes long, and to be asked again in half a billion years.
    LyingMetadata,
    /// Trailers of thousands of headers.
    TrailerBomb,
    /// A message of four gigabytes, by its length, of ten bytes.
    WrongLength,
    /// A message that is compressed.
    Compressed,
    /// No gRPC at all, but a page of a web server.
    WebPage,
    /// Every call is reset with the word that it was not begun.
    Reset,
    /// It accepts connections and says nothing.
    Silent,
    /// HTTP/1.1, without end.
    OldHttp,
    /// SETTINGS and PING without end.
    Frames,
    /// Headers without end.
    Continuations,
}

/// The server, until it is dropped.
pub(crate) struct Liar {
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

impl Liar {
    pub(crate) fn start(lie: Lie) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(lie, stream));
            }
        });
        Self { address, _runtime: runtime }
    }
}

async fn converse(lie: Lie, mut stream: TcpStream) {
    match lie {
        Lie::Silent => std::future::pending().await,
        Lie::OldHttp => {
            let mut text = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec();
            while stream.write_all(&text).await.is_ok() {
                text = vec![b'x'; 64 << 10];
            }
        }
        Lie::Frames => {
            let flood = [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, &[7; 8])].concat().repeat(500);
            while stream.write_all(&flood).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
        Lie::Continuations => {
            let mut heard = [0; 1024];
            let _preface = stream.read(&mut heard).await;
            let _begun = stream.write_all(&[frame(SETTINGS, 0, 0, &[]), frame(HEADERS, 0, 1, &[0x88])].concat()).await;
            let more = frame(CONTINUATION, 0, 1, &[&[0, 1, b'x', 100][..], &[b'y'; 100]].concat()).repeat(100);
            while stream.write_all(&more).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
        _ => {
            let mut builder = h2::server::Builder::new();
            builder.max_concurrent_streams(1000).initial_window_size(1 << 20);
            let Ok(mut connection) = builder.handshake(stream).await else { return };
            while let Some(Ok((request, respond))) = connection.accept().await {
                tokio::spawn(answer(lie, request, respond));
            }
        }
    }
}

async fn answer(lie: Lie, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) {
    let path = request.uri().path().to_owned();
    // What is sent is taken, so that nobody waits for room.
    let mut body = request.into_body();
    tokio::spawn(async move {
        while let Some(Ok(data)) = body.data().await {
            let _room = body.flow_control().release_capacity(data.len());
        }
    });
    let begun = |respond: &mut SendResponse<Bytes>, headers: &[(&'static str, String)], end| {
        let mut response = Response::new(());
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        for (name, value) in headers {
            response.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        respond.send_response(response, end).ok()
    };
    match lie {
        Lie::Reset => respond.send_reset(Reason::REFUSED_STREAM),
        Lie::GiantStatus => {
            drop(begun(&mut respond, &[("grpc-status", "13".into()), ("grpc-message", "x".repeat(1 << 20))], true))
        }
        Lie::ControlCharacters => {
            let text = "%1b%5b2J%1b%5d0;owned%07%e2%80%aeevil%0d%0aholdfast: all is well%00".repeat(20);
            drop(begun(&mut respond, &[("grpc-status", "15".into()), ("grpc-message", text)], true));
        }
        Lie::LyingMetadata => {
            let headers = [
                ("grpc-status", "8".to_owned()),
                ("grpc-message", "busy".into()),
                ("grpc-encoding", "gzip".into()),
                ("content-length", "3".into()),
                ("grpc-retry-pushback-ms", u64::MAX.to_string()),
            ];
            drop(begun(&mut respond, &headers, true));
        }
        Lie::WebPage => {
            let mut response = Response::new(());
            *response.status_mut() = http::StatusCode::FOUND;
            response.headers_mut().insert("location", HeaderValue::from_static("http://192.0.2.1/"));
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/html"));
            if let Ok(mut send) = respond.send_response(response, false) {
                push(&mut send, Bytes::from("<html>moved</html>".repeat(1000))).await;
                let _end = send.send_data(Bytes::new(), true);
            }
        }
        _ => {
            let encoding = [("grpc-encoding", "gzip".to_owned())];
            let headers = if lie == Lie::Compressed { &encoding[..] } else { &[] };
            if let Some(send) = begun(&mut respond, headers, false) {
                messages(lie, &path, send).await;
            }
        }
    }
}

async fn messages(lie: Lie, path: &str, mut send: SendStream<Bytes>) {
    match lie {
        Lie::Endless => {
            // A chunk, or what is none: field 1, of bytes.
            let chunk = [&[0x0a, 0x80, 0x80, 0x10][..], &[7; 256 << 10]].concat();
            let chunk = message(0, chunk.len(), &chunk);
            while push(&mut send, chunk.clone()).await {}
        }
        Lie::EmptyForEver => {
            let empty = Bytes::from(vec![0; 5 * 2000]);
            while push(&mut send, empty.clone()).await {}
        }
        Lie::Drip => {
            let mut next = message(0, 100_000, &[]);
            while push(&mut send, next).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
                next = Bytes::from_static(&[0]);
            }
        }
        Lie::EmptyParts => {
            // The repeated field of what was asked for.
            let field = if path.ends_with("/GetBlob") { 0x1a } else { 0x0a };
            let parts = [field, 0].repeat(500_000);
            push(&mut send, message(0, parts.len(), &parts)).await;
            end(send, &[("grpc-status", "0")]);
        }
        Lie::TrailerBomb => {
            push(&mut send, message(0, 0, &[])).await;
            let mut trailers = HeaderMap::new();
            for number in 0..20_000 {
                let name = HeaderName::from_bytes(format!("x-{number}").as_bytes()).unwrap();
                trailers.insert(name, HeaderValue::from_static("a trailer that nobody has asked for"));
            }
            let _sent = send.send_trailers(trailers);
        }
        Lie::WrongLength => {
            push(&mut send, message(0, u32::MAX as usize, &[1; 10])).await;
            end(send, &[("grpc-status", "0")]);
        }
        Lie::Compressed => {
            push(&mut send, message(1, 1000, &[0x1f; 1000])).await;
            end(send, &[("grpc-status", "0")]);
        }
        _ => unreachable!("it answers without messages"),
    }
}

fn end(mut send: SendStream<Bytes>, trailers: &[(&'static str, &'static str)]) {
    let trailers =
        trailers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let _sent = send.send_trailers(trailers.collect());
}

/// Sends all of it as fast as it is taken; false when nobody takes it any more.
async fn push(send: &mut SendStream<Bytes>, mut data: Bytes) -> bool {
    while !data.is_empty() {
        send.reserve_capacity(data.len());
        match poll_fn(|cx| send.poll_capacity(cx)).await {
            Some(Ok(room)) => {
                let part = data.split_to(room.min(data.len()));
                if send.send_data(part, false).is_err() {
                    return false;
                }
            }
            _ => return false,
        }
    }
    true
}

/// A message that is said to be `length` bytes long.
fn message(flag: u8, length: usize, bytes: &[u8]) -> Bytes {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[flag][..], &length, bytes].concat().into()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[a, b, c, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}
