//! A namespace's minimum retention over time: what was said of a second that has passed never changes.

use alloy::primitives::B256;
use holdfast_certificate::HOUR;
use holdfast_registry::Status;
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    chain::Outcome,
    fixture::{DELAY, FIVE, Fixture, MIN_RETENTION, OWNER, STRANGER},
};

const TEN_YEARS: u64 = 3650 * 24 * HOUR;

#[test]
fn a_raise_holds_after_an_hour_and_a_lowering_after_the_delay() {
    let mut fixture = Fixture::new(FIVE);
    let start = fixture.chain.time;
    let event = set(&mut fixture, MIN_RETENTION + HOUR);
    let raised = start + HOUR;
    assert_eq!((event.minRetention, event.from), (MIN_RETENTION + HOUR, raised));
    assert_eq!(read(&fixture), (MIN_RETENTION, MIN_RETENTION + HOUR, raised));
    assert_eq!(least(&fixture, raised - 1), MIN_RETENTION);
    assert_eq!(least(&fixture, raised), MIN_RETENTION + HOUR);

    fixture.chain.time = raised;
    assert_eq!(read(&fixture), (MIN_RETENTION + HOUR, 0, 0));
    assert_eq!(set(&mut fixture, HOUR).from, raised + DELAY);
    assert_eq!(read(&fixture), (MIN_RETENTION + HOUR, HOUR, raised + DELAY));
    assert_eq!(least(&fixture, raised + DELAY - 1), MIN_RETENTION + HOUR);
    assert_eq!(least(&fixture, raised + DELAY), HOUR);
}

#[test]
fn the_next_call_takes_the_place_of_a_change_that_is_pending() {
    let mut fixture = Fixture::new(FIVE);
    let start = fixture.chain.time;
    set(&mut fixture, HOUR);
    fixture.chain.time += DELAY - 1;
    // In the last second before it would hold: another lowering takes the whole delay again.
    let from = fixture.chain.time + DELAY;
    assert_eq!(set(&mut fixture, 2 * HOUR).from, from);
    assert_eq!(least(&fixture, start + DELAY), MIN_RETENTION);
    assert_eq!(least(&fixture, from), 2 * HOUR);
    // The value in force takes it back.
    let withdrawn: Registry::MinRetentionWithdrawn = send(&mut fixture, MIN_RETENTION).event();
    assert_eq!(withdrawn.minRetention, MIN_RETENTION);
    assert_eq!(read(&fixture), (MIN_RETENTION, 0, 0));
    // Once more there is nothing to withdraw.
    assert!(send(&mut fixture, MIN_RETENTION).logs.is_empty());
    assert_eq!(least(&fixture, u64::from(u32::MAX)), MIN_RETENTION);
    // A raise while a lowering is pending leaves nothing of the lowering.
    set(&mut fixture, 0);
    set(&mut fixture, MIN_RETENTION + HOUR);
    assert_eq!(least(&fixture, fixture.chain.time), MIN_RETENTION);
    assert_eq!(least(&fixture, fixture.chain.time + HOUR), MIN_RETENTION + HOUR);
    assert_eq!(least(&fixture, fixture.chain.time + 2 * DELAY), MIN_RETENTION + HOUR);
}

#[test]
fn answers_for_times_that_passed_never_change() {
    let mut fixture = Fixture::new(FIVE);
    let start = fixture.chain.time;
    // What was in force in each second, written down as it passed.
    let mut passed: Vec<(u64, u64)> = Vec::new();
    let mut seed = 1u64;
    for change in 1..=60 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Raises, lowerings that come to hold, and lowerings that are replaced before they do.
        assert!(send(&mut fixture, (seed >> 40) % 40 * HOUR).success);
        let steps = [1, 2, DELAY / 2, DELAY - 1, DELAY, DELAY + 1, 3 * DELAY];
        let until = fixture.chain.time + steps[usize::try_from((seed >> 33) % 7).unwrap()];
        passed.push((fixture.chain.time, least(&fixture, fixture.chain.time)));
        fixture.chain.time = until;
        passed.push((until - 1, least(&fixture, until - 1)));
        for (at, retention) in passed.iter().filter(|_| change % 10 == 0) {
            assert_eq!(least(&fixture, *at), *retention, "at {at} after {change} changes");
        }
    }
    passed.sort_unstable();
    passed.dedup();
    let changes = passed.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    assert!(changes > 20, "{changes}");
    assert_eq!(least(&fixture, start), MIN_RETENTION);
}

