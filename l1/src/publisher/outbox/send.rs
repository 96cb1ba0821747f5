//! Gives the node transactions: signed, on disk, then sent; raised, cancelled, or in place of a nonce that nobody uses.

use alloy::{
    consensus::TxEip1559,
    eips::BlockNumberOrTag,
    primitives::{Address, Bytes, TxKind, U256, keccak256},
};

use super::{
    Outbox,
    chain::{Given, View},
    costs::lacks_pending,
    fees::{Fees, is_underpriced, least_tip},
    now,
    record::{Attempt, Bound, Record, Refusal, Stage},
    table::Note,
};
use crate::publisher::error::Error;

/// The most transactions of one job: from the least offer to a thousand times as much takes 60.
const MAX_ATTEMPTS: usize = 64;

/// Whether a transaction may be given to the node.
enum Permit {
    Yes,
    /// The contract refuses the call, and may do otherwise in a block or two.
    NotYet,
    /// The contract goes on refusing it.
    Cancel(Refusal),
}

impl Outbox {
    pub(super) async fn send_again(&self, record: Record, view: &View) -> Result<(), Error> {
        match self.permit(&record, view).await? {
            Permit::Yes => {
                self.give(&record, view).await;
                Ok(())
            }
            Permit::NotYet => Ok(()),
            Permit::Cancel(refusal) => self.replace(record, view, Some(refusal)).await,
        }
    }

    pub(super) async fn bump(&self, record: Record, view: &View) -> Result<(), Error> {
        match self.permit(&record, view).await? {
            Permit::Yes => self.replace(record, view, None).await,
            Permit::NotYet => Ok(()),
            Permit::Cancel(refusal) => self.replace(record, view, Some(refusal)).await,
        }
    }

    /// A dry run at the head, if nothing of ours comes before the job: there its result is what a block would give.
    async fn permit(&self, record: &Record, view: &View) -> Result<Permit, Error> {
        let Stage::Sent(bound) = &record.stage else { return Ok(Permit::Yes) };
        if record.filler || bound.nonce != view.nonce || bound.newest().cancels {
            return Ok(Permit::Yes);
        }
        let refusal = self.chain.dry_run(record, BlockNumberOrTag::Number(view.head)).await?;
        let Some(refusal) = refusal else {
            self.table().with_live(&record.id, |live| live.refused_since = None);
            return Ok(Permit::Yes);
        };
        let reason = refusal.error(record.what()).to_string();
        // After a reorganisation, what it builds on may come back; before that it would only be reverted.
        let since = self.table().with_live(&record.id, |live| *live.refused_since.get_or_insert(view.head));
        if since.is_some_and(|since| view.head >= since.saturating_add(self.pace.bump_blocks)) {
            return Ok(Permit::Cancel(refusal));
        }
        self.waits(&record.id, format!("the contract to take it again: {reason}"));
        Ok(Permit::NotYet)
    }

    /// Signs a dearer transaction with the same nonce, which does nothing if the job is cancelled. Where the bound leaves
    /// no room, the newest one stays.
    async fn replace(&self, mut record: Record, view: &View, cancelled: Option<Refusal>) -> Result<(), Error> {
        let Stage::Sent(mut bound) = record.stage.clone() else { return Ok(()) };
        let last = bound.newest().clone();
        let cancels = cancelled.is_some() || last.cancels;
        let prices = self.chain.prices().await?;
        let fees = self.bounds.replace(last.fees, prices.base_fee, prices.tip.max(self.least_tip()));
        let fees = match fees.filter(|_| bound.attempts.len() < MAX_ATTEMPTS) {
            // At the same price it takes the place of a transaction that the node has lost. One that the node has can
            // still be mined, and will be reverted.
            None if cancels && !last.cancels => last.fees,
            None => {
                self.keep(&record, view, Note::Waits(self.over_bound(prices.base_fee))).await;
                return Ok(());
            }
            Some(fees) => fees,
        };
        let needed = u128::from(last.gas_limit).saturating_mul(fees.max_fee.into());
        let balance = self.chain.balance().await?;
        if !cancels && balance < needed {
            self.keep(&record, view, Note::Unfunded { balance, needed }).await;
            return Ok(());
        }
        let attempt = if cancels {
            self.sign_empty(bound.nonce, fees, view).await?
        } else {
            self.sign(&record, bound.nonce, fees, last.gas_limit, view).await?
        };
        tracing::info!(job = %record.id, nonce = bound.nonce, max_fee = fees.max_fee, cancels, "transaction replaced");
        bound.attempts.push(attempt);
        bound.cancelled = cancelled.or(bound.cancelled);
        record.stage = Stage::Sent(bound);
        self.save_and_give(record, view).await
    }

