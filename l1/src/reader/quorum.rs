//! Whether nodes agree: the decision alone, without the nodes.

use crate::error::Error;

/// What one of several nodes has answered so far.
#[derive(Debug, Clone)]
pub(super) enum Answer<T> {
    /// Nothing yet.
    Pending,
    /// It will not answer.
    Failed(Error),
    Said(T),
}

/// What follows from the answers so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Enough nodes say the same, among them the one of this index.
    Agreed(usize),
    /// An answer that is still missing can decide it.
    Wait,
    /// Whatever still comes, too few will say the same, and those who answered contradict each other.
    Contradiction,
    /// Whatever still comes, too few will say the same; they would if some did not lack the state asked for.
    NoState,
    /// Whatever still comes, too few will have answered.
    TooFew,
}

/// Judges the answers of several nodes of which `agree` must say the same.
///
/// # Outvoted, not trusted
///
/// While fewer than `agree` nodes lie, what is agreed on is what an honest node says.
pub(super) fn settle<T: PartialEq>(answers: &[Answer<T>], agree: usize) -> Verdict {
    let said = |answer: &Answer<T>| matches!(answer, Answer::Said(_));
    let same = |value: &T| answers.iter().filter(|other| matches!(other, Answer::Said(said) if said == value)).count();
    let largest = answers
        .iter()
        .enumerate()
        .filter_map(|(index, answer)| match answer {
            Answer::Said(value) => Some((same(value), index)),
            _ => None,
        })
        .max_by_key(|&(count, index)| (count, std::cmp::Reverse(index)));
    let (count, first) = largest.unwrap_or((0, 0));
    let pending = answers.iter().filter(|answer| matches!(answer, Answer::Pending)).count();
    let lacking = answers.iter().filter(|answer| matches!(answer, Answer::Failed(Error::NoState { .. }))).count();
    if count >= agree {
        Verdict::Agreed(first)
    } else if count + pending >= agree {
        Verdict::Wait
    } else if count < answers.iter().filter(|answer| said(answer)).count() {
        Verdict::Contradiction
    } else if count + pending + lacking >= agree {
        Verdict::NoState
    } else {
        Verdict::TooFew
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Answer::{self, Failed, Pending, Said},
        *,
    };

    fn down() -> Answer<u8> {
        Failed(Error::Rpc { what: "a call", reason: "down".to_owned() })
    }

    fn pruned() -> Answer<u8> {
        Failed(Error::NoState { what: "a call", reason: "missing trie node".to_owned() })
    }

    #[test]
    fn one_node_decides_alone() {
        assert_eq!(settle(&[Said(1)], 1), Verdict::Agreed(0));
        assert_eq!(settle(&[Pending::<u8>], 1), Verdict::Wait);
        assert_eq!(settle(&[down()], 1), Verdict::TooFew);
        assert_eq!(settle(&[pruned()], 1), Verdict::NoState);
    }

    #[test]
    fn two_nodes_must_both_say_it() {
        assert_eq!(settle(&[Said(1), Pending], 2), Verdict::Wait);
        assert_eq!(settle(&[Said(1), Said(1)], 2), Verdict::Agreed(0));
        assert_eq!(settle(&[Said(1), Said(2)], 2), Verdict::Contradiction);
        assert_eq!(settle(&[Said(1), down()], 2), Verdict::TooFew);
        assert_eq!(settle(&[Said(1), pruned()], 2), Verdict::NoState);
        assert_eq!(settle(&[Pending, down()], 2), Verdict::TooFew, "nobody is waited for in vain");
    }

    #[test]
    fn the_liar_among_three_is_outvoted_wherever_it_stands() {
        for liar in 0..3 {
            let mut answers = vec![Said(1); 3];
            answers[liar] = Said(2);
            let Verdict::Agreed(index) = settle(&answers, 2) else { panic!("{answers:?}") };
            assert_ne!(index, liar);
        }
    }

    #[test]
    fn the_slowest_of_three_is_not_waited_for() {
        assert_eq!(settle(&[Said(1), Pending, Said(1)], 2), Verdict::Agreed(0));
        assert_eq!(settle(&[down(), Said(1), Said(1)], 2), Verdict::Agreed(1));
        assert_eq!(settle(&[Said(1), Pending, Said(2)], 2), Verdict::Wait);
        assert_eq!(settle(&[Said(1), down(), Said(2)], 2), Verdict::Contradiction);
        assert_eq!(settle(&[Said(1), Said(2), Said(3)], 2), Verdict::Contradiction);
    }

    #[test]
    fn every_verdict_is_final_or_waits_for_somebody() {
        // Every state of four nodes: what is agreed on stays so whatever comes, and nobody is waited for without need.
        let states = || [Pending, down(), pruned(), Said(1), Said(2)];
        for agree in 1..=4 {
            for number in 0..5_usize.pow(4) {
                let mut rest = number;
                let mut answers = Vec::new();
                for _ in 0..4 {
                    answers.push(states()[rest % 5].clone());
                    rest /= 5;
                }
                let count =
                    |value| answers.iter().filter(|answer| matches!(answer, Said(said) if *said == value)).count();
                let pending = answers.iter().filter(|answer| matches!(answer, Pending)).count();
                let most = count(1).max(count(2));
                match settle(&answers, agree) {
                    Verdict::Agreed(index) => {
                        let Said(value) = &answers[index] else { panic!("{answers:?}") };
                        assert!(count(*value) >= agree);
                    }
                    Verdict::Wait => assert!(most < agree && most + pending >= agree, "{answers:?}"),
                    Verdict::Contradiction => assert!(most + pending < agree && count(1) > 0 && count(2) > 0),
                    Verdict::NoState | Verdict::TooFew => assert!(most + pending < agree, "{answers:?}"),
                }
            }
        }
    }
}
