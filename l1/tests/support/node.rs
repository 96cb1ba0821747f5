//! Raw JSON-RPC, for what the crate under test does not do itself.

use alloy::transports::http::reqwest;
use serde_json::{Value, json};

/// A node by its URL.
#[derive(Debug, Clone)]
pub(crate) struct RawNode {
    url: String,
    client: reqwest::Client,
}

impl RawNode {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Sends any bytes; gives the HTTP status and the body.
    pub(crate) async fn send(&self, body: Vec<u8>) -> (u16, String) {
        let answer = self.client.post(&self.url).header("content-type", "application/json").body(body).send().await;
        let answer = answer.expect("the node answers");
        (answer.status().as_u16(), answer.text().await.expect("the answer has a body"))
    }

    /// A request that must be answered with HTTP 200 and JSON.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let (status, body) = self.send(request.to_string().into_bytes()).await;
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("the answer is JSON");
        assert_eq!(answer["id"], 7, "{body}");
        answer
    }

    /// A request that must succeed; gives its result.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// A request that must fail; gives code and message.
    pub(crate) async fn refusal(&self, method: &str, params: Value) -> (i64, String) {
        let answer = self.ask(method, params).await;
        let error = answer.get("error").unwrap_or_else(|| panic!("{method} succeeded: {answer}"));
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
    }

    /// A block's number, by tag.
    pub(crate) async fn block_number(&self, tag: &str) -> u64 {
        quantity(&self.call("eth_getBlockByNumber", json!([tag, false])).await["number"])
    }

    /// The newest block's time, in unix seconds.
    pub(crate) async fn time(&self) -> u64 {
        quantity(&self.call("eth_getBlockByNumber", json!(["latest", false])).await["timestamp"])
    }

    /// Lets so many seconds pass, and adds a block.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.call("evm_increaseTime", json!([seconds])).await;
        self.call("evm_mine", json!([])).await;
    }

    /// Adds empty blocks until what stands in the head now is final.
    pub(crate) async fn finalize(&self) {
        let head = self.block_number("latest").await;
        for _ in 0..10 {
            if self.block_number("finalized").await >= head {
                return;
            }
            self.call("evm_mine", json!([])).await;
        }
        panic!("ten blocks do not make block {head} final");
    }
}

/// A 0x-hex number.
pub(crate) fn quantity(value: &Value) -> u64 {
    let text = value.as_str().unwrap_or_else(|| panic!("no quantity: {value}"));
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}
