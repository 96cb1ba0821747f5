//! The rules of format of a statement, and that each message says what was expected and what was there.

use holdfast_certificate::{CommitteeParameters, HOUR, Statement};
use holdfast_erasure::{Digest, Parameters};

use crate::world::{RETAIN_UNTIL, World};

fn refused(change: impl Fn(&mut Statement)) -> String {
    let world = World::new(2, 5, 4);
    let mut statement = world.statement();
    statement.check(world.committee.parameters()).expect("sound as it is");
    change(&mut statement);
    statement.check(world.committee.parameters()).expect_err("changed").to_string()
}

fn by_payload(statement: &mut Statement, whole_until: u64) {
    statement.blob.payload_digest = Digest::from([5; 32]);
    statement.whole_until = whole_until;
}

#[test]
fn other_numbers_of_shards_are_refused() {
    assert_eq!(
        refused(|statement| statement.blob.original_shards = 3),
        "blob must have 2 original of 5 shards (the epoch's), got 3 of 5"
    );
    assert_eq!(
        refused(|statement| statement.blob.total_shards = 6),
        "blob must have 2 original of 5 shards (the epoch's), got 2 of 6"
    );
}

#[test]
fn empty_and_oversized_payloads_are_refused() {
    assert_eq!(
        refused(|statement| statement.blob.payload_length = 0),
        "payload must be from 1 to 1048576 bytes, got 0"
    );
    assert_eq!(
        refused(|statement| statement.blob.payload_length = (1 << 20) + 1),
        "payload must be from 1 to 1048576 bytes, got 1048577"
    );
}

#[test]
fn times_off_the_grid_are_refused() {
    assert_eq!(
        refused(|statement| statement.retain_until = 7201),
        "retain_until must be a multiple of 3600 seconds, got 7201"
    );
    assert_eq!(
        refused(|statement| by_payload(statement, 3601)),
        "whole_until must be a multiple of 3600 seconds, got 3601"
    );
}

#[test]
fn whole_until_must_fit_the_dispersal() {
    assert_eq!(
        refused(|statement| statement.whole_until = HOUR),
        "whole_until must be 0 for a blob dispersed by shard, got 3600"
    );
    let expected = format!(
        "whole_until must be after 0 and at most retain_until {RETAIN_UNTIL} for a blob dispersed by payload, got "
    );
    assert_eq!(refused(|statement| by_payload(statement, 0)), format!("{expected}0"));
    let late = RETAIN_UNTIL + HOUR;
    assert_eq!(refused(|statement| by_payload(statement, late)), format!("{expected}{late}"));
}

#[test]
fn bounds_themselves_are_allowed() {
    let world = World::new(2, 5, 4);
    let parameters = world.committee.parameters();
    for length in [1, 1 << 20] {
        let mut statement = world.statement();
        statement.blob.payload_length = length;
        statement.check(parameters).expect("within bounds");
    }
    for whole_until in [HOUR, RETAIN_UNTIL] {
        let mut statement = world.statement();
        by_payload(&mut statement, whole_until);
        statement.check(parameters).expect("within bounds");
    }
}

#[test]
fn parameters_are_bounded() {
    let of = |k, n, t, max_payload| {
        CommitteeParameters::new(Parameters::new(k, n).expect("possible"), t, max_payload)
            .map_err(|error| error.to_string())
    };
    let threshold = |least: u16, most: u16, got: u16| {
        Err(format!(
            "threshold must be at least {least} (original shards, and more than half the members) and at most {most} (members), got {got}"
        ))
    };
    assert_eq!(of(2, 6, 3, 1), threshold(4, 6, 3), "half is not more than half");
    assert_eq!(of(2, 7, 3, 1), threshold(4, 7, 3));
    assert_eq!(of(5, 7, 4, 1), threshold(5, 7, 4), "fewer than rebuild the blob");
    assert_eq!(of(2, 6, 7, 1), threshold(4, 6, 7));
    assert_eq!(of(2, 6, 4, 0), Err("max payload must be from 1 to 1073741824 bytes, got 0".to_owned()));
    assert_eq!(
        of(2, 6, 4, (1 << 30) + 1),
        Err("max payload must be from 1 to 1073741824 bytes, got 1073741825".to_owned())
    );
    for (n, t, k) in [(4, 3, 2), (5, 4, 2), (6, 5, 2), (7, 6, 2), (10, 8, 3), (13, 11, 3), (20, 17, 3)] {
        let parameters = of(k, n, t, 1 << 30).expect("a default of the protocol");
        assert_eq!((parameters.original_shards(), parameters.total_shards(), parameters.threshold()), (k, n, t));
        assert_eq!(parameters.faults(), t - k);
    }
}
