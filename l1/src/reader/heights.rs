//! Which block several nodes agree on: the decision alone, without the nodes.

use std::collections::BTreeMap;

use super::options::PATIENCE;
use crate::node::BlockPoint;

/// How far apart, in seconds of block time, nodes may be that are all well: finality goes on every 6.4 min, and what is
/// farther behind stands still or follows nobody.
pub(super) const MAX_LAG: u64 = PATIENCE.as_secs();

/// What one of several nodes has said of its blocks so far.
#[derive(Debug, Clone)]
pub(super) enum View {
    /// It has not said how far it is; `hopeful` if it usually answers in time.
    Pending {
        hopeful: bool,
    },
    /// It will not say.
    Failed,
    Seen(Seen),
}

/// A node that has said how far it is.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Its newest block.
    pub(super) tip: BlockPoint,
    /// What it has said of older blocks that it was asked for.
    pub(super) older: BTreeMap<u64, Older>,
    /// Whether it usually answers in time.
    pub(super) hopeful: bool,
}

/// What a node has said of an older block.
#[derive(Debug, Clone, Copy)]
pub(super) enum Older {
    Pending,
    Failed,
    Known(BlockPoint),
}

/// What follows from the views so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The highest block that enough nodes have reached and agree on, and who says otherwise.
    Agreed { block: BlockPoint, dissenters: Vec<usize> },
    /// These nodes must say which block of that number is theirs.
    Ask { nodes: Vec<usize>, number: u64 },
    /// An answer that is still missing can decide it.
    Wait,
    /// Enough nodes have reached this number, and contradict each other on which block that is.
    Contradiction { number: u64 },
    /// The highest block on which enough nodes agree is this one, but somebody says that the chain is far ahead of it, and
    /// too few say that it is not: some of them stand still, or one of them lies.
    Apart { number: u64 },
    /// Too few nodes say how far they are.
    TooFew,
}

impl Seen {
    /// Its block of that number, as far as it has said.
    pub(super) fn at(&self, number: u64) -> Option<Older> {
        if self.tip.number == number { Some(Older::Known(self.tip)) } else { self.older.get(&number).copied() }
    }
}

/// Chooses the highest block that `agree` nodes have reached and say the same of: number, hash and time.
///
/// With a `max_lag`, in seconds, a block far behind somebody's newest one is chosen only where `agree` nodes stand near
/// it. So one of two that stands still does not freeze what both are asked for, and one that claims to be far ahead of
/// enough others changes nothing.
///
/// A node that is behind lowers the choice only if too few others are ahead of it. So while somebody claims to be further
/// than what is agreed on, those who may still answer in time are waited for: or a node that stands still could, by
/// being fast, keep everybody else's new blocks out.
pub(super) fn choose(views: &[View], agree: usize, max_lag: Option<u64>) -> Choice {
    let seen =
        || views.iter().enumerate().filter_map(|(i, view)| if let View::Seen(s) = view { Some((i, s)) } else { None });
    let mut numbers: Vec<u64> = seen().map(|(_, seen)| seen.tip.number).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.dedup();
    let awaited = views.iter().any(|view| matches!(view, View::Pending { hopeful: true }));
    let mut open = views.iter().any(|view| matches!(view, View::Pending { .. }));
    let mut contradiction = None;
    for &number in &numbers {
        let reached: Vec<_> = seen().filter(|(_, seen)| seen.tip.number >= number).collect();
        if reached.len() < agree {
            continue;
        }
        let known: Vec<(usize, BlockPoint)> = reached
            .iter()
            .filter_map(|(index, seen)| match seen.at(number) {
                Some(Older::Known(block)) => Some((*index, block)),
                _ => None,
            })
            .collect();
        // All of the block: with its hash alone, the node that is asked first could choose its time.
        let same = |block: BlockPoint| known.iter().filter(|(_, other)| *other == block).count();
        let largest = known.iter().map(|(_, block)| (same(*block), *block)).max_by_key(|(count, _)| *count);
        let count = largest.map_or(0, |(count, _)| count);
        if let Some((_, block)) = largest
            && count >= agree
        {
            if awaited && numbers.first() != Some(&number) {
                return Choice::Wait;
            }
            if max_lag.is_some_and(|lag| is_left_behind(seen().map(|(_, seen)| seen.tip), block, agree, lag)) {
                let unheard = views.iter().any(|view| matches!(view, View::Pending { .. }));
                return if unheard { Choice::Wait } else { Choice::Apart { number } };
            }
            let others = known.iter().filter(|(_, other)| *other != block);
            return Choice::Agreed { block, dissenters: others.map(|(index, _)| *index).collect() };
        }
        let unasked: Vec<usize> =
            reached.iter().filter(|(_, seen)| seen.at(number).is_none()).map(|(index, _)| *index).collect();
        let pending = |only_hopeful: bool| {
            let waited = |seen: &Seen| !only_hopeful || seen.hopeful;
            reached.iter().filter(|(_, seen)| matches!(seen.at(number), Some(Older::Pending)) && waited(seen)).count()
        };
        open |= pending(false) > 0;
        if !unasked.is_empty() && count + unasked.len() + pending(false) >= agree {
            return Choice::Ask { nodes: unasked, number };
        }
        if pending(true) > 0 && count + pending(true) >= agree {
            return Choice::Wait;
        }
        if count < known.len() {
            contradiction.get_or_insert(number);
        }
    }
    match contradiction {
        _ if open => Choice::Wait,
        Some(number) => Choice::Contradiction { number },
        None => Choice::TooFew,
    }
}

