//! Nodes that forget transactions, or never answer.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use holdfast_l1::{Error as L1, JobState, PublisherOptions, Until, publisher::Error};
use serde_json::{Value, json};

use super::{
    proxy::{Fault, Proxy},
    stage::{Stage, quick, within},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_mempool_is_filled_again() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    let certificates = [stage.certificate(1).await, stage.certificate(2).await, stage.certificate(3).await];
    for certificate in &certificates {
        publisher.submit_certificate(certificate).await.unwrap();
    }
    publisher.drive().await.unwrap();
    let waiting = publisher.pending();
    assert_eq!(waiting.iter().map(|job| job.nonce).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    // The one in the middle, and the others behind it must wait; then all.
    stage.node.call("anvil_dropTransaction", json!([waiting[1].transactions[0]])).await;
    stage.mine().await;
    publisher.drive().await.unwrap();
    assert_eq!(publisher.status(&waiting[0].id).unwrap().state, JobState::Mined);
    stage.drop_all().await;
    for certificate in &certificates {
        stage.drive_to(&publisher, &stage.job(certificate).id, JobState::Finalized).await;
    }
    for certificate in &certificates {
        stage.ends_as_one(&publisher, certificate, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_jobs_than_a_node_keeps_of_one_account_go_in_turn() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    let mut certificates = Vec::new();
    for number in 0..20 {
        certificates.push(stage.certificate(number).await);
        publisher.submit_certificate(&certificates[usize::from(number)]).await.unwrap();
    }
    publisher.drive().await.unwrap();
    let nonces: Vec<_> = publisher.pending().iter().map(|job| job.nonce).collect();
    assert_eq!(nonces, (0..16).map(Some).chain([None; 4]).collect::<Vec<_>>(), "in the order of submission");
    for certificate in &certificates {
        stage.drive_to(&publisher, &stage.job(certificate).id, JobState::Finalized).await;
    }
    for certificate in &certificates {
        stage.ends_as_one(&publisher, certificate, 20).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_hang_hold_up_neither_callers_nor_other_jobs() {
    const CALL: Duration = Duration::from_millis(500);
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let options = PublisherOptions { call_limit: CALL, ..quick(folder.path()) };
    let publisher = stage.publisher_with(&proxy.url, options).await.unwrap();
    let mut certificates = Vec::new();
    for number in 0..8 {
        certificates.push(stage.certificate(number).await);
        publisher.submit_certificate(&certificates[usize::from(number)]).await.unwrap();
    }
    publisher.drive().await.unwrap();
    stage.mine().await;
    proxy.rule(|call| if call.method == "eth_getTransactionReceipt" { Fault::Silent } else { Fault::None });

    let started = Instant::now();
    let id = stage.job(&certificates[0]).id;
    let late = publisher.wait(&id, Until::Mined, CALL).await.unwrap_err();
    assert!(matches!(late, Error::NotMined { .. }), "{late}");
    within(5 * CALL, started);

    let started = Instant::now();
    let last = stage.certificate(8).await;
    publisher.submit_certificate(&last).await.unwrap();
    publisher.drive().await.unwrap();
    within(5 * CALL, started);
    assert_eq!(publisher.status(&stage.job(&last).id).unwrap().state, JobState::Sent, "sent all the same");
    let status = publisher.status(&id).unwrap();
    assert_eq!(status.state, JobState::Sent);
    assert!(status.waits_for.unwrap().contains("eth_getTransactionReceipt"));

    proxy.heal();
    certificates.push(last);
    for certificate in &certificates {
        stage.drive_to(&publisher, &stage.job(certificate).id, JobState::Finalized).await;
        assert_eq!(stage.published(certificate).await, 1);
    }
    assert_eq!(stage.nonce().await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_are_lost_once_it_is_mined_are_not_needed() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    let mined = stage.drive_to(&publisher, &id, JobState::Mined).await;
    proxy.rule(|call| match call.method.as_str() {
        "eth_getTransactionReceipt" => Fault::Answer(Value::Null),
        _ => Fault::None,
    });
    stage.ends_as_one(&publisher, &certificate, 1).await;
    assert_eq!(publisher.status(&id).unwrap().receipt, mined.receipt);
    assert!(proxy.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_silent_is_given_up_on_and_come_back_to() {
    const CALL: Duration = Duration::from_millis(200);
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let options = PublisherOptions { call_limit: CALL, receipt_limit: 3 * CALL, ..quick(folder.path()) };
    let publisher = stage.publisher_with(&proxy.url, options).await.unwrap();
    proxy.rule(|_| Fault::Silent);
    let certificate = stage.certificate(1).await;
    let started = Instant::now();
    let error = publisher.publish(&certificate).await.unwrap_err();
    within(Duration::from_secs(3), started);
    assert!(matches!(&error, Error::NotSent { reason, .. } if reason.contains("eth_chainId")), "{error}");
    assert!(error.is_retryable());

    proxy.heal();
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

/// The node's answer about a block, under a tag that it has moved on from.
async fn block_now(stage: &Stage, tag: &str) -> Value {
    stage.node.call("eth_getBlockByNumber", json!([tag, false])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_finality_stalls_jobs_are_mined_and_none_is_taken_for_final() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let stalled = block_now(&stage, "finalized").await;
    proxy.rule(move |call| match (call.method.as_str(), call.params[0].as_str()) {
        ("eth_getBlockByNumber", Some("finalized")) => Fault::Answer(stalled.clone()),
        _ => Fault::None,
    });
    let mut certificates = Vec::new();
    for number in 0..20 {
        certificates.push(stage.certificate(number).await);
        let id = publisher.submit_certificate(&certificates[usize::from(number)]).await.unwrap().id;
        stage.drive_to(&publisher, &id, JobState::Mined).await;
    }
    publisher.drive().await.unwrap();
    assert_eq!(publisher.pending().len(), 20, "all are mined, none is final");
    proxy.heal();
    for certificate in &certificates {
        stage.drive_to(&publisher, &stage.job(certificate).id, JobState::Finalized).await;
    }
    for certificate in &certificates {
        stage.ends_as_one(&publisher, certificate, 20).await;
    }
}

/// Of two nodes behind one address, one stands still.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lags_behind_now_and_then_costs_time_and_doubles_nothing() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let old = block_now(&stage, "latest").await;
    let (first, second) = (stage.certificate(1).await, stage.certificate(2).await);
    publisher.submit_certificate(&first).await.unwrap();
    stage.ends_as_one(&publisher, &first, 1).await;
    let lagging = old.clone();
    proxy.rule(move |call| match (call.method.as_str(), call.params[0].as_str()) {
        ("eth_getBlockByNumber", Some("latest")) => Fault::Answer(lagging.clone()),
        _ => Fault::None,
    });
    let id = publisher.submit_certificate(&second).await.unwrap().id;
    let error = publisher.drive().await.unwrap_err();
    assert!(error.to_string().contains("the node is behind"), "{error}");
    // A new process does not know yet, and takes the nonce that the first one has used.
    drop(publisher);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    publisher.drive().await.unwrap();
    assert_eq!(publisher.status(&id).unwrap().nonce, Some(0));
    let turn = AtomicBool::new(false);
    proxy.rule(move |call| match (call.method.as_str(), call.params[0].as_str()) {
        ("eth_getBlockByNumber", Some("latest")) if turn.fetch_not(Ordering::Relaxed) => Fault::Answer(old.clone()),
        _ => Fault::None,
    });
    stage.drive_to(&publisher, &id, JobState::Finalized).await;
    proxy.heal();
    stage.ends_as_one(&publisher, &second, 2).await;
    assert_eq!(stage.published(&first).await, 1);
}

/// Another chain, on which the account has used the nonce and its transaction is nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_set_to_another_chain_does_not_double() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let Some(other) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    stage.mine().await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();

    for nonce in 0..3 {
        other.stranger(nonce).await;
    }
    other.mine().await;
    proxy.turn_to(&other.url);
    for _ in 0..8 {
        other.mine().await;
        let error = publisher.drive().await.unwrap_err();
        assert!(matches!(&error, Error::OtherChain { chain_id: 31337, .. }) && !error.is_retryable(), "{error}");
    }
    let status = publisher.status(&id).unwrap();
    assert_eq!((status.state, status.nonce), (JobState::Sent, Some(0)), "{status:?}");

    // One that says so is not listened to at all.
    proxy.rule(|call| if call.method == "eth_chainId" { Fault::Answer(json!("0x1")) } else { Fault::None });
    let error = publisher.drive().await.unwrap_err();
    assert!(matches!(error, Error::L1(L1::WrongChain { expected: 31337, got: 1 })), "{error}");
    assert!(proxy.sent().is_empty());
    proxy.turn_to(&stage.url);
    proxy.heal();
    stage.ends_as_one(&publisher, &certificate, 1).await;
}
