//! A member from start to stop.

use std::{
    net::SocketAddr,
    path::Path,
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use holdfast_certificate::{Keystore, SecretKey};
use holdfast_proto::{
    MAX_MESSAGE_BYTES,
    v1::{dispersal_server::DispersalServer, node_server::NodeServer, retrieval_server::RetrievalServer},
};
use holdfast_registry::Registry;
use holdfast_transport::settings;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tonic::{server::NamedService, transport::server::TcpIncoming};
use tonic_health::server::{HealthReporter, health_reporter};

use crate::{
    attestor::{Attestor, MOST_CHECKPOINTS},
    awaited::{self, Awaited},
    clock::{Clock, SystemClock},
    config::Config,
    error::Error,
    files::read,
    holds::Retention,
    listen::listen,
    quota::Quota,
    rpc::{Budget, DispersalService, NodeService, RetrievalService, Shared},
    scrub,
    store::{DROP_INTERVAL, Identity, IfMissing, SteadyClock, Store},
    workers::Workers,
};

/// How long the store may take to close when calls have used up the drain limit.
const CLOSING: Duration = Duration::from_secs(1);
/// How often a member looks whether what it knows of the registry can still be used.
const REGISTRY_INTERVAL: Duration = Duration::from_secs(2);

type DispersalName = DispersalServer<DispersalService>;
type RetrievalName = RetrievalServer<RetrievalService>;
type NodeName = NodeServer<NodeService>;

/// A member that has not been started.
#[derive(Debug)]
pub struct Member {
    config: Config,
    key: SecretKey,
    registry: Arc<dyn Registry>,
    clock: Arc<dyn Clock>,
    missing: IfMissing,
    awaited: Option<Arc<Awaited>>,
}

/// A member at work. [`Running::stop`] ends it in order; dropping it cuts calls off and leaves the rest to the process's
/// end, which loses nothing that was signed.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    shared: Arc<Shared>,
    store: Arc<Store>,
    retention: Arc<Retention>,
    health: HealthReporter,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    background: TaskTracker,
    stop: CancellationToken,
    drain_deadline: Duration,
    _guard: DropGuard,
}

/// Reads the registry that the settings name, runs a member, and stops it when `shutdown` resolves. Where there is no store,
/// `missing` says what is done.
///
/// # Errors
///
/// What keeps the member from starting, and what ends it other than `shutdown`.
pub async fn run(config: Config, missing: IfMissing, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let mut shutdown = pin!(shutdown);
    let (registry, awaited) = tokio::select! {
        registry = awaited::registry(&config) => registry?,
        () = &mut shutdown => return Ok(()),
    };
    let member = Member::open(config, registry).await?.if_missing(missing).awaiting(awaited);
    let mut running = member.launch().await?;
    tokio::select! {
        () = shutdown => running.stop().await,
        error = running.failed() => {
            let _stopped = running.stop().await;
            Err(error)
        }
    }
}

impl Member {
    /// A member with this key and the machine's clock.
    #[must_use]
    pub fn new(config: Config, key: SecretKey, registry: Arc<dyn Registry>) -> Self {
        Self { config, key, registry, clock: Arc::new(SystemClock), missing: IfMissing::Refuse, awaited: None }
    }

    /// What is done where there is no store yet; without this it is refused.
    #[must_use]
    pub fn if_missing(mut self, missing: IfMissing) -> Self {
        self.missing = missing;
        self
    }

    /// Its registry is one that is waited for.
    pub(crate) fn awaiting(mut self, awaited: Option<Arc<Awaited>>) -> Self {
        self.awaited = awaited;
        self
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// A member with the key of its keystore.
    ///
    /// # Errors
    ///
    /// [`Error::File`] and [`Error::Keystore`].
    pub async fn open(config: Config, registry: Arc<dyn Registry>) -> Result<Self, Error> {
        let (keystore, password) = (config.keystore.clone(), config.password_file.clone());
        let key = tokio::task::spawn_blocking(move || open_key(&keystore, &password))
            .await
            .map_err(|e| Error::Server(e.to_string()))??;
        Ok(Self::new(config, key, registry))
    }

    /// Listens, opens the store, serves.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], [`Error::Store`] (the folder is another member's or in use), [`Error::InUse`].
    pub async fn launch(self) -> Result<Running, Error> {
        let Self { config, key, registry, clock, missing, awaited } = self;
        config.check()?;
        let public_key = key.public_key();
        let identity = Identity { public_key, domain: registry.domain() };
        // The port first: where it is taken nothing of a store is touched.
        let listener = listen(config.listen)?;
        let addr = listener.local_addr().map_err(|e| Error::Listen { addr: config.listen, reason: e.to_string() })?;
        let data_dir = config.data_dir.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&data_dir, &identity, missing))
            .await
            .map_err(|e| Error::Server(e.to_string()))??;
        let store = Arc::new(store);
        let (counted, quota_limit) = (Arc::clone(&store), config.policy.namespace_quota());
        let quota = tokio::task::spawn_blocking(move || Quota::load(&counted, quota_limit))
            .await
            .map_err(|e| Error::Server(e.to_string()))?;
        let quota = match quota {
            Ok(quota) => quota,
            Err(e) => {
                // Not just dropped: a process that ends while RocksDB closes in a thread of its own is aborted.
                store.close().await?;
                return Err(e.into());
            }
        };

