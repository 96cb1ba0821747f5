use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use holdfast_certificate::{DisperserKey, Namespace};
use holdfast_erasure::{BlobId, Digest};
use holdfast_registry::{EpochRecord, Registry};
use tokio::time::Instant;

use crate::{
    background::Background,
    checkpoint::{self, Checkpointed},
    config::{Builder, Config},
    cpu::Cpu,
    disperser::{self, DisperseOptions, Dispersed},
    error::Error,
    inspect::{self, MemberStatus},
    members::{Member, members_of},
    peer::Peers,
    reference::Reference,
    retriever::{self, RetrieveOptions, Retrieved},
};

/// Disperses payloads to a committee and reads them back. Cheap to clone; all clones share connections.
///
/// # Cancellation
///
/// Every future may be dropped at any time: requests in flight are cut, and no task is left behind. The one thing that
/// outlives a call is the feeding of slow members after [`Client::disperse`] has returned; it belongs to the client, ends
/// within [`Config::background_limit`], is awaited by [`Client::drain`] and [`Client::close`], and is cancelled when the
/// last clone is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

/// What the calls of one client share.
#[derive(Debug)]
pub(crate) struct Inner {
    registry: Arc<dyn Registry>,
    pub(crate) namespace: Option<Namespace>,
    pub(crate) disperser: Option<Arc<DisperserKey>>,
    pub(crate) config: Config,
    pub(crate) cpu: Cpu,
    pub(crate) background: Background,
    peers: Peers,
    reads: AtomicUsize,
    closed: AtomicBool,
}

impl Client {
    /// Begins a client.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(
        registry: Arc<dyn Registry>,
        namespace: Option<Namespace>,
        disperser: Option<DisperserKey>,
        config: Config,
    ) -> Self {
        let inner = Inner {
            registry,
            namespace,
            disperser: disperser.map(Arc::new),
            cpu: Cpu::new(),
            background: Background::new(),
            peers: Peers::new(config.connect_timeout),
            reads: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            config,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Disperses a payload and returns its certificate as soon as the epoch's threshold of members has attested.
    ///
    /// Slow members are fed on in the background, and every member is given the certificate. Dispersing the same payload
    /// with the same times again makes the same statement; members answer it from what they hold.
    ///
    /// # Errors
    /// [`Error::QuorumNotReached`], within the deadline, with a reason for every member that did not attest;
    /// [`Error::EmptyPayload`], [`Error::PayloadTooLarge`], [`Error::Statement`], [`Error::NotConfigured`];
    /// [`Error::Registry`] when the active epoch cannot be read; [`Error::Closed`].
    pub async fn disperse(&self, payload: impl Into<Bytes>, options: DisperseOptions) -> Result<Dispersed, Error> {
        disperser::disperse(&self.inner, payload.into(), options).await
    }

    /// Has the members sign one statement over many blobs of a namespace (the client's, where none is given), all of which
    /// they have signed in the active epoch, until `retain_until` or later: unix seconds, a whole hour. The ids may be in any
    /// order.
    ///
    /// Nothing is stored for it, so a slow member is not waited for after the quorum. Each member has the client's
    /// dispersal deadline.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no ids, more than 4096, or one that is there twice; [`Error::QuorumNotReached`], with a reason for
    /// every member that did not attest, which names the first blob that it does not hold as asked;
    /// [`Error::Statement`], [`Error::NotConfigured`], [`Error::Registry`], [`Error::Closed`].
    pub async fn checkpoint(
        &self,
        namespace: Option<Namespace>,
        ids: &[BlobId],
        retain_until: u64,
    ) -> Result<Checkpointed, Error> {
        checkpoint::checkpoint(&self.inner, namespace, ids, retain_until).await
    }

    /// Reads a blob's payload, believing no member.
    ///
    /// # Errors
    /// [`Error::NotFound`] when so many members deny the blob that it is certain; [`Error::Unknown`] when fewer do;
    /// [`Error::Expired`]; [`Error::NotRetrievable`] when fewer than `k` shards were accepted within the deadline;
    /// [`Error::Certificate`] when the certificate given is not genuine; [`Error::Registry`], [`Error::Closed`].
    pub async fn retrieve(
        &self,
        reference: impl Into<Reference>,
        options: RetrieveOptions,
    ) -> Result<Retrieved, Error> {
        retriever::retrieve(&self.inner, reference.into(), options).await
    }

    /// The blobs of a namespace whose payload has this keccak256, latest retention first as members list them. Each was
    /// checked to bind that digest. Only blobs dispersed by payload can be found.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Unknown`] when there is none; [`Error::NotConfigured`] without a namespace;
    /// [`Error::Registry`], [`Error::Closed`].
    pub async fn find(&self, payload_digest: Digest) -> Result<Vec<BlobId>, Error> {
        inspect::find(&self.inner, payload_digest).await
    }

    /// What every member of the active epoch says of itself.
    ///
    /// # Errors
    /// [`Error::Registry`], [`Error::Closed`]; a member that does not answer is a value, not an error.
    pub async fn status(&self) -> Result<Vec<MemberStatus>, Error> {
        inspect::status(&self.inner).await
    }

    /// Waits until no dispersal is fed in the background.
    pub async fn drain(&self) {
        self.inner.background.drained().await;
    }

    /// Refuses new calls, on all clones, and waits until no dispersal is fed in the background.
    pub async fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
        self.drain().await;
    }

    /// Dispersals that are still fed in the background.
    #[must_use]
    pub fn background_tasks(&self) -> usize {
        self.inner.background.tasks()
    }
}

impl Inner {
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    pub(crate) fn members(&self, record: &EpochRecord) -> Vec<Member> {
        members_of(record, &self.peers)
    }

    pub(crate) async fn active_epoch(&self, deadline: Instant) -> Result<Arc<EpochRecord>, Error> {
        let now = unix_now();
        within(deadline, "reading the active epoch", self.registry.active_epoch(now)).await
    }

    pub(crate) async fn epoch(&self, epoch: u64, deadline: Instant) -> Result<Arc<EpochRecord>, Error> {
        within(deadline, "reading an epoch", self.registry.epoch(epoch)).await
    }

    /// A number that turns from read to read, to spread them over members.
    pub(crate) fn turn(&self) -> usize {
        self.reads.fetch_add(1, Ordering::Relaxed)
    }
}

/// Unix seconds by this machine's clock.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

async fn within<T>(
    deadline: Instant,
    what: &'static str,
    read: impl Future<Output = Result<T, holdfast_registry::Error>>,
) -> Result<T, Error> {
    let limit: Duration = deadline.saturating_duration_since(Instant::now());
    tokio::time::timeout_at(deadline, read)
        .await
        .unwrap_or(Err(holdfast_registry::Error::Timeout { what, limit }))
        .map_err(Error::Registry)
}
