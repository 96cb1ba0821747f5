//! What things cost, and that a sender who picks the gas limit cannot turn a good certificate into a bad one.

use std::ops::Range;

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::{SolCall, SolError as _},
};
use holdfast_erasure::{Digest, Dispersal};
use holdfast_registry::Status;
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::{Consumer, Registry},
    chain::{Chain, TRANSACTION_GAS_CAP},
    checkpoint::{Checkpoint, blob_ids},
    fixture::{
        DELAY, FIVE, Fixture, GOVERNANCE, LARGEST, OPERATOR, OWNER, SEVEN, STRANGER, Size, TWENTY, keys_of, propose,
        registration, secret_keys,
    },
    openings::{blob, opening},
};

/// More than this for a publication with all signatures is a regression: 102,900 are the pairing's, 21,000 the
/// transaction's, the rest hashing to the curve, calldata and cold reads.
const PUBLISH_GAS: u64 = 157_000;
/// What each signer that is missing may add.
const MISSING_SIGNER_GAS: u64 = 1_000;
/// What it may cost in addition that any is missing.
const FIRST_MISSING_GAS: u64 = 150;
const REGISTER_KEY_GAS: u64 = 200_000;
/// Where the least gas limit that gives a verdict must be: not much above what a bad signature may burn.
const ENOUGH_GAS: Range<u64> = 220_000..260_000;
/// What a transaction with a bad certificate may cost (protocol section 6).
const BAD_CERTIFICATE_GAS: u64 = 400_000;
/// What `IAvailability` tells contracts to give `verify`.
const GAS_FOR_VERIFY: u64 = 400_000;

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

            let register = registration(&fixture.chain, fixture.registry, &secret_keys(500, 1)[0]);
            let registered = fixture.chain.send(OPERATOR, fixture.registry, &register).gas_used;
            assert!(registered < REGISTER_KEY_GAS, "registerKey: {registered}");
            let ids = keys_of(&fixture.chain, fixture.registry, 1);
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
                assert_eq!(U256::from_be_slice(&outcome.output), U256::from(Status::Ok as u8), "at {gas} gas");
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
        let mut chain = fixture.chain.clone();
        chain.send_with_gas(STRANGER, consumer, &call, 1_000_000);
        let recorded = chain.call(consumer, &Consumer::recordedCall {});
        assert!(recorded.is_zero() || recorded == U256::from(4096 + 1), "{recorded} recorded at {gas} gas");
        answers += u32::from(!recorded.is_zero());
    }
    // Neither always nor never.
    assert!((100..1_100).contains(&answers), "{answers}");
}

#[test]
fn the_dearest_bad_certificate_costs_less_than_the_bound() {
    for spec in [SpecId::PRAGUE, SpecId::OSAKA] {
        let (mut fixture, certificate) = dearest_bad_certificate(spec);
        let call = Registry::verifyCall { certificate: certificate.into(), atTime: fixture.chain.time };
        let now = cost_of_bad(&fixture, &call);
        assert!(now < BAD_CERTIFICATE_GAS, "now: {now}");
        let mut before = now;
        // Up to 3,000 more for each time that the number of changes has doubled. The first that is searched for costs
        // reading how many they are as well.
        for (doublings, changes) in (0..).zip([2, 2, 4, 8, 16, 32]) {
            change_retention(&mut fixture, changes);
            let past = cost_of_bad(&fixture, &call);
            let more = if doublings == 0 { 5_500 } else { 3_000 };
            assert!(past < BAD_CERTIFICATE_GAS && past < before + more, "{past} after {before}");
            before = past;
        }
    }
}

/// A contract that gives `verify` what its documentation says gets a verdict, whatever the certificate.
#[test]
fn the_gas_that_contracts_are_told_to_give_is_enough() {
    let (mut fixture, certificate) = dearest_bad_certificate(SpecId::OSAKA);
    let call = Registry::verifyCall { certificate: certificate.into(), atTime: fixture.chain.time };
    change_retention(&mut fixture, 64);
    let least = least_for(&fixture, &call);
    // Not so near that the next change takes it away.
    assert!((270_000..GAS_FOR_VERIFY - 20_000).contains(&least), "{least}");
}

/// The least gas that a contract must give this call, to the unit.
pub(crate) fn least_for(fixture: &Fixture, call: &Registry::verifyCall) -> u64 {
    // What a transaction costs before its call begins.
    let calldata: u64 = call.abi_encode().iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum();
    let given = |gas: u64| fixture.chain.call_with_gas(fixture.registry, call, gas + 21_000 + calldata);
    let (mut low, mut high) = (100_000, 1_000_000);
    while low < high {
        let middle = u64::midpoint(low, high);
        if given(middle).success { high = middle } else { low = middle + 1 }
    }
    given(low - 1).reverted_with(&Registry::InsufficientGas {});
    low
}

/// The certificate of the largest committee whose refusal costs most: nothing is wrong with it but a point that is off
/// the curve, as many slots are missing as may be, and hardly a byte is zero.
pub(crate) fn dearest_bad_certificate(spec: SpecId) -> (Fixture, Vec<u8>) {
    let fixture = Fixture::on(spec, Size { n: 94, t: 48, k: 20 });
    let mut statement = fixture.statement();
    statement.blob.payload_digest = Digest::from([0xd1; 32]);
    statement.whole_until = statement.retain_until;
    let mut certificate = fixture.certify(&statement, &(0..48).collect::<Vec<_>>());
    certificate[320] ^= 1;
    (fixture, certificate)
}

/// So many changes of the retention, each in force before the next.
pub(crate) fn change_retention(fixture: &mut Fixture, changes: u64) {
    let namespace = fixture.namespace.to_bytes().into();
    for step in 0..changes {
        fixture.chain.time += DELAY;
        let call = Registry::setMinRetentionCall { namespace, minRetention: fixture.chain.time % 7_000 + step };
        fixture.chain.must(OWNER, fixture.registry, &call);
    }
    fixture.chain.time += DELAY;
}

/// The gas of a transaction that asks for the verdict, which is BAD_SIGNATURE.
fn cost_of_bad(fixture: &Fixture, call: &Registry::verifyCall) -> u64 {
    let outcome = fixture.chain.clone().send(STRANGER, fixture.registry, call);
    assert_eq!(U256::from_be_slice(&outcome.output), U256::from(Status::BadSignature as u8));
    outcome.gas_used
}

/// Whether the consumer recorded a verdict when called with so much gas. It must be OK.
fn records<C: SolCall>(chain: &Chain, consumer: Address, call: &C, gas: u64) -> bool {
    let mut chain = chain.clone();
    chain.send_with_gas(STRANGER, consumer, call, gas);
    let recorded = chain.call(consumer, &Consumer::recordedCall {});
    assert!(recorded <= U256::from(Status::Ok as u8), "{recorded} recorded at {gas} gas");
    !recorded.is_zero()
}

/// Tries every gas limit up to a million in steps, and one by one where answers begin; gives the least that answers.
fn sweep(mut answers: impl FnMut(u64) -> bool) -> u64 {
    const STEP: usize = 1_000;
    let answered: Vec<u64> = (100_000..=1_000_000).step_by(STEP).filter(|gas| answers(*gas)).collect();
    let first = *answered.first().expect("a million is enough");
    (first - 1_000..=first).find(|gas| answers(*gas)).expect("the last one answers")
}
