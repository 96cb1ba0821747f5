//! What is refused at the start, and what `check` says of it.

use alloy::primitives::keccak256;
use holdfast_certificate::Address;
use holdfast_erasure::Digest;
use holdfast_l1::{ChainRegistry, Error, Moment, ReaderOptions, RegistryView, check};
use holdfast_registry::Fault;
use serde_json::json;

use super::{
    proxy::{Plan, Proxy},
    world::{World, eager},
};
use crate::fixture::account;

/// Another contract stands at the registry's address: one byte of its code is another.
fn other_code(method: &str, _: &serde_json::Value) -> Plan {
    match method {
        "eth_getCode" => Plan::Alter(Box::new(|code| *code = code.as_str().unwrap().replacen("60", "61", 1).into())),
        _ => Plan::Honest,
    }
}

/// A chain before Prague: its precompile addresses are empty accounts.
pub(crate) fn before_prague(method: &str, params: &serde_json::Value) -> Plan {
    let to = params[0]["to"].as_str().unwrap_or_default();
    match method {
        "eth_call" if to.starts_with("0x00000000000000000000000000000000000000") => {
            Plan::Alter(Box::new(|result| *result = "0x".into()))
        }
        _ => Plan::Honest,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_address_with_other_code_is_refused() {
    let world = World::start().await;
    let honest = world.proxy().await;
    let other = Proxy::scripted(&world.chain.url(), other_code).await;
    let error = world.reader([&other], eager()).await.unwrap_err();
    assert!(matches!(&error, Error::NotTheRegistry { registry, .. } if *registry == world.address()), "{error}");
    assert_eq!((error.fault(), error.is_retryable()), (Fault::Config, false));

    // One of three that says so is outvoted.
    let nodes = [world.proxy().await, other.clone(), world.proxy().await];
    world.reader(&nodes, eager()).await.unwrap();

    // A pinned hash takes the artifact's place: for the code that stands there, and for no other.
    let code = world.node.call("eth_getCode", json!([world.address(), "finalized"])).await;
    let code: alloy::primitives::Bytes = code.as_str().unwrap().parse().unwrap();
    let pinned = ReaderOptions { code_hash: Some(Digest::from(keccak256(&code).0)), ..eager() };
    world.reader([&honest], pinned.clone()).await.unwrap();
    let error = world.reader([&other], pinned).await.unwrap_err();
    assert!(matches!(error, Error::NotTheRegistry { .. }), "{error}");
    let error = ChainRegistry::connect_with(&[honest.url()], Address::from([1; 20]), eager()).await.unwrap_err();
    assert!(matches!(error, Error::NoRegistry { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_governance_looks_at_is_the_registry_too_and_the_pinned_one() {
    let world = World::start().await;
    let (good, other, old) = (world.proxy().await, world.proxy().await, world.proxy().await);
    other.set(other_code);
    old.set(before_prague);
    let code = world.node.call("eth_getCode", json!([world.address(), "finalized"])).await;
    let code: alloy::primitives::Bytes = code.as_str().unwrap().parse().unwrap();
    let right = Digest::from(keccak256(&code).0);
    for moment in [Moment::Latest, Moment::Finalized] {
        let connect = async |node: &Proxy, pinned| {
            RegistryView::connect(&[node.url()], world.address(), pinned, moment).await.map(drop)
        };
        connect(&good, None).await.unwrap();
        connect(&good, Some(right)).await.unwrap();
        for (node, pinned) in [(&other, None), (&other, Some(right)), (&good, Some(Digest::ZERO))] {
            let error = connect(node, pinned).await.unwrap_err();
            assert!(matches!(error, Error::NotTheRegistry { .. }), "{error}");
        }
        let error = connect(&old, None).await.unwrap_err();
        assert!(matches!(error, Error::NoEip2537 { .. }), "{error}");
    }
    for (node, pinned, is_good) in
        [(&good, Some(right), true), (&good, Some(Digest::ZERO), false), (&other, Some(right), false)]
    {
        let report = check(&[node.url()], Some(world.address()), pinned).await;
        assert_eq!(report.is_good(), is_good, "{:?}", report.problems);
        assert!(is_good || report.problems[0].contains("not the pinned one"), "{:?}", report.problems);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_without_eip2537_is_refused() {
    let world = World::start().await;
    let node = Proxy::scripted(&world.chain.url(), before_prague).await;
    let error = world.reader([&node], eager()).await.unwrap_err();
    assert!(matches!(error, Error::NoEip2537 { chain_id: 31337, .. }), "{error}");
    assert_eq!(error.fault(), Fault::Config);
    // Precompiles that answer wrongly are none.
    for number in ["0b", "0f"] {
        node.set(move |method, params| match method {
            "eth_call" if params[0]["to"] == format!("0x{}{number}", "00".repeat(19)) => {
                Plan::Alter(Box::new(|result| *result = format!("0x{}", "00".repeat(128)).into()))
            }
            _ => Plan::Honest,
        });
        let error = world.reader([&node], eager()).await.unwrap_err();
        assert!(matches!(error, Error::NoEip2537 { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_of_each_node_and_of_the_registry_what_they_are() {
    let world = World::start().await;
    let nodes = [world.proxy().await, world.proxy().await];
    let urls = nodes.each_ref().map(Proxy::url);
    let report = check(&urls, Some(world.address()), None).await;
    assert!(report.is_good(), "{:?}", report.problems);
    let finalized = world.node.block_number("finalized").await;
    for (node, proxy) in report.nodes.iter().zip(&nodes) {
        assert_eq!((node.node.as_str(), node.reachable, node.chain_id), (proxy.host(), true, Some(31337)));
        assert_eq!((node.finalized, node.head), (Some(finalized), Some(finalized + 2)));
        assert_eq!(node.eip2537, Some(true));
        assert!(node.client_version.as_ref().is_some_and(|version| version.starts_with("holdfast-devchain/")));
        assert!(node.latency_ms.is_some() && node.finalized_age_seconds.is_some());
    }
    assert_eq!(report.agreed_block, Some(finalized));
    let registry = report.registry.as_ref().unwrap();
    assert!(registry.code_as_expected && registry.code_hash.is_some());
    assert_eq!((registry.governance, registry.guardian), (Some(account(0)), Some(account(1))));
    assert_eq!((registry.delay, registry.epoch_count, registry.active_epoch), (Some(0), Some(1), Some(1)));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["nodes"][0]["chainId"], 31337);
    assert!(!json.to_string().contains("SECRET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_what_is_wrong() {
    let world = World::start().await;
    let good = world.proxy().await;
    let old = Proxy::scripted(&world.chain.url(), before_prague).await;
    let other = Proxy::scripted(&world.chain.url(), other_code).await;
    let stalled = Proxy::scripted(&world.chain.url(), |method, params| match method {
        "eth_getBlockByNumber" if params[0] == "finalized" => {
            Plan::Alter(Box::new(|block| block["timestamp"] = "0x65000000".into()))
        }
        _ => Plan::Honest,
    })
    .await;
    let down = "http://127.0.0.1:9/SECRET".to_owned();
    for (urls, says) in [
        (vec![old.url()], "no EIP-2537"),
        (vec![other.url()], "code"),
        (vec![stalled.url()], "finality stalls"),
        (vec![good.url(), down.clone()], "127.0.0.1:9: eth_chainId failed"),
        (vec![good.url(), "SECRET".to_owned()], "invalid L1 RPC URL"),
    ] {
        let report = check(&urls, Some(world.address()), None).await;
        let problems = report.problems.join("\n");
        assert!(!report.is_good() && problems.contains(says), "expected {says:?}: {problems}");
        assert!(!serde_json::to_string(&report).unwrap().contains("SECRET"));
    }
    let report = check(&[good.url()], Some(Address::from([1; 20])), None).await;
    assert!(report.problems.join("\n").contains("no contract at"), "{:?}", report.problems);
}
