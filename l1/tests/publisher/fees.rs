//! Fees: what is offered while the chain wants more, and what never is.

use std::time::{Duration, Instant};

use alloy::consensus::{Transaction as _, TxEnvelope};
use holdfast_l1::{JobState, PublisherOptions, Until, publisher::Error};
use serde_json::json;

use super::{
    proxy::Proxy,
    stage::{GWEI, PAYER, Stage, quick, within},
};
use crate::fixture::account;

const BOUND: u64 = 50 * GWEI;

/// Fails unless each transaction is a tenth dearer in both fees than the other ones of its nonce before it.
fn rises_by_a_tenth(sent: &[TxEnvelope], bound: u64) {
    for (earlier, later) in sent.iter().zip(&sent[1..]) {
        assert_eq!(earlier.nonce(), later.nonce());
        if earlier.tx_hash() == later.tx_hash() {
            continue;
        }
        let tip = |transaction: &TxEnvelope| transaction.max_priority_fee_per_gas().unwrap();
        assert!(later.max_fee_per_gas() * 10 >= earlier.max_fee_per_gas() * 11, "{earlier:?} {later:?}");
        assert!(tip(later) * 10 >= tip(earlier) * 11, "{earlier:?} {later:?}");
        assert!(later.max_fee_per_gas() <= u128::from(bound), "{later:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_transaction_is_raised_by_a_tenth_up_to_the_bound_and_ends_when_the_base_fee_falls() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let options = PublisherOptions { max_fee_per_gas: BOUND, ..quick(folder.path()) };
    let publisher = stage.publisher_with(&proxy.url, options).await.unwrap();
    stage.mine_at(GWEI).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();

    // The base fee jumps over the bound and stays there.
    for _ in 0..40 {
        stage.mine_at(200 * GWEI).await;
        publisher.drive().await.unwrap();
    }
    assert_eq!(stage.nonce().await, 0, "nothing of it is mined");
    let status = publisher.status(&id).unwrap();
    assert_eq!(status.state, JobState::Sent);
    let reason = status.waits_for.unwrap();
    assert!(reason.contains("lower fees") && reason.contains(&BOUND.to_string()), "{reason}");
    let sent = proxy.sent();
    assert!(sent.len() > 10, "{} transactions", sent.len());
    rises_by_a_tenth(&sent, BOUND);
    assert!(sent.last().unwrap().max_fee_per_gas() * 9 > u128::from(BOUND) * 8, "as far as the bound allows");
    let known: Vec<_> = status.transactions.iter().map(ToString::to_string).collect();
    assert!(sent.iter().all(|transaction| known.contains(&transaction.tx_hash().to_string())), "all are remembered");

    let started = Instant::now();
    let late = publisher.wait(&id, Until::Mined, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(&late, Error::NotMined { reason, .. } if reason.contains("lower fees")), "{late}");
    within(Duration::from_secs(3), started);

    // Just low enough for the newest offer.
    stage.mine_at(sent.last().unwrap().max_fee_per_gas().try_into().unwrap()).await;
    stage.ends_as_one(&publisher, &certificate, 1).await;
    assert_eq!(publisher.status(&id).unwrap().receipt.unwrap().tx_hash.to_string(), *known.last().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_while_the_base_fee_is_over_the_bound() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let options = PublisherOptions { max_fee_per_gas: BOUND, ..quick(folder.path()) };
    let publisher = stage.publisher_with(&proxy.url, options).await.unwrap();
    stage.mine_at(200 * GWEI).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    let late = publisher.wait(&id, Until::Mined, Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(&late, Error::NotSent { reason, .. } if reason.contains("lower fees")), "{late}");
    assert!(late.is_retryable());
    assert_eq!(publisher.status(&id).unwrap().state, JobState::Built);
    assert!(proxy.sent().is_empty());

    stage.mine_at(GWEI).await;
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_offer_that_is_mined_after_all_counts() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    stage.mine_at(GWEI).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    for _ in 0..3 {
        stage.mine_at(400 * GWEI).await;
        publisher.drive().await.unwrap();
    }
    // A proposer that had heard of the first offer only.
    let sent = proxy.sent();
    assert!(sent.len() > 1);
    rises_by_a_tenth(&sent, 300 * GWEI);
    stage.drop_all().await;
    stage.node.call("anvil_setNextBlockBaseFeePerGas", json!([format!("{GWEI:#x}")])).await;
    let first = alloy::eips::eip2718::Encodable2718::encoded_2718(&sent[0]);
    stage.node.call("eth_sendRawTransaction", json!([alloy::primitives::Bytes::from(first)])).await;
    stage.mine().await;
    stage.ends_as_one(&publisher, &certificate, 1).await;
    let receipt = publisher.status(&id).unwrap().receipt.unwrap();
    assert_eq!(receipt.tx_hash.to_string(), sent[0].tx_hash().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_pay_says_so_and_goes_on_when_it_can() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let ether = "0xde0b6b3a7640000";
    let fund = |wei: &'static str| stage.node.call("anvil_setBalance", json!([account(PAYER), wei]));
    fund("0x3e8").await;
    let certificate = stage.certificate(1).await;
    let poor = publisher.publish(&certificate).await.unwrap_err();
    assert!(matches!(&poor, Error::Unfunded { balance: 1000, needed, .. } if *needed > 1000), "{poor}");
    assert!(proxy.sent().is_empty());

    // Spent by somebody else while a transaction waits: no offers that it cannot pay.
    fund(ether).await;
    publisher.drive().await.unwrap();
    assert_eq!(proxy.sent().len(), 1);
    let offered = proxy.sent()[0].max_fee_per_gas();
    stage.drop_all().await;
    fund("0x3e8").await;
    for _ in 0..5 {
        stage.mine().await;
        publisher.drive().await.unwrap();
    }
    let id = stage.job(&certificate).id;
    let status = publisher.status(&id).unwrap();
    assert!(status.waits_for.as_ref().is_some_and(|reason| reason.contains("funds")), "{status:?}");
    assert!(proxy.sent().iter().all(|transaction| transaction.max_fee_per_gas() == offered), "raised in vain");
    fund(ether).await;
    stage.ends_as_one(&publisher, &certificate, 1).await;
}
