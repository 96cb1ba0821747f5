//! What to do next about one job: a pure function of its record and of what the chain shows.
//!
//! # Never lost
//!
//! A job that has a nonce is sent again, dearer where needed, until a final block has a transaction with that nonce.
//!
//! # Never doubled
//!
//! A job gets a second nonce only after two different finalized blocks have shown the first one used, and every final
//! block that can hold it has been searched for the job's transactions: these can never be mined any more. That no node
//! has a receipt of them is not enough, because nodes forget receipts.

use std::{fmt, time::Duration};

use super::record::{Bound, Found, Inclusion, Stage};

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Blocks and time after which an offer that was not taken is raised.
    pub(super) bump_blocks: u64,
    pub(super) bump_after: Duration,
}

/// Blocks after which a node is given a transaction again: it may have dropped it.
const RESEND_BLOCKS: u64 = 2;

/// What the chain shows of one job that has a nonce.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) head: u64,
    /// Unix seconds.
    pub(super) now: u64,
    /// The account's next nonce at the head.
    pub(super) nonce: u64,
    pub(super) finalized: u64,
    /// The account's next nonce at the finalized block, where it matters.
    pub(super) finalized_nonce: Option<u64>,
    /// Where one of the job's transactions stands.
    pub(super) found: Option<&'a Found>,
    /// The head when this process last gave the node the newest transaction, and whether the node took it.
    pub(super) given: Option<(u64, bool)>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Wait(Hold),
    /// Give the node the newest transaction again.
    Send,
    /// Sign a dearer one with the same nonce.
    Bump,
    /// It stands in a block now.
    Mined,
    /// It stood in a block that is gone.
    Unmined,
    /// The nonce is used by another transaction: remember at which finalized block that was seen first.
    Taken,
    /// The nonce is used for ever: find out by which transaction, and take another nonce unless it is the job's.
    Rebind,
    /// Its block is final.
    Finish,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Block,
    Finality,
    /// Another transaction has used the nonce, in a block that is not final yet.
    Stranger,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Block => "a block",
            Self::Finality => "finality",
            Self::Stranger => "finality: another transaction of the account has its nonce",
        })
    }
}

/// What to do about a job that has a nonce.
pub(super) fn plan(stage: &Stage, look: &Look<'_>, pace: &Pace) -> Step {
    match stage {
        Stage::Sent(bound) => sent(bound, look, pace),
        Stage::Mined(_, inclusion) => mined(inclusion, look),
        Stage::Built | Stage::Finalized(_) | Stage::Failed(_) => Step::Wait(Hold::Block),
    }
}

fn sent(bound: &Bound, look: &Look<'_>, pace: &Pace) -> Step {
    if look.found.is_some() {
        return Step::Mined;
    }
    if look.nonce > bound.nonce {
        let is_final = look.finalized_nonce.is_some_and(|nonce| nonce > bound.nonce);
        return match bound.taken_since {
            _ if !is_final => Step::Wait(Hold::Stranger),
            None => Step::Taken,
            Some(since) if since < look.finalized => Step::Rebind,
            Some(_) => Step::Wait(Hold::Stranger),
        };
    }
    let newest = bound.newest();
    // A dearer offer would not help one that waits for an earlier nonce.
    let old = look.nonce == bound.nonce
        && look.head >= newest.head.saturating_add(pace.bump_blocks)
        && look.now >= newest.at.saturating_add(pace.bump_after.as_secs());
    match look.given {
        None => Step::Send,
        Some(_) if old => Step::Bump,
        Some((head, true)) if look.head >= head.saturating_add(RESEND_BLOCKS) => Step::Send,
        Some((head, false)) if look.head > head => Step::Send,
        Some(_) => Step::Wait(Hold::Block),
    }
}

