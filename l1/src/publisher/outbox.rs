//! Carries jobs to the chain: each exactly once, over crashes, reorganisations, lost transactions and other users of the
//! account.
//!
//! `look` sees where each job stands, [`plan`] decides what is next, `round` does it, and `send` gives the node transactions
//! by way of [`chain`]. [`journal`] keeps it all: whatever is given to a node stands there before.

mod chain;
mod costs;
mod fees;
mod identity;
mod journal;
mod look;
mod plan;
mod record;
mod round;
mod same_chain;
mod send;
mod table;

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::{Address, B256, Bytes};
use holdfast_erasure::Digest;
use tokio::time::Instant;

use self::{
    chain::Chain,
    fees::Bounds,
    identity::Known,
    journal::{Journal, Owner},
    plan::Pace,
    record::{Inclusion, Record, Refusal, Stage},
    table::{Entry, Note, Table},
};
use super::{
    error::Error,
    job::{JobState, JobStatus, PublishReceipt, Until},
    options::PublisherOptions,
};
use crate::{
    account::Account,
    error::Error as L1Error,
    node::{Node, answers::Receipt},
};

/// The first pause between two looks at the chain; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// One account's jobs on one chain.
#[derive(Debug)]
pub(crate) struct Outbox {
    chain: Chain,
    journal: Arc<Journal>,
    table: Mutex<Table>,
    pace: Pace,
    bounds: Bounds,
    /// The highest least tip that the node has asked for so far, in wei per gas.
    least_tip: AtomicU64,
    known: Mutex<Known>,
    poll: Duration,
    /// Held for a round, of which one runs at a time; when the last one ended.
    turn: tokio::sync::Mutex<Option<Instant>>,
    /// Held while a job is taken in.
    intake: tokio::sync::Mutex<()>,
}

impl Outbox {
    /// Checks the node's chain, and opens the journal if there is to be one.
    pub(crate) async fn open(url: &str, account: Account, options: &PublisherOptions) -> Result<Arc<Self>, Error> {
        let node = Node::new(url, options.call_limit)?;
        let chain_id = node.chain_id().await?;
        if let Some(expected) = options.chain_id
            && expected != chain_id
        {
            return Err(L1Error::WrongChain { expected, got: chain_id }.into());
        }
        let chain = Chain::new(node, account, chain_id, options.call_limit);
        let (journal, records, mark) = match options.journal.clone() {
            None => (Journal::Memory, Vec::new(), None),
            Some(base) => {
                let owner = Owner { chain_id, account: chain.account().signer_address() };
                blocking(move || Journal::open(&base, owner)).await?
            }
        };
        let outbox = Arc::new(Self {
            chain,
            journal: Arc::new(journal),
            table: Mutex::new(Table::new(records)),
            pace: Pace { bump_blocks: options.bump_blocks.max(1), bump_after: options.bump_after },
            bounds: Bounds { max_fee: options.max_fee_per_gas, min_tip: options.min_tip_per_gas },
            least_tip: AtomicU64::new(0),
            known: Mutex::default(),
            poll: options.poll.max(FIRST_PAUSE),
            turn: tokio::sync::Mutex::new(None),
            intake: tokio::sync::Mutex::new(()),
        });
        outbox.begin_on_chain(mark).await?;
        Ok(outbox)
    }

    pub(crate) fn node(&self) -> &Node {
        self.chain.node()
    }

    pub(crate) fn chain_id(&self) -> u64 {
        self.chain.chain_id()
    }

    pub(crate) fn account(&self) -> &Account {
        self.chain.account()
    }

