//! The registry as it stands on L1, at a finalized block on which several nodes agree.

mod blame;
mod cache;
mod events;
mod flights;
mod heights;
mod keeper;
mod ledger;
mod look;
mod moment;
pub(crate) mod nodes;
pub(crate) mod options;
mod peer;
pub(crate) mod probe;
mod quorum;
pub(crate) mod records;
mod source;
mod strangers;
mod verdicts;
mod width;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use holdfast_certificate::{Address, Certificate, Domain, Namespace};
use holdfast_registry::{
    self as registry, EpochRecord, Finality, NamespaceRecord, Publication, Publications, Registry, Since,
};

pub use self::options::ReaderOptions;
use self::{cache::Seen, keeper::Keeper, ledger::Ledger, nodes::Nodes, source::Source};
use crate::error::Error;

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
/// final: once for every block, and every [`ReaderOptions::refresh`] at most, the nodes are asked whether it still is. That
/// counts only while the chain goes
/// on: where a node says that finality is more than 30 min of block time ahead and fewer than [`ReaderOptions::agree`]
/// stand near the block, or where their newest blocks are older than [`ReaderOptions::stall_after`] as well, nodes stand
/// still, and that is an outage. So one of two that stands still, or the only one, hides a change for no longer than an
/// outage may last. One of two that is less than 30 min behind, by a lie or not, delays what is seen by as much, and so do
/// as many as must agree that stand still together while the newest blocks they name are fresh. At a new finalized block a
/// record that was asked for within 10 min is read again, another one when it is next asked for (an epoch's keys and
/// parameters never change and are read once). While the nodes
/// do not answer, name no finalized block or contradict each other, the last known record is used, with a warning in the
/// log, for at most
/// [`ReaderOptions::outage_limit`]; after that every answer is an error, and [`Finality::expired`] says so. Where they say
/// which block is final and only lack its state, that time stands still until the next block is final.
///
/// # Nobody waits where there is an answer
///
/// All of that goes on beside those who ask, so a node that is slow or hangs delays only a record that was not asked for
/// within 10 min. After 10 min in which nothing is asked it stops, and the next question waits for a look. An answer is at
/// most as late as a look, the pause after it and the calls of the next take: see [`ReaderOptions::refresh`] and
/// [`ReaderOptions::call_limit`].
///
/// # Few calls
///
/// A look is one call, and two where the block is a new one; what is read at it is shared by all who ask. Whoever makes up
/// namespaces costs no more than [`ChainRegistry::look_up`] says.
///
/// # A plain node is enough
///
/// Everything is an `eth_call`, `eth_getCode` or `eth_getBlockByNumber` at the finalized block or the newest one: no logs,
/// no archive, no subscription. What was published is the one thing that is read from logs, and nothing else waits for it: a
/// node that has none, or refuses wide ranges, keeps only that from being seen.
#[derive(Debug)]
pub struct ChainRegistry {
    source: Arc<Source>,
    ledger: Arc<Ledger>,
    options: ReaderOptions,
    /// None where every call asks.
    _keeper: Option<Keeper>,
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
        let source = Arc::new(Source::new(nodes, Domain { chain_id, registry }));
        let ledger = Arc::new(Ledger::new(Arc::clone(&source), options.clone()));
        let mut this = Self { source, ledger, options, _keeper: None };
        let block = this.first_look().await?.block;
        probe::check(this.source.nodes(), this.source.domain(), block, this.options.code_hash).await?;
        if !this.options.refresh.is_zero() {
            this._keeper = Some(Keeper::start(Arc::clone(&this.ledger)));
        }
        Ok(this)
    }

    /// The first finalized block. A chain that has just been started again stands still until its first new block, so for
    /// the time of a call that is waited for.
    async fn first_look(&self) -> Result<Seen, Error> {
        let started = Instant::now();
        loop {
            match self.ledger.look().await {
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
        self.ledger.record(epoch).await
    }

    /// The epoch that is active at unix time `at`.
    ///
    /// # Errors
    /// [`Error::Registry`] if there is none; otherwise an L1 error.
    pub async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.ledger.active_epoch(at).await
    }

    /// The epoch that is active at unix time `at`, or else the newest that has begun by then, closed or revoked.
    ///
    /// # Errors
    /// [`Error::Registry`] if none has begun; otherwise an L1 error.
    pub async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.ledger.newest_epoch(at).await
    }

    /// The rules of one namespace.
    ///
    /// # Errors
    /// [`Error::Registry`] if there is none; otherwise an L1 error.
    pub async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.ledger.record(*namespace).await
    }

    /// [`ChainRegistry::namespace`] for a name that may be made up: of names that there are not, 64 are looked up, and then
    /// one every 5 s.
    ///
    /// # Errors
    /// As [`ChainRegistry::namespace`]; [`registry::Error::TooManyUnknown`] in [`Error::Registry`].
    pub async fn look_up(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.ledger.look_up(*namespace).await
    }

    /// What was published for these namespaces (for all, where none is named), by the registry's events up to the finalized
    /// block. One answer covers as many blocks as the nodes allow: how many that is, is found out.
    ///
    /// # Errors
    /// An L1 error: also where nodes contradict each other on the events of a range, or serve no events.
    pub async fn published(&self, namespaces: &[Namespace], since: Since) -> Result<Publications, Error> {
        events::page(&self.source, self.ledger.final_block().await?, namespaces, since).await
    }

    /// The certificate in the data of a publication's transaction: wherever it stands in there, so also if a contract passed it
    /// on. Its statement is that of the event; its signature is not verified.
    ///
    /// # Errors
    /// An L1 error: also where nodes do not keep transactions by their hash.
    pub async fn published_certificate(&self, publication: &Publication) -> Result<Option<Certificate>, Error> {
        events::certificate(&self.source, publication).await
    }

    /// The EIP-712 domain of every statement made under this registry.
    #[must_use]
    pub fn domain(&self) -> Domain {
        self.source.domain()
    }

    /// The finalized block at which the registry is read, and how sure that is.
    #[must_use]
    pub fn finality(&self) -> Finality {
        self.ledger.finality()
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

    async fn look_up(&self, namespace: &Namespace) -> Result<NamespaceRecord, registry::Error> {
        Ok(self.look_up(namespace).await?)
    }

    async fn published(&self, namespaces: &[Namespace], since: Since) -> Result<Option<Publications>, registry::Error> {
        Ok(Some(self.published(namespaces, since).await?))
    }

    async fn published_certificate(&self, publication: &Publication) -> Result<Option<Certificate>, registry::Error> {
        Ok(self.published_certificate(publication).await?)
    }

    fn domain(&self) -> Domain {
        self.domain()
    }

    fn finality(&self) -> Option<Finality> {
        Some(self.finality())
    }
}
