//! A node that does not keep its connections: HTTP by hand in front of a development chain.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::node::RawNode;

/// When it drops a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// After each answer, without having said so.
    AfterAnswer,
    /// When the second request has come, which nobody gets.
    AtSecondRequest,
    /// When the second request has been answered, but for half of the answer.
    InSecondAnswer,
}

/// The running node; it ends with the test.
pub(crate) struct Dropping {
    pub(crate) url: String,
    drops: Arc<AtomicUsize>,
}

impl Dropping {
    pub(crate) async fn before(chain: &str, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (drops, chain) = (Arc::new(AtomicUsize::new(0)), RawNode::new(chain));
        let count = Arc::clone(&drops);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (chain, count) = (chain.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    serve(stream, &chain, manner).await;
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self { url, drops }
    }

    /// How many connections it has dropped.
    pub(crate) fn drops(&self) -> usize {
        self.drops.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, chain: &RawNode, manner: Manner) {
    for number in 1.. {
        let Some(request) = request(&mut stream).await else { return };
        if number == 2 && manner == Manner::AtSecondRequest {
            return;
        }
        let (status, body) = chain.send(request).await;
        let head =
            format!("HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        let answer = [head.as_bytes(), body.as_bytes()].concat();
        let cut = if number == 2 && manner == Manner::InSecondAnswer { body.len() / 2 + 1 } else { 0 };
        if stream.write_all(&answer[..answer.len() - cut]).await.is_err() || cut > 0 || manner == Manner::AfterAnswer {
            return;
        }
    }
}

/// The body of the next request; `None` once the caller has gone.
async fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
            if read.len() >= end + 4 + length {
                return Some(read[end + 4..end + 4 + length].to_vec());
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}
