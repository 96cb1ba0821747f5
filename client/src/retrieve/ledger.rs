use std::collections::BTreeMap;

use crate::{
    failure::{FailureReason, MemberFailure},
    fault::{Fault, MemberFault},
    members::Member,
};

/// What each member did in one read: its last failure, and every fault.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    failures: BTreeMap<(u64, u16), MemberFailure>,
    faults: Vec<MemberFault>,
}

impl Ledger {
    /// The member failed. A fault stays on record whatever the member does later.
    pub(crate) fn fail(&mut self, member: &Member, reason: FailureReason) {
        if let Some(fault) = reason.fault() {
            let endpoint = member.peer.endpoint().to_owned();
            self.record(MemberFault { slot: member.slot, endpoint, reason: fault.clone() });
        }
        self.failures.insert((member.epoch, member.slot), member.failure(reason));
    }

    /// The member is waited for no longer; what it did before says more, where it did anything.
    pub(crate) fn give_up(&mut self, member: &Member, reason: FailureReason) {
        self.failures.entry((member.epoch, member.slot)).or_insert_with(|| member.failure(reason));
    }

    /// The member did its part.
    pub(crate) fn succeed(&mut self, member: &Member) {
        self.failures.remove(&(member.epoch, member.slot));
    }

    /// Adds what was seen beside this in the same read.
    pub(crate) fn merge(&mut self, other: Self) {
        other.faults.into_iter().for_each(|fault| self.record(fault));
        for (member, failure) in other.failures {
            self.failures.entry(member).or_insert(failure);
        }
    }

    pub(crate) fn has_failed(&self, member: &Member) -> bool {
        self.failures.contains_key(&(member.epoch, member.slot))
    }

    /// Members whose last word was one of those that `which` says.
    pub(crate) fn count(&self, epoch: u64, which: impl Fn(&FailureReason) -> bool) -> u16 {
        let those = self.failures.iter().filter(|((of, _), failure)| *of == epoch && which(&failure.reason));
        u16::try_from(those.count()).expect("a committee has at most 126 members")
    }

    /// Whether a blob has expired in an epoch: one member more says so than may lie, and with those that never stored it so
    /// many that the others are too few to read it from.
    pub(crate) fn is_expired(&self, epoch: u64, faults: u16, needed: u16) -> bool {
        let expired = self.count(epoch, |reason| matches!(reason, FailureReason::Expired));
        let said = self.count(epoch, |reason| matches!(reason, FailureReason::NotStored));
        expired > faults && expired + said >= needed
    }

    /// How many members of an epoch do not hold a blob, where signers that deny it are among them and those are so many that
    /// the others are too few to read it from.
    pub(crate) fn denied(&self, epoch: u64, needed: u16) -> Option<u16> {
        let gone = self.count(epoch, is_gone);
        (gone >= needed && self.count(epoch, is_broken_promise) > 0).then_some(gone)
    }

    pub(crate) fn faults(&self) -> Vec<MemberFault> {
        self.faults.clone()
    }

    pub(crate) fn failures(&self) -> Vec<MemberFailure> {
        self.failures.values().cloned().collect()
    }

    /// Keeps one entry for each thing that a member did.
    fn record(&mut self, fault: MemberFault) {
        let same =
            |it: &MemberFault| it.endpoint == fault.endpoint && it.reason.to_string() == fault.reason.to_string();
        if !self.faults.iter().any(same) {
            self.faults.push(fault);
        }
    }
}

/// The member does not hold what it was asked for, by its own word.
pub(crate) fn is_gone(reason: &FailureReason) -> bool {
    matches!(reason, FailureReason::NotStored | FailureReason::Expired) || is_broken_promise(reason)
}

fn is_broken_promise(reason: &FailureReason) -> bool {
    matches!(reason, FailureReason::Fault(Fault::BrokenPromise { .. }))
}
