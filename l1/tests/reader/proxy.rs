//! A node that lies: a JSON-RPC server in front of a development chain, which answers as a script has it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use crate::node::RawNode;

/// What the node does with one request.
pub(crate) enum Plan {
    /// Answers as the chain does.
    Honest,
    /// Answers as the chain does to another request.
    Instead(Value),
    /// Answers as the chain does, with another result.
    Alter(Change),
    /// Answers with an error object of that message.
    Refuse(&'static str),
    /// Answers with an error object of that code and message.
    Error(i64, &'static str),
    /// Answers with this result, whatever the chain has to say.
    Result(Value),
    /// Answers that it is asked too much, and with that `Retry-After`.
    Limited(&'static str),
    /// Answers with that HTTP status.
    Status(u16),
    /// Answers with that HTTP status and body.
    Says(u16, String),
    /// Sends the caller to another URL, to ask the same there.
    Redirect(String),
    /// Takes the request and never answers.
    Silent,
}

/// What becomes of a result.
type Change = Box<dyn FnOnce(&mut Value) + Send>;

type Script = Arc<dyn Fn(&str, &Value) -> Plan + Send + Sync>;

/// The running server; it ends with the test.
#[derive(Clone)]
pub(crate) struct Proxy {
    host: String,
    shared: Arc<Shared>,
}

struct Shared {
    chain: RawNode,
    script: Mutex<Script>,
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Proxy {
    /// Starts an honest one.
    pub(crate) async fn start(chain: &str) -> Self {
        let shared = Arc::new(Shared {
            chain: RawNode::new(chain),
            script: Mutex::new(Arc::new(|_, _| Plan::Honest)),
            asked: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { host, shared }
    }

    pub(crate) async fn scripted(chain: &str, script: impl Fn(&str, &Value) -> Plan + Send + Sync + 'static) -> Self {
        let proxy = Self::start(chain).await;
        proxy.set(script);
        proxy
    }

    /// From now on it does as the script has it, which is given each request's method and parameters.
    pub(crate) fn set(&self, script: impl Fn(&str, &Value) -> Plan + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// With something in it that must not be shown.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/SECRET", self.host)
    }

    /// How often a method was asked for.
    pub(crate) fn asked(&self, method: &str) -> usize {
        self.shared.asked.lock().unwrap().get(method).copied().unwrap_or(0)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let mut request: Value = serde_json::from_slice(&body).unwrap();
    let method = request["method"].as_str().unwrap().to_owned();
    *shared.asked.lock().unwrap().entry(method.clone()).or_default() += 1;
    let script = Arc::clone(&shared.script.lock().unwrap());
    let mut alter: Option<Change> = None;
    match script(&method, &request["params"]) {
        Plan::Honest => {}
        Plan::Instead(params) => request["params"] = params,
        Plan::Alter(change) => alter = Some(change),
        Plan::Refuse(message) => return refusal(&request, -32000, message),
        Plan::Error(code, message) => return refusal(&request, code, message),
        Plan::Result(result) => {
            return json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string().into_response();
        }
        Plan::Limited(retry_after) => {
            return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", retry_after)], "slow down").into_response();
        }
        Plan::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
        Plan::Says(status, body) => return (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Plan::Redirect(url) => return (StatusCode::TEMPORARY_REDIRECT, [("location", url)]).into_response(),
        Plan::Silent => std::future::pending().await,
    }
    let (_, answer) = shared.chain.send(request.to_string().into_bytes()).await;
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    if let Some(alter) = alter {
        alter(&mut answer["result"]);
    }
    answer.to_string().into_response()
}

fn refusal(request: &Value, code: i64, message: &str) -> Response {
    let error = json!({ "code": code, "message": message });
    json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string().into_response()
}

/// Flips the last bit of every answer to `eth_call`.
pub(crate) fn lie(method: &str, _: &Value) -> Plan {
    if method != "eth_call" {
        return Plan::Honest;
    }
    Plan::Alter(Box::new(|result| {
        let mut text = result.as_str().unwrap().to_owned();
        let last = text.pop().and_then(|digit| digit.to_digit(16)).unwrap();
        text.push(char::from_digit(last ^ 1, 16).unwrap());
        *result = text.into();
    }))
}
