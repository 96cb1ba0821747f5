//! Requests that a development chain must refuse without harm.

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559, TxEnvelope, TxLegacy},
    eips::eip2718::Encodable2718 as _,
    primitives::{Address, Bytes, TxKind, U256, bytes},
    signers::{SignerSync as _, local::PrivateKeySigner},
};
use holdfast_devchain::{DEV_KEYS, DevChain};
use serde_json::{Value, json};

use crate::{chain::still, node::RawNode};

async fn chain() -> (DevChain, RawNode) {
    let chain = DevChain::start(still()).await.unwrap();
    let node = RawNode::new(&chain.url());
    (chain, node)
}

async fn is_alive(node: &RawNode) {
    assert_eq!(node.call("eth_chainId", json!([])).await, "0x7a69");
}

#[tokio::test]
async fn what_is_no_request_is_an_error_object() {
    let (_chain, node) = chain().await;
    let deep = "[".repeat(100_000).into_bytes();
    let many = Value::from(vec![json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId" }); 257]);
    for (body, code) in [
        (b"".to_vec(), -32700),
        (b"{".to_vec(), -32700),
        (b"\xff\xfe\x00".to_vec(), -32700),
        (deep, -32700),
        (b"[]".to_vec(), -32600),
        (b"7".to_vec(), -32600),
        (b"{}".to_vec(), -32600),
        (br#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#.to_vec(), -32600),
        (br#"{"jsonrpc":"2.0","id":1,"method":7}"#.to_vec(), -32600),
        (many.to_string().into_bytes(), -32600),
        (br#"{"jsonrpc":"2.0","id":1,"method":"admin_stopRPC"}"#.to_vec(), -32601),
        (br#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance"}"#.to_vec(), -32602),
        (br#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x12"]}"#.to_vec(), -32602),
        (br#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":{"a":1}}"#.to_vec(), -32602),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let (status, answer) = node.send(body).await;
        assert_eq!(status, 200, "{shown}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["error"]["code"], code, "{shown}: {answer}");
    }
    is_alive(&node).await;
}

#[tokio::test]
async fn a_batch_is_answered_in_order_with_its_own_errors() {
    let (_chain, node) = chain().await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": "a", "method": "eth_chainId", "params": [] },
        { "jsonrpc": "2.0", "id": 2, "method": "nothing", "params": [] },
        3,
    ]);
    let (_, answer) = node.send(batch.to_string().into_bytes()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer[0], json!({ "jsonrpc": "2.0", "id": "a", "result": "0x7a69" }));
    assert_eq!(answer[1]["error"]["code"], -32601);
    assert_eq!(answer[2]["error"]["code"], -32600);
}

#[tokio::test]
async fn a_huge_body_is_refused_unread() {
    let (_chain, node) = chain().await;
    let (status, _) = node.send(vec![b' '; 3 << 20]).await;
    assert_eq!(status, 413);
    is_alive(&node).await;
}

#[tokio::test]
async fn wide_questions_are_refused() {
    let (_chain, node) = chain().await;
    for (method, params, code, text) in [
        ("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "0xffffffffffffffff" }]), -32000, "too large"),
        ("eth_getLogs", json!([{ "fromBlock": "0x2", "toBlock": "0x1" }]), -32602, "invalid block range"),
        ("evm_mine", json!([1_000_000]), -32602, "at most 1024"),
        ("evm_increaseTime", json!([u64::MAX]), -32602, "at most"),
        ("eth_feeHistory", json!(["0x1", "latest", [101.0]]), -32602, "percentiles"),
        ("eth_feeHistory", json!(["0x1", "0x99", []]), -32000, "beyond head"),
        ("eth_call", json!([{}, "latest", { "0x00": {} }]), -32602, "overrides"),
    ] {
        let (got, message) = node.refusal(method, params).await;
        assert_eq!(got, code, "{method}: {message}");
        assert!(message.contains(text), "{method}: {message}");
    }
    is_alive(&node).await;
}

#[tokio::test]
async fn endless_code_ends_with_its_gas() {
    let (_chain, node) = chain().await;
    // JUMPDEST PUSH0 JUMP, as creation code.
    let endless = json!([{ "data": "0x5b5f56" }, "latest"]);
    let (code, message) = node.refusal("eth_call", endless.clone()).await;
    assert_eq!(code, -32000);
    assert!(message.contains("OutOfGas"), "{message}");
    let (code, message) = node.refusal("eth_estimateGas", endless).await;
    assert_eq!(code, -32000);
    assert!(message.contains("gas required exceeds allowance"), "{message}");
}

#[tokio::test]
async fn a_revert_carries_its_data() {
    let (_chain, node) = chain().await;
    // PUSH1 ab PUSH0 MSTORE8, PUSH1 1 PUSH0 REVERT: reverts with the byte ab.
    let reverting = json!([{ "data": "0x60ab5f5360015ffd" }, "latest"]);
    for method in ["eth_call", "eth_estimateGas"] {
        let answer = node.ask(method, reverting.clone()).await;
        assert_eq!(answer["error"]["code"], 3, "{answer}");
        assert_eq!(answer["error"]["data"], "0xab", "{answer}");
    }
}

#[tokio::test]
async fn transactions_are_checked_in_geths_words() {
    let (_chain, node) = chain().await;
    let good = transfer();
    let cases: [(Bytes, &str); 9] = [
        (sign(TxEip1559 { chain_id: 1, ..good.clone() }, 0), "invalid chain id for signer: have 1 want 31337"),
        (sign(TxEip1559 { nonce: 5, ..good.clone() }, 0), "nonce too high: next nonce 0, tx nonce 5"),
        (sign(TxEip1559 { value: U256::MAX >> 1, ..good.clone() }, 0), "insufficient funds for gas * price + value"),
        (sign(TxEip1559 { gas_limit: 20_999, ..good.clone() }, 0), "intrinsic gas too low"),
        (sign(TxEip1559 { gas_limit: 30_000_000, ..good.clone() }, 0), "transaction gas limit too high"),
        (
            sign(TxEip1559 { max_fee_per_gas: 1, max_priority_fee_per_gas: 1, ..good.clone() }, 0),
            "max fee per gas less than block base fee",
        ),
        (
            sign(TxEip1559 { max_priority_fee_per_gas: good.max_fee_per_gas + 1, ..good.clone() }, 0),
            "max priority fee per gas higher than max fee per gas",
        ),
        (legacy(None), "only replay-protected"),
        (bytes!("c0ffee"), "cannot decode the transaction"),
    ];
    for (raw, text) in cases {
        let (_, message) = node.refusal("eth_sendRawTransaction", json!([raw])).await;
        assert!(message.contains(text), "expected {text}, got {message}");
    }
    assert_eq!(node.block_number("latest").await, 0, "nothing was mined");

    let raw = sign(good.clone(), 0);
    node.call("eth_sendRawTransaction", json!([raw])).await;
    let (_, message) = node.refusal("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(message, "already known");
    let other = sign(TxEip1559 { value: U256::from(2), ..good }, 0);
    let (_, message) = node.refusal("eth_sendRawTransaction", json!([other])).await;
    assert_eq!(message, "nonce too low: next nonce 1, tx nonce 0");
    node.call("eth_sendRawTransaction", json!([legacy(Some(31337))])).await;
    assert_eq!(node.block_number("latest").await, 2);
}

/// One wei from the first account to nobody.
fn transfer() -> TxEip1559 {
    TxEip1559 {
        chain_id: 31337,
        nonce: 0,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(Address::repeat_byte(0x11)),
        value: U256::from(1),
        ..TxEip1559::default()
    }
}

fn sign(transaction: TxEip1559, account: usize) -> Bytes {
    let signer = PrivateKeySigner::from_slice(&DEV_KEYS[account]).unwrap();
    let signature = signer.sign_hash_sync(&transaction.signature_hash()).unwrap();
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

fn legacy(chain_id: Option<u64>) -> Bytes {
    let transaction = TxLegacy {
        chain_id,
        nonce: 1,
        gas_price: 2_000_000_000,
        gas_limit: 21_000,
        to: TxKind::Call(Address::repeat_byte(0x11)),
        ..TxLegacy::default()
    };
    let signer = PrivateKeySigner::from_slice(&DEV_KEYS[0]).unwrap();
    let signature = signer.sign_hash_sync(&transaction.signature_hash()).unwrap();
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}
