//! The one way through everything, for any node that makes a block for each transaction and finalizes two behind.

use std::time::{Duration, Instant};

use alloy::{primitives::keccak256, sol_types::SolValue as _};
use holdfast_certificate::{Certificate, HOUR, Namespace, SecretKey};
use holdfast_devchain::DEV_KEYS;
use holdfast_l1::{ChainRegistry, Error, Publisher, ReaderOptions, publisher};
use holdfast_registry::{self as registry, Endpoint, Status};
use serde_json::json;

use crate::{
    chain::{deploy, reader},
    fixture::{MIN_RETENTION, Members, account, hours_after},
    node::{RawNode, quantity},
};

pub(crate) async fn run(url: &str) {
    let node = RawNode::new(url);
    let members = Members::five();
    let publisher = deploy(url).await;

    nothing_is_read_before_it_is_final(url, &node, &publisher).await;
    let registry = reader(url, &publisher).await.unwrap();
    let (epoch, namespace) = committee_and_namespace_are_read_at_finality(&node, &publisher, &registry, &members).await;
    certificates_are_judged(&node, &publisher, &registry, &members, epoch, namespace).await;
    published_once_is_one_event(&node, &publisher, &registry, &members, epoch, namespace).await;
    refusals_cost_nothing_and_say_why(url, &node, &publisher, &registry, &members, epoch, namespace).await;
    revocation_is_seen_and_refuses(url, &node, &publisher, &registry, &members, epoch, namespace).await;
}

async fn nothing_is_read_before_it_is_final(url: &str, node: &RawNode, publisher: &Publisher) {
    let early = reader(url, publisher).await.unwrap_err();
    assert!(matches!(early, Error::NoRegistry { chain_id: 31337, .. }), "{early}");
    assert!(early.is_retryable());
    node.finalize().await;
    let wrong = ReaderOptions { chain_id: Some(1), ..ReaderOptions::default() };
    let wrong = ChainRegistry::connect_with(&[url], publisher.registry(), wrong).await.unwrap_err();
    assert!(matches!(wrong, Error::WrongChain { expected: 1, got: 31337 }), "{wrong}");
}

async fn committee_and_namespace_are_read_at_finality(
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    members: &Members,
) -> (u64, Namespace) {
    let (epoch, namespace, receipt) = members.enter(publisher).await;
    assert_eq!(epoch, 1);
    let salted = keccak256((alloy::primitives::Address::from(account(0).to_bytes()), [1u8; 32]).abi_encode());
    assert_eq!(namespace, Namespace::from(salted.0));

    // The epoch stands one block before the namespace, so finality two behind shows neither.
    assert_eq!(node.block_number("latest").await, receipt.block);
    let early = registry.epoch(epoch).await.unwrap_err();
    assert!(matches!(early, Error::Registry(registry::Error::UnknownEpoch { epoch: 1 })), "{early}");
    let early = registry.namespace(&namespace).await.unwrap_err();
    assert!(matches!(early, Error::Registry(registry::Error::UnknownNamespace { .. })), "{early}");

    // Some nodes give many blocks one time, and an epoch and a namespace exist only from the next second on.
    node.pass(10).await;
    node.finalize().await;
    publisher.wait_final(receipt.block, Duration::from_secs(5)).await.unwrap();
    let record = registry.epoch(epoch).await.unwrap();
    assert_eq!(record.committee.epoch(), 1);
    assert_eq!(record.committee.domain(), &publisher.domain());
    assert_eq!(registry.domain(), publisher.domain());
    assert_eq!(record.committee.parameters(), &members.parameters);
    assert_eq!(record.committee.keys(), members.keys());
    assert_eq!(record.endpoints, (0..5).map(|slot| Endpoint::unpinned(Members::endpoint(slot))).collect::<Vec<_>>());
    assert_eq!((record.active_until, record.revoked_at), (None, None));

    let active = registry.active_epoch(record.active_from).await.unwrap();
    assert_eq!(active.committee.epoch(), epoch);
    let before = registry.active_epoch(record.active_from - 1).await.unwrap_err();
    assert!(matches!(before, Error::Registry(registry::Error::NoActiveEpoch { .. })), "{before}");
    let before = registry.newest_epoch(record.active_from - 1).await.unwrap_err();
    assert!(matches!(before, Error::Registry(registry::Error::NoActiveEpoch { .. })), "none has begun: {before}");
    for unknown in [0, 2, u64::MAX] {
        let error = registry.epoch(unknown).await.unwrap_err();
        assert!(
            matches!(error, Error::Registry(registry::Error::UnknownEpoch { epoch }) if epoch == unknown),
            "{error}"
        );
    }

    let rules = registry.namespace(&namespace).await.unwrap();
    assert_eq!(rules.dispersers, [members.disperser.address()]);
    assert_eq!((rules.owner, rules.min_retention), (account(0), MIN_RETENTION));
    assert_eq!((rules.next_min_retention, rules.hold_until), (None, 0));
    (epoch, namespace)
}

