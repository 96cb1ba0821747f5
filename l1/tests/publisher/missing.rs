//! Nodes that lack something: another way where there is one, else a message within seconds that names what is missing.

use std::time::{Duration, Instant};

use holdfast_l1::{Error as L1, PublisherOptions, Until, publisher::Error};
use serde_json::{Value, json};

use super::{
    proxy::{Fault, Proxy},
    stage::{Stage, quick, within},
};
use crate::dropping::{Dropping, Manner};

const NO_METHOD: (i64, &str) = (-32601, "the method does not exist/is not available");

/// What becomes of a method with these parameters, where that is anything.
type Lack = Box<dyn Fn(&str, &Value) -> Option<Fault> + Send + Sync>;

fn no_method() -> Fault {
    Fault::Error(NO_METHOD.0, NO_METHOD.1.to_owned())
}

/// As a command line waits: for two minutes.
fn patient(folder: &std::path::Path) -> PublisherOptions {
    PublisherOptions { receipt_limit: Duration::from_secs(120), ..quick(folder) }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_fee_history_pending_block_and_estimates_a_certificate_is_published_all_the_same() {
    let stage = Stage::on_devchain().await;
    let pending = |method: &str, params: &Value| {
        let at = match method {
            "eth_call" | "eth_estimateGas" | "eth_getTransactionCount" => &params[1],
            _ => &Value::Null,
        };
        *at == "pending"
    };
    let lacks: [(&str, Lack); 5] = [
        ("eth_feeHistory", Box::new(|method, _| (method == "eth_feeHistory").then(no_method))),
        (
            "the pending block",
            Box::new(move |method, params| {
                pending(method, params).then(|| Fault::Error(-32000, "pending block is not available".to_owned()))
            }),
        ),
        (
            "the pending block, null",
            Box::new(move |method, params| pending(method, params).then_some(Fault::Answer(Value::Null))),
        ),
        ("eth_estimateGas", Box::new(|method, _| (method == "eth_estimateGas").then(no_method))),
        (
            "all of it",
            Box::new(move |method, params| {
                let lacks = ["eth_feeHistory", "eth_estimateGas", "eth_maxPriorityFeePerGas"].contains(&method);
                (lacks || pending(method, params)).then(no_method)
            }),
        ),
    ];
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    for (number, (what, lack)) in (1..).zip(lacks) {
        proxy.rule(move |call| lack(&call.method, &call.params).unwrap_or(Fault::None));
        let started = Instant::now();
        let publisher = stage.publisher_with(&proxy.url, patient(folder.path())).await.unwrap();
        let certificate = stage.certificate(number).await;
        let published = publisher.publish(&certificate).await;
        assert!(published.is_ok(), "without {what}: {published:?}");
        within(Duration::from_secs(20), started);
        stage.ends_as_one(&publisher, &certificate, number.into()).await;
        let sent = proxy.sent();
        let gas = alloy::consensus::Transaction::gas_limit(&sent[0]);
        assert!(gas < 2_000_000, "without {what}: {gas} gas");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pending_block_a_job_waits_for_the_one_before_and_is_not_refused() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    proxy.rule(|call| match call.params.as_array().is_some_and(|params| params.contains(&json!("pending"))) {
        true => Fault::Error(-32602, "unknown block tag".to_owned()),
        false => Fault::None,
    });
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let (first, second) = (stage.certificate(1).await, stage.certificate(2).await);
    for certificate in [&first, &second] {
        publisher.submit_certificate(certificate).await.unwrap();
    }
    publisher.drive().await.unwrap();
    let waiting = publisher.status(&stage.job(&second).id).unwrap();
    assert!(waiting.waits_for.as_ref().is_some_and(|reason| reason.contains("no pending block")), "{waiting:?}");
    for certificate in [&first, &second] {
        stage.drive_to(&publisher, &stage.job(certificate).id, holdfast_l1::JobState::Finalized).await;
        assert_eq!(stage.published(certificate).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_blocks_of_an_unknown_form_are_read() {
    let stage = Stage::on_devchain().await;
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let changes: [fn(&mut Value); 2] = [
        |answer| {
            if let Some(fields) = answer.as_object_mut() {
                fields.remove("logsBloom");
                fields.remove("sha3Uncles");
                fields.remove("effectiveGasPrice");
            }
        },
        |answer| {
            if answer.get("gasUsed").is_some() {
                answer["type"] = "0x7e".into();
                answer["logsBloom"] = Value::Null;
                answer["l1Fee"] = "0x1".into();
            }
        },
    ];
    for (number, change) in (1..).zip(changes) {
        proxy.rule(move |call| match call.method.as_str() {
            "eth_getTransactionReceipt" | "eth_getBlockByNumber" => Fault::Alter(change),
            _ => Fault::None,
        });
        let publisher = stage.publisher(&proxy.url, folder.path()).await;
        let certificate = stage.certificate(number).await;
        publisher.publish(&certificate).await.unwrap();
        stage.ends_as_one(&publisher, &certificate, number.into()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_no_other_way_for_is_named_within_seconds() {
    let stage = Stage::on_devchain().await;
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher_with(&proxy.url, patient(folder.path())).await.unwrap();
    for (number, method) in (1..).zip(["eth_getTransactionCount", "eth_call", "eth_getBalance"]) {
        proxy.rule(move |call| if call.method == method { no_method() } else { Fault::None });
        let started = Instant::now();
        let error = publisher.publish(&stage.certificate(number).await).await.unwrap_err();
        within(Duration::from_secs(5), started);
        let text = error.to_string();
        let named = if method == "eth_call" { "publish" } else { method };
        assert!(text.contains(named) && text.contains("is not available"), "{text}");
        assert!(error.is_retryable(), "its job is kept");
    }
    proxy.heal();
    for number in 1..4 {
        publisher
            .wait(&stage.job(&stage.certificate(number).await).id, Until::Mined, Duration::from_secs(20))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_finalized_is_unknown_is_said_within_seconds_and_nothing_is_sent() {
    let stage = Stage::on_devchain().await;
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    proxy.rule(|call| match call.params[0] == "finalized" {
        true => Fault::Error(-39001, "Unknown block".to_owned()),
        false => Fault::None,
    });
    let publisher = stage.publisher_with(&proxy.url, patient(folder.path())).await.unwrap();
    let certificate = stage.certificate(1).await;
    let started = Instant::now();
    let error = publisher.publish(&certificate).await.unwrap_err();
    within(Duration::from_secs(5), started);
    assert!(matches!(error, Error::L1(L1::NoFinality { .. })), "{error}");
    let error = publisher.wait_final(1, Duration::from_secs(120)).await.unwrap_err();
    assert!(matches!(error, Error::L1(L1::NoFinality { .. })), "{error}");
    within(Duration::from_secs(5), started);
    assert!(proxy.sent().is_empty());
    proxy.heal();
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

/// The node takes a transaction and drops the connection before it says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_given_twice_over_dropped_connections_is_one_publication() {
    let stage = Stage::on_devchain().await;
    for (number, manner) in (1..).zip([Manner::AfterAnswer, Manner::AtSecondRequest, Manner::InSecondAnswer]) {
        let (folder, node) = (tempfile::tempdir().unwrap(), Dropping::before(&stage.url, manner).await);
        let publisher = stage.publisher(&node.url, folder.path()).await;
        let certificate = stage.certificate(number).await;
        publisher.publish(&certificate).await.unwrap();
        stage.ends_as_one(&publisher, &certificate, number.into()).await;
    }
}
