//! The decisions of the signing rule that need no I/O: pure functions of the statement, what the registry says, the
//! policy and the time.

use holdfast_certificate::{Address, Namespace, PublicKey, Statement, StatementDigest, hour_at_or_after};
use holdfast_erasure::{Blob, Dispersal};
use holdfast_registry::{EpochRecord, Finality, NamespaceRecord};

use super::Error;
use crate::config::Policy;

/// How far this member's clock may be behind a block that is final already, and off from the other members', in seconds.
const CLOCK_SLACK: u64 = 60;

/// The clock is not behind L1: a block that is final was made in the past. A clock that is ahead looks like an L1 that stands
/// still, for which the registry has a limit of its own.
pub(super) fn clock(finality: Option<&Finality>, now: u64) -> Result<(), Error> {
    match finality {
        Some(finality) if finality.timestamp > now.saturating_add(CLOCK_SLACK) => {
            Err(Error::Clock { now, l1: finality.timestamp })
        }
        _ => Ok(()),
    }
}

/// The clock is not off from what most other members say. They may all be wrong, but then it is not for this one alone to go on.
pub(super) fn peers(ahead: i64, now: u64) -> Result<(), Error> {
    if ahead.unsigned_abs() > CLOCK_SLACK { Err(Error::PeersClock { now, ahead }) } else { Ok(()) }
}

/// The statement is for the call it came with.
pub(super) fn dispersal(statement: &Statement, call: Dispersal) -> Result<(), Error> {
    match (call, statement.blob.is_by_payload()) {
        (Dispersal::ByShard, true) => Err(Error::WrongDispersal { call: "StoreShard", expected: "zero" }),
        (Dispersal::ByPayload, false) => Err(Error::WrongDispersal { call: "StorePayload", expected: "not zero" }),
        _ => Ok(()),
    }
}

/// The epoch asked for is the active one.
pub(super) fn epoch(epoch: u64, active: &EpochRecord, now: u64) -> Result<(), Error> {
    let committee = &active.committee;
    if epoch != committee.epoch() {
        return Err(Error::WrongEpoch { active: committee.epoch(), got: epoch });
    }
    if active.is_active(now) { Ok(()) } else { Err(Error::NoActiveEpoch { got: epoch, now }) }
}

/// The statement's code and length are the epoch's.
pub(super) fn format(statement: &Statement, active: &EpochRecord) -> Result<(), Error> {
    statement.check(active.committee.parameters()).map_err(Error::Format)
}

/// The slot that this member has in the epoch.
pub(super) fn slot(active: &EpochRecord, key: &PublicKey) -> Result<u16, Error> {
    let committee = &active.committee;
    committee.slot_of(key).ok_or_else(|| Error::NoSlot { key: Box::new(*key), epoch: committee.epoch() })
}

/// The namespace is one that this member serves.
pub(super) fn served(namespace: &Namespace, policy: &Policy) -> Result<(), Error> {
    if policy.namespaces.is_empty() || policy.namespaces.contains(namespace) {
        Ok(())
    } else {
        Err(Error::NotServed(*namespace))
    }
}

/// The disperser may disperse for the namespace.
pub(super) fn disperser(
    namespace: &Namespace,
    record: &NamespaceRecord,
    disperser: Address,
    digest: StatementDigest,
) -> Result<(), Error> {
    if record.dispersers.contains(&disperser) {
        Ok(())
    } else {
        Err(Error::NotAllowed { digest, got: disperser, namespace: *namespace })
    }
}

/// What came makes the statement's blob.
pub(super) fn blob(expected: &Blob, got: &Blob) -> Result<(), Error> {
    match expected.difference(got) {
        None => Ok(()),
        Some(differs) => Err(Error::WrongBlob { expected: expected.id(), got: got.id(), differs }),
    }
}

/// The retention is ahead, and long enough for L1.
pub(super) fn retention(retain_until: u64, namespace: &NamespaceRecord, now: u64) -> Result<(), Error> {
    let least = now.saturating_add(namespace.min_retention_at(now));
    if retain_until <= now {
        return Err(Error::Past { field: "retain_until", now, got: retain_until });
    }
    if retain_until < least {
        return Err(Error::TooShort { least, got: retain_until });
    }
    Ok(())
}

/// The times are ahead, long enough for L1, and not longer than this member promises.
pub(super) fn times(
    statement: &Statement,
    namespace: &NamespaceRecord,
    policy: &Policy,
    now: u64,
) -> Result<(), Error> {
    retention(statement.retain_until, namespace, now)?;
    if statement.blob.is_by_payload() && statement.whole_until <= now {
        return Err(Error::Past { field: "whole_until", now, got: statement.whole_until });
    }
    longest(statement, policy, now)
}

/// The times are not longer than this member promises.
pub(super) fn longest(statement: &Statement, policy: &Policy, now: u64) -> Result<(), Error> {
    at_most("retain_until", statement.retain_until, now, policy.max_retention.as_secs())?;
    at_most("whole_until", statement.whole_until, now, policy.max_whole.as_secs())
}

/// A disperser that asks for the longest time rounds it up to the grid, so the limit is rounded up too.
fn at_most(field: &'static str, got: u64, now: u64, longest: u64) -> Result<(), Error> {
    let most = hour_at_or_after(now.saturating_add(longest));
    if got <= most { Ok(()) } else { Err(Error::TooLong { field, most, got }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_behind_a_final_block_signs_nothing() {
        let at = |timestamp| Finality {
            block: 1,
            timestamp,
            read_at: 0,
            stalled: false,
            expired: false,
            failure: None,
            dissenters: Vec::new(),
        };
        assert!(clock(None, 0).is_ok());
        assert!(clock(Some(&at(1060)), 1000).is_ok() && clock(Some(&at(0)), 1000).is_ok());
        let error = clock(Some(&at(1061)), 1000).expect_err("behind");
        assert!(matches!(error, Error::Clock { now: 1000, l1: 1061 }), "{error}");
    }

    #[test]
    fn a_clock_that_most_peers_contradict_signs_nothing() {
        for ahead in [0, 60, -60] {
            assert!(peers(ahead, 1000).is_ok(), "{ahead}");
        }
        for (ahead, says) in [(61, "61 s ahead of"), (-61, "61 s behind"), (i64::MIN, "behind")] {
            let error = peers(ahead, 1000).expect_err("off").to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