async fn certificates_are_judged(
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    members: &Members,
    epoch: u64,
    namespace: Namespace,
) {
    let record = registry.epoch(epoch).await.unwrap();
    let retain_until = hours_after(node.time().await, 48);
    let certificate = members.certificate(&record, namespace, retain_until);
    assert_eq!(registry.verify_on_chain(&certificate, None).await.unwrap(), Status::Ok);

    let last = retain_until - MIN_RETENTION;
    for (at, expected) in [
        (node.time().await, Status::Ok),
        (record.active_from - 1, Status::NotYet),
        // Times to come: what will be good then is not known yet.
        (last, Status::NotYet),
        (u64::MAX, Status::NotYet),
    ] {
        assert_eq!(registry.verify_on_chain(&certificate, Some(at)).await.unwrap(), expected, "at {at}");
    }
    let short = members.certificate(&record, namespace, hours_after(node.time().await, 20));
    assert_eq!(registry.verify_on_chain(&short, None).await.unwrap(), Status::RetentionTooShort);

    let altered = |change: &dyn Fn(&mut Certificate)| {
        let mut altered = certificate.into_inner();
        change(&mut altered);
        altered
    };
    for (wrong, expected) in [
        (altered(&|wrong| wrong.statement.retain_until += HOUR), Status::BadSignature),
        (altered(&|wrong| wrong.statement.epoch = 2), Status::UnknownEpoch),
        (altered(&|wrong| wrong.statement.namespace = Namespace::from([9; 32])), Status::UnknownNamespace),
        (altered(&|wrong| wrong.statement.blob.payload_length += 1), Status::BadSignature),
    ] {
        assert_eq!(registry.verify_on_chain(&wrong, None).await.unwrap(), expected);
        assert!(wrong.verify(&record.committee).is_err(), "both sides refuse what gives {expected}");
    }
    assert_eq!(publisher.account(), account(0));
}

async fn published_once_is_one_event(
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    members: &Members,
    epoch: u64,
    namespace: Namespace,
) {
    let record = registry.epoch(epoch).await.unwrap();
    let certificate = members.certificate(&record, namespace, hours_after(node.time().await, 48));
    let receipt = publisher.publish(&certificate).await.unwrap();
    assert!((100_000..300_000).contains(&receipt.gas_used), "{receipt:?}");

    let block = format!("{:#x}", receipt.block);
    let filter = json!([{ "fromBlock": block, "toBlock": block, "address": publisher.registry() }]);
    let logs = node.call("eth_getLogs", filter).await;
    let logs = logs.as_array().unwrap();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert_eq!(logs[0]["topics"][1], certificate.statement.blob.id().to_string());
    assert_eq!(logs[0]["topics"][2], namespace.to_string());
    assert_eq!(logs[0]["transactionHash"], receipt.tx_hash.to_string());

    let mined = node.call("eth_getTransactionReceipt", json!([receipt.tx_hash])).await;
    assert_eq!(quantity(&mined["gasUsed"]), receipt.gas_used);
    assert_eq!(quantity(&mined["status"]), 1);
}

async fn refusals_cost_nothing_and_say_why(
    url: &str,
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    members: &Members,
    epoch: u64,
    namespace: Namespace,
) {
    let record = registry.epoch(epoch).await.unwrap();
    let head = node.block_number("latest").await;

    let short = members.certificate(&record, namespace, hours_after(node.time().await, 12));
    let refused = publisher.publish(&short).await.unwrap_err();
    assert!(
        matches!(refused, publisher::Error::L1(Error::NotAvailable { status: Status::RetentionTooShort })),
        "{refused}"
    );

    let again = members.secrets[0].public_key();
    let proof = members.secrets[0].prove_possession(&publisher.registration());
    // To whoever registered it, it is the job that is done; to anybody else a refusal.
    publisher.register_key(&again, &proof).await.unwrap();
    let other = Publisher::connect(url, publisher.registry(), &DEV_KEYS[1]).await.unwrap();
    let refused = other.register_key(&again, &proof).await.unwrap_err();
    assert!(refused.to_string().contains("KeyAlreadyRegistered"), "{refused}");

    let refused =
        publisher.register_key(&SecretKey::derive_master(&[7; 32]).unwrap().public_key(), &proof).await.unwrap_err();
    assert!(refused.to_string().contains("BadProofOfPossession"), "{refused}");

    let refused = publisher.revoke_epoch(epoch).await.unwrap_err();
    assert!(refused.to_string().contains("NotGuardian"), "{refused}");
    assert!(!refused.is_retryable());

    assert_eq!(node.block_number("latest").await, head, "nothing was sent");
}

async fn revocation_is_seen_and_refuses(
    url: &str,
    node: &RawNode,
    publisher: &Publisher,
    registry: &ChainRegistry,
    members: &Members,
    epoch: u64,
    namespace: Namespace,
) {
    let record = registry.epoch(epoch).await.unwrap();
    // Another statement than the one published before: that one's job is done, and gives its receipt.
    let certificate = members.certificate(&record, namespace, hours_after(node.time().await, 72));
    let guardian = Publisher::connect(url, publisher.registry(), &DEV_KEYS[1]).await.unwrap();
    guardian.revoke_epoch(epoch).await.unwrap();
    assert_eq!(registry.epoch(epoch).await.unwrap().revoked_at, None, "not final yet");

    node.pass(10).await;
    node.finalize().await;
    let started = Instant::now();
    let revoked = registry.epoch(epoch).await.unwrap();
    let at = revoked.revoked_at.expect("the revocation is final");
    assert!(revoked.is_active(at - 1) && !revoked.is_active(at));
    assert!(started.elapsed() < Duration::from_secs(5));
    let none = registry.active_epoch(at).await.unwrap_err();
    assert!(matches!(none, Error::Registry(registry::Error::NoActiveEpoch { .. })), "{none}");
    assert_eq!(registry.active_epoch(at - 1).await.unwrap().committee.epoch(), epoch);

    assert_eq!(registry.verify_on_chain(&certificate, Some(at)).await.unwrap(), Status::Revoked);
    assert_eq!(registry.verify_on_chain(&certificate, Some(at - 1)).await.unwrap(), Status::Ok, "forward only");
    let refused = publisher.publish(&certificate).await.unwrap_err();
    assert!(matches!(refused, publisher::Error::L1(Error::NotAvailable { status: Status::Revoked })), "{refused}");
}
