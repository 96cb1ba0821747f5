//! Which members a reader asks, and when: a pure plan with the time as an argument.

use std::{collections::BTreeSet, time::Duration};

/// A read of `needed` distinct positions from candidates in order of preference.
///
/// # No more than needed
///
/// While members are prompt, exactly `needed + spare` are asked. A candidate that has not answered `hedge_after` its
/// request counts as absent: another is asked beside it, and whichever answers first is used.
///
/// # Every member has its say
///
/// When the read has become impossible, whoever was not asked is asked all the same, and has as long to answer, so that
/// the failure can say what each member said.
///
/// # Who asks for patience is asked again
///
/// A candidate that is busy for now counts as reachable, and is asked again when its time has come; others that have not
/// been asked go before it.
///
/// # Positions, never members
///
/// Two answers at one position count once.
///
/// Times are durations since the read began.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    needed: usize,
    spare: usize,
    hedge_after: Duration,
    ask_all: bool,
    candidates: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    position: u16,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unasked,
    Asked(Duration),
    /// Not to be asked again before that time.
    Later(Duration),
    Accepted,
    Failed,
}

/// What the reader should do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask these candidates (by their number in order of preference); they are now counted as asked.
    Ask(Vec<usize>),
    /// Wait for an answer, and look again at this time where there is one.
    Wait(Option<Duration>),
    /// Enough positions are accepted.
    Done,
    /// Too many candidates failed, and all have been heard or were too slow.
    Impossible,
}

impl ReadPlan {
    /// A plan that needs `needed` distinct positions out of `positions`, one for each candidate, best first, and keeps
    /// `spare` requests more than needed in flight.
    #[must_use]
    pub fn new(needed: usize, spare: usize, hedge_after: Duration, positions: impl IntoIterator<Item = u16>) -> Self {
        let candidates = positions.into_iter().map(|position| Candidate { position, state: State::Unasked }).collect();
        Self { needed, spare, hedge_after, ask_all: false, candidates }
    }

    /// Adds a candidate after all others, and returns its number.
    pub fn add(&mut self, position: u16) -> usize {
        self.candidates.push(Candidate { position, state: State::Unasked });
        self.candidates.len() - 1
    }

    /// From now on asks every candidate at once.
    pub fn ask_all(&mut self) {
        self.ask_all = true;
    }

    /// The candidate's answer was accepted.
    pub fn accept(&mut self, candidate: usize) {
        self.settle(candidate, State::Accepted);
    }

    /// The candidate failed.
    pub fn fail(&mut self, candidate: usize) {
        self.settle(candidate, State::Failed);
    }

    /// The candidate wants to be asked again, not before `until`.
    pub fn postpone(&mut self, candidate: usize, until: Duration) {
        self.settle(candidate, State::Later(until));
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Duration) -> Step {
        let accepted = self.accepted();
        if accepted.len() >= self.needed {
            return Step::Done;
        }
        if self.reachable().len() < self.needed {
            return self.hear_the_rest(now);
        }
        let mut awaited: BTreeSet<u16> = self.in_time(now).map(|(position, _)| position).collect();
        awaited.retain(|position| !accepted.contains(position));
        let wanted = if self.ask_all { usize::MAX } else { self.needed + self.spare - accepted.len() };
        let mut ask = Vec::new();
        // Those that were busy come last: they have shown that they have much to do.
        for again in [false, true] {
            for (number, candidate) in self.candidates.iter_mut().enumerate() {
                if awaited.len() >= wanted {
                    break;
                }
                let due = match candidate.state {
                    State::Unasked => !again,
                    State::Later(at) => again && at <= now,
                    State::Asked(_) | State::Accepted | State::Failed => false,
                };
                let useful = self.ask_all || !awaited.contains(&candidate.position);
                if due && useful && !accepted.contains(&candidate.position) {
                    candidate.state = State::Asked(now);
                    awaited.insert(candidate.position);
                    ask.push(number);
                }
            }
        }
        if ask.is_empty() { Step::Wait(self.next_look(now)) } else { Step::Ask(ask) }
    }

    /// Distinct positions accepted so far.
    #[must_use]
    pub fn accepted(&self) -> BTreeSet<u16> {
        self.positions(|state| state == State::Accepted)
    }

    /// Candidates that were asked and have not answered, with the time they were asked at.
    pub fn outstanding(&self) -> impl Iterator<Item = (usize, Duration)> {
        self.candidates.iter().enumerate().filter_map(|(number, candidate)| match candidate.state {
            State::Asked(at) => Some((number, at)),
            State::Unasked | State::Later(_) | State::Accepted | State::Failed => None,
        })
    }

