//! Many certificates verified at once, false ones among them.

use blst::min_sig::{self, AggregateSignature};
use holdfast_certificate::{Certificate, Committee, Error, HOUR, Signature, Statement};

use crate::world::World;

/// Statements of one committee, each other than the last.
fn statements(world: &World, count: u64) -> Vec<Statement> {
    let statement = world.statement();
    (0..count).map(|later| Statement { retain_until: statement.retain_until + later * HOUR, ..statement }).collect()
}

fn certified(world: &World, statement: &Statement, slots: &[u16]) -> Certificate {
    let attestations = world.attest_all(slots.iter().copied(), statement);
    Certificate::aggregate(&world.committee, *statement, &attestations).expect("a quorum").into_inner()
}

/// The same with another signature.
fn with_signature(certificate: &Certificate, signature: &Signature) -> Certificate {
    let mut bytes = certificate.encode();
    let at = bytes.len() - Signature::BYTES;
    bytes[at..].copy_from_slice(&signature.to_bytes());
    Certificate::decode(&bytes).expect("well-formed")
}

/// What `verify_all` says must be what `verify` says of each.
fn agrees(certificates: &[(&Certificate, &Committee)]) -> Vec<bool> {
    let verdicts = Certificate::verify_all(certificates);
    assert_eq!(verdicts.len(), certificates.len());
    let agree = |((certificate, committee), verdict): (&(&Certificate, &Committee), Result<_, Error>)| {
        let alone = certificate.verify(committee);
        match (verdict, alone) {
            (Ok(verified), Ok(alone)) => assert_eq!(verified, alone),
            (Err(verdict), Err(alone)) => assert_eq!(verdict.to_string(), alone.to_string()),
            (verdict, alone) => panic!("{verdict:?} in the batch, {alone:?} alone"),
        }
        alone_is_good(certificate, committee)
    };
    certificates.iter().zip(verdicts).map(agree).collect()
}

fn alone_is_good(certificate: &Certificate, committee: &Committee) -> bool {
    certificate.verify(committee).is_ok()
}

#[test]
fn genuine_ones_of_any_signers_and_committees_verify_together() {
    let (world, other) = (World::new(2, 5, 3), World::new(3, 7, 5));
    assert!(Certificate::verify_all(&[]).is_empty());
    let signers: [&[u16]; 4] = [&[0, 1, 2], &[0, 1, 2, 3, 4], &[1, 3, 4], &[0, 1, 2]];
    let mut certificates: Vec<(Certificate, &Committee)> = statements(&world, 8)
        .iter()
        .zip(signers.iter().cycle())
        .map(|(statement, slots)| (certified(&world, statement, slots), &world.committee))
        .collect();
    for statement in statements(&other, 3) {
        certificates.push((certified(&other, &statement, &[0, 2, 3, 5, 6]), &other.committee));
    }
    for count in 1..=certificates.len() {
        let some: Vec<_> =
            certificates[..count].iter().map(|(certificate, committee)| (certificate, *committee)).collect();
        assert!(agrees(&some).iter().all(|good| *good), "{count}");
    }
}

#[test]
fn a_false_one_is_named_wherever_it_stands_and_takes_nobody_with_it() {
    let world = World::new(2, 5, 3);
    let certificates: Vec<Certificate> =
        statements(&world, 9).iter().map(|statement| certified(&world, statement, &[0, 1, 4])).collect();
    for at in 0..certificates.len() {
        let mut changed = certificates.clone();
        // Another statement's signature.
        let other = certificates[(at + 1) % certificates.len()].signature();
        changed[at] = with_signature(&certificates[at], other);
        let all: Vec<_> = changed.iter().map(|certificate| (certificate, &world.committee)).collect();
        let expected: Vec<bool> = (0..changed.len()).map(|place| place != at).collect();
        assert_eq!(agrees(&all), expected);
    }
    let all_false: Vec<Certificate> = (0..certificates.len())
        .map(|at| with_signature(&certificates[at], certificates[(at + 1) % certificates.len()].signature()))
        .collect();
    let all: Vec<_> = all_false.iter().map(|certificate| (certificate, &world.committee)).collect();
    assert!(agrees(&all).iter().all(|good| !good));
}

/// Without random factors the sum of the two would verify: what one has too much the other has too little.
#[test]
fn false_signatures_that_cancel_in_the_sum_do_not_pass() {
    let world = World::new(2, 5, 3);
    let certificates: Vec<Certificate> =
        statements(&world, 4).iter().map(|statement| certified(&world, statement, &[0, 1, 2])).collect();
    let point = |signature: &Signature| min_sig::Signature::from_bytes(&signature.to_bytes()).expect("a point");
    let drift = point(&world.attest(3, &world.statement()).signature);
    let mut negative = drift.compress();
    negative[0] ^= 0x20;
    let negative = min_sig::Signature::from_bytes(&negative).expect("a point");
    let moved = |certificate: &Certificate, by: &min_sig::Signature| {
        let mut sum = AggregateSignature::from_signature(&point(certificate.signature()));
        sum.add_signature(by, false).expect("a point");
        with_signature(certificate, &Signature::from_bytes(&sum.to_signature().compress()).expect("a point"))
    };
    let (up, down) = (moved(&certificates[1], &drift), moved(&certificates[2], &negative));
    let sum = |signatures: [&Signature; 2]| {
        let points = signatures.map(point);
        AggregateSignature::aggregate(&[&points[0], &points[1]], false).expect("points").to_signature()
    };
    assert_eq!(
        sum([up.signature(), down.signature()]),
        sum([certificates[1].signature(), certificates[2].signature()]),
        "the attack is one"
    );
    let all = [&certificates[0], &up, &down, &certificates[3]].map(|certificate| (certificate, &world.committee));
    for _ in 0..20 {
        assert_eq!(agrees(&all), [true, false, false, true]);
    }
}

#[test]
fn what_fails_before_its_signature_is_looked_at_fails_alone() {
    let (world, other) = (World::new(2, 5, 3), World::new(2, 5, 4));
    let certificates: Vec<Certificate> =
        statements(&world, 3).iter().map(|statement| certified(&world, statement, &[0, 1, 2])).collect();
    let mut epoch = certificates[1];
    epoch.statement.epoch += 1;
    let mut off_grid = certificates[1];
    off_grid.statement.retain_until += 1;
    for bad in [&epoch, &off_grid] {
        let all = [&certificates[0], bad, &certificates[2]].map(|certificate| (certificate, &world.committee));
        assert_eq!(agrees(&all), [true, false, true]);
    }
    // Three signers are enough for one committee and too few for the other, whose keys are the same.
    let mixed = [(&certificates[0], &world.committee), (&certificates[1], &other.committee)];
    assert_eq!(agrees(&mixed), [true, false]);
}
