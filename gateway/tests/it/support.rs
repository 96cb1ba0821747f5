//! A committee of real members with RocksDB in this process, each behind a line that can be slowed or cut; gateways on
//! free ports; and clients.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use holdfast_certificate::{HOUR, Namespace};
use holdfast_erasure::{Digest, keccak256};
use holdfast_gateway::{Config, Gateway, Running, config};
use holdfast_registry::Registry;
use holdfast_testing::Setup;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub use holdfast_testing::Line;

pub const LIMIT: Duration = Duration::from_secs(30);

/// A committee, and what a gateway of it needs on disk.
pub struct Committee {
    pub registry: Arc<dyn Registry>,
    pub namespace: Namespace,
    members: holdfast_testing::Committee,
    folder: TempDir,
}

impl Committee {
    /// Four members, three must sign, two rebuild.
    pub async fn start() -> Self {
        Self::start_with(4, 3, 2, 4 << 20).await
    }

    pub async fn start_with(n: u16, t: u16, k: u16, max_payload: u32) -> Self {
        let setup = Setup::of(n, t, k).max_payload(max_payload).min_retention(2 * HOUR).lines().settings(|config| {
            // As an operator sets it for its gateway: what is searched by digest is one FindBlobs at each member.
            config.limits.costly_calls_per_second = 10_000;
        });
        let members = holdfast_testing::Committee::start_with(setup).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = hex::encode(members.disperser().to_bytes().as_ref());
        std::fs::write(folder.path().join("disperser.key"), key).unwrap();
        std::fs::write(folder.path().join("committee.json"), members.file().to_json()).unwrap();
        Self { registry: members.registry(), namespace: members.namespace(), members, folder }
    }

    /// Stops all members in order: a process that ends while a store is being closed is aborted.
    pub async fn stop(self) {
        self.members.close().await.unwrap();
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn line(&self, slot: u16, line: Line) {
        self.members.line(slot, line).unwrap();
    }

    pub fn lines(&self, slots: impl IntoIterator<Item = u16>, line: Line) {
        slots.into_iter().for_each(|slot| self.line(slot, line));
    }

    /// Settings of a gateway on every kind of listener.
    pub fn config(&self) -> Config {
        Config {
            namespace: Some(self.namespace),
            disperser_key_file: Some(self.folder().join("disperser.key")),
            committee_file: Some(self.folder().join("committee.json")),
            ..config_on_free_ports()
        }
    }

    pub async fn gateway(&self) -> Server {
        self.gateway_with(|_| {}).await
    }

    pub async fn gateway_with(&self, change: impl FnOnce(&mut Config)) -> Server {
        let mut config = self.config();
        change(&mut config);
        Server::of(Gateway::new(config).with_registry(Arc::clone(&self.registry)).start().await.unwrap())
    }
}

pub fn config_on_free_ports() -> Config {
    let free = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    Config {
        listen: config::Listen { http: free, op: free, nitro: free, read: free, metrics: free, admin: None },
        ..Config::default()
    }
}

/// A gateway, and where it listens.
pub struct Server {
    pub running: Running,
    pub client: reqwest::Client,
}

impl Server {
    pub fn of(running: Running) -> Self {
        Self { running, client: client_from(1) }
    }

    pub fn at(&self, listener: &str) -> SocketAddr {
        self.running.address(listener).unwrap()
    }

    pub fn url(&self, listener: &str, path: &str) -> String {
        format!("http://{}{path}", self.at(listener))
    }

    pub async fn get(&self, listener: &str, path: &str) -> Answer {
        Answer::of(self.client.get(self.url(listener, path)).send().await.unwrap()).await
    }

    pub async fn get_with(&self, listener: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.get(self.url(listener, path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn put(&self, path: &str, payload: &Bytes) -> Answer {
        Answer::of(self.client.put(self.url("http", path)).body(payload.clone()).send().await.unwrap()).await
    }

    /// A generic PUT as op-batcher sends it.
    pub async fn op_put(&self, payload: &Bytes) -> Answer {
        self.op_post("/put", payload).await
    }

    pub async fn op_post(&self, path: &str, payload: &Bytes) -> Answer {
        let request = self.client.post(self.url("op", path)).header("content-type", "application/octet-stream");
        Answer::of(request.body(payload.clone()).send().await.unwrap()).await
    }

    pub async fn metric(&self, line: &str) -> f64 {
        let text = self.get("metrics", "/metrics").await.text();
        let found = text.lines().find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or(0.0)
    }
}

/// A client whose connections come from 127.0.0.`last`.
pub fn client_from(last: u8) -> reqwest::Client {
    let address = IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
    reqwest::Client::builder().local_address(address).timeout(LIMIT * 2).build().unwrap()
}

/// An answer that has come in whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap() }
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text());
        self
    }

    /// The failure with this status and word, and whatever every failure has.
    #[track_caller]
    pub fn fails(self, status: u16, word: &str) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.json()["error"], word, "{}", self.text());
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.headers.contains_key("retry-after"), matches!(status, 429 | 503));
        self
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers)).to_str().unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// Sends bytes on a connection of its own, and returns all that comes until the other side closes.
pub async fn raw(address: SocketAddr, parts: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for part in parts {
        // The other side may have said no already.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    // A reset after the answer is an end, too.
    let _ = read.expect("the gateway closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Bytes that no shard repeats.
pub fn payload(length: usize, seed: u64) -> Bytes {
    let mut state =
        (0x9e37_79b9_7f4a_7c15u64 ^ length as u64).wrapping_add(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect::<Vec<u8>>()
        .into()
}

/// The generic commitment of a payload, in hex.
pub fn commitment(payload: &[u8]) -> String {
    format!("01ff{}", digits(&keccak256(payload)))
}

/// Its keccak commitment, in hex.
pub fn keccak(payload: &[u8]) -> String {
    format!("00{}", digits(&keccak256(payload)))
}

fn digits(digest: &Digest) -> String {
    hex::encode(digest.as_bytes())
}

/// Waits until a condition holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let waited = tokio::time::timeout(LIMIT, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never came true: {what}"));
}
