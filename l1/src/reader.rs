//! The registry as it stands on L1, at a finalized block on which several nodes agree.

mod blame;
mod cache;
mod heights;
pub(crate) mod nodes;
pub(crate) mod options;
mod peer;
pub(crate) mod probe;
mod quorum;
pub(crate) mod records;
mod source;
mod verdicts;

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use alloy::eips::BlockNumberOrTag;
use async_trait::async_trait;
use holdfast_certificate::{Address, Domain, Namespace};
use holdfast_contracts::bindings::CommitteeRegistry::activeEpochCall;
use holdfast_registry::{self as registry, EpochRecord, Fault, Finality, NamespaceRecord, Registry};

pub use self::options::ReaderOptions;
use self::{
    cache::Seen,
    nodes::{Newest, Nodes},
    records::Record,
    source::Source,
};
use crate::{error::Error, node::BlockPoint};

/// How many records are read at once: those that have the same number of these take turns.
const TURNS: usize = 8;

/// The most epochs, counted back from the last proposed one, that are looked at for one that has begun.
const NEWEST_LOOKED_AT: usize = 32;

/// The shortest time between two questions at the start.
const SOON: Duration = Duration::from_millis(100);

/// The [`Registry`] on L1.
///
/// # Final, not latest
///
/// Everything is read at the nodes' `finalized` block, so no reorganisation takes it back, and that block never goes back.
///
/// # Outvoted, not trusted
///
/// With several nodes, [`ReaderOptions::agree`] of them must have reached the block, agree on its number, hash and time,
/// and give the same answer to every call at it. So fewer than that many can lie without effect: of three nodes one is
/// outvoted, of two the liar stops the reading, which is an outage. A node that is down, slow, behind or refuses does not
/// stop the others.
///
/// # Bounded staleness
///
/// What was read at a block holds while that block is the finalized one, also through hours in which nothing becomes
/// final: every [`ReaderOptions::refresh`] the nodes are asked whether it still is. That counts only while the chain goes
/// on: where a node says that finality is more than 30 min of block time ahead and fewer than [`ReaderOptions::agree`]
/// stand near the block, or where their newest blocks are older than [`ReaderOptions::stall_after`] as well, nodes stand
/// still, and that is an outage. So one of two that stands still, or the only one, hides a change for no longer than an
/// outage may last. One of two that is less than 30 min behind, by a lie or not, delays what is seen by as much, and so do
/// as many as must agree that stand still together while the newest blocks they name are fresh. At a new finalized block a record is
/// read again when it is next asked for (an epoch's keys and parameters never change and are read once). While the nodes
/// do not answer or contradict each other, the last known record is used, with a warning in the log, for at most
/// [`ReaderOptions::outage_limit`]; after that every answer is an error. Where they answer and only lack the finalized
/// block's state, that time stands still until the next block is final.
///
/// # A plain node is enough
///
/// Everything is an `eth_call`, `eth_getCode` or `eth_getBlockByNumber` at the finalized block or the newest one: no logs,
/// no archive, no subscription.
#[derive(Debug)]
pub struct ChainRegistry {
    source: Source,
    options: ReaderOptions,
    /// Held by who asks for the finalized block.
    looking: tokio::sync::Mutex<()>,
    /// Held by who asks which epoch is active.
    activity: tokio::sync::Mutex<()>,
    /// Held by who reads a record, so that nobody else reads the same.
    turns: [tokio::sync::Mutex<()>; TURNS],
    hasher: RandomState,
}

impl ChainRegistry {
    /// Connects to one node with default options.
    ///
    /// # Errors
    /// As [`ChainRegistry::connect_with`].
    pub async fn connect(rpc_url: &str, registry: Address) -> Result<Self, Error> {
        Self::connect_with(&[rpc_url], registry, ReaderOptions::default()).await
    }

    /// Connects to one or more nodes, and checks that enough of them serve the chain (the log names those that serve
    /// another), that the chain has EIP-2537, and that the registry of this version stands in the finalized state.
    ///
    /// # Errors
    /// [`Error::Invalid`] for URLs or options, [`Error::WrongChain`] (in [`Error::AtNode`] if there are several),
    /// [`Error::NoEip2537`], [`Error::NoRegistry`] (also when its deployment is not final yet),
    /// [`Error::NotTheRegistry`], or an L1 error.
    pub async fn connect_with<S: AsRef<str> + Sync>(
        urls: &[S],
        registry: Address,
        options: ReaderOptions,
    ) -> Result<Self, Error> {
        let nodes = Nodes::new(urls, options.agree, options.call_limit)?;
        let chain_id = nodes.chain_id(options.chain_id).await?;
        let this = Self {
            source: Source::new(nodes, Domain { chain_id, registry }),
            options,
            looking: tokio::sync::Mutex::default(),
            activity: tokio::sync::Mutex::default(),
            turns: Default::default(),
            hasher: RandomState::new(),
        };
        let block = this.first_look().await?.block;
        probe::check(this.source.nodes(), this.source.domain(), block, this.options.code_hash).await?;
        Ok(this)
    }

