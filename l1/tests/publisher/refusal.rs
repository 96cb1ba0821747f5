//! Certificates that the registry does not take, or not any more.

use alloy::{consensus::Transaction as _, primitives::Address};
use holdfast_certificate::HOUR;
use holdfast_l1::{Error as L1, JobState, PublisherOptions, publisher::Error};
use holdfast_registry::Status;
use serde_json::json;

use super::{
    proxy::Proxy,
    stage::{GWEI, PAYER, Stage, quick},
};
use crate::fixture::{account, hours_after};

/// Longer than what is left of a certificate of [`Stage::certificate`] until it is too old to be published.
const TOO_LONG: u64 = 25 * HOUR;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_the_registry_refuses_is_never_sent() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate_until(1, hours_after(stage.node.time().await, 12));
    let refused = publisher.publish(&certificate).await.unwrap_err();
    assert!(matches!(refused, Error::L1(L1::NotAvailable { status: Status::RetentionTooShort })), "{refused}");
    let status = publisher.status(&stage.job(&certificate).id).unwrap();
    assert_eq!((status.state, status.nonce), (JobState::Failed, None));
    assert!(matches!(status.refusal, Some(Error::L1(L1::NotAvailable { status: Status::RetentionTooShort }))));

    // The same bytes with one bit of the signature flipped, past the checks of the types.
    let mut forged = stage.job(&stage.certificate(2).await);
    let last = forged.call.len() - 64;
    forged.call[last] ^= 1;
    publisher.submit(forged.clone()).await.unwrap();
    publisher.drive().await.unwrap();
    let status = publisher.status(&forged.id).unwrap();
    assert_eq!(status.state, JobState::Failed, "{status:?}");
    assert!(matches!(status.refusal, Some(Error::L1(L1::NotAvailable { .. }))), "{status:?}");

    assert!(proxy.sent().is_empty() && publisher.pending().is_empty());
    drop(publisher);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    assert_eq!(publisher.status(&forged.id).unwrap().state, JobState::Failed, "remembered");
    // A failed job may be handed in again: the registry may see it otherwise by then.
    let good = stage.certificate(2).await;
    publisher.submit_certificate(&good).await.unwrap();
    stage.ends_as_one(&publisher, &good, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_grows_too_old_while_fees_are_too_high_is_not_sent() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let options = PublisherOptions { max_fee_per_gas: 50 * GWEI, ..quick(folder.path()) };
    let publisher = stage.publisher_with(&proxy.url, options).await.unwrap();
    stage.mine_at(200 * GWEI).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    assert_eq!(publisher.status(&id).unwrap().state, JobState::Built);
    stage.node.call("evm_increaseTime", json!([TOO_LONG])).await;
    stage.mine_at(GWEI).await;
    publisher.drive().await.unwrap();
    let status = publisher.status(&id).unwrap();
    assert_eq!(status.state, JobState::Failed);
    assert!(
        matches!(status.refusal, Some(Error::L1(L1::NotAvailable { status: Status::RetentionTooShort }))),
        "{status:?}"
    );
    assert!(proxy.sent().is_empty());
}

/// Has a certificate's transaction wait while its time runs out, at fees over what it offers.
async fn outlives_its_transaction(stage: &Stage, proxy: &Proxy, bound: u64) {
    let folder = tempfile::tempdir().unwrap();
    let options = PublisherOptions { max_fee_per_gas: bound, ..quick(folder.path()) };
    let publisher = stage.publisher_with(&proxy.url, options).await.unwrap();
    stage.mine_at(GWEI).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    assert_eq!(publisher.status(&id).unwrap().state, JobState::Sent);
    stage.drop_all().await;
    proxy.heal();
    stage.node.call("evm_increaseTime", json!([TOO_LONG])).await;
    for _ in 0..4 {
        stage.mine_at(400 * GWEI).await;
        publisher.drive().await.unwrap();
    }
    assert_eq!(publisher.status(&id).unwrap().state, JobState::Sent, "its nonce must be used up");
    // The next one waits for the nonce before it.
    let next = stage.certificate(2).await;
    publisher.submit_certificate(&next).await.unwrap();

    stage.mine_at(GWEI).await;
    let status = stage.drive_to(&publisher, &id, JobState::Failed).await;
    assert!(
        matches!(status.refusal, Some(Error::L1(L1::NotAvailable { status: Status::RetentionTooShort }))),
        "{status:?}"
    );
    assert_eq!(stage.published(&certificate).await, 0);
    let payer = Address::from(account(PAYER).to_bytes());
    let in_its_place: Vec<_> = proxy.sent().into_iter().filter(|sent| sent.nonce() == 0).collect();
    assert!(!in_its_place.is_empty());
    assert!(in_its_place.iter().all(|sent| sent.to() == Some(payer) && sent.input().is_empty()), "not sent any more");
    stage.ends_as_one(&publisher, &next, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_transaction_whose_certificate_grows_too_old_is_cancelled() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let proxy = Proxy::before(&stage.url).await;
    outlives_its_transaction(&stage, &proxy, 300 * GWEI).await;
}

/// The same where the first offer is the bound already, so that nothing dearer can take its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_at_the_bound_whose_certificate_grows_too_old_is_cancelled() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let proxy = Proxy::before(&stage.url).await;
    outlives_its_transaction(&stage, &proxy, 2 * GWEI).await;
}

/// Revoked between dry run and block: reverted on the chain, which a later block may undo.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_is_reverted_fails_only_when_its_block_is_final() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    // Mined only now, too late.
    stage.node.call("evm_increaseTime", json!([TOO_LONG])).await;
    stage.mine().await;
    publisher.drive().await.unwrap();
    let status = publisher.status(&id).unwrap();
    assert_eq!(status.state, JobState::Mined);
    assert!(
        matches!(status.refusal, Some(Error::L1(L1::NotAvailable { status: Status::RetentionTooShort }))),
        "{status:?}"
    );
    let refused = publisher.publish(&certificate).await.unwrap_err();
    assert!(matches!(refused, Error::L1(L1::NotAvailable { status: Status::RetentionTooShort })), "{refused}");
    stage.drive_to(&publisher, &id, JobState::Failed).await;
    assert_eq!((stage.published(&certificate).await, stage.nonce().await), (0, 1));
}