#[test]
fn a_change_in_the_second_of_creation() {
    let mut fixture = Fixture::new(FIVE);
    let create = Registry::createNamespaceCall { salt: B256::ZERO, minRetention: 10 * HOUR, dispersers: vec![] };
    let namespace = fixture.chain.must(OWNER, fixture.registry, &create);
    let now = fixture.chain.time;
    fixture.namespace = holdfast_certificate::Namespace::from(namespace.0);
    let lower = set(&mut fixture, HOUR);
    assert_eq!(lower.from, now + DELAY);
    let raise = set(&mut fixture, 20 * HOUR);
    assert_eq!(raise.from, now + HOUR);
    let less = set(&mut fixture, 15 * HOUR);
    assert_eq!(less.from, now + HOUR);
    assert_eq!(status(&fixture, now, u64::MAX / HOUR * HOUR), Status::UnknownNamespace);
    assert_eq!(least(&fixture, now + 1), 10 * HOUR);
    assert_eq!(least(&fixture, now + HOUR), 15 * HOUR);
}

#[test]
fn without_a_delay_a_lowering_takes_a_second() {
    let mut chain = crate::chain::Chain::new(SpecId::OSAKA);
    let arguments = alloy::sol_types::SolValue::abi_encode_params(&(
        crate::fixture::GOVERNANCE,
        crate::fixture::GUARDIAN,
        0u64,
        0u64,
    ));
    let registry = chain.deploy("CommitteeRegistry", &arguments);
    let create = Registry::createNamespaceCall { salt: B256::ZERO, minRetention: 10, dispersers: vec![] };
    let namespace = chain.must(OWNER, registry, &create);
    chain.time += 5;
    let set = Registry::setMinRetentionCall { namespace, minRetention: 5 };
    let event: Registry::MinRetentionSet = chain.send(OWNER, registry, &set).event();
    assert_eq!(event.from, chain.time + 1);
}

#[test]
fn only_the_owner_sets_it_and_no_longer_than_ten_years() {
    let mut fixture = Fixture::new(FIVE);
    let namespace = B256::from(fixture.namespace.to_bytes());
    let call = |retention| Registry::setMinRetentionCall { namespace, minRetention: retention };
    for sender in [STRANGER, crate::fixture::GUARDIAN, crate::fixture::GOVERNANCE] {
        let outcome = fixture.chain.send(sender, fixture.registry, &call(1));
        outcome.reverted_with(&Registry::NotNamespaceOwner { owner: OWNER });
    }
    for too_long in [TEN_YEARS + 1, 1 << 32, u64::MAX] {
        let outcome = fixture.chain.send(OWNER, fixture.registry, &call(too_long));
        outcome.reverted_with(&Registry::RetentionTooLong { minRetention: too_long });
    }
    set(&mut fixture, TEN_YEARS);
    let next = fixture.chain.time + HOUR;
    assert_eq!(status(&fixture, next, u64::MAX / HOUR * HOUR), Status::Ok);
    assert_eq!(least(&fixture, next), TEN_YEARS);
}

/// Sets it as the owner.
fn set(fixture: &mut Fixture, retention: u64) -> Registry::MinRetentionSet {
    send(fixture, retention).event()
}

fn send(fixture: &mut Fixture, retention: u64) -> Outcome {
    let namespace = B256::from(fixture.namespace.to_bytes());
    let call = Registry::setMinRetentionCall { namespace, minRetention: retention };
    fixture.chain.send(OWNER, fixture.registry, &call)
}

/// What is in force, what is pending, and from when.
fn read(fixture: &Fixture) -> (u64, u64, u64) {
    let namespace = B256::from(fixture.namespace.to_bytes());
    let info = fixture.chain.call(fixture.registry, &Registry::namespaceOfCall { namespace });
    (info.minRetention, info.nextMinRetention, info.nextFrom)
}

/// The minimum retention at a time, found from what `verify` answers. Whole hours are enough for these tests.
fn least(fixture: &Fixture, at: u64) -> u64 {
    // The grid is hourly and `at` is not, so the times tried differ from `at` by what is added up to the next hour.
    let base = at.next_multiple_of(HOUR);
    let refused = |hours: u64| status(fixture, at, base + hours * HOUR) == Status::RetentionTooShort;
    let (mut low, mut high) = (0, TEN_YEARS / HOUR + 1);
    while low < high {
        let middle = u64::midpoint(low, high);
        if refused(middle) { low = middle + 1 } else { high = middle }
    }
    // The least that is accepted is at most an hour more than what is wanted.
    let accepted = base + low * HOUR - at;
    accepted / HOUR * HOUR
}

/// What `verify` says, at a time in the fixture's epoch, of a certificate kept until then that nobody signed: that it has
/// too few signers counts as good here.
fn status(fixture: &Fixture, at: u64, retain_until: u64) -> Status {
    let statement = holdfast_certificate::Statement { retain_until, ..fixture.statement() };
    let none = crate::fixture::encode_l1(&statement, crate::fixture::bitmap(&[]), &point());
    match fixture.verdict_at(&none, at) {
        Status::BelowThreshold => Status::Ok,
        status @ (Status::RetentionTooShort | Status::UnknownNamespace) => status,
        status => panic!("{status} at {at}"),
    }
}

/// Any point.
fn point() -> [u8; 128] {
    let mut point = [0; 128];
    point[63] = 1;
    point
}
