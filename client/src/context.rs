//! What the calls of one client share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use holdfast_certificate::Namespace;
use holdfast_registry::{EpochRecord, Fault, NamespaceRecord, Registry};
use holdfast_transport::Network;
use tokio::time::Instant;

use crate::{
    background::Background,
    config::Config,
    cpu::Cpu,
    error::Error,
    members::{Member, members_of},
    observer::{Observer, Progress},
    peer::Peers,
    signer::DisperserSigner,
    verifying::Verifying,
};

/// How long a dispersal waits for its namespace's rules; without them the members decide.
const RULES_WAIT: Duration = Duration::from_secs(2);

/// The registry, the connections and the bounds that all clones of a client share; every call takes it.
#[derive(Debug)]
pub(crate) struct Context {
    registry: Arc<dyn Registry>,
    namespace: Option<Namespace>,
    disperser: Option<Arc<dyn DisperserSigner>>,
    observer: Option<Arc<dyn Observer>>,
    pub(crate) config: Config,
    pub(crate) cpu: Cpu,
    pub(crate) verifying: Verifying,
    pub(crate) background: Background,
    peers: Peers,
    reads: AtomicUsize,
    closed: AtomicBool,
}

impl Context {
    pub(crate) fn new(
        registry: Arc<dyn Registry>,
        namespace: Option<Namespace>,
        disperser: Option<Arc<dyn DisperserSigner>>,
        observer: Option<Arc<dyn Observer>>,
        network: Option<Arc<dyn Network>>,
        config: Config,
    ) -> Self {
        Self {
            registry,
            namespace,
            disperser,
            observer,
            cpu: Cpu::new(),
            verifying: Verifying::default(),
            background: Background::new(),
            peers: Peers::new(config.connect_timeout, network),
            reads: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            config,
        }
    }

    /// Tells whoever wants to hear it.
    pub(crate) fn tell(&self, progress: Progress) {
        if let Some(observer) = &self.observer {
            observer.observe(&progress);
        }
    }

    /// Refuses new calls from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// The namespace that a call names, or else the client's.
    pub(crate) fn namespace(&self, named: Option<Namespace>) -> Result<Namespace, Error> {
        named.or(self.namespace).ok_or(Error::NotConfigured { what: "namespace" })
    }

    pub(crate) fn disperser(&self) -> Result<Arc<dyn DisperserSigner>, Error> {
        self.disperser.clone().ok_or(Error::NotConfigured { what: "disperser key" })
    }

    pub(crate) fn members(&self, record: &EpochRecord) -> Vec<Member> {
        members_of(record, &self.peers)
    }

    pub(crate) async fn active_epoch(&self, deadline: Instant) -> Result<Arc<EpochRecord>, Error> {
        let now = unix_now();
        within(deadline, "reading the active epoch", self.registry.active_epoch(now)).await
    }

    /// The active epoch, or else the newest that was: what was dispersed in it can still be read, revoked or not.
    pub(crate) async fn newest_epoch(&self, deadline: Instant) -> Result<Arc<EpochRecord>, Error> {
        let now = unix_now();
        within(deadline, "reading the newest epoch", self.registry.newest_epoch(now)).await
    }

    /// A namespace's rules; none where the registry cannot be read now, so that L1 need not answer for every dispersal.
    pub(crate) async fn rules(
        &self,
        namespace: &Namespace,
        deadline: Instant,
    ) -> Result<Option<NamespaceRecord>, Error> {
        let until = deadline.min(Instant::now() + RULES_WAIT);
        match within(until, "reading a namespace", self.registry.namespace(namespace)).await {
            Ok(rules) => Ok(Some(rules)),
            Err(Error::Registry(holdfast_registry::Error::UnknownNamespace { namespace })) => {
                Err(Error::UnknownNamespace { namespace })
            }
            Err(Error::Registry(error)) if error.fault() == Fault::L1 => {
                tracing::debug!(%error, "a namespace's rules are not known; the members decide");
                Ok(None)
            }
            Err(error) => Err(error),
        }
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