    /// Takes in a job, unless there is one of that id that has not failed. It is in the journal when this returns.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        id: Digest,
        to: Option<Address>,
        input: Bytes,
    ) -> Result<JobStatus, Error> {
        let outbox = Arc::clone(self);
        // A task of its own, so that a caller that goes away cannot leave disk and memory apart.
        owned(async move {
            let id = B256::from(*id.as_bytes());
            let _intake = outbox.intake.lock().await;
            let known = outbox.table().get(&id).map(|entry| entry.record.stage.clone());
            if matches!(known, None | Some(Stage::Failed(_))) {
                let sequence = outbox.table().next_sequence();
                outbox.save(Record { sequence, ..Record::new(id, to, input) }).await?;
            }
            Ok(outbox.table().get(&id).map(status).expect("it was there or has been put there"))
        })
        .await
    }

    pub(crate) fn status(&self, id: &Digest) -> Option<JobStatus> {
        self.table().get(&B256::from(*id.as_bytes())).map(status)
    }

    /// Every job that is neither final nor failed.
    pub(crate) fn pending(&self) -> Vec<JobStatus> {
        let table = self.table();
        let records = table.unfinished();
        records.iter().filter_map(|record| table.get(&record.id).map(status)).collect()
    }

    /// Looks at the chain once and does for every job what is next.
    pub(crate) async fn drive(self: &Arc<Self>) -> Result<usize, Error> {
        self.drive_unless(Duration::ZERO).await
    }

    /// [`Outbox::drive`], unless another caller has done so since `age` ago.
    async fn drive_unless(self: &Arc<Self>, age: Duration) -> Result<usize, Error> {
        let outbox = Arc::clone(self);
        // A task of its own: a round must not stop half way because its caller goes away.
        owned(async move {
            let mut ended = outbox.turn.lock().await;
            if ended.is_none_or(|ended| ended.elapsed() >= age) {
                let done = outbox.round().await;
                *ended = Some(Instant::now());
                done?;
            }
            Ok(outbox.table().unfinished().len())
        })
        .await
    }

    /// Drives until `stop` is ready. What goes wrong with the node is logged, and tried again.
    pub(crate) async fn run(self: &Arc<Self>, stop: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::pin!(stop);
        loop {
            match self.drive().await {
                Ok(_) => {}
                Err(error) if error.must_stop() => return Err(error),
                Err(error) => tracing::warn!(%error, "L1 cannot be looked at"),
            }
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(self.poll) => {}
            }
        }
    }

    /// Drives until a job has come so far.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        id: &Digest,
        until: Until,
        limit: Duration,
    ) -> Result<PublishReceipt, Error> {
        let end = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        let mut trouble = None;
        let mut is_first = true;
        loop {
            // Half of it is what has been slept since this caller's last look: only another's look can be newer.
            match tokio::time::timeout_at(end, self.drive_unless(pause / 2)).await {
                // A round that takes longer goes on without this caller.
                Ok(Ok(_)) | Err(_) => {}
                Ok(Err(error)) if error.must_stop() || error.names_what_is_missing() => return Err(error),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "L1 cannot be looked at");
                    trouble = Some(error);
                }
            }
            let entry = self.table().get(&B256::from(*id.as_bytes())).cloned();
            let entry = entry.ok_or(Error::UnknownJob { id: *id })?;
            // What an earlier look has found to be missing may have come since: this caller's own look says.
            let is_old = std::mem::take(&mut is_first) && matches!(entry.live.note, Some(Note::Held(_)));
            if let Some(end) = self.ended(&entry, until).filter(|_| !is_old) {
                return end;
            }
            if Instant::now() + pause > end {
                return Err(late(&entry, limit, trouble));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.poll);
        }
    }

    /// The receipt of a transaction that was mined.
    pub(crate) async fn receipt(&self, hash: &Digest, limit: Duration) -> Result<Receipt, Error> {
        let end = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.chain.receipt(B256::from(*hash.as_bytes())).await {
                Ok(Some(receipt)) => return Ok(receipt),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "no answer about a transaction's receipt"),
            }
            if Instant::now() + pause > end {
                return Err(Error::NotMined { tx_hash: *hash, limit, reason: "its receipt".to_owned() });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.poll);
        }
    }

    /// What a waiting caller is told, once there is something to tell.
    fn ended(&self, Entry { record, live }: &Entry, until: Until) -> Option<Result<PublishReceipt, Error>> {
        match (&record.stage, until) {
            (Stage::Failed(refusal), _) => Some(Err(refusal.error(record.what()).into())),
            (Stage::Finalized(inclusion), _) => Some(Ok(receipt(inclusion))),
            (Stage::Mined(_, inclusion), Until::Mined) => Some(match &inclusion.refusal {
                None => Ok(receipt(inclusion)),
                Some(refusal) => Err(refusal.error(record.what()).into()),
            }),
            (stage, _) => match &live.note {
                Some(Note::Unfunded { balance, needed }) if matches!(stage, Stage::Built) => {
                    let (balance, needed) = (*balance, *needed);
                    Some(Err(Error::Unfunded { account: self.account().address(), balance, needed }))
                }
                Some(Note::Held(reason)) => Some(Err(Error::Held { what: record.what(), reason: reason.clone() })),
                _ => None,
            },
        }
    }

    /// Writes a record to the journal, then to the table.
    async fn save(&self, record: Record) -> Result<(), Error> {
        if let Journal::Disk(_) = *self.journal {
            let (journal, copy) = (Arc::clone(&self.journal), record.clone());
            blocking(move || journal.write(&copy)).await?;
        }
        self.table().put(record);
        Ok(())
    }

    /// Forgets a job.
    async fn forget(&self, id: B256) -> Result<(), Error> {
        let journal = Arc::clone(&self.journal);
        blocking(move || journal.remove(id)).await?;
        self.table().remove(&id);
        Ok(())
    }

    /// The least tip that the node has asked for, within the bound.
    fn least_tip(&self) -> u64 {
        self.least_tip.load(Ordering::Relaxed).min(self.bounds.max_fee)
    }

    fn learn_tip(&self, least: u64) {
        self.least_tip.fetch_max(least, Ordering::Relaxed);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no code panics while it holds the table")
    }
}

