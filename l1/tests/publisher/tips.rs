//! Nodes whose least tip is above the offer.

use std::time::{Duration, Instant};

use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::eip2718::Decodable2718 as _,
    primitives::Bytes,
};
use holdfast_l1::{JobState, PublisherOptions, publisher::Error};
use serde_json::json;

use super::{
    proxy::{Call, Fault, Proxy},
    stage::{GWEI, Stage, quick, within},
};

const LEAST: u64 = 7 * GWEI;

/// The tip of the transaction that is given to the node, if one is.
fn tip(call: &Call) -> Option<u128> {
    let raw: Bytes =
        serde_json::from_value(call.params[0].clone()).ok().filter(|_| call.method == "eth_sendRawTransaction")?;
    TxEnvelope::decode_2718(&mut raw.as_ref()).unwrap().max_priority_fee_per_gas()
}

/// Refuses cheaper tips in these words.
fn wants(words: String, usual: Option<u64>) -> impl Fn(&Call) -> Fault + Send + Sync {
    move |call| match (call.method.as_str(), tip(call)) {
        (_, Some(tip)) if tip < LEAST.into() => Fault::Error(-32000, words.clone()),
        // Nobody has tipped in its blocks.
        ("eth_feeHistory", _) => {
            Fault::Answer(json!({ "oldestBlock": "0x0", "baseFeePerGas": ["0x7", "0x7"], "gasUsedRatio": [0.0] }))
        }
        ("eth_maxPriorityFeePerGas", _) => usual.map_or_else(
            || Fault::Error(-32601, "Method not found".to_owned()),
            |usual| Fault::Answer(json!(format!("{usual:#x}"))),
        ),
        _ => Fault::None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stated_least_tip_is_used_at_once_and_for_later_jobs() {
    let stage = Stage::on_devchain().await;
    for (number, words) in (1..).zip([
        format!("transaction underpriced: min tip {LEAST}"),
        format!("transaction underpriced: gas tip cap 1, minimum needed {LEAST}"),
    ]) {
        let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
        proxy.rule(wants(words, None));
        let publisher = stage.publisher(&proxy.url, folder.path()).await;
        let certificate = stage.certificate(number).await;
        let started = Instant::now();
        publisher.publish(&certificate).await.unwrap();
        within(Duration::from_secs(10), started);
        let sent = proxy.sent();
        assert_eq!(sent.len(), 2, "refused, and then with what it wants");
        assert_eq!(sent[0].nonce(), sent[1].nonce());
        assert!(sent[1].max_priority_fee_per_gas() >= Some(LEAST.into()));
        stage.drive_to(&publisher, &stage.job(&certificate).id, JobState::Finalized).await;
        assert_eq!(stage.published(&certificate).await, 1);
        let next = stage.certificate(number + 10).await;
        publisher.publish(&next).await.unwrap();
        assert_eq!(proxy.sent().len(), 3, "it is known from now on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_least_tip_that_is_not_stated_is_asked_for() {
    let stage = Stage::on_devchain().await;
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    proxy.rule(wants("transaction underpriced".to_owned(), Some(LEAST)));
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    publisher.publish(&certificate).await.unwrap();
    assert!(proxy.sent()[0].max_priority_fee_per_gas() >= Some(LEAST.into()), "where nobody tips, before the first");
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_least_tip_over_the_bound_is_never_offered_and_said_within_seconds() {
    let stage = Stage::on_devchain().await;
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    proxy.rule(wants(format!("transaction underpriced: min tip {LEAST}"), None));
    let options = PublisherOptions {
        max_fee_per_gas: LEAST - 1,
        receipt_limit: Duration::from_secs(120),
        ..quick(folder.path())
    };
    let publisher = stage.publisher_with(&proxy.url, options).await.unwrap();
    let certificate = stage.certificate(1).await;
    let started = Instant::now();
    let error = publisher.publish(&certificate).await.unwrap_err();
    within(Duration::from_secs(5), started);
    let text = error.to_string();
    assert!(matches!(error, Error::Held { .. }) && error.is_retryable(), "{text}");
    assert!(text.contains(&LEAST.to_string()) && text.contains(&(LEAST - 1).to_string()), "{text}");
    assert!(proxy.sent().iter().all(|sent| sent.max_fee_per_gas() < u128::from(LEAST)));
    assert_eq!(stage.nonce().await, 0);
    proxy.heal();
    stage.ends_as_one(&publisher, &certificate, 1).await;
}
