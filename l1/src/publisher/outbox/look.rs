//! Where the jobs' transactions stand, as far as the chain shows it.

use alloy::{eips::BlockNumberOrTag, primitives::B256};
use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use super::{
    Outbox,
    chain::View,
    record::{Found, Record, Stage},
};
use crate::{error::Error as L1Error, publisher::error::Error};

/// How many jobs are looked at side by side, so that a node that hangs holds up a round once and not for every job.
const LOOKS: usize = 16;

/// The most blocks that a round searches for one job's transactions: about an hour of Ethereum.
const SEARCHED_BLOCKS: u64 = 256;

/// What the chain shows of a job that has a nonce.
pub(super) struct Sight {
    /// Where one of its transactions stands.
    pub(super) found: Option<Found>,
    /// The account's next nonce at the finalized block, where the job's nonce is used and nothing is found.
    pub(super) finalized_nonce: Option<u64>,
}

/// What a search of the final blocks for a job's transactions has come to.
pub(super) enum Search {
    Found {
        hash: B256,
        block: u64,
    },
    /// None of them is in any final block.
    Nowhere,
    Unfinished {
        /// Where it goes on.
        next: u64,
    },
}

impl Outbox {
    /// Every unfinished job in its order, with what the chain shows of it; `None` where it has no nonce, or nothing can have
    /// changed since the last look.
    pub(super) async fn look(&self, view: &View) -> Vec<(Record, Result<Option<Sight>, Error>)> {
        let unfinished = self.table().unfinished();
        let looks = unfinished.into_iter().map(|record| async move {
            let sight = self.sight(&record, view).await;
            (record, sight)
        });
        stream::iter(looks).buffered(LOOKS).collect().await
    }

    async fn sight(&self, record: &Record, view: &View) -> Result<Option<Sight>, Error> {
        let Some(bound) = record.bound() else { return Ok(None) };
        // While the nonce is not used at the head, whatever receipts there are belong to blocks that are gone.
        if view.nonce <= bound.nonce {
            return Ok(Some(Sight { found: None, finalized_nonce: None }));
        }
        if let Stage::Mined(_, inclusion) = &record.stage {
            let looked = self.table().live(&record.id).looked;
            if looked == Some((view.head_hash, view.finalized.number)) {
                return Ok(None);
            }
            // As long as its block is there, so is it, whether or not the node still has its receipt.
            if self.chain.has_block(inclusion.block, inclusion.block_hash).await? {
                return Ok(Some(Sight { found: Some(inclusion.found()), finalized_nonce: None }));
            }
        }
        let found = self.chain.found(bound).await?;
        let finalized_nonce = match found {
            Some(_) => None,
            None => Some(self.chain.nonce(BlockNumberOrTag::Number(view.finalized.number)).await?),
        };
        Ok(Some(Sight { found, finalized_nonce }))
    }

    /// Searches the final blocks in which the job's nonce can have been used for its transactions, some in each round.
    pub(super) async fn search(&self, record: &Record, view: &View) -> Result<Search, Error> {
        let Some(bound) = record.bound() else { return Ok(Search::Nowhere) };
        let end = Instant::now() + self.chain.limit();
        // A final block stays. Where it is another, what is not found proves nothing.
        if !self.chain.has_block(bound.after.number, bound.after.hash).await? {
            let reason = format!("block {} was final as {}, and is another now", bound.after.number, bound.after.hash);
            return Err(L1Error::BadAnswer { what: "eth_getBlockByNumber", reason }.into());
        }
        let finalized = view.finalized.number;
        let first = self.table().live(&record.id).searched.unwrap_or(bound.after.number) + 1;
        let last = finalized.min(first.saturating_add(SEARCHED_BLOCKS));
        for block in first..=last {
            if Instant::now() >= end {
                return Ok(Search::Unfinished { next: block });
            }
            if let Some(hash) = self.chain.attempt_in(block, bound).await? {
                return Ok(Search::Found { hash, block });
            }
            self.table().with_live(&record.id, |live| live.searched = Some(block));
        }
        Ok(if last < finalized { Search::Unfinished { next: last + 1 } } else { Search::Nowhere })
    }
}
