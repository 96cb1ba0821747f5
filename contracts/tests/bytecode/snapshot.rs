//! What things cost, to the unit of gas, against `contracts/gas-snapshot.txt`.

use std::{fmt::Write as _, path::Path};

use alloy::{
    primitives::{Bytes, U256},
    sol_types::SolCall,
};
use holdfast_certificate::{Namespace, Statement};
use holdfast_erasure::{Digest, Dispersal};
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::{Consumer, Registry},
    chain::Chain,
    checkpoint::{Checkpoint, blob_ids},
    fixture::{
        DELAY, FIVE, Fixture, GOVERNANCE, GUARDIAN, LARGEST, OPERATOR, OWNER, SEVEN, STRANGER, Size, TWENTY, bitmap,
        encode_l1, keys_of, propose, registration, secret_keys,
    },
    gas::{change_retention, dearest_bad_certificate, least_for},
    openings::{blob, opening},
};

/// Set to anything, it has the snapshot written instead of compared.
const UPDATE: &str = "UPDATE_GAS_SNAPSHOT";
const FILE: &str = "gas-snapshot.txt";
const HEADER: &str = "\
# Gas of whole transactions, with their 21,000 and calldata, by the rules of Osaka; those of Prague cost the same. Keys and
# blobs are always the same. Written and compared by a test:
#   UPDATE_GAS_SNAPSHOT=1 cargo test --release -p holdfast-contracts --test bytecode snapshot
";

#[test]
fn gas_is_what_the_snapshot_says() {
    let mut lines: Vec<(String, u64)> = Vec::new();
    for size in [FIVE, TWENTY, LARGEST] {
        committee(&mut lines, size);
    }
    registry(&mut lines);
    checkpoints(&mut lines);
    openings(&mut lines);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os(UPDATE).is_some() {
        let mut text = HEADER.to_owned();
        for (name, gas) in &lines {
            writeln!(text, "{name}: {gas}").unwrap();
        }
        std::fs::write(&path, text).unwrap();
        return;
    }
    let text = std::fs::read_to_string(&path).expect(FILE);
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let measured: Vec<String> = lines.iter().map(|(name, gas)| format!("{name}: {gas}")).collect();
    for line in &measured {
        let name = line.split(':').next().unwrap();
        let known = kept.iter().find(|kept| kept.split(':').next() == Some(name));
        assert_eq!(known, Some(&line.as_str()), "{FILE} differs; if that is meant, set {UPDATE}=1 and run this test");
    }
    assert_eq!(kept, measured, "{FILE} has lines that are not measured; set {UPDATE}=1 and run this test");
}

/// Certificates and proposals of a committee.
fn committee(lines: &mut Vec<(String, u64)>, size: Size) {
    let n = size.n;
    let mut fixture = Fixture::new(size);
    let all = fixture.certificate();
    // Every third slot is missing.
    let signers: Vec<u16> = (0..n).filter(|slot| slot % 3 != 2).collect();
    assert!(signers.len() >= usize::from(size.t));
    let third = fixture.certify(&fixture.statement(), &signers);
    let one = fixture.certify(&fixture.statement(), &(1..n).collect::<Vec<_>>());
    let missing = usize::from(n) - signers.len();
    let mut cases = vec![("all signed".to_owned(), all), (format!("{missing} missing"), third)];
    if missing > 1 {
        cases.insert(1, ("1 missing".to_owned(), one));
    }
    for (who, certificate) in cases {
        let call = Registry::judgeCall { certificate: certificate.clone().into() };
        lines.push((format!("judge n={n}, {who}"), cost(&fixture.chain, &fixture, &call)));
        let call = Registry::verifyCall { certificate: certificate.clone().into(), atTime: fixture.chain.time };
        lines.push((format!("verify n={n}, {who}"), cost(&fixture.chain, &fixture, &call)));
        let call = Registry::publishCall { certificate: certificate.into() };
        lines.push((format!("publish n={n}, {who}"), cost(&fixture.chain, &fixture, &call)));
    }
    let by_payload = fixture.certify(&by_payload(&fixture), &fixture.all());
    let call = Registry::judgeCall { certificate: by_payload.clone().into() };
    lines.push((format!("judge n={n}, by payload, all signed"), cost(&fixture.chain, &fixture, &call)));
    let call = Registry::publishCall { certificate: by_payload.into() };
    lines.push((format!("publish n={n}, by payload, all signed"), cost(&fixture.chain, &fixture, &call)));
    let call = Registry::publishCall { certificate: fixture.certificate().into() };
    lines.push((format!("publish n={n}, all signed, the gas limit it needs"), limit(&fixture, &call)));
    let ids = keys_of(&fixture.chain, fixture.registry, 1);
    let outcome = fixture.chain.send(GOVERNANCE, fixture.registry, &propose(ids, size));
    assert!(outcome.success);
    lines.push((format!("proposeEpoch n={n}"), outcome.gas_used));
    if n == FIVE.n {
        // A successor that is not active yet is taken back, alone and as the first of as many as there can be.
        let epoch = fixture.epoch + 1;
        let call = Registry::cancelFromCall { epoch };
        lines.push((
            "cancelFrom, one proposal".to_owned(),
            fixture.chain.clone().send(GUARDIAN, fixture.registry, &call).gas_used,
        ));
        for _ in 1..8 {
            let keys = keys_of(&fixture.chain, fixture.registry, 1);
            fixture.chain.must(GOVERNANCE, fixture.registry, &propose(keys, size));
        }
        lines.push((
            "cancelFrom, eight proposals".to_owned(),
            fixture.chain.send(GUARDIAN, fixture.registry, &call).gas_used,
        ));
    }
}

