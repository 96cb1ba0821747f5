//! A registry that is not there yet. A member that starts while L1 is away serves what it holds; it signs once L1 answers.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use holdfast_certificate::{Certificate, Domain, Namespace};
use holdfast_registry::{
    EpochRecord, Error, Fault, Finality, NamespaceRecord, Publication, Publications, Registry, Since, Unavailable,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{config::Config, error, registry::registry as connect, store};

/// How long a start waits for L1 before it goes on without it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after a failure L1 is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// Why there is no answer yet.
#[derive(Debug, thiserror::Error)]
#[error("L1 has not answered since this member was started: {0}")]
struct NotYet(String);

impl Unavailable for NotYet {
    fn fault(&self) -> Fault {
        Fault::L1
    }

    fn is_retryable(&self) -> bool {
        true
    }
}

/// The registry of a store whose chain and contract are known.
#[derive(Debug)]
pub(crate) struct Awaited {
    domain: Domain,
    near: OnceLock<Arc<dyn Registry>>,
    failure: Mutex<String>,
    waits: watch::Sender<Option<Arc<str>>>,
}

/// The registry that the settings name, or one that is waited for where L1 does not answer and the store knows its chain.
///
/// # Errors
///
/// As [`connect`]: what waiting does not mend.
pub(crate) async fn registry(config: &Config) -> Result<(Arc<dyn Registry>, Option<Arc<Awaited>>), error::Error> {
    config.check()?;
    let data_dir = config.data_dir.clone();
    let domain = match &config.l1 {
        None => None,
        Some(l1) => tokio::task::spawn_blocking(move || store::Store::recorded_domain(&data_dir))
            .await
            .map_err(|e| error::Error::Server(e.to_string()))?
            .filter(|domain| domain.registry == l1.registry),
    };
    let Some(domain) = domain else { return Ok((connect(config).await?, None)) };
    let reason = match tokio::time::timeout(PATIENCE, connect(config)).await {
        Ok(Ok(near)) => return Ok((near, None)),
        Ok(Err(error::Error::Registry(error))) if error.fault() == Fault::L1 => error.to_string(),
        Ok(Err(error)) => return Err(error),
        Err(_) => format!("no answer within {PATIENCE:?}"),
    };
    tracing::error!(reason, "registry.wait: L1 does not answer; what is held is served, and nothing signed");
    let awaited = Arc::new(Awaited::new(domain, reason));
    Ok((Arc::clone(&awaited) as Arc<dyn Registry>, Some(awaited)))
}

impl Awaited {
    fn new(domain: Domain, reason: String) -> Self {
        let waits = watch::Sender::new(Some(NotYet(reason.clone()).to_string().into()));
        Self { domain, near: OnceLock::new(), failure: Mutex::new(reason), waits }
    }

    /// Why nothing is signed yet; `None` once L1 has answered.
    pub(crate) fn waits(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.waits.subscribe()
    }

    /// Asks until L1 answers, or until `stop`.
    pub(crate) async fn connect(&self, config: &Config, stop: CancellationToken) {
        let asking = async {
            loop {
                tokio::time::sleep(AGAIN).await;
                match connect(config).await {
                    Ok(near) if near.domain() == self.domain => return self.arrived(near),
                    Ok(near) => self.failed(format!(
                        "it is chain {}, expected {}",
                        near.domain().chain_id,
                        self.domain.chain_id
                    )),
                    Err(error) => self.failed(error.to_string()),
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = asking => {}
        }
    }

    fn arrived(&self, near: Arc<dyn Registry>) {
        if self.near.set(near).is_ok() {
            tracing::info!("registry.wait: L1 answers");
            self.waits.send_replace(None);
        }
    }

    fn failed(&self, reason: String) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if *failure != reason {
            tracing::error!(reason, "registry.wait");
            self.waits.send_replace(Some(NotYet(reason.clone()).to_string().into()));
            *failure = reason;
        }
    }

    fn near(&self) -> Result<&Arc<dyn Registry>, Error> {
        self.near.get().ok_or_else(|| {
            let reason = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Error::unavailable(NotYet(reason))
        })
    }
}

#[tonic::async_trait]
impl Registry for Awaited {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        self.near()?.epoch(epoch).await
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.near()?.active_epoch(at).await
    }

    async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.near()?.newest_epoch(at).await
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.near()?.namespace(namespace).await
    }

    async fn look_up(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.near()?.look_up(namespace).await
    }

    async fn published(&self, namespaces: &[Namespace], since: Since) -> Result<Option<Publications>, Error> {
        self.near()?.published(namespaces, since).await
    }

    async fn published_certificate(&self, publication: &Publication) -> Result<Option<Certificate>, Error> {
        self.near()?.published_certificate(publication).await
    }

    fn domain(&self) -> Domain {
        self.domain
    }

    fn finality(&self) -> Option<Finality> {
        match self.near() {
            Ok(near) => near.finality(),
            // Nothing was seen of L1, so nothing is known of the time.
            Err(error) => Some(Finality {
                block: 0,
                timestamp: 0,
                read_at: 0,
                stalled: true,
                expired: true,
                failure: Some(error.to_string()),
                dissenters: Vec::new(),
            }),
        }
    }
}