    /// Candidates that have not answered in time.
    pub fn overdue(&self, now: Duration) -> impl Iterator<Item = usize> {
        self.outstanding().filter(move |(_, at)| *at + self.hedge_after <= now).map(|(number, _)| number)
    }

    /// Candidates that were never asked.
    pub fn unasked(&self) -> impl Iterator<Item = usize> {
        self.candidates.iter().enumerate().filter(|(_, c)| c.state == State::Unasked).map(|(number, _)| number)
    }

    fn settle(&mut self, candidate: usize, state: State) {
        if let Some(candidate) = self.candidates.get_mut(candidate)
            && matches!(candidate.state, State::Asked(_))
        {
            candidate.state = state;
        }
    }

    /// The last steps of a read that cannot succeed.
    fn hear_the_rest(&mut self, now: Duration) -> Step {
        let rest: Vec<usize> = self.unasked().collect();
        for number in &rest {
            self.candidates[*number].state = State::Asked(now);
        }
        if !rest.is_empty() {
            return Step::Ask(rest);
        }
        let last = self.in_time(now).map(|(_, overdue)| overdue).max();
        last.map_or(Step::Impossible, |overdue| Step::Wait(Some(overdue)))
    }

    fn reachable(&self) -> BTreeSet<u16> {
        self.positions(|state| state != State::Failed)
    }

    fn positions(&self, keep: impl Fn(State) -> bool) -> BTreeSet<u16> {
        self.candidates.iter().filter(|c| keep(c.state)).map(|c| c.position).collect()
    }

    fn in_time(&self, now: Duration) -> impl Iterator<Item = (u16, Duration)> {
        self.candidates.iter().filter_map(move |candidate| match candidate.state {
            State::Asked(at) if at + self.hedge_after > now => Some((candidate.position, at + self.hedge_after)),
            _ => None,
        })
    }

