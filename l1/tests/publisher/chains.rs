//! By what a journal knows its chain: nodes that refuse old blocks or move the earliest one, and chains that are started
//! anew.

use std::{fs, path::Path};

use alloy::primitives::keccak256;
use holdfast_devchain::DevChain;
use holdfast_l1::{JobState, publisher::Error};
use serde_json::{Value, json};

use super::{
    proxy::{Call, Fault, Proxy},
    stage::{PAYER, Stage, quick},
};
use crate::{chain::still, fixture::account};

/// The number of the block that is asked for, if it is asked for by number.
fn number_of(call: &Call) -> Option<u64> {
    let text = call.params[0].as_str().filter(|_| call.method == "eth_getBlockByNumber")?;
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn is_earliest(call: &Call) -> bool {
    call.method == "eth_getBlockByNumber" && call.params[0] == "earliest"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_refuses_old_blocks_or_moves_the_earliest_one_stops_no_publication() {
    let stage = Stage::on_devchain().await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::before(&stage.url).await;
    for (nonce, certificate) in (1..).zip([stage.certificate(1).await, stage.certificate(2).await]) {
        let publisher = stage.publisher(&proxy.url, folder.path()).await;
        publisher.publish(&certificate).await.unwrap();
        stage.ends_as_one(&publisher, &certificate, nonce).await;
        drop(publisher);
        for _ in 0..20 {
            stage.mine().await;
        }
        // From now on nothing is older than what is final, in each client's words; and the earliest moves on.
        let oldest = stage.node.block_number("finalized").await;
        let words = ["pruned history unavailable", "block not found", "missing block"][usize::from(nonce > 1)];
        proxy.rule(move |call| match number_of(call) {
            Some(number) if number < oldest => Fault::Error(4444, words.to_owned()),
            _ if is_earliest(call) => Fault::Error(4444, words.to_owned()),
            _ => Fault::None,
        });
    }
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(3).await;
    publisher.publish(&certificate).await.unwrap();
    stage.ends_as_one(&publisher, &certificate, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_started_anew_is_told_in_words_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::on_devchain().await;
    // Chains that are started in one second could have the same first blocks.
    stage.node.pass(123_456).await;
    stage.node.finalize().await;
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    publisher.publish(&certificate).await.unwrap();
    stage.ends_as_one(&publisher, &certificate, 1).await;
    drop(publisher);
    // Shorter than the old one; then longer, with other blocks.
    let short = DevChain::start(still()).await.unwrap();
    let long = Stage::on_devchain().await;
    long.node.pass(77_777).await;
    for _ in 0..40 {
        long.mine().await;
    }
    for url in [short.url(), long.url.clone()] {
        let error = stage.publisher_with(&url, quick(folder.path())).await.unwrap_err();
        assert!(matches!(&error, Error::OtherChain { chain_id: 31337, .. }), "{error}");
        assert!(!error.is_retryable() && !error.must_stop());
        let text = error.to_string();
        for part in ["started anew", "move the folder away", "l1_journal", "right chain"] {
            assert!(text.contains(part), "{text}");
        }
    }
    // The old one is still what it was; and with the folder away, the new one is as good.
    stage.publisher(&stage.url, folder.path()).await;
    fs::rename(records(folder.path()), folder.path().join("old")).unwrap();
    let certificate = long.certificate(1).await;
    let publisher = long.publisher(&long.url, folder.path()).await;
    publisher.publish(&certificate).await.unwrap();
}

/// Where the payer's records are.
fn records(journal: &Path) -> std::path::PathBuf {
    journal.join(format!("31337-{}", account(PAYER)).to_lowercase())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_anvil_is_told_in_words_to_a_publisher_that_goes_on() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::before(&stage.url).await;
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    stage.drive_to(&publisher, &id, JobState::Sent).await;
    let anew = DevChain::start(still()).await.unwrap();
    proxy.turn_to(&anew.url());
    let error = publisher.drive().await.unwrap_err();
    assert!(matches!(&error, Error::OtherChain { .. }), "{error}");
    assert!(proxy.calls("eth_sendRawTransaction").len() <= 1, "nothing goes to the new one");
    proxy.turn_to(&stage.url);
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

/// Puts the head of a journal of the first version there.
fn write_first_head(journal: &Path, genesis: &Value) {
    let content =
        format!(r#"{{"chainId":31337,"genesis":{genesis},"account":"{}"}}"#, account(PAYER).to_string().to_lowercase());
    let checksum = keccak256(&content);
    fs::create_dir_all(records(journal)).unwrap();
    let sealed = format!(r#"{{"version":1,"checksum":"{checksum}","content":{content}}}"#);
    fs::write(records(journal).join("journal.json"), sealed).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_the_first_version_is_opened_on_its_chain_and_not_on_another() {
    let stage = Stage::on_devchain().await;
    let folder = tempfile::tempdir().unwrap();
    let hash = |number: u64| {
        let node = stage.node.clone();
        async move { node.call("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await["hash"].clone() }
    };
    // By the first block, and by one that was the earliest of a node with a part of the history.
    for number in [0, 3] {
        write_first_head(folder.path(), &hash(number).await);
        stage.publisher(&stage.url, folder.path()).await;
        let head = fs::read_to_string(records(folder.path()).join("journal.json")).unwrap();
        assert!(head.contains("\"mark\":{\"block\""), "{head}");
    }
    let unknown = json!(format!("0x{}", "cd".repeat(32)));
    write_first_head(folder.path(), &unknown);
    let error = stage.publisher_with(&stage.url, quick(folder.path())).await.unwrap_err();
    assert!(matches!(&error, Error::OtherChain { .. }), "{error}");
    // A node without the first block cannot tell, and stops nobody.
    let proxy = Proxy::before(&stage.url).await;
    proxy.rule(|call| if number_of(call) == Some(0) { Fault::Answer(Value::Null) } else { Fault::None });
    stage.publisher(&proxy.url, folder.path()).await;
}
