//! The registry as `put`, `get` and `status` see it: L1 while it answers, and what was last final while it does not.
//!
//! # What was final stays true
//!
//! An epoch's keys never change, so a payload can be read by an old record as well as by a new one, and every certificate is
//! judged by L1 itself. What can have changed meanwhile, endpoints and who is active, costs an attempt, never a wrong answer:
//! members check it again before they sign. The age of what is used is always said.

mod snapshot;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use holdfast_certificate::{Certificate, Domain, Namespace};
use holdfast_l1::ChainRegistry;
use holdfast_registry::{
    EpochRecord, Error, Fault, Finality, NamespaceRecord, Publication, Publications, Registry, Since,
};

use crate::{
    output::progress,
    times::{human_time, now},
};
use snapshot::Snapshot;
pub(crate) use snapshot::{Epoch, Origin};

/// A registry on L1 with what is known of it on disk.
#[derive(Debug)]
pub(crate) struct Bridge {
    /// L1, or why it is away.
    chain: Result<ChainRegistry, Error>,
    domain: Domain,
    /// Places to keep the snapshot in: the first that can be written.
    places: Vec<PathBuf>,
    snapshot: Mutex<Snapshot>,
    said: AtomicBool,
}

impl Bridge {
    /// A registry that answers.
    pub(crate) fn over(chain: ChainRegistry, origin: Origin, places: Vec<PathBuf>) -> Self {
        let domain = chain.domain();
        let known = Snapshot::find(&places, &origin).filter(|known| known.chain_id() == domain.chain_id);
        let snapshot = known.unwrap_or_else(|| Snapshot::new(origin, domain.chain_id));
        Self { chain: Ok(chain), domain, places, snapshot: Mutex::new(snapshot), said: AtomicBool::new(false) }
    }

    /// What is known of a registry that does not answer; `None` where nothing is.
    pub(crate) fn without(cause: Error, origin: &Origin, places: Vec<PathBuf>) -> Option<Self> {
        let snapshot = Snapshot::find(&places, origin)?;
        let domain = Domain { chain_id: snapshot.chain_id(), registry: origin.registry };
        let bridge = Self {
            chain: Err(cause.clone()),
            domain,
            places,
            snapshot: Mutex::new(snapshot),
            said: AtomicBool::new(false),
        };
        bridge.say(&cause.to_string());
        Some(bridge)
    }

    /// Says once that L1 is away, and how old what is used is.
    fn say(&self, cause: &str) {
        if !self.said.swap(true, Ordering::Relaxed) {
            let read_at = self.known().read_at();
            let age = std::time::Duration::from_secs(now().saturating_sub(read_at));
            progress(format!(
                "note: L1 is away ({cause}); going on with what was final at {}, {} ago",
                human_time(read_at),
                humantime::format_duration(age)
            ));
        }
    }

    /// What L1 says, kept; or what it said, where it is away.
    async fn ask<T>(
        &self,
        answer: impl AsyncFnOnce(&ChainRegistry) -> Result<T, Error>,
        keep: impl FnOnce(&mut Snapshot, &T),
        known: impl FnOnce(&Snapshot) -> Option<T>,
    ) -> Result<T, Error> {
        let chain = match &self.chain {
            Ok(chain) => chain,
            Err(cause) => return known(&self.known()).ok_or_else(|| cause.clone()),
        };
        match answer(chain).await {
            Ok(found) => {
                let mut snapshot = self.known();
                keep(&mut snapshot, &found);
                snapshot.keep(&self.places, &chain.finality());
                Ok(found)
            }
            Err(error) if error.fault() == Fault::L1 => {
                let found = known(&self.known());
                if found.is_some() {
                    self.say(&error.to_string());
                }
                found.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Registry for Bridge {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        self.ask(
            async |chain| Ok(chain.epoch(epoch).await?),
            |snapshot, record| snapshot.note_epoch(record),
            |snapshot| snapshot.epoch(epoch, self.domain),
        )
        .await
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.ask(
            async |chain| Ok(chain.active_epoch(at).await?),
            |snapshot, record| snapshot.note_epoch(record),
            |snapshot| snapshot.active_epoch(at, self.domain),
        )
        .await
    }

    async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.ask(
            async |chain| Ok(chain.newest_epoch(at).await?),
            |snapshot, record| snapshot.note_epoch(record),
            |snapshot| snapshot.newest_epoch(at, self.domain),
        )
        .await
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.ask(
            async |chain| Ok(chain.namespace(namespace).await?),
            |snapshot, record| snapshot.note_namespace(namespace, record),
            |snapshot| snapshot.namespace(namespace),
        )
        .await
    }

    async fn published(&self, namespaces: &[Namespace], since: Since) -> Result<Option<Publications>, Error> {
        Ok(Some(self.chain.as_ref().map_err(Error::clone)?.published(namespaces, since).await?))
    }

    async fn published_certificate(&self, publication: &Publication) -> Result<Option<Certificate>, Error> {
        Ok(self.chain.as_ref().map_err(Error::clone)?.published_certificate(publication).await?)
    }

    fn domain(&self) -> Domain {
        self.domain
    }

    fn finality(&self) -> Option<Finality> {
        self.chain.as_ref().ok().map(ChainRegistry::finality)
    }
}

/// Where a snapshot is kept: beside the configuration, or, where that cannot be written, with the user's other state.
pub(crate) fn places(base: Option<&Path>, state_folder: &Path) -> Vec<PathBuf> {
    const FILE: &str = "holdfast-registry.json";
    let named = base.map(|base| base.join(FILE));
    let ours = (!state_folder.as_os_str().is_empty()).then(|| state_folder.join(FILE));
    named.into_iter().chain(ours).collect()
}
