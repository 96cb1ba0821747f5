//! Reorganisations under the publisher.

use alloy::{eips::eip2718::Encodable2718 as _, primitives::Bytes};
use holdfast_l1::JobState;
use serde_json::{Value, json};

use crate::{
    proxy::{Fault, Proxy},
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_drops_is_sent_again() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    stage.drive_to(&publisher, &id, JobState::Mined).await;
    assert_eq!(stage.published(&certificate).await, 1);

    stage.reorganise(1, &[]).await;
    stage.drop_all().await;
    assert_eq!((stage.published(&certificate).await, stage.nonce().await), (0, 0), "it is gone");
    publisher.drive().await.unwrap();
    let status = publisher.status(&id).unwrap();
    assert_eq!((status.state, status.receipt), (JobState::Sent, None));

    stage.ends_as_one(&publisher, &certificate, 1).await;
    let sent = proxy.sent();
    assert!(sent.len() >= 2, "given to the node again");
    assert!(sent.iter().all(|transaction| alloy::consensus::Transaction::nonce(transaction) == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_moves_is_followed_and_not_sent_again() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    let before = stage.drive_to(&publisher, &id, JobState::Mined).await.receipt.unwrap();
    stage.mine().await;

    let raw = Bytes::from(proxy.sent()[0].encoded_2718());
    stage.reorganise(2, &[(raw, 1)]).await;
    publisher.drive().await.unwrap();
    let status = publisher.status(&id).unwrap();
    assert_eq!(status.state, JobState::Mined);
    assert_eq!(status.receipt.unwrap().block, before.block + 1);

    stage.ends_as_one(&publisher, &certificate, 1).await;
    assert_eq!(publisher.status(&id).unwrap().receipt.unwrap().block, before.block + 1);
    assert_eq!(proxy.sent().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_keeps_the_receipts_of_gone_blocks_does_not_lose_it() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    let hash = stage.drive_to(&publisher, &id, JobState::Mined).await.receipt.unwrap().tx_hash;
    let stale = stage.node.call("eth_getTransactionReceipt", json!([hash])).await;

    stage.reorganise(1, &[]).await;
    stage.drop_all().await;
    let real: Value = stage.node.call("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(real, Value::Null, "the block is gone");
    assert_eq!(stage.nonce().await, 0);
    proxy.rule(move |call| match call.method.as_str() {
        "eth_getTransactionReceipt" => Fault::Answer(stale.clone()),
        _ => Fault::None,
    });
    publisher.drive().await.unwrap();
    publisher.drive().await.unwrap();
    assert!(!proxy.sent().is_empty(), "given to the node again: {:?}", publisher.status(&id));
    stage.mine().await;
    assert_eq!(stage.published(&certificate).await, 1);
    proxy.heal();
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

/// The same where the nonce is a stranger's after the reorganisation.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_keeps_the_receipts_of_gone_blocks_does_not_hide_a_stranger() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    let hash = stage.drive_to(&publisher, &id, JobState::Mined).await.receipt.unwrap().tx_hash;
    let stale = stage.node.call("eth_getTransactionReceipt", json!([hash])).await;
    stage.reorganise(1, &[]).await;
    stage.drop_all().await;
    stage.stranger(0).await;
    stage.mine().await;
    proxy.rule(move |call| match (call.method.as_str(), call.params[0] == hash.to_string()) {
        ("eth_getTransactionReceipt", true) => Fault::Answer(stale.clone()),
        _ => Fault::None,
    });
    stage.ends_as_one(&publisher, &certificate, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_while_the_publisher_is_down_is_seen() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    stage.drive_to(&publisher, &id, JobState::Mined).await;
    drop(publisher);
    stage.reorganise(1, &[]).await;
    stage.drop_all().await;

    let publisher = stage.publisher(&stage.url, folder.path()).await;
    assert_eq!(publisher.status(&id).unwrap().state, JobState::Mined, "as far as it knows");
    stage.ends_as_one(&publisher, &certificate, 1).await;
}