fn status(Entry { record, live }: &Entry) -> JobStatus {
    let (state, inclusion, refusal) = match &record.stage {
        Stage::Built => (JobState::Built, None, None),
        Stage::Sent(_) => (JobState::Sent, None, None),
        Stage::Mined(_, inclusion) => (JobState::Mined, Some(inclusion), inclusion.refusal.as_ref()),
        Stage::Finalized(inclusion) => (JobState::Finalized, Some(inclusion), None),
        Stage::Failed(refusal) => (JobState::Failed, None, Some(refusal)),
    };
    JobStatus {
        id: Digest::from(record.id.0),
        what: record.what(),
        state,
        nonce: record.bound().map(|bound| bound.nonce),
        transactions: record
            .bound()
            .map_or_else(Vec::new, |bound| bound.attempts.iter().map(|attempt| Digest::from(attempt.hash.0)).collect()),
        receipt: inclusion.map(receipt),
        waits_for: live.note.as_ref().map(Note::to_string),
        refusal: refusal.map(|refusal: &Refusal| refusal.error(record.what()).into()),
    }
}

fn receipt(inclusion: &Inclusion) -> PublishReceipt {
    PublishReceipt { tx_hash: Digest::from(inclusion.hash.0), gas_used: inclusion.gas_used, block: inclusion.block }
}

/// Why a job has not come as far as a caller wanted to wait for.
fn late(Entry { record, live }: &Entry, limit: Duration, trouble: Option<Error>) -> Error {
    let reason = live.note.as_ref().map(Note::to_string).or(trouble.map(|error| error.to_string()));
    match &record.stage {
        Stage::Sent(bound) => Error::NotMined {
            tx_hash: Digest::from(bound.newest().hash.0),
            limit,
            reason: reason.unwrap_or_else(|| "a block".to_owned()),
        },
        Stage::Mined(..) => L1Error::Timeout { what: "finality", limit }.into(),
        Stage::Built | Stage::Finalized(_) | Stage::Failed(_) => {
            Error::NotSent { what: record.what(), limit, reason: reason.unwrap_or_else(|| "the node".to_owned()) }
        }
    }
}

/// Runs to its end whatever becomes of the caller.
async fn owned<T: Send + 'static>(work: impl Future<Output = Result<T, Error>> + Send + 'static) -> Result<T, Error> {
    joined(tokio::spawn(work).await)
}

/// Runs what blocks off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    joined(tokio::task::spawn_blocking(work).await)
}

fn joined<T>(ended: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    match ended {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(L1Error::Invalid { what: "publisher", reason: "its runtime is shutting down".to_owned() }.into()),
    }
}

/// Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
