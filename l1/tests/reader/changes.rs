//! What changes on L1 is seen at the next finalized block: not before, and not later.

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559, TxEnvelope},
    eips::eip2718::Encodable2718 as _,
    primitives::{B256, Bytes, TxKind},
    signers::{SignerSync as _, local::PrivateKeySigner},
    sol_types::SolCall,
};
use holdfast_certificate::Address;
use holdfast_devchain::DEV_KEYS;
use holdfast_l1::{Error, ReaderOptions};
use holdfast_registry::{self as registry, Endpoint};
use serde_json::json;

use super::world::{World, eager};
use crate::{
    fixture::{MIN_RETENTION, Members, account},
    node::quantity,
};

alloy::sol! {
    function setMinRetention(bytes32 namespace, uint64 minRetention);
    function holdNamespace(bytes32 namespace, uint64 until);
    function setEndpoint(bytes32 keyId, string endpoint, bytes32 tlsPin);
    function cancelFrom(uint64 epoch);
}

/// Calls the registry in a transaction of a development account.
async fn send(world: &World, sender: usize, call: impl SolCall) {
    let signer = PrivateKeySigner::from_slice(&DEV_KEYS[sender]).unwrap();
    let nonce = world.node.call("eth_getTransactionCount", json!([signer.address(), "latest"])).await;
    let transaction = TxEip1559 {
        chain_id: 31337,
        nonce: quantity(&nonce),
        gas_limit: 1_000_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(world.address().to_bytes().into()),
        input: call.abi_encode().into(),
        ..TxEip1559::default()
    };
    let signature = signer.sign_hash_sync(&transaction.signature_hash()).unwrap();
    let raw: Bytes = TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into();
    let hash = world.node.call("eth_sendRawTransaction", json!([raw])).await;
    let receipt = world.node.call("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_retention_is_seen_while_pending_and_holds_from_its_second_on() {
    let world = World::start().await;
    // A day of delay: only a lowering waits for it.
    let deployment =
        holdfast_l1::Deployment { governance: account(0), guardian: account(1), delay: 86_400, overlap: 3_600 };
    let (publisher, _) =
        holdfast_l1::Publisher::deploy(&world.chain.url(), &DEV_KEYS[0], deployment, Default::default()).await.unwrap();
    let (namespace, _) = publisher.create_namespace([2; 32], MIN_RETENTION, &[]).await.unwrap();
    let world = World { publisher, namespace, ..world };
    world.node.pass(10).await;
    world.node.finalize().await;
    let registry = world.reader([&world.proxy().await], eager()).await.unwrap();
    let id = B256::from(world.namespace.to_bytes());
    assert_eq!(registry.namespace(&world.namespace).await.unwrap().next_min_retention, None);

    send(&world, 0, setMinRetentionCall { namespace: id, minRetention: MIN_RETENTION / 2 }).await;
    let said = world.node.time().await;
    assert_eq!(registry.namespace(&world.namespace).await.unwrap().next_min_retention, None, "not final yet");
    world.node.finalize().await;
    let rules = registry.namespace(&world.namespace).await.unwrap();
    let from = said + 86_400;
    assert_eq!((rules.min_retention, rules.next_min_retention), (MIN_RETENTION, Some((MIN_RETENTION / 2, from))));
    assert_eq!(rules.min_retention_at(from - 1), MIN_RETENTION);
    assert_eq!(rules.min_retention_at(from), MIN_RETENTION / 2, "also while nothing newer is final");

    world.node.pass(86_400).await;
    world.node.finalize().await;
    let rules = registry.namespace(&world.namespace).await.unwrap();
    assert_eq!((rules.min_retention, rules.next_min_retention), (MIN_RETENTION / 2, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_and_its_end_are_read() {
    let world = World::start().await;
    let registry = world.reader([&world.proxy().await], eager()).await.unwrap();
    let id = B256::from(world.namespace.to_bytes());
    let rules = registry.namespace(&world.namespace).await.unwrap();
    assert_eq!((rules.owner, rules.hold_until), (account(0), 0));
    let until = world.node.time().await + 1000;
    send(&world, 1, holdNamespaceCall { namespace: id, until }).await;
    world.node.finalize().await;
    assert_eq!(registry.namespace(&world.namespace).await.unwrap().hold_until, until);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_moves_with_its_pin_and_disperser_rights_end_at_the_next_finalized_block() {
    let world = World::start().await;
    // Nothing but a new finalized block makes it ask again.
    let registry = world.reader([&world.proxy().await], eager()).await.unwrap();
    let before = registry.epoch(world.epoch).await.unwrap();
    assert_eq!(before.endpoints[3], Endpoint::unpinned(Members::endpoint(3)));
    let key = world.members.keys()[3];
    let key_id = B256::from(*key.id().as_bytes());
    let endpoint = "https://m3.example".to_owned();
    send(&world, 0, setEndpointCall { keyId: key_id, endpoint: endpoint.clone(), tlsPin: B256::repeat_byte(7) }).await;
    world.publisher.set_disperser(&world.namespace, world.members.disperser.address(), false).await.unwrap();
    assert_eq!(registry.epoch(world.epoch).await.unwrap().endpoints, before.endpoints, "not final yet");
    assert_eq!(registry.namespace(&world.namespace).await.unwrap().dispersers.len(), 1);

    world.node.finalize().await;
    let after = registry.epoch(world.epoch).await.unwrap();
    assert_eq!(after.endpoints[3], Endpoint { url: endpoint, tls_pin: Some([7; 32]) });
    assert_eq!(after.endpoints[..3], before.endpoints[..3]);
    assert_eq!(registry.namespace(&world.namespace).await.unwrap().dispersers, Vec::<Address>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_was_cancelled_is_unknown_and_closes_nothing() {
    let world = World::start().await;
    let registry = world.reader([&world.proxy().await], eager()).await.unwrap();
    let parameters = &world.members.parameters;
    let later = world.node.time().await + 1000;
    let (next, _) =
        world.publisher.propose_epoch(&world.members.members(&world.publisher), parameters, Some(later)).await.unwrap();
    world.node.finalize().await;
    assert_eq!(registry.epoch(world.epoch).await.unwrap().active_until, Some(later));
    assert_eq!(registry.epoch(next).await.unwrap().active_from, later);
    assert_eq!(registry.active_epoch(later).await.unwrap().committee.epoch(), next);

    send(&world, 1, cancelFromCall { epoch: next }).await;
    world.node.finalize().await;
    let cancelled = registry.epoch(next).await.unwrap_err();
    assert!(
        matches!(cancelled, Error::Registry(registry::Error::UnknownEpoch { epoch }) if epoch == next),
        "{cancelled}"
    );
    assert_eq!(registry.epoch(world.epoch).await.unwrap().active_until, None);
    assert_eq!(registry.active_epoch(later).await.unwrap().committee.epoch(), world.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_seen_by_the_first_look_after_its_finality_also_when_asked_by_time() {
    let world = World::start().await;
    let registry = world.reader(&world.three().await, ReaderOptions { ..eager() }).await.unwrap();
    let at = registry.epoch(world.epoch).await.unwrap().active_from + 5;
    registry.active_epoch(at).await.unwrap();
    let guardian = holdfast_l1::Publisher::connect(&world.chain.url(), world.address(), &DEV_KEYS[1]).await.unwrap();
    guardian.revoke_epoch(world.epoch).await.unwrap();
    let revoked = world.node.time().await + 1;
    assert_eq!(registry.active_epoch(revoked).await.unwrap().committee.epoch(), world.epoch, "not final yet");
    world.node.finalize().await;
    let none = registry.active_epoch(revoked).await.unwrap_err();
    assert!(matches!(none, Error::Registry(registry::Error::NoActiveEpoch { .. })), "{none}");
    assert_eq!(
        registry.newest_epoch(revoked).await.unwrap().committee.epoch(),
        world.epoch,
        "what it holds can be read"
    );
    assert_eq!(registry.epoch(world.epoch).await.unwrap().revoked_at, Some(revoked));
}