    /// The first finalized block. A chain that has just been started again stands still until its first new block, so for
    /// the time of a call that is waited for.
    async fn first_look(&self) -> Result<Seen, Error> {
        let started = Instant::now();
        loop {
            match self.look().await {
                Err(Error::StandStill { .. }) if started.elapsed() < self.options.call_limit => {
                    tokio::time::sleep(self.options.refresh.clamp(SOON, self.options.call_limit.max(SOON))).await;
                }
                found => return found,
            }
        }
    }

    /// One epoch, whether active, closed or revoked: old epochs stay readable.
    ///
    /// # Errors
    /// [`Error::Registry`] if there is none or it was cancelled; otherwise an L1 error.
    pub async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        self.record(epoch).await
    }

    /// The epoch that is active at unix time `at`.
    ///
    /// # Errors
    /// [`Error::Registry`] if there is none; otherwise an L1 error.
    pub async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        // At any time at most one epoch is active, so a record that says it is settles it.
        let held = self.source.cache().active_at(at);
        if let Some(epoch) = held {
            let record = self.record(epoch).await?;
            if record.is_active(at) {
                return Ok(record);
            }
        }
        let block = self.look().await?.block;
        // All callers of a second ask once, so that a time without an epoch costs no call for each request.
        let turn = self.activity.lock().await;
        let known = self.source.cache().active_epoch_at(block, at);
        let epoch = match known {
            Some(epoch) => epoch,
            None => {
                let epoch = self.source.call(activeEpochCall { atTime: at }, block).await?;
                self.source.cache().keep_active_epoch(block, at, epoch);
                epoch
            }
        };
        drop(turn);
        if epoch == 0 { Err(registry::Error::NoActiveEpoch { at }.into()) } else { self.record(epoch).await }
    }

    /// The epoch that is active at unix time `at`, or else the newest that has begun by then, closed or revoked.
    ///
    /// # Errors
    /// [`Error::Registry`] if none has begun; otherwise an L1 error.
    pub async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        match self.active_epoch(at).await {
            Err(Error::Registry(registry::Error::NoActiveEpoch { .. })) => {}
            found => return found,
        }
        let count = records::epoch_count(&self.source, self.look().await?.block).await?;
        for epoch in (1..=count).rev().take(NEWEST_LOOKED_AT) {
            match self.record(epoch).await {
                Ok(record) if record.active_from <= at => return Ok(record),
                // Proposed and not begun, or cancelled.
                Ok(_) | Err(Error::Registry(registry::Error::UnknownEpoch { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(registry::Error::NoActiveEpoch { at }.into())
    }

    /// The rules of one namespace.
    ///
    /// # Errors
    /// [`Error::Registry`] if there is none; otherwise an L1 error.
    pub async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.record(*namespace).await
    }

    /// The EIP-712 domain of every statement made under this registry.
    #[must_use]
    pub fn domain(&self) -> Domain {
        self.source.domain()
    }

    /// The finalized block at which the registry is read, and how sure that is.
    #[must_use]
    pub fn finality(&self) -> Finality {
        let cache = self.source.cache();
        let seen = cache.seen();
        Finality {
            block: seen.map_or(0, |seen| seen.block.number),
            timestamp: seen.map_or(0, |seen| seen.block.timestamp),
            read_at: seen.map_or(0, |seen| seen.confirmed_at()),
            stalled: cache.is_stalled(),
            failure: cache.failure().map(ToString::to_string),
            dissenters: self.source.nodes().dissenters(),
        }
    }

    /// One of the records, from what is remembered or from L1.
    async fn record<R: Record>(&self, key: R) -> Result<R::Value, Error> {
        if let Some(known) = self.remembered(&key) {
            return known;
        }
        let block = match self.look().await {
            Ok(seen) => seen.block,
            Err(error) => return self.bridge(&key, error),
        };
        if let Some(known) = self.read_at(&key, block) {
            return known;
        }
        let turn = self.hasher.hash_one(format!("{key:?}")) % TURNS as u64;
        let _turn = self.turns[usize::try_from(turn).unwrap_or(0)].lock().await;
        // Somebody else may just have read it.
        if let Some(known) = self.read_at(&key, block) {
            return known;
        }
        let held = R::shelf(&mut self.source.cache()).get(&key).cloned();
        if let Some((tried, error)) = held.as_ref().and_then(|held| held.failure.clone())
            && tried.elapsed() < self.options.refresh
            && held.as_ref().is_some_and(|held| held.value.is_some())
        {
            return self.bridge(&key, error);
        }
        match key.read(&self.source, block, held.and_then(|held| held.value)).await {
            Ok(value) => {
                R::shelf(&mut self.source.cache()).keep(key, value.clone(), block.number, Instant::now());
                value.ok_or_else(|| key.unknown())
            }
            Err(error) => {
                if error.fault() == Fault::L1 && R::shelf(&mut self.source.cache()).fail(&key, &error, Instant::now()) {
                    tracing::warn!(record = ?key, %error, "cannot read this of the registry; using what is known of it");
                }
                self.bridge(&key, error)
            }
        }
    }

    /// A record that is good without asking, be it that there is none.
    fn remembered<R: Record>(&self, key: &R) -> Option<Result<R::Value, Error>> {
        let mut cache = self.source.cache();
        let held = R::shelf(&mut cache).get(key)?.clone();
        cache.is_current(&held, Instant::now(), &self.options).then(|| held.value.ok_or_else(|| key.unknown()))
    }

    /// A record that was read at this block.
    fn read_at<R: Record>(&self, key: &R, block: BlockPoint) -> Option<Result<R::Value, Error>> {
        let mut cache = self.source.cache();
        let held = R::shelf(&mut cache).get(key).filter(|held| held.block == block.number)?;
        Some(held.value.clone().ok_or_else(|| key.unknown()))
    }

    /// What to do when L1 cannot be asked: use what is held, if it is not too old.
    fn bridge<R: Record>(&self, key: &R, error: Error) -> Result<R::Value, Error> {
        if error.fault() != Fault::L1 {
            return Err(error);
        }
        let mut cache = self.source.cache();
        let Some(held) = R::shelf(&mut cache).get(key).cloned() else { return Err(error) };
        match held.value.clone() {
            Some(value) if cache.may_bridge(&held, &error, Instant::now(), &self.options) => Ok(value),
            _ => Err(error),
        }
    }

    /// The finalized block, at most [`ReaderOptions::refresh`] old. One caller asks, the others wait for it; while the
    /// nodes are known not to answer, they do not even wait.
    async fn look(&self) -> Result<Seen, Error> {
        if let Some(known) = self.source.cache().known(Instant::now(), &self.options) {
            return known;
        }
        let _turn = match self.looking.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                if let Some(error) = self.source.cache().failure() {
                    return Err(error.clone());
                }
                self.looking.lock().await
            }
        };
        let last = {
            let cache = self.source.cache();
            if let Some(known) = cache.known(Instant::now(), &self.options) {
                return known;
            }
            cache.seen().map(|seen| seen.block)
        };
        let found = self.ask_finalized(last).await;
        let mut cache = self.source.cache();
        let found = found.and_then(|block| cache.advance(block, Instant::now(), &self.options));
        if let Err(error) = &found {
            cache.fail(error.clone(), Instant::now(), &self.options);
        }
        found
    }

    /// Asks for the finalized block, that it is old only where finality stalls and not where the nodes do, and that it
    /// stands on the one before: what was final stays so.
    async fn ask_finalized(&self, last: Option<BlockPoint>) -> Result<BlockPoint, Error> {
        let chain_id = self.source.domain().chain_id;
        let block = self.source.nodes().block(chain_id, BlockNumberOrTag::Finalized).await?;
        let (now, bound) = (cache::unix(SystemTime::now()), self.options.stall_after.as_secs());
        let age = now.saturating_sub(block.timestamp);
        if age > bound && self.source.nodes().newest(chain_id, now.saturating_sub(bound)).await? == Newest::Old {
            return Err(Error::StandStill { finalized: block.number, age });
        }
        let Some(last) = last.filter(|last| last.number <= block.number) else { return Ok(block) };
        let same = if last.number == block.number {
            block
        } else {
            let number = BlockNumberOrTag::Number(last.number);
            self.source.nodes().ask("eth_getBlockByNumber", move |node| async move { node.block(number).await }).await?
        };
        if same.hash != last.hash {
            let what = format!("block {}, which was final", last.number);
            return Err(Error::Disagreement { what, said: format!("{} before, {} now", last.hash, same.hash) });
        }
        Ok(block)
    }
}

#[async_trait]
impl Registry for ChainRegistry {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, registry::Error> {
        Ok(self.epoch(epoch).await?)
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, registry::Error> {
        Ok(self.active_epoch(at).await?)
    }

    async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, registry::Error> {
        Ok(self.newest_epoch(at).await?)
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, registry::Error> {
        Ok(self.namespace(namespace).await?)
    }

    fn domain(&self) -> Domain {
        self.domain()
    }

    fn finality(&self) -> Option<Finality> {
        Some(self.finality())
    }
}