fn mined(inclusion: &Inclusion, look: &Look<'_>) -> Step {
    match look.found {
        None => Step::Unmined,
        Some(found) if (found.hash, found.block_hash) != (inclusion.hash, inclusion.block_hash) => Step::Mined,
        Some(found) if found.block <= look.finalized => Step::Finish,
        Some(_) => Step::Wait(Hold::Finality),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use alloy::primitives::Bytes;

    use super::{
        super::{
            fees::Fees,
            record::{Attempt, BlockRef},
        },
        *,
    };

    const PACE: Pace = Pace { bump_blocks: 3, bump_after: Duration::from_secs(30) };

    fn bound() -> Bound {
        let attempt = Attempt {
            raw: Bytes::new(),
            hash: B256::repeat_byte(1),
            fees: Fees { max_fee: 2, tip: 1 },
            gas_limit: 21_000,
            head: 100,
            at: 1_000,
            cancels: false,
        };
        Bound::new(7, BlockRef { number: 90, hash: B256::repeat_byte(8) }, attempt)
    }

    fn found() -> Found {
        Found { hash: B256::repeat_byte(1), block: 101, block_hash: B256::repeat_byte(9), gas_used: 1, succeeded: true }
    }

    fn inclusion() -> Inclusion {
        let Found { hash, block, block_hash, gas_used, .. } = found();
        Inclusion { hash, block, block_hash, gas_used, refusal: None }
    }

    fn look() -> Look<'static> {
        Look {
            head: 100,
            now: 1_000,
            nonce: 7,
            finalized: 90,
            finalized_nonce: None,
            found: None,
            given: Some((100, true)),
        }
    }

    fn when_sent(look: &Look<'_>) -> Step {
        plan(&Stage::Sent(bound()), look, &PACE)
    }

    fn when_mined(look: &Look<'_>) -> Step {
        plan(&Stage::Mined(bound(), inclusion()), look, &PACE)
    }

    #[test]
    fn what_may_not_have_reached_the_node_is_sent_again() {
        assert_eq!(when_sent(&Look { given: None, ..look() }), Step::Send, "after a restart");
        assert_eq!(when_sent(&look()), Step::Wait(Hold::Block));
        assert_eq!(when_sent(&Look { head: 101, given: Some((100, false)), ..look() }), Step::Send, "refused before");
        assert_eq!(when_sent(&Look { given: Some((100, false)), ..look() }), Step::Wait(Hold::Block), "not in a loop");
        assert_eq!(when_sent(&Look { head: 102, ..look() }), Step::Send, "it may have been dropped");
    }

    #[test]
    fn an_offer_is_raised_only_after_blocks_and_time() {
        let late = Look { head: 103, now: 1_030, given: Some((103, true)), ..look() };
        assert_eq!(when_sent(&late), Step::Bump);
        assert_eq!(when_sent(&Look { now: 1_029, ..late }), Step::Wait(Hold::Block), "blocks come fast");
        assert_eq!(when_sent(&Look { head: 102, ..late }), Step::Wait(Hold::Block), "the chain stands still");
        assert_eq!(when_sent(&Look { given: None, ..late }), Step::Send, "as it is, at first");
        assert_eq!(when_sent(&Look { nonce: 6, ..late }), Step::Wait(Hold::Block), "it waits for an earlier nonce");
    }

    #[test]
    fn a_nonce_that_a_stranger_used_is_given_up_only_when_two_final_blocks_say_so() {
        let used = Look { nonce: 8, finalized_nonce: Some(7), ..look() };
        assert_eq!(when_sent(&used), Step::Wait(Hold::Stranger), "a reorganisation can still bring ours");
        assert_eq!(when_sent(&Look { finalized_nonce: None, ..used }), Step::Wait(Hold::Stranger), "not known");
        let used = Look { finalized_nonce: Some(8), ..used };
        assert_eq!(when_sent(&used), Step::Taken);
        let seen = Stage::Sent(Bound { taken_since: Some(90), ..bound() });
        assert_eq!(plan(&seen, &used, &PACE), Step::Wait(Hold::Stranger), "the same look twice is one look");
        assert_eq!(plan(&seen, &Look { finalized: 91, ..used }, &PACE), Step::Rebind);
        let ours = found();
        assert_eq!(plan(&seen, &Look { finalized: 91, found: Some(&ours), ..used }, &PACE), Step::Mined);
    }

    #[test]
    fn only_a_final_block_ends_a_job() {
        let ours = found();
        let seen = Look { head: 200, nonce: 8, found: Some(&ours), ..look() };
        assert_eq!(when_sent(&seen), Step::Mined);
        assert_eq!(when_mined(&Look { finalized: 100, ..seen }), Step::Wait(Hold::Finality));
        assert_eq!(when_mined(&Look { finalized: 101, ..seen }), Step::Finish);
    }

    #[test]
    fn a_reorganisation_takes_a_mined_job_back() {
        assert_eq!(when_mined(&look()), Step::Unmined);
        assert_eq!(when_mined(&Look { nonce: 8, ..look() }), Step::Unmined, "a stranger's came instead");
        let moved = Found { block: 103, block_hash: B256::repeat_byte(8), ..found() };
        assert_eq!(when_mined(&Look { nonce: 8, found: Some(&moved), ..look() }), Step::Mined, "into another block");
        let older = Found { hash: B256::repeat_byte(2), ..found() };
        assert_eq!(when_mined(&Look { nonce: 8, found: Some(&older), ..look() }), Step::Mined, "an older attempt");
    }
}
