//! What things cost, and that a sender who picks the gas limit cannot turn a good certificate into a bad one.

use std::ops::Range;

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::{SolCall, SolError as _},
};
use holdfast_erasure::Dispersal;
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::{Consumer, Registry},
    chain::{Chain, TRANSACTION_GAS_CAP},
    checkpoint::{Checkpoint, blob_ids},
    fixture::{
        FIVE, Fixture, GOVERNANCE, LARGEST, OPERATOR, SEVEN, STRANGER, TWENTY, key_ids, propose, registration,
        secret_keys,
    },
    openings::{blob, opening},
};

/// More than this for a publication with all signatures is a regression: 102,900 are the pairing's, 21,000 the
/// transaction's, the rest hashing to the curve, calldata and cold reads.
const PUBLISH_GAS: u64 = 156_000;
/// What each signer that is missing may add.
const MISSING_SIGNER_GAS: u64 = 1_000;
/// What it may cost in addition that any is missing.
const FIRST_MISSING_GAS: u64 = 150;
const REGISTER_KEY_GAS: u64 = 300_000;
/// Where the least gas limit that gives a verdict must be: not much above what a bad signature may burn.
const ENOUGH_GAS: Range<u64> = 300_000..400_000;

#[test]
fn bounds_at_every_size() {
    for spec in [SpecId::PRAGUE, SpecId::OSAKA] {
        for size in [FIVE, SEVEN, TWENTY, LARGEST] {
            let mut fixture = Fixture::on(spec, size);
            let all = fixture.certificate();
            let enough = fixture.certify(&fixture.statement(), &(0..size.t).collect::<Vec<_>>());
            let [published, with_missing] = [all, enough].map(|certificate| {
                let outcome = fixture.publish(&certificate);
                assert!(outcome.success);
                outcome.gas_used
            });
            assert!(published < PUBLISH_GAS, "publish at {size:?}: {published}");
            let most = published + FIRST_MISSING_GAS + u64::from(size.n - size.t) * MISSING_SIGNER_GAS;
            assert!(with_missing < most, "{with_missing} at {size:?}");

            let register = registration(&secret_keys(500, 1)[0]);
            let registered = fixture.chain.send(OPERATOR, fixture.registry, &register).gas_used;
            assert!(registered < REGISTER_KEY_GAS, "registerKey: {registered}");
            let ids = key_ids(&fixture.chain, fixture.registry, 1);
            let proposed = fixture.chain.send(GOVERNANCE, fixture.registry, &propose(ids, size));
            assert!(proposed.success);
            assert!(proposed.gas_used < TRANSACTION_GAS_CAP / 2, "proposeEpoch at {size:?}: {}", proposed.gas_used);
        }
    }
}

#[test]
fn lack_of_gas_is_never_a_verdict() {
    for size in [FIVE, TWENTY] {
        let fixture = Fixture::new(size);
        let certificate = fixture.certify(&fixture.statement(), &(0..size.t).collect::<Vec<_>>());
        let call = Registry::verifyCall { certificate: certificate.into(), atTime: fixture.chain.time };
        let least = sweep(|gas| {
            let outcome = fixture.chain.call_with_gas(fixture.registry, &call, gas);
            if outcome.success {
                assert_eq!(U256::from_be_slice(&outcome.output), U256::ZERO, "at {gas} gas");
            }
            outcome.success
        });
        assert!(ENOUGH_GAS.contains(&least), "{least}");
    }
}

#[test]
fn a_consumer_never_records_a_valid_certificate_as_invalid() {
    let mut fixture = Fixture::new(TWENTY);
    let consumer = fixture.chain.deploy("test/RecordingConsumer", &[]);
    let bytes = Bytes::from(fixture.certify(&fixture.statement(), &(0..TWENTY.t).collect::<Vec<_>>()));
    let (registry, time) = (fixture.registry, fixture.chain.time);

    let call = Consumer::recordCall { registry, certificate: bytes.clone(), atTime: time };
    let least = sweep(|gas| records(&fixture.chain, consumer, &call, gas));
    assert!(ENOUGH_GAS.contains(&least), "{least}");

    // This one goes on when the registry gave no verdict, with the gas that the registry could not have.
    let call = Consumer::tryRecordCall { registry, certificate: bytes, atTime: time };
    let least = sweep(|gas| records(&fixture.chain, consumer, &call, gas));
    assert!(ENOUGH_GAS.contains(&least), "{least}");
}