    /// When there may be something to do that no answer brings: an outstanding request becomes overdue while there is still
    /// somebody else to ask, or a busy candidate may be asked again.
    fn next_look(&self, now: Duration) -> Option<Duration> {
        let mut idle = self.candidates.iter().filter(|it| matches!(it.state, State::Unasked | State::Later(_)));
        idle.next()?;
        let overdue = self.in_time(now).map(|(_, overdue)| overdue);
        let again = self.candidates.iter().filter_map(|candidate| match candidate.state {
            State::Later(at) if at > now => Some(at),
            _ => None,
        });
        overdue.chain(again).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEDGE: Duration = Duration::from_millis(150);

    #[test]
    fn prompt_members_are_asked_exactly_as_many_as_needed() {
        let mut plan = ReadPlan::new(2, 0, HEDGE, 0..7);
        assert_eq!(plan.next(Duration::ZERO), Step::Ask(vec![0, 1]));
        plan.accept(1);
        assert_eq!(plan.next(Duration::from_millis(1)), Step::Wait(Some(HEDGE)));
        plan.accept(0);
        assert_eq!(plan.next(Duration::from_millis(2)), Step::Done);
        assert_eq!(plan.unasked().count(), 5);
    }

    #[test]
    fn a_failed_member_is_replaced_at_once_and_a_slow_one_is_hedged() {
        let mut plan = ReadPlan::new(2, 0, HEDGE, 0..7);
        assert_eq!(plan.next(Duration::ZERO), Step::Ask(vec![0, 1]));
        plan.fail(0);
        assert_eq!(plan.next(Duration::from_millis(10)), Step::Ask(vec![2]));
        assert_eq!(plan.next(Duration::from_millis(11)), Step::Wait(Some(HEDGE)));
        assert_eq!(plan.next(HEDGE), Step::Ask(vec![3]));
        assert_eq!(plan.overdue(HEDGE).collect::<Vec<_>>(), [1]);
        // The slow one counts when it does answer.
        plan.accept(1);
        plan.accept(2);
        assert_eq!(plan.next(HEDGE), Step::Done);
    }

    #[test]
    fn two_members_with_one_position_count_once() {
        let mut plan = ReadPlan::new(2, 0, HEDGE, [0, 0, 1]);
        assert_eq!(plan.next(Duration::ZERO), Step::Ask(vec![0, 2]));
        plan.fail(2);
        assert_eq!(plan.next(Duration::ZERO), Step::Ask(vec![1]), "it is impossible, and yet everybody is heard");
        assert_eq!(plan.next(Duration::ZERO), Step::Wait(Some(HEDGE)));
        plan.accept(0);
        plan.accept(1);
        assert_eq!(plan.next(Duration::ZERO), Step::Impossible);
        let mut plan = ReadPlan::new(1, 0, HEDGE, [0, 0]);
        assert_eq!(plan.next(Duration::ZERO), Step::Ask(vec![0]));
        assert_eq!(plan.next(HEDGE), Step::Ask(vec![1]), "a slow member's position is asked of another");
    }

    #[test]
    fn an_added_candidate_can_save_the_read() {
        let mut plan = ReadPlan::new(1, 0, HEDGE, [0]);
        assert_eq!(plan.next(Duration::ZERO), Step::Ask(vec![0]));
        plan.fail(0);
        assert_eq!(plan.next(Duration::ZERO), Step::Impossible);
        assert_eq!(plan.add(4), 1);
        assert_eq!(plan.next(Duration::ZERO), Step::Ask(vec![1]));
    }

    #[test]
    fn a_busy_member_is_asked_again_when_its_time_has_come_and_not_before() {
        let mut plan = ReadPlan::new(2, 0, HEDGE, 0..3);
        assert_eq!(plan.next(Duration::ZERO), Step::Ask(vec![0, 1]));
        let (soon, later) = (Duration::from_millis(100), Duration::from_millis(1100));
        plan.postpone(0, later);
        assert_eq!(plan.next(soon), Step::Ask(vec![2]), "whoever was not asked goes before");
        plan.postpone(2, later);
        plan.accept(1);
        assert_eq!(plan.next(soon), Step::Wait(Some(later)), "the read is not given up");
        assert_eq!(plan.next(later), Step::Ask(vec![0]));
        plan.fail(0);
        assert_eq!(plan.next(later), Step::Ask(vec![2]));
        plan.accept(2);
        assert_eq!(plan.next(later), Step::Done);
    }

    /// How one simulated member behaves: answers after so many milliseconds, rightly or not, or never, or is busy for so long
    /// before it answers rightly.
    #[derive(Clone, Copy, Debug)]
    enum Behaviour {
        Good(u64),
        Bad(u64),
        Busy(u64),
        Silent,
    }

    fn behaviour() -> impl Strategy<Value = Behaviour> {
        prop_oneof![
            (0u64..1000).prop_map(Behaviour::Good),
            (0u64..1000).prop_map(Behaviour::Bad),
            (0u64..1000).prop_map(Behaviour::Busy),
            Just(Behaviour::Silent)
        ]
    }

    proptest! {
        #[test]
        fn a_read_ends_well_exactly_when_enough_members_are_good(
            members in prop::collection::vec((0u16..10, behaviour()), 1..14), needed in 1usize..6, spare in 0usize..2,
        ) {
            let mut plan = ReadPlan::new(needed, spare, HEDGE, members.iter().map(|(position, _)| *position));
            let mut asked_at = vec![None; members.len()];
            let mut been_busy = vec![false; members.len()];
            let mut now = Duration::ZERO;
            let mut done = false;
            // Bounded: every turn settles a candidate, asks one, or moves the clock to the next event.
            for _ in 0..members.len() * 12 + 12 {
                match plan.next(now) {
                    Step::Ask(numbers) => for number in numbers {
                        match (asked_at[number].replace(now), members[number].1) {
                            (None, _) => {}
                            (Some(at), Behaviour::Busy(ms)) => prop_assert!(now >= at + Duration::from_millis(ms), "too soon"),
                            (Some(_), _) => prop_assert!(false, "asked twice"),
                        }
                    },
                    Step::Done => { done = true; break; }
                    Step::Impossible => break,
                    Step::Wait(hedge) => {
                        let answer = plan.outstanding().filter_map(|(number, at)| match members[number].1 {
                            Behaviour::Good(ms) | Behaviour::Bad(ms) => Some((at + Duration::from_millis(ms), number)),
                            Behaviour::Busy(_) => Some((at, number)),
                            Behaviour::Silent => None,
                        }).min();
                        match (answer, hedge) {
                            (Some((at, number)), hedge) if hedge.is_none_or(|hedge| at <= hedge) => {
                                now = now.max(at);
                                match members[number].1 {
                                    Behaviour::Good(_) => plan.accept(number),
                                    Behaviour::Busy(ms) if !been_busy[number] => {
                                        been_busy[number] = true;
                                        plan.postpone(number, now + Duration::from_millis(ms));
                                    }
                                    Behaviour::Busy(_) => plan.accept(number),
                                    _ => plan.fail(number),
                                }
                            }
                            (_, Some(hedge)) => { prop_assert!(hedge > now); now = hedge; }
                            // Only silent members are left: a deadline would end this.
                            (None, None) => break,
                            (Some(_), None) => unreachable!("the first arm takes it"),
                        }
                    }
                }
            }
            let good: BTreeSet<u16> = members.iter().filter(|(_, b)| matches!(b, Behaviour::Good(_) | Behaviour::Busy(_))).map(|(p, _)| *p).collect();
            prop_assert_eq!(done, good.len() >= needed);
        }
    }
}