/// The usual statement, dispersed by payload: hardly a byte more of it is zero.
fn by_payload(fixture: &Fixture) -> Statement {
    let mut statement = fixture.statement();
    statement.blob.payload_digest = Digest::from([0xd1; 32]);
    statement.whole_until = statement.retain_until;
    statement
}

/// The least gas limit with which the transaction succeeds.
fn limit<C: SolCall>(fixture: &Fixture, call: &C) -> u64 {
    let succeeds = |gas| fixture.chain.clone().send_with_gas(STRANGER, fixture.registry, call, gas).success;
    let (mut low, mut high) = (0, 1_000_000);
    while low + 1 < high {
        let middle = u64::midpoint(low, high);
        if middle > 100_000 && succeeds(middle) { high = middle } else { low = middle }
    }
    high
}

/// What does not depend on the committee's size.
fn registry(lines: &mut Vec<(String, u64)>) {
    let mut fixture = Fixture::new(FIVE);
    let call = registration(&fixture.chain, fixture.registry, &secret_keys(500, 1)[0]);
    let outcome = fixture.chain.send(OPERATOR, fixture.registry, &call);
    assert!(outcome.success);
    lines.push(("registerKey".to_owned(), outcome.gas_used));
    // On the curve's x axis there is no point with x = 1: the pairing burns all it is given.
    let mut point = [0; 128];
    point[63] = 1;
    let bad = encode_l1(&fixture.statement(), bitmap(&fixture.all()), &point);
    let call = Registry::verifyCall { certificate: bad.into(), atTime: fixture.chain.time };
    lines.push(("verify n=5, a point off the curve".to_owned(), cost(&fixture.chain, &fixture, &call)));
    let (mut largest, bad) = dearest_bad_certificate(SpecId::OSAKA);
    let call = verify(&largest, bad);
    let name = "verify n=94 t=48, 46 missing, by payload, a point off the curve";
    lines.push((name.to_owned(), cost(&largest.chain, &largest, &call)));
    lines.push((format!("{name}, what a contract must give"), least_for(&largest, &call)));
    change_retention(&mut largest, 40);
    lines.push((format!("{name}, 40 retentions ago"), cost(&largest.chain, &largest, &call)));
    lines.push((format!("{name}, 40 retentions ago, what a contract must give"), least_for(&largest, &call)));
    // After a successor was proposed, and after the retention was changed often.
    let ids = keys_of(&fixture.chain, fixture.registry, 1);
    fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids, FIVE));
    let call = verify(&fixture, fixture.certificate());
    lines.push(("verify n=5, all signed, successor proposed".to_owned(), cost(&fixture.chain, &fixture, &call)));
    let mut fixture = Fixture::new(FIVE);
    let certificate = fixture.certificate();
    let early = verify(&fixture, certificate);
    let namespace = Namespace::to_bytes(&fixture.namespace).into();
    for step in 0..20 {
        fixture.chain.time += DELAY;
        let call = Registry::setMinRetentionCall { namespace, minRetention: step };
        fixture.chain.must(OWNER, fixture.registry, &call);
    }
    lines.push(("verify n=5, all signed, 20 retentions ago".to_owned(), cost(&fixture.chain, &fixture, &early)));
}