        let attestor = Arc::new(Attestor {
            key: Arc::new(key),
            public_key,
            registry,
            policy: config.policy.clone(),
            clock: Arc::clone(&clock),
            quota,
            store: Arc::clone(&store),
            workers: Workers::new(),
            strangers: Semaphore::new(1),
            checkpoints: Arc::new(Semaphore::new(MOST_CHECKPOINTS)),
        });
        let waits = awaited.as_ref().map_or_else(|| watch::channel(None).1, |awaited| awaited.waits());
        let shared = Arc::new(Shared {
            attestor,
            receiving: Budget::new(config.limits.receiving()),
            sending: Budget::new(config.limits.sending()),
            limits: config.limits.clone(),
            waits: waits.clone(),
            draining: false.into(),
            tasks: TaskTracker::new(),
        });
        let stop = CancellationToken::new();
        let (health, server) = match serve(listener, &shared, &config, stop.clone()).await {
            Ok(serving) => serving,
            Err(e) => {
                store.close().await?;
                return Err(e);
            }
        };
        let registry = Arc::clone(&shared.attestor.registry);
        let retention = Arc::new(Retention::new(Arc::clone(&store), registry, Arc::clone(&clock)));
        let background = TaskTracker::new();
        let disabled = store.writes_disabled();
        background.spawn(watch_dispersal(Arc::downgrade(&shared), disabled, waits, health.clone(), stop.clone()));
        background.spawn(drop_expired(Arc::clone(&retention), stop.clone()));
        background.spawn(scrub::run(Arc::clone(&store), clock, config.policy.scrub_period, stop.clone()));
        if let Some(awaited) = awaited {
            let (config, stop) = (config.clone(), stop.clone());
            background.spawn(async move { awaited.connect(&config, stop).await });
        }
        background.close();
        tracing::info!(%addr, key = %public_key, data_dir = %config.data_dir.display(), "member.start");
        Ok(Running {
            addr,
            shared,
            store,
            retention,
            health,
            server,
            background,
            _guard: stop.clone().drop_guard(),
            stop,
            drain_deadline: config.limits.drain_deadline,
        })
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The endpoint that clients connect to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its store: for tools in the same process.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Drops what has expired by the member's clock and by L1's and is not held on L1, as it does every hour unless the
    /// clock has jumped, and names the buckets.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn drop_expired(&self) -> Result<Vec<String>, Error> {
        self.retention.drop_expired().await
    }

    /// Resolves when the server ends although nobody has stopped it.
    pub async fn failed(&mut self) -> Error {
        match (&mut self.server).await {
            Ok(Ok(())) => Error::Server("it ended".into()),
            Ok(Err(e)) => Error::Server(e.to_string()),
            Err(e) => Error::Server(e.to_string()),
        }
    }

    /// Stops in order: health first, so that nobody sends more; then calls under way, up to the drain limit; then the
    /// store. The data folder is free when this returns, unless the disk hangs.
    ///
    /// # Errors
    ///
    /// [`Error::NotDrained`] when calls had to be cut off or the disk hangs, [`Error::Store`] when the last flush failed.
    pub async fn stop(self) -> Result<(), Error> {
        let Self { shared, store, health, mut server, background, stop, drain_deadline, .. } = self;
        let deadline = Instant::now() + drain_deadline;
        shared.drain();
        for service in ["", DispersalName::NAME, RetrievalName::NAME, NodeName::NAME] {
            health.set_service_status(service, tonic_health::ServingStatus::NotServing).await;
        }
        stop.cancel();
        let drained = server.is_finished() || timeout_at(deadline, &mut server).await.is_ok();
        if !drained {
            server.abort();
        }
        let closing = async {
            // Writes that have begun are finished, whoever asked for them; each is bounded by one sync.
            shared.tasks.close();
            shared.tasks.wait().await;
            background.wait().await;
            store.close().await
        };
        // What is not flushed is in the log: a disk that hangs is not waited for.
        let closed = timeout_at(deadline.max(Instant::now() + CLOSING), closing).await;
        tracing::info!(drained, closed = closed.is_ok(), "member.stop");
        match closed {
            Ok(closed) => closed?,
            Err(_) => return Err(Error::NotDrained { limit: drain_deadline }),
        }
        if drained { Ok(()) } else { Err(Error::NotDrained { limit: drain_deadline }) }
    }
}