#[test]
fn a_consumer_never_records_a_valid_checkpoint_or_proof_as_invalid() {
    let mut fixture = Fixture::new(TWENTY);
    let consumer = fixture.chain.deploy("test/RecordingConsumer", &[]);
    let ids = blob_ids(200);
    let checkpoint = Checkpoint::over(&fixture, &ids);
    let encoded = checkpoint.certify(&fixture, &(0..TWENTY.t).collect::<Vec<_>>());
    let (registry, time) = (fixture.registry, fixture.chain.time);

    let call = Consumer::recordCheckpointCall { registry, checkpoint: encoded.clone().into(), atTime: time };
    let least = sweep(|gas| records(&fixture.chain, consumer, &call, gas));
    assert!(ENOUGH_GAS.contains(&least), "{least}");

    // Published or not published for lack of gas, never refused for another reason.
    let publish = Registry::publishCheckpointCall { checkpoint: encoded.clone().into() };
    let least = sweep(|gas| {
        let outcome = fixture.chain.clone().send_with_gas(STRANGER, registry, &publish, gas);
        let refused = Registry::NotAvailable { status: 0 }.abi_encode();
        assert!(outcome.success || outcome.output.get(..4) != Some(&refused[..4]), "{} at {gas}", outcome.output);
        outcome.success
    });
    assert!(ENOUGH_GAS.contains(&least), "{least}");

    assert!(fixture.publish_checkpoint(&encoded).success);
    let call = Consumer::tryRecordInCheckpointCall {
        registry,
        blobId: ids[77],
        proof: checkpoint.proof(&ids, 77).into(),
        atTime: time,
    };
    // It needs little, so the sweep is finer where it begins to answer.
    for gas in (40_000..120_000).step_by(50) {
        records(&fixture.chain, consumer, &call, gas);
    }
    assert!(records(&fixture.chain, consumer, &call, 120_000));
}

#[test]
fn a_consumer_never_records_a_payload_leaf_as_none() {
    let mut fixture = Fixture::new(FIVE);
    let consumer = fixture.chain.deploy("test/RecordingConsumer", &[]);
    let Registry::openPayloadCall { blobId, blob, offset, leaf, path } =
        opening(&blob(2, 5, 100_000, Dispersal::ByPayload), 1, 3);
    let mut answers = 0;
    for gas in (1_000..60_000).step_by(50) {
        let call = Consumer::tryRecordOpeningCall {
            registry: fixture.registry,
            gasLimit: U256::from(gas),
            blobId,
            blob: blob.clone(),
            offset,
            leaf: leaf.clone(),
            path: path.clone(),
        };
        answers += u32::from(records(&fixture.chain, consumer, &call, 1_000_000));
    }
    // Neither always nor never.
    assert!((100..1_100).contains(&answers), "{answers}");
}

/// Whether the consumer recorded a verdict when called with so much gas. It must be OK.
fn records<C: SolCall>(chain: &Chain, consumer: Address, call: &C, gas: u64) -> bool {
    let mut chain = chain.clone();
    chain.send_with_gas(STRANGER, consumer, call, gas);
    let recorded = chain.call(consumer, &Consumer::recordedCall {});
    assert!(recorded <= U256::from(1), "{recorded} recorded at {gas} gas");
    !recorded.is_zero()
}

/// Tries every gas limit up to a million in steps, and one by one where answers begin; gives the least that answers.
fn sweep(mut answers: impl FnMut(u64) -> bool) -> u64 {
    const STEP: usize = 1_000;
    let answered: Vec<u64> = (100_000..=1_000_000).step_by(STEP).filter(|gas| answers(*gas)).collect();
    let first = *answered.first().expect("a million is enough");
    (first - 1_000..=first).find(|gas| answers(*gas)).expect("the last one answers")
}
