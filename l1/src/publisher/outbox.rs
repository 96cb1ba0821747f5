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
    chain::{Chain, View},
    fees::Bounds,
    identity::{Likeness, Mark},
    journal::{Journal, Owner},
    plan::Pace,
    record::{BlockRef, Inclusion, Record, Refusal, Stage},
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

/// After how many final blocks the journal knows its chain by a newer one: nodes refuse old ones.
const MARK_EVERY: u64 = 7200;

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

/// What this process knows of the chain's final blocks.
#[derive(Debug, Default)]
struct Known {
    /// The newest one that was seen.
    newest: Option<BlockRef>,
    /// The number of the one by which the journal knows the chain, once there is one.
    marked: Option<u64>,
    /// Whether the node's finalized block is behind the newest one that was seen.
    behind: bool,
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
        if let Some(mark) = mark {
            outbox.compare(mark).await?;
        }
        // Where the node names none yet, nothing is sent either.
        if let Ok(finalized) = outbox.chain.finalized().await {
            let marked = match mark {
                Some(Mark::Block(block)) => Some(block.number),
                Some(Mark::Genesis(_)) | None => None,
            };
            outbox.remember(finalized, marked).await?;
        }
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
            if let Some(end) = self.ended(&entry, until) {
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

    /// Checks that a view is one of the same chain as the one before it, which a node, or what chooses among nodes, could
    /// have changed.
    async fn stay_on_chain(&self, view: &View) -> Result<(), Error> {
        let found = view.finalized;
        let newest = self.known().newest;
        match newest {
            None => {}
            Some(newest) if newest.number == found.number => {
                if newest.hash != found.hash {
                    let reason =
                        format!("block {} was final as {}, and is {} there", found.number, newest.hash, found.hash);
                    return Err(self.other_chain(reason));
                }
            }
            Some(newest) => {
                let gone_back = found.number < newest.number;
                if gone_back && !self.known().behind {
                    tracing::warn!(known = newest.number, got = found.number, "L1's finalized block has gone back");
                }
                self.known().behind = gone_back;
                self.compare(Mark::Block(newest)).await?;
            }
        }
        let marked = self.known().marked;
        self.remember(found, marked).await
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