type Serving = JoinHandle<Result<(), tonic::transport::Error>>;

async fn serve(
    listener: TcpListener,
    shared: &Arc<Shared>,
    config: &Config,
    stop: CancellationToken,
) -> Result<(HealthReporter, Serving), Error> {
    let ready = shared.waits.borrow().is_none() && shared.attestor.store.writes_disabled().borrow().is_none();
    let (health, health_service) = health_reporter();
    if ready {
        health.set_serving::<DispersalName>().await;
    } else {
        health.set_not_serving::<DispersalName>().await;
    }
    health.set_serving::<RetrievalName>().await;
    health.set_serving::<NodeName>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(holdfast_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|e| Error::Server(e.to_string()))?;
    let dispersal = DispersalServer::new(DispersalService(Arc::clone(shared)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let retrieval = RetrievalServer::new(RetrievalService(Arc::clone(shared)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let node = NodeServer::new(NodeService(Arc::clone(shared)));
    let router = settings::server(config.limits.streams_per_connection)
        .add_service(health_service)
        .add_service(reflection)
        .add_service(dispersal)
        .add_service(retrieval)
        .add_service(node);
    let incoming =
        TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(settings::SERVER_KEEP_ALIVE));
    let server = tokio::spawn(router.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()));
    Ok((health, server))
}

/// Keeps the health of `Dispersal`: it serves once L1 has answered, until the store writes no more, and not while what is
/// known of the registry is too old. What is stored is given out all the same.
async fn watch_dispersal(
    shared: Weak<Shared>,
    mut disabled: watch::Receiver<Option<Arc<str>>>,
    mut waits: watch::Receiver<Option<Arc<str>>>,
    health: HealthReporter,
    stop: CancellationToken,
) {
    let mut looks = tokio::time::interval(REGISTRY_INTERVAL);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut serving = None;
    loop {
        // A member that stops has turned it already.
        let Some(shared) = shared.upgrade().filter(|shared| !shared.is_draining()) else { return };
        let is_expired = shared.attestor.registry.finality().is_some_and(|finality| finality.expired);
        drop(shared);
        let serves = disabled.borrow_and_update().is_none() && waits.borrow_and_update().is_none() && !is_expired;
        if serving.replace(serves) != Some(serves) {
            if serves {
                health.set_serving::<DispersalName>().await;
            } else {
                health.set_not_serving::<DispersalName>().await;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = disabled.changed() => {}
            Ok(()) = waits.changed() => {}
            _ = looks.tick() => {}
        }
    }
}

/// Looks for expired buckets that nobody holds every hour, for as long as the clock has not jumped. Not at the start: a
/// machine that has just come up may not have set its clock yet.
async fn drop_expired(retention: Arc<Retention>, stop: CancellationToken) {
    let clock = &retention.clock;
    let (now, started) = (clock.now(), clock.steady());
    let mut steady = SteadyClock::starting_at(now);
    let mut ticks = tokio::time::interval_at(Instant::now() + DROP_INTERVAL, DROP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let hourly = async {
        loop {
            ticks.tick().await;
            match steady.check(clock.now(), clock.steady().saturating_sub(started)) {
                Err(error) => tracing::error!(%error, "store.drop_expired"),
                Ok(_) => match retention.drop_expired().await {
                    Ok(dropped) if dropped.is_empty() => {}
                    Ok(dropped) => tracing::info!(buckets = ?dropped, "store.drop_expired"),
                    Err(error) => tracing::error!(%error, "store.drop_expired"),
                },
            }
        }
    };
    // A registry that does not answer keeps no member from stopping.
    tokio::select! {
        () = stop.cancelled() => {}
        () = hourly => {}
    }
}

fn open_key(keystore: &Path, password_file: &Path) -> Result<SecretKey, Error> {
    let text = read("keystore", keystore)?;
    let parsed: Keystore = serde_json::from_str(&text).map_err(|e| Error::File {
        what: "keystore",
        file: keystore.into(),
        reason: e.to_string(),
    })?;
    let password = read("password file", password_file)?;
    let password = password.strip_suffix('\n').map_or(password.as_str(), |p| p.strip_suffix('\r').unwrap_or(p));
    parsed.decrypt(password).map_err(|source| Error::Keystore { file: keystore.into(), source })
}
