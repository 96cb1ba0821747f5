//! Reorganisations under the publisher.

use alloy::{eips::eip2718::Encodable2718 as _, primitives::Bytes};
use holdfast_certificate::VerifiedCertificate;
use holdfast_erasure::Digest;
use holdfast_l1::{JobState, PublishReceipt, Publisher};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    proxy::{Fault, Proxy},
    stage::Stage,
};

/// A certificate that a publisher has brought into a block which is not final yet.
struct Mined {
    stage: Stage,
    folder: TempDir,
    proxy: Proxy,
    publisher: Publisher,
    certificate: VerifiedCertificate,
    id: Digest,
    receipt: PublishReceipt,
}

impl Mined {
    /// On anvil, through a proxy; `None` where anvil is not installed.
    async fn on_anvil() -> Option<Self> {
        let stage = Stage::on_anvil().await?;
        let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
        let publisher = stage.publisher(&proxy.url, folder.path()).await;
        let certificate = stage.certificate(1).await;
        let id = publisher.submit_certificate(&certificate).await.unwrap().id;
        let receipt = stage.drive_to(&publisher, &id, JobState::Mined).await.receipt.unwrap();
        assert_eq!(stage.published(&certificate).await, 1);
        Some(Self { stage, folder, proxy, publisher, certificate, id, receipt })
    }

    /// The newest block is gone, and every transaction with it.
    async fn is_dropped(&self) {
        self.stage.reorganise(1, &[]).await;
        self.stage.drop_all().await;
        assert_eq!((self.stage.published(&self.certificate).await, self.stage.nonce().await), (0, 0), "it is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_drops_is_sent_again() {
    let Some(mined) = Mined::on_anvil().await else { return };
    mined.is_dropped().await;
    let Mined { stage, folder: _folder, proxy, publisher, certificate, id, .. } = mined;
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
    let Some(mined) = Mined::on_anvil().await else { return };
    let Mined { stage, folder: _folder, proxy, publisher, certificate, id, receipt: before } = mined;
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
    let Some(mined) = Mined::on_anvil().await else { return };
    let hash = mined.receipt.tx_hash;
    let stale = mined.stage.node.call("eth_getTransactionReceipt", json!([hash])).await;

    mined.is_dropped().await;
    let Mined { stage, folder: _folder, proxy, publisher, certificate, id, .. } = mined;
    let real: Value = stage.node.call("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(real, Value::Null, "the block is gone");
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
    let Some(mined) = Mined::on_anvil().await else { return };
    let hash = mined.receipt.tx_hash;
    let stale = mined.stage.node.call("eth_getTransactionReceipt", json!([hash])).await;
    mined.is_dropped().await;
    let Mined { stage, folder: _folder, proxy, publisher, certificate, .. } = mined;
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
    let Some(mined) = Mined::on_anvil().await else { return };
    let Mined { stage, folder, publisher, certificate, id, .. } = mined;
    drop(publisher);
    stage.reorganise(1, &[]).await;
    stage.drop_all().await;

    let publisher = stage.publisher(&stage.url, folder.path()).await;
    assert_eq!(publisher.status(&id).unwrap().state, JobState::Mined, "as far as it knows");
    stage.ends_as_one(&publisher, &certificate, 1).await;
}
