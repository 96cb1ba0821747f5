//! Nodes that forget transactions, or never answer.

use std::time::{Duration, Instant};

use holdfast_contracts::{Error, JobState, PublisherOptions, Until};
use serde_json::json;

use crate::{
    publisher_proxy::{Fault, Proxy},
    publisher_support::{Stage, quick, within},
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
    const CALL: Duration = Duration::from_millis(300);
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
    within(3 * CALL, started);

    let started = Instant::now();
    let last = stage.certificate(8).await;
    publisher.submit_certificate(&last).await.unwrap();
    publisher.drive().await.unwrap();
    within(20 * CALL, started);
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
        "eth_getTransactionReceipt" => Fault::Answer(serde_json::Value::Null),
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
    assert!(matches!(&error, Error::NotSent { reason, .. } if reason.contains("eth_getBlockByNumber")), "{error}");
    assert!(error.is_retryable());

    proxy.heal();
    stage.ends_as_one(&publisher, &certificate, 1).await;
}
