//! Stays on the chain that the journal is of.

use std::sync::{Arc, MutexGuard};

use super::{
    Outbox, blocking,
    chain::View,
    identity::{self, Known, Likeness, Mark},
    record::BlockRef,
};
use crate::publisher::error::Error;

/// After how many final blocks the journal knows its chain by a newer one: nodes refuse old ones.
const MARK_EVERY: u64 = 7200;

impl Outbox {
    /// Checks that the node's chain is the one that the journal knows by its mark.
    pub(super) async fn begin_on_chain(&self, mark: Option<Mark>) -> Result<(), Error> {
        if let Some(mark) = mark {
            self.compare(mark).await?;
        }
        // Where the node names none yet, nothing is sent either.
        let Ok(finalized) = self.chain.finalized().await else { return Ok(()) };
        let marked = match mark {
            Some(Mark::Block(block)) => Some(block.number),
            Some(Mark::Genesis(_)) | None => None,
        };
        self.remember(finalized, marked).await
    }

    /// Checks that a view is one of the same chain as the one before it, which a node, or what chooses among nodes, could
    /// have changed.
    pub(super) async fn stay_on_chain(&self, view: &View) -> Result<(), Error> {
        let found = view.finalized;
        let newest = self.known().newest;
        if let Some(newest) = newest.filter(|newest| newest.number == found.number) {
            if newest.hash != found.hash {
                let reason =
                    format!("block {} was final as {}, and is {} there", found.number, newest.hash, found.hash);
                return Err(self.other_chain(reason));
            }
        } else if let Some(newest) = newest {
            let gone_back = found.number < newest.number;
            if gone_back && !self.known().behind {
                tracing::warn!(known = newest.number, got = found.number, "L1's finalized block has gone back");
            }
            self.known().behind = gone_back;
            self.compare(Mark::Block(newest)).await?;
        }
        let marked = self.known().marked;
        self.remember(found, marked).await
    }

    /// Checks that what the journal or this process knows of the chain is so on the node's.
    async fn compare(&self, mark: Mark) -> Result<(), Error> {
        match identity::compare(&self.chain, mark).await? {
            Likeness::Same => Ok(()),
            Likeness::Unknown => {
                tracing::info!(?mark, "the L1 node refuses the block that would tell its chain from another of its id");
                Ok(())
            }
            Likeness::Other(reason) => Err(self.other_chain(reason)),
        }
    }

    fn other_chain(&self, reason: String) -> Error {
        Error::OtherChain { path: self.journal.folder().to_owned(), chain_id: self.chain_id(), reason }
    }

    /// Remembers a final block, and now and then in the journal too, which knows its chain by the `marked` one.
    async fn remember(&self, found: BlockRef, marked: Option<u64>) -> Result<(), Error> {
        let is_due = marked.is_none_or(|marked| found.number >= marked.saturating_add(MARK_EVERY));
        if is_due {
            let journal = Arc::clone(&self.journal);
            blocking(move || journal.mark(Mark::Block(found))).await?;
        }
        let mut known = self.known();
        known.marked = if is_due { Some(found.number) } else { marked };
        known.newest = Some(known.newest.filter(|newest| newest.number > found.number).unwrap_or(found));
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no code panics while it holds this")
    }
}
