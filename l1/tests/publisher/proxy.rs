//! A node between the publisher and its node: counts what is asked, and fails as it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use alloy::{
    consensus::TxEnvelope, eips::eip2718::Decodable2718 as _, primitives::Bytes, transports::http::reqwest::StatusCode,
};
use axum::{Router, extract::State, response::IntoResponse, routing::post};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use crate::node::RawNode;

/// What becomes of one call.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    None,
    /// The node never gets it; the caller gets an HTTP error.
    Refused,
    /// The node answers, but the caller gets an HTTP error.
    Lost,
    /// The node never gets it, and the caller waits for ever.
    Silent,
    /// The node answers, and the caller waits for ever.
    Deaf,
    /// The caller gets this result, whatever the node has to say.
    Answer(Value),
    /// The node answers, and the caller gets another result.
    Alter(fn(&mut Value)),
    /// The node never gets it; the caller gets an error object of that code and message.
    Error(i64, String),
}

/// One call, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// From 1 on.
    pub(crate) number: usize,
    pub(crate) method: String,
    pub(crate) params: Value,
}

type Rule = dyn Fn(&Call) -> Fault + Send + Sync;

/// A JSON-RPC endpoint on loopback that hands on to another.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    node: Mutex<RawNode>,
    rule: Mutex<Box<Rule>>,
    calls: Mutex<Vec<Call>>,
    /// Whether the chain advances by a block with every look of the publisher at its nonce.
    beats: AtomicBool,
    /// Told of every call that waits for ever.
    struck: Notify,
}

impl Proxy {
    pub(crate) async fn before(url: &str) -> Self {
        let shared = Arc::new(Shared {
            node: Mutex::new(RawNode::new(url)),
            rule: Mutex::new(Box::new(|_| Fault::None)),
            calls: Mutex::default(),
            beats: AtomicBool::new(false),
            struck: Notify::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, server }
    }

    /// What becomes of every call from now on; their numbers begin anew.
    pub(crate) fn rule(&self, rule: impl Fn(&Call) -> Fault + Send + Sync + 'static) {
        self.shared.calls.lock().unwrap().clear();
        *self.shared.rule.lock().unwrap() = Box::new(rule);
    }

    /// Nothing fails from now on.
    pub(crate) fn heal(&self) {
        self.rule(|_| Fault::None);
    }

    /// Hands on to another node from now on.
    pub(crate) fn turn_to(&self, url: &str) {
        *self.shared.node.lock().unwrap() = RawNode::new(url);
    }

    /// Lets the chain advance by a block with every look of the publisher.
    pub(crate) fn beat(&self) {
        self.shared.beats.store(true, Ordering::Relaxed);
    }

    /// Every call since the last rule.
    pub(crate) fn calls(&self, method: &str) -> Vec<Call> {
        self.shared.calls.lock().unwrap().iter().filter(|call| call.method == method).cloned().collect()
    }

    /// Every transaction that was given to the node since the last rule, in that order.
    pub(crate) fn sent(&self) -> Vec<TxEnvelope> {
        let raw = |call: &Call| serde_json::from_value::<Bytes>(call.params[0].clone()).unwrap();
        let calls = self.calls("eth_sendRawTransaction");
        calls.iter().map(|call| TxEnvelope::decode_2718(&mut raw(call).as_ref()).unwrap()).collect()
    }

    /// Returns once a call waits for ever.
    pub(crate) async fn struck(&self) {
        self.shared.struck.notified().await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("node", &self.node).finish_non_exhaustive()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: String) -> impl IntoResponse {
    let request: Value = serde_json::from_str(&body).unwrap();
    let call = {
        let mut calls = shared.calls.lock().unwrap();
        let method = request["method"].as_str().unwrap().to_owned();
        let call = Call { number: calls.len() + 1, method, params: request["params"].clone() };
        calls.push(call.clone());
        call
    };
    let fault = (shared.rule.lock().unwrap())(&call);
    let failed = || (StatusCode::SERVICE_UNAVAILABLE.as_u16(), "out of order".to_owned());
    let (status, body) = match fault {
        Fault::None => shared.forward(&call, body).await,
        Fault::Refused => failed(),
        Fault::Lost => {
            shared.forward(&call, body).await;
            failed()
        }
        Fault::Silent => shared.wait_for_ever().await,
        Fault::Deaf => {
            shared.forward(&call, body).await;
            shared.wait_for_ever().await
        }
        Fault::Alter(change) => {
            let (status, body) = shared.forward(&call, body).await;
            let mut answer: Value = serde_json::from_str(&body).unwrap();
            change(&mut answer["result"]);
            (status, answer.to_string())
        }
        Fault::Error(code, message) => {
            let error = json!({ "code": code, "message": message });
            (200, json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string())
        }
        Fault::Answer(result) => (200, json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string()),
    };
    (axum::http::StatusCode::from_u16(status).unwrap(), [("content-type", "application/json")], body)
}

impl Shared {
    async fn forward(&self, call: &Call, body: String) -> (u16, String) {
        let node = self.node.lock().unwrap().clone();
        let answer = node.send(body.into_bytes()).await;
        if self.beats.load(Ordering::Relaxed) && call.method == "eth_getTransactionCount" {
            node.call("evm_mine", json!([])).await;
        }
        answer
    }

    async fn wait_for_ever(&self) -> (u16, String) {
        self.struck.notify_one();
        std::future::pending().await
    }
}