    /// Stays with the newest transaction, which the node is given again now and then.
    async fn keep(&self, record: &Record, view: &View, note: Note) {
        let due = match self.table().live(&record.id).given {
            Some((head, was_taken)) => view.head > head.saturating_add(u64::from(was_taken)),
            None => true,
        };
        if due {
            self.give(record, view).await;
        }
        self.table().note(&record.id, Some(note));
    }

    /// Uses up the account's next nonce if it belongs to no job while later ones do, and nobody else's transaction waits
    /// for it: a reorganisation has taken a stranger's transaction away for good.
    pub(super) async fn fill_gap(&self, view: &View) -> Result<(), Error> {
        let nonce = view.nonce;
        let since = {
            let mut table = self.table();
            if !table.is_gap(nonce) {
                table.gap_since = None;
                return Ok(());
            }
            let known = table.gap_since.filter(|(gap, _)| *gap == nonce);
            table.gap_since.insert(known.unwrap_or((nonce, view.head))).1
        };
        if view.head < since.saturating_add(self.pace.bump_blocks) {
            return Ok(());
        }
        match self.chain.nonce(BlockNumberOrTag::Pending).await {
            Ok(pending) if pending > nonce => return Ok(()),
            Ok(_) => {}
            // It cannot say whether a stranger's waits: as long as it was waited for, none is likely.
            Err(error) if lacks_pending(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let prices = self.chain.prices().await?;
        let tip = prices.tip.max(self.least_tip());
        let Some(fees) = self.bounds.offer(prices.base_fee, tip) else { return Ok(()) };
        let attempt = self.sign_empty(nonce, fees, view).await?;
        let account = self.account().signer_address();
        let id = keccak256([b"holdfast filler".as_slice(), attempt.hash.as_slice()].concat());
        let sequence = self.table().next_sequence();
        let record = Record {
            sequence,
            filler: true,
            stage: Stage::Sent(Bound::new(nonce, view.finalized, attempt)),
            ..Record::new(id, Some(account), Bytes::new())
        };
        self.save_and_give(record, view).await
    }

    pub(super) async fn save_and_give(&self, record: Record, view: &View) -> Result<(), Error> {
        self.save(record.clone()).await?;
        self.give(&record, view).await;
        Ok(())
    }

    /// Gives the node the newest transaction, and where it finds that too cheap at once a dearer one, if it says or shows
    /// what it wants and the bound allows that.
    async fn give(&self, record: &Record, view: &View) {
        let Some(wanted) = self.offer(record, view).await else { return };
        self.learn_tip(wanted);
        if let Err(error) = self.raise_tip(record.clone(), view, wanted).await {
            tracing::debug!(%error, job = %record.id, "no dearer transaction");
        }
    }

    /// Gives the node the newest transaction. What it says is only noted: whether the transaction is in a block is seen in
    /// the chain. `Some` is the tip that it wants, where it is more than is offered.
    async fn offer(&self, record: &Record, view: &View) -> Option<u64> {
        let bound = record.bound()?;
        let mut given = self.chain.give(&bound.newest().raw).await;
        // Nodes refuse what they have already, each in its own words.
        if matches!(given, Given::Refused(_))
            && matches!(self.chain.has_transaction(bound.newest().hash).await, Ok(true))
        {
            given = Given::Taken;
        }
        tracing::debug!(job = %record.id, nonce = bound.nonce, hash = %bound.newest().hash, ?given, "transaction given to the node");
        let wanted = match &given {
            Given::Refused(reason) if is_underpriced(reason) => match least_tip(reason) {
                Some(tip) => Some(tip),
                None => self.chain.usual_tip().await,
            },
            _ => None,
        };
        self.table().with_live(&record.id, |live| match given {
            Given::Taken => {
                live.given = Some((view.head, true));
                live.note = None;
            }
            Given::Refused(reason) => {
                live.given = Some((view.head, false));
                live.note = Some(Note::Waits(format!("the node to take its transaction: {reason}")));
            }
            Given::Unanswered(reason) => {
                live.given = None;
                live.note = Some(Note::Waits(reason));
            }
        });
        wanted.filter(|tip| *tip > bound.newest().fees.tip)
    }

    /// Signs a transaction with at least that tip in place of one that the node does not take, and gives it that.
    async fn raise_tip(&self, mut record: Record, view: &View, least: u64) -> Result<(), Error> {
        let Stage::Sent(mut bound) = record.stage.clone() else { return Ok(()) };
        let last = bound.newest().clone();
        let prices = self.chain.prices().await?;
        let fees = self.bounds.with_tip(last.fees, prices.base_fee, least.max(prices.tip.min(self.bounds.max_fee)));
        let Some(fees) = fees.filter(|_| bound.attempts.len() < MAX_ATTEMPTS) else {
            let reason = format!(
                "the node wants a tip of {least} wei per gas at a base fee of {}, and at most {} may be offered in all",
                prices.base_fee, self.bounds.max_fee
            );
            self.table().note(&record.id, Some(Note::Held(reason)));
            return Ok(());
        };
        let needed = u128::from(last.gas_limit).saturating_mul(fees.max_fee.into());
        let balance = self.chain.balance().await?;
        if balance < needed {
            self.table().note(&record.id, Some(Note::Unfunded { balance, needed }));
            return Ok(());
        }
        let attempt = if last.cancels {
            self.sign_empty(bound.nonce, fees, view).await?
        } else {
            self.sign(&record, bound.nonce, fees, last.gas_limit, view).await?
        };
        tracing::info!(job = %record.id, nonce = bound.nonce, tip = fees.tip, "the tip is raised to what the node wants");
        bound.attempts.push(attempt);
        record.stage = Stage::Sent(bound);
        self.save(record.clone()).await?;
        self.offer(&record, view).await;
        Ok(())
    }

    pub(super) async fn sign(
        &self,
        record: &Record,
        nonce: u64,
        fees: Fees,
        gas_limit: u64,
        view: &View,
    ) -> Result<Attempt, Error> {
        self.attempt(record.to, record.input.clone(), nonce, fees, gas_limit, view).await
    }

    /// A transfer of nothing to the account itself.
    async fn sign_empty(&self, nonce: u64, fees: Fees, view: &View) -> Result<Attempt, Error> {
        const WHAT: &str = "empty transaction";
        let account = self.account().signer_address();
        let gas = self.chain.gas(WHAT, Some(account), &Bytes::new()).await?;
        let gas_limit = gas.map_err(|refusal| refusal.error(WHAT))?;
        let attempt = self.attempt(Some(account), Bytes::new(), nonce, fees, gas_limit, view).await?;
        Ok(Attempt { cancels: true, ..attempt })
    }

    async fn attempt(
        &self,
        to: Option<Address>,
        input: Bytes,
        nonce: u64,
        fees: Fees,
        gas_limit: u64,
        view: &View,
    ) -> Result<Attempt, Error> {
        let transaction = TxEip1559 {
            chain_id: self.chain_id(),
            nonce,
            gas_limit,
            max_fee_per_gas: fees.max_fee.into(),
            max_priority_fee_per_gas: fees.tip.into(),
            to: to.map_or(TxKind::Create, TxKind::Call),
            value: U256::ZERO,
            access_list: Default::default(),
            input,
        };
        let (raw, hash) = self.chain.sign(transaction).await?;
        Ok(Attempt { raw, hash, fees, gas_limit, head: view.head, at: now(), cancels: false })
    }

    pub(super) fn over_bound(&self, base_fee: u64) -> String {
        format!(
            "lower fees: the base fee is {base_fee} wei per gas, and at most {} may be offered",
            self.bounds.max_fee
        )
    }
}