/// Whether somebody is far ahead of a block and fewer than `agree` nodes are near it.
fn is_left_behind(tips: impl Iterator<Item = BlockPoint> + Clone, block: BlockPoint, agree: usize, lag: u64) -> bool {
    let near = tips.clone().filter(|tip| tip.timestamp.abs_diff(block.timestamp) <= lag).count();
    near < agree && tips.max_by_key(|tip| tip.timestamp).is_some_and(|tip| tip.timestamp > block.timestamp + lag)
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use super::*;

    /// Without a limit to how far apart nodes may be.
    fn choose(views: &[View], agree: usize) -> Choice {
        super::choose(views, agree, None)
    }

    /// The block of that number on that fork.
    fn block(fork: u8, number: u64) -> BlockPoint {
        BlockPoint {
            number,
            hash: B256::with_last_byte(fork) | B256::from(alloy::primitives::U256::from(number << 8)),
            timestamp: number,
        }
    }

    fn at(fork: u8, number: u64) -> View {
        View::Seen(Seen { tip: block(fork, number), older: BTreeMap::new(), hopeful: true })
    }

    fn knowing(fork: u8, number: u64, older: u64) -> View {
        let older = BTreeMap::from([(older, Older::Known(block(fork, older)))]);
        View::Seen(Seen { tip: block(fork, number), older, hopeful: true })
    }

    fn silent_on(fork: u8, number: u64, older: u64, hopeful: bool) -> View {
        let older = BTreeMap::from([(older, Older::Pending)]);
        View::Seen(Seen { tip: block(fork, number), older, hopeful })
    }

    const WAITED: View = View::Pending { hopeful: true };
    const SLOW: View = View::Pending { hopeful: false };

    fn agreed(number: u64, dissenters: &[usize]) -> Choice {
        Choice::Agreed { block: block(1, number), dissenters: dissenters.to_vec() }
    }

    #[test]
    fn one_node_decides_alone() {
        assert_eq!(choose(&[WAITED], 1), Choice::Wait);
        assert_eq!(choose(&[at(1, 9)], 1), agreed(9, &[]));
        assert_eq!(choose(&[View::Failed], 1), Choice::TooFew);
    }

    #[test]
    fn two_nodes_agree_on_the_lower_one_once_the_other_has_confirmed_it() {
        assert_eq!(choose(&[at(1, 9), at(1, 9)], 2), agreed(9, &[]));
        assert_eq!(choose(&[at(1, 9), at(1, 7)], 2), Choice::Ask { nodes: vec![0], number: 7 });
        assert_eq!(choose(&[silent_on(1, 9, 7, true), at(1, 7)], 2), Choice::Wait);
        assert_eq!(choose(&[knowing(1, 9, 7), at(1, 7)], 2), agreed(7, &[]));
        assert_eq!(choose(&[at(1, 9), View::Failed], 2), Choice::TooFew);
    }

    #[test]
    fn another_fork_is_a_contradiction_of_two_and_outvoted_by_three() {
        assert_eq!(choose(&[at(1, 9), at(2, 9)], 2), Choice::Contradiction { number: 9 });
        assert_eq!(choose(&[knowing(2, 9, 7), at(1, 7)], 2), Choice::Contradiction { number: 7 });
        assert_eq!(choose(&[at(1, 9), at(2, 9), at(1, 9)], 2), agreed(9, &[1]));
        assert_eq!(choose(&[at(1, 9), at(2, 9), WAITED], 2), Choice::Wait);
    }

    #[test]
    fn a_node_behind_holds_nobody_back() {
        assert_eq!(choose(&[at(1, 3), at(1, 9), at(1, 9)], 2), agreed(9, &[]));
        // Fast and standing still, while the third has not answered yet.
        assert_eq!(choose(&[knowing(1, 9, 3), at(1, 3), WAITED], 2), Choice::Wait);
        assert_eq!(choose(&[knowing(1, 9, 3), at(1, 3), SLOW], 2), agreed(3, &[]));
    }

    #[test]
    fn a_node_that_claims_to_be_far_ahead_changes_nothing() {
        for liar in [at(1, 1 << 40), silent_on(2, 1 << 40, 9, false), knowing(2, 1 << 40, 9)] {
            let choice = choose(&[at(1, 9), liar, at(1, 9)], 2);
            assert!(matches!(choice, Choice::Agreed { block: found, .. } if found == block(1, 9)), "{choice:?}");
        }
        // It does not say what it claims to have, and is known for that: the next lower block does.
        let honest = || knowing(1, 9, 8);
        assert_eq!(choose(&[honest(), silent_on(2, 1 << 40, 9, false), at(1, 8)], 2), agreed(8, &[]));
    }

    #[test]
    fn the_slowest_is_not_waited_for_when_the_others_are_equally_far() {
        assert_eq!(choose(&[at(1, 9), WAITED, at(1, 9)], 2), agreed(9, &[]));
        assert_eq!(choose(&[at(1, 9), SLOW, View::Failed], 2), Choice::Wait, "without it there is no agreement");
    }

    #[test]
    fn one_of_two_that_stands_still_is_named_and_freezes_nothing() {
        let lag = |views: &[View]| super::choose(views, 2, Some(10));
        assert_eq!(lag(&[knowing(1, 20, 10), at(1, 10)]), agreed(10, &[]), "not far behind");
        assert_eq!(lag(&[knowing(1, 21, 10), at(1, 10)]), Choice::Apart { number: 10 });
        assert_eq!(lag(&[knowing(1, 21, 10), at(1, 10), View::Failed]), Choice::Apart { number: 10 });
        // The third may say who is right, however slow it is.
        assert_eq!(lag(&[knowing(1, 21, 10), at(1, 10), SLOW]), Choice::Wait);
        assert_eq!(lag(&[at(1, 21), at(1, 10), at(1, 21)]), agreed(21, &[]));
        assert_eq!(super::choose(&[at(1, 10)], 1, Some(10)), agreed(10, &[]));
    }

    #[test]
    fn a_liar_far_ahead_of_enough_others_changes_nothing_and_stops_nothing() {
        for liar in [at(1, 1 << 40), knowing(1, 1 << 40, 9), silent_on(2, 1 << 40, 9, false)] {
            let choice = super::choose(&[at(1, 9), liar, at(1, 9)], 2, Some(10));
            assert!(matches!(choice, Choice::Agreed { block: found, .. } if found == block(1, 9)), "{choice:?}");
        }
    }

    #[test]
    fn one_node_does_not_choose_the_time_of_a_block() {
        let of_time = |timestamp| {
            let tip = BlockPoint { timestamp, ..block(1, 9) };
            View::Seen(Seen { tip, older: BTreeMap::new(), hopeful: true })
        };
        assert_eq!(choose(&[of_time(1), at(1, 9)], 2), Choice::Contradiction { number: 9 });
        for liar in 0..3 {
            let mut views = vec![at(1, 9); 3];
            views[liar] = of_time(1);
            assert_eq!(choose(&views, 2), agreed(9, &[liar]));
        }
    }
}