fn checkpoints(lines: &mut Vec<(String, u64)>) {
    const BLOBS: u32 = 200;
    let mut fixture = Fixture::new(TWENTY);
    let ids = blob_ids(BLOBS);
    let checkpoint = Checkpoint::over(&fixture, &ids);
    let encoded = checkpoint.certify(&fixture, &fixture.all());
    let call = Registry::verifyCheckpointCall { checkpoint: encoded.clone().into(), atTime: fixture.chain.time };
    lines.push((format!("verifyCheckpoint n=20 of {BLOBS} blobs, all signed"), cost(&fixture.chain, &fixture, &call)));
    let call = Registry::publishCheckpointCall { checkpoint: encoded.clone().into() };
    let gas = cost(&fixture.chain, &fixture, &call);
    lines.push((format!("publishCheckpoint n=20 of {BLOBS} blobs, all signed"), gas));
    lines.push((format!("publishCheckpoint n=20 of {BLOBS} blobs, all signed, for each blob"), gas / u64::from(BLOBS)));
    assert!(fixture.publish_checkpoint(&encoded).success);
    let call = Registry::verifyInCheckpointCall {
        blobId: ids[77],
        proof: checkpoint.proof(&ids, 77).into(),
        atTime: fixture.chain.time,
    };
    lines.push((format!("verifyInCheckpoint of {BLOBS} blobs"), cost(&fixture.chain, &fixture, &call)));
}

fn openings(lines: &mut Vec<(String, u64)>) {
    let mut fixture = Fixture::new(FIVE);
    let consumer = fixture.chain.deploy("test/RecordingConsumer", &[]);
    let call = opening(&blob(2, 5, 1_000_000, Dispersal::ByPayload), 1, 100);
    assert_eq!(fixture.chain.call(fixture.registry, &call), U256::from(4096));
    let gas = cost(&fixture.chain, &fixture, &call);
    lines.push(("openPayload of 1 MB, k=2 n=5 (the floor of EIP-7623 for its calldata)".to_owned(), gas));
    // What a contract must give it that has the leaf already.
    let (mut low, mut high) = (0, 1_000_000);
    while low < high {
        let middle = u64::midpoint(low, high);
        let Registry::openPayloadCall { blobId, blob, offset, leaf, path } = call.clone();
        let gas_limit = U256::from(middle);
        let registry = fixture.registry;
        let call = Consumer::tryRecordOpeningCall { registry, gasLimit: gas_limit, blobId, blob, offset, leaf, path };
        let mut chain = fixture.chain.clone();
        chain.must(STRANGER, consumer, &call);
        if chain.call(consumer, &Consumer::recordedCall {}).is_zero() { low = middle + 1 } else { high = middle }
    }
    lines.push(("openPayload of 1 MB, k=2 n=5, called by a contract".to_owned(), low));
}

fn verify(fixture: &Fixture, certificate: Vec<u8>) -> Registry::verifyCall {
    Registry::verifyCall { certificate: Bytes::from(certificate), atTime: fixture.chain.time }
}

/// The gas of a transaction that must succeed, from an account straight to the registry.
fn cost<C: SolCall>(chain: &Chain, fixture: &Fixture, call: &C) -> u64 {
    let outcome = chain.clone().send(STRANGER, fixture.registry, call);
    assert!(outcome.success, "{}: {}", C::SIGNATURE, outcome.output);
    outcome.gas_used
}

#[test]
fn prague_and_osaka_cost_the_same() {
    let [prague, osaka] = [SpecId::PRAGUE, SpecId::OSAKA].map(|spec| {
        let fixture = Fixture::on(spec, SEVEN);
        cost(&fixture.chain, &fixture, &verify(&fixture, fixture.certificate()))
    });
    assert_eq!(prague, osaka);
}
