//! The disperser's decision logic, without I/O or clock.

/// Where each member of an epoch stands in one dispersal: waited for, attested, or failed.
///
/// # One reason per member
///
/// Every slot ends either attested or failed with exactly one reason; a failure is final, and takes back an attestation
/// that turned out bad.
#[derive(Clone, Debug)]
pub struct Quorum<A, F> {
    needed: usize,
    members: Vec<Member<A, F>>,
}

#[derive(Clone, Debug)]
enum Member<A, F> {
    Waiting,
    Attested(A),
    Failed(F),
}

/// What the disperser should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least the threshold of members has attested.
    Reached,
    /// So many members failed that the threshold cannot be reached.
    Impossible,
    /// Neither yet.
    Wait,
}

impl<A, F> Quorum<A, F> {
    /// A dispersal to `members` slots of which `needed` must attest.
    #[must_use]
    pub fn new(members: u16, needed: u16) -> Self {
        Self { needed: needed.into(), members: (0..members).map(|_| Member::Waiting).collect() }
    }

    /// The member in `slot` attested. Without effect unless that member is waited for.
    pub fn attest(&mut self, slot: u16, attestation: A) {
        if let Some(member @ Member::Waiting) = self.members.get_mut(usize::from(slot)) {
            *member = Member::Attested(attestation);
        }
    }

    /// The member in `slot` failed, or its attestation is bad. The first reason stays.
    pub fn fail(&mut self, slot: u16, reason: F) {
        if let Some(member @ (Member::Waiting | Member::Attested(_))) = self.members.get_mut(usize::from(slot)) {
            *member = Member::Failed(reason);
        }
    }

    /// Fails every member that is still waited for.
    pub fn fail_waiting(&mut self, mut reason: impl FnMut(u16) -> F) {
        for slot in self.waiting() {
            self.fail(slot, reason(slot));
        }
    }

    /// What to do next.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let attested = self.attested().count();
        if attested >= self.needed {
            Verdict::Reached
        } else if attested + self.waiting().len() < self.needed {
            Verdict::Impossible
        } else {
            Verdict::Wait
        }
    }

    /// The attestations that stand, in slot order.
    pub fn attested(&self) -> impl Iterator<Item = (u16, &A)> {
        self.slots().filter_map(|(slot, member)| match member {
            Member::Attested(attestation) => Some((slot, attestation)),
            Member::Waiting | Member::Failed(_) => None,
        })
    }

    /// The failures, in slot order.
    pub fn failed(&self) -> impl Iterator<Item = (u16, &F)> {
        self.slots().filter_map(|(slot, member)| match member {
            Member::Failed(reason) => Some((slot, reason)),
            Member::Waiting | Member::Attested(_) => None,
        })
    }

    /// The slots still waited for, in order.
    #[must_use]
    pub fn waiting(&self) -> Vec<u16> {
        self.slots().filter(|(_, member)| matches!(member, Member::Waiting)).map(|(slot, _)| slot).collect()
    }

    fn slots(&self) -> impl Iterator<Item = (u16, &Member<A, F>)> {
        (0u16..).zip(&self.members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Event {
        Attest(u16),
        Fail(u16),
    }

    fn events(members: u16) -> impl Strategy<Value = Vec<Event>> {
        // Slots past the committee are among them: a late or made-up answer must change nothing.
        prop::collection::vec(
            (0..members + 2, any::<bool>()).prop_map(|(s, ok)| if ok { Event::Attest(s) } else { Event::Fail(s) }),
            0..64,
        )
    }

    fn cases() -> impl Strategy<Value = (u16, u16, Vec<Event>)> {
        (1u16..20).prop_flat_map(|n| (Just(n), 1..=n)).prop_flat_map(|(n, t)| (Just(n), Just(t), events(n)))
    }

    proptest! {
        #[test]
        fn the_verdict_is_what_counting_says((n, t, events) in cases()) {
            let mut quorum = Quorum::new(n, t);
            let mut failed = std::collections::BTreeSet::new();
            let mut attested = std::collections::BTreeSet::new();
            for event in events {
                match event {
                    Event::Attest(slot) => {
                        quorum.attest(slot, ());
                        if slot < n && !failed.contains(&slot) { attested.insert(slot); }
                    }
                    Event::Fail(slot) => {
                        quorum.fail(slot, ());
                        if slot < n { failed.insert(slot); attested.remove(&slot); }
                    }
                }
                let expected = if attested.len() >= usize::from(t) {
                    Verdict::Reached
                } else if usize::from(n) - failed.len() < usize::from(t) {
                    Verdict::Impossible
                } else {
                    Verdict::Wait
                };
                prop_assert_eq!(quorum.verdict(), expected);
                prop_assert_eq!(quorum.attested().count() + quorum.failed().count() + quorum.waiting().len(), usize::from(n));
            }
        }

        #[test]
        fn a_failure_is_final_and_its_first_reason_stays((n, t, events) in cases()) {
            let mut quorum = Quorum::new(n, t);
            let mut first = std::collections::BTreeMap::new();
            for (number, event) in events.into_iter().enumerate() {
                match event {
                    Event::Attest(slot) => quorum.attest(slot, number),
                    Event::Fail(slot) => {
                        quorum.fail(slot, number);
                        if slot < n { first.entry(slot).or_insert(number); }
                    }
                }
                let now: std::collections::BTreeMap<u16, usize> = quorum.failed().map(|(s, f)| (s, *f)).collect();
                prop_assert_eq!(&now, &first);
            }
        }

        #[test]
        fn once_the_deadline_fails_the_rest_nothing_is_waited_for((n, t, events) in cases()) {
            let mut quorum = Quorum::new(n, t);
            for event in events {
                match event {
                    Event::Attest(slot) => quorum.attest(slot, ()),
                    Event::Fail(slot) => quorum.fail(slot, ()),
                }
            }
            quorum.fail_waiting(|_| ());
            prop_assert_ne!(quorum.verdict(), Verdict::Wait);
            prop_assert!(quorum.waiting().is_empty());
        }
    }
}
