//! One round: what is next for every job, done.

use alloy::{eips::BlockNumberOrTag, primitives::B256};

use super::{
    Outbox,
    chain::View,
    costs::lacks_pending,
    look::{Search, Sight},
    now,
    plan::{Hold, Look, Step, plan},
    record::{Bound, Found, Inclusion, Record, Refusal, Stage},
    table::Note,
};
use crate::{error::Error as L1Error, publisher::error::Error};

/// The most jobs whose transactions wait for a block: nodes keep few of one account.
const MAX_IN_FLIGHT: usize = 16;

impl Outbox {
    /// Looks at the chain and does for every job what is next. An error about one job is noted with it and does not stop
    /// the others; an error of the journal stops everything.
    pub(super) async fn round(&self) -> Result<(), Error> {
        if self.table().is_idle() {
            return Ok(());
        }
        let view = self.chain.view().await?;
        self.stay_on_chain(&view).await?;
        let used = self.table().used();
        if view.nonce < used {
            let reason = format!("expected at least {used}, got {}: the node is behind", view.nonce);
            return Err(L1Error::BadAnswer { what: "eth_getTransactionCount", reason }.into());
        }
        for (record, sight) in self.look(&view).await {
            let id = record.id;
            let done = match (&record.stage, sight) {
                (_, Err(error)) => Err(error),
                (Stage::Built, Ok(_)) => self.start(record, &view).await,
                (_, Ok(None)) => Ok(()),
                (_, Ok(Some(sight))) => self.follow(record, sight, &view).await,
            };
            match done {
                Ok(()) => {}
                Err(error @ Error::Journal { .. }) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, job = %id, "no progress");
                    let reason = error.to_string();
                    let note = if error.names_what_is_missing() { Note::Held(reason) } else { Note::Waits(reason) };
                    self.table().note(&id, Some(note));
                }
            }
        }
        self.fill_gap(&view).await?;
        let surplus = self.table().surplus();
        for id in surplus {
            self.forget(id).await?;
        }
        Ok(())
    }

    /// Sends a job for the first time: dry run, nonce, signature, journal, node.
    async fn start(&self, mut record: Record, view: &View) -> Result<(), Error> {
        if self.table().in_flight() >= MAX_IN_FLIGHT {
            self.waits(&record.id, format!("{MAX_IN_FLIGHT} earlier jobs to be mined"));
            return Ok(());
        }
        // The pending block, so that a job can build on the one before it. A creation's estimate is its dry run.
        if record.to.is_some() {
            let run = match self.chain.dry_run(&record, BlockNumberOrTag::Pending).await {
                Err(error) if lacks_pending(&error) => {
                    // At the newest block, what builds on an earlier job would be refused.
                    if self.table().in_flight() > 0 {
                        self.waits(
                            &record.id,
                            format!("earlier jobs to be mined, as the node has no pending block: {error}"),
                        );
                        return Ok(());
                    }
                    self.chain.dry_run(&record, BlockNumberOrTag::Latest).await
                }
                run => run,
            };
            if let Some(refusal) = run? {
                return self.fail(record, refusal).await;
            }
        }
        let gas_limit = match self.chain.gas(record.what(), record.to, &record.input).await? {
            Ok(gas_limit) => gas_limit,
            Err(refusal) => return self.fail(record, refusal).await,
        };
        let prices = self.chain.prices().await?;
        let tip = prices.tip.max(self.least_tip());
        let Some(fees) = self.bounds.offer(prices.base_fee, tip) else {
            self.waits(&record.id, self.over_bound(prices.base_fee));
            return Ok(());
        };
        let needed = u128::from(gas_limit).saturating_mul(fees.max_fee.into());
        let balance = self.chain.balance().await?;
        if balance < needed {
            self.table().note(&record.id, Some(Note::Unfunded { balance, needed }));
            return Ok(());
        }
        let nonce = view.nonce.max(self.table().next_nonce());
        let attempt = self.sign(&record, nonce, fees, gas_limit, view).await?;
        record.stage = Stage::Sent(Bound::new(nonce, view.finalized, attempt));
        self.save_and_give(record, view).await
    }

    /// Looks after a job that has a nonce.
    async fn follow(&self, record: Record, sight: Sight, view: &View) -> Result<(), Error> {
        let Sight { found, finalized_nonce } = sight;
        let is_mined = matches!(record.stage, Stage::Mined(..));
        let look = Look {
            head: view.head,
            now: now(),
            nonce: view.nonce,
            finalized: view.finalized.number,
            finalized_nonce,
            found: found.as_ref(),
            given: self.table().live(&record.id).given,
        };
        match (plan(&record.stage, &look, &self.pace), found) {
            (Step::Wait(hold), _) => {
                self.table().with_live(&record.id, |live| {
                    live.looked = is_mined.then_some((view.head_hash, view.finalized.number));
                    if !matches!(hold, Hold::Block) || live.note.is_none() {
                        live.note = Some(Note::Waits(hold.to_string()));
                    }
                });
                Ok(())
            }
            (Step::Send, _) => self.send_again(record, view).await,
            (Step::Bump, _) => self.bump(record, view).await,
            (Step::Mined, Some(found)) => self.mined(record, found).await,
            (Step::Unmined, _) => self.unmined(record).await,
            (Step::Taken, _) => self.taken(record, view).await,
            (Step::Rebind, _) => self.rebind(record, view).await,
            (Step::Finish, _) => self.finish(record).await,
            (Step::Mined, None) => Ok(()),
        }
    }

    async fn mined(&self, mut record: Record, found: Found) -> Result<(), Error> {
        let Some(bound) = record.bound().cloned() else { return Ok(()) };
        let cancels = bound.attempts.iter().any(|attempt| attempt.hash == found.hash && attempt.cancels);
        let refusal = match (cancels, found.succeeded) {
            (true, _) => bound.cancelled.clone(),
            (false, true) => None,
            (false, false) => Some(self.reason(&record, &found).await?),
        };
        let Found { hash, block, block_hash, gas_used, .. } = found;
        let inclusion = Inclusion { hash, block, block_hash, gas_used, refusal };
        record.stage = Stage::Mined(Bound { taken_since: None, ..bound }, inclusion);
        self.save(record).await
    }

    /// Why a transaction was reverted: the state has changed between its dry run and its block, so it is asked for there.
    async fn reason(&self, record: &Record, found: &Found) -> Result<Refusal, Error> {
        let unknown = || Refusal::Reverted(format!("transaction {} failed", found.hash));
        match self.chain.dry_run(record, BlockNumberOrTag::Number(found.block)).await {
            Ok(refusal) => Ok(refusal.unwrap_or_else(unknown)),
            Err(error @ L1Error::Timeout { .. }) => Err(error.into()),
            // A node that keeps no state of that block never will.
            Err(_) => Ok(unknown()),
        }
    }

    async fn unmined(&self, mut record: Record) -> Result<(), Error> {
        let Stage::Mined(bound, inclusion) = record.stage else { return Ok(()) };
        tracing::warn!(job = %record.id, transaction = %inclusion.hash, block = inclusion.block, "a reorganisation took a transaction back");
        record.stage = Stage::Sent(bound);
        self.save(record).await
    }

    async fn taken(&self, mut record: Record, view: &View) -> Result<(), Error> {
        let Stage::Sent(bound) = record.stage else { return Ok(()) };
        record.stage = Stage::Sent(Bound { taken_since: Some(view.finalized.number), ..bound });
        self.save(record).await
    }

    async fn rebind(&self, mut record: Record, view: &View) -> Result<(), Error> {
        let Some(nonce) = record.bound().map(|bound| bound.nonce) else { return Ok(()) };
        if record.filler {
            return self.forget(record.id).await;
        }
        match self.search(&record, view).await? {
            Search::Found { hash, block } => {
                self.waits(&record.id, format!("the receipt of its transaction {hash} in block {block}"));
                Ok(())
            }
            Search::Unfinished { next } => {
                self.waits(&record.id, format!("its transactions to be looked for in final blocks, from {next} on"));
                Ok(())
            }
            Search::Nowhere => {
                tracing::warn!(job = %record.id, "another transaction of this account has taken the nonce");
                self.table().use_up(nonce);
                record.stage = Stage::Built;
                self.save(record).await
            }
        }
    }

    async fn finish(&self, mut record: Record) -> Result<(), Error> {
        let Stage::Mined(bound, inclusion) = record.stage else { return Ok(()) };
        self.table().use_up(bound.nonce);
        if record.filler {
            return self.forget(record.id).await;
        }
        record.stage = match inclusion.refusal {
            Some(refusal) => Stage::Failed(refusal),
            None => Stage::Finalized(inclusion),
        };
        self.save(record).await
    }

    async fn fail(&self, mut record: Record, refusal: Refusal) -> Result<(), Error> {
        record.stage = Stage::Failed(refusal);
        self.save(record).await
    }

    pub(super) fn waits(&self, id: &B256, reason: String) {
        self.table().note(id, Some(Note::Waits(reason)));
    }
}
