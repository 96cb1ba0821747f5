//! Somebody else uses the account: its nonces are taken, and gaps are left in them.

use alloy::{
    consensus::Transaction as _,
    eips::eip2718::Encodable2718 as _,
    primitives::{Address, Bytes},
};
use holdfast_l1::JobState;
use serde_json::{Value, json};

use super::{
    proxy::{Fault, Proxy},
    stage::{PAYER, Stage},
};
use crate::fixture::account;

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_transaction_with_the_nonce_costs_time_and_doubles_nothing() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    let first = proxy.sent().remove(0);
    stage.drop_all().await;
    stage.stranger(0).await;
    stage.mine().await;

    // Until the stranger's block is final, a reorganisation could still bring ours.
    publisher.drive().await.unwrap();
    let status = publisher.status(&id).unwrap();
    assert_eq!((status.state, status.nonce), (JobState::Sent, Some(0)));
    assert!(status.waits_for.unwrap().contains("another transaction of the account"));
    assert_eq!(proxy.sent().len(), 1);

    stage.ends_as_one(&publisher, &certificate, 2).await;
    assert_eq!(proxy.sent().last().unwrap().nonce(), 1);
    let raw = Bytes::from(first.encoded_2718());
    let (_, refusal) = stage.node.refusal("eth_sendRawTransaction", json!([raw])).await;
    assert!(refusal.contains("nonce too low"), "the first can never be mined: {refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_a_reorganisation_drops_leaves_the_nonce_to_us() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    publisher.submit_certificate(&certificate).await.unwrap();
    publisher.drive().await.unwrap();
    let first = proxy.sent().remove(0);
    stage.drop_all().await;
    stage.stranger(0).await;
    stage.mine().await;
    publisher.drive().await.unwrap();

    stage.reorganise(1, &[(first.encoded_2718().into(), 0)]).await;
    stage.drop_all().await;
    stage.ends_as_one(&publisher, &certificate, 1).await;
    assert!(proxy.sent().iter().all(|sent| sent.tx_hash() == first.tx_hash()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_waiting_transaction_is_outbid_or_waited_for() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    stage.stranger(0).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    let status = publisher.status(&id).unwrap();
    assert!(status.waits_for.is_some_and(|reason| reason.contains("node to take its transaction")), "as it is refused");
    stage.ends_as_one(&publisher, &certificate, 2).await;
}

/// The node has lost the receipts of our own transaction: nobody else took the nonce, though it looks as if.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_whose_receipt_was_lost_is_not_taken_for_a_strangers() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    stage.mine().await;
    assert_eq!(stage.published(&certificate).await, 1);
    proxy.rule(|call| match call.method.as_str() {
        "eth_getTransactionReceipt" => Fault::Answer(Value::Null),
        _ => Fault::None,
    });
    for _ in 0..8 {
        publisher.drive().await.unwrap();
        stage.mine().await;
    }
    let status = publisher.status(&id).unwrap();
    assert_eq!((status.state, status.nonce), (JobState::Sent, Some(0)), "{status:?}");
    assert!(status.waits_for.unwrap().contains("receipt"));
    assert!(proxy.sent().is_empty(), "never sent again");
    assert_eq!(stage.published(&certificate).await, 1);

    proxy.heal();
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

/// The same while the publisher was down for some hours: more blocks than are searched at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_of_long_ago_is_told_from_a_lost_receipt_of_long_ago() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let (ours, taken) = (stage.certificate(1).await, stage.certificate(2).await);
    publisher.submit_certificate(&ours).await.unwrap();
    publisher.submit_certificate(&taken).await.unwrap();
    publisher.drive().await.unwrap();
    let second = publisher.status(&stage.job(&taken).id).unwrap();
    assert_eq!(second.nonce, Some(1));
    drop(publisher);
    stage.node.call("anvil_mine", json!(["0x12c"])).await;
    assert_eq!(stage.nonce().await, 2);
    stage.reorganise(300, &[(proxy.sent()[0].encoded_2718().into(), 299)]).await;
    stage.drop_all().await;
    stage.stranger(1).await;
    stage.mine().await;
    stage.node.call("anvil_mine", json!(["0x12c", "0x1"])).await;
    assert_eq!((stage.published(&ours).await, stage.published(&taken).await, stage.nonce().await), (1, 0, 2));

    proxy.rule(|call| match call.method.as_str() {
        "eth_getTransactionReceipt" => Fault::Answer(Value::Null),
        _ => Fault::None,
    });
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    for rounds in 0.. {
        publisher.drive().await.unwrap();
        stage.mine().await;
        let longest = proxy.calls("eth_getBlockByNumber").len();
        assert!(longest < 2_000, "{longest} blocks asked for");
        if publisher.status(&stage.job(&taken).id).unwrap().nonce == Some(2) {
            break;
        }
        assert!(rounds < 10, "{:?}", publisher.pending());
    }
    assert_eq!(publisher.status(&stage.job(&ours).id).unwrap().nonce, Some(0), "its own transaction has it");
    proxy.heal();
    stage.drive_to(&publisher, &stage.job(&ours).id, JobState::Finalized).await;
    stage.ends_as_one(&publisher, &taken, 3).await;
    assert_eq!(stage.published(&ours).await, 1);
}

/// Two of a stranger's transactions before ours are gone by a reorganisation, for good.
#[tokio::test(flavor = "multi_thread")]
async fn gaps_that_a_stranger_left_are_filled() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    stage.stranger(0).await;
    stage.stranger(1).await;
    stage.mine().await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    assert_eq!(publisher.status(&id).unwrap().nonce, Some(2));
    stage.reorganise(1, &[]).await;
    stage.drop_all().await;
    assert_eq!(stage.nonce().await, 0);

    // The second gap must not wait until the first one's filler is final, two blocks after it.
    let mut blocks = 0;
    while publisher.status(&id).unwrap().state != JobState::Mined {
        publisher.drive().await.unwrap();
        stage.mine().await;
        blocks += 1;
        assert!(blocks < 7, "{:?}", publisher.pending());
    }
    let ours: Vec<_> = proxy.sent().into_iter().filter(|sent| sent.nonce() == 2).collect();
    assert!(ours.iter().all(|sent| sent.tx_hash() == ours[0].tx_hash()), "not raised for what is no matter of fees");
    stage.ends_as_one(&publisher, &certificate, 3).await;
    let payer = Address::from(account(PAYER).to_bytes());
    let fillers: Vec<_> = proxy.sent().into_iter().filter(|sent| sent.nonce() < 2).collect();
    assert!(fillers.iter().all(|sent| sent.to() == Some(payer) && sent.input().is_empty()));
    assert_eq!(fillers.iter().map(|sent| sent.nonce()).collect::<std::collections::BTreeSet<_>>(), [0, 1].into());
    assert!(publisher.pending().is_empty(), "and forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_somebody_elses_transaction_fills_is_left_to_it() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let stranger = stage.stranger(0).await;
    stage.mine().await;
    let raw: Bytes =
        serde_json::from_value(stage.node.call("eth_getRawTransactionByHash", json!([stranger])).await).unwrap();
    let certificate = stage.certificate(1).await;
    publisher.submit_certificate(&certificate).await.unwrap();
    publisher.drive().await.unwrap();
    stage.reorganise(1, &[]).await;
    stage.drop_all().await;
    publisher.drive().await.unwrap();
    stage.node.call("eth_sendRawTransaction", json!([raw])).await;
    // Too dear for its offer: it goes on waiting, and so does the gap.
    for _ in 0..5 {
        stage.mine_at(1_000_000_000_000).await;
        publisher.drive().await.unwrap();
    }
    assert!(proxy.sent().iter().all(|sent| sent.nonce() == 1), "no filler in its place");
    stage.mine_at(1_000_000_000).await;
    stage.ends_as_one(&publisher, &certificate, 2).await;
}
