//! A member from start to stop.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use holdfast_certificate::{PublicKey, SecretKey};
use holdfast_proto::v1;
use holdfast_registry::Registry;
use holdfast_transport::{Pin, blocking, tls::ServerTls};
use sd_notify::NotifyState;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    admin, allocator,
    archive::{self, Archive, Found},
    attestor::{Attestor, MOST_CHECKPOINTS, Strangers},
    awaited::{self, Awaited},
    clock::{Clock, SystemClock},
    config::{self, Config, Memory},
    disk::Disk,
    error::Error,
    files::open_key,
    health,
    holds::Retention,
    listen::listen,
    listener::{Admission, Caps, Listener},
    machine::{Door, Machine, door},
    operator::{LogControl, Operator},
    peer_time::PeerTime,
    pen::{self, Pen},
    pressure, process,
    quota::Quota,
    repair,
    report::Report,
    resume,
    rpc::{Host, Shared},
    scrub, serving, site,
    store::{DROP_INTERVAL, Disabled, Identity, IfMissing, SteadyClock, Store},
    workers::Workers,
};

/// How long the store may take to close when calls have used up the drain limit.
const CLOSING: Duration = Duration::from_secs(1);

/// How long a start waits, serving reads, for what is held to be counted.
const COUNTING: Duration = Duration::from_secs(1);

/// What goes on when calls are cut off may take so long to notice.
const CUT_OFF: Duration = Duration::from_secs(1);

/// A member that has not been started.
#[derive(Debug)]
pub struct Member {
    config: Config,
    pen: Pen,
    registry: Arc<dyn Registry>,
    clock: Arc<dyn Clock>,
    missing: IfMissing,
    awaited: Option<Arc<Awaited>>,
    distrusted: Option<u64>,
    #[cfg(test)]
    counts: bool,
    log: Option<Arc<dyn LogControl>>,
    machine: Option<Machine>,
}

/// A member at work. [`Running::stop`] ends it in order; dropping it cuts calls off and leaves the rest to the process's
/// end, which loses nothing that was signed.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    tls: Option<ServerTls>,
    shared: Arc<Shared>,
    store: Arc<Store>,
    retention: Arc<Retention>,
    admission: Admission,
    health: HealthReporter,
    server: JoinHandle<()>,
    background: TaskTracker,
    stop: CancellationToken,
    /// Cuts off what is left of connections.
    kill: CancellationToken,
    drain_deadline: Duration,
    _guard: DropGuard,
}

/// Reads the registry that the settings name, runs a member, and stops it when `shutdown` resolves. Where there is no store,
/// `missing` says what is done; `log` is what its operator may ask to log more or less, if there is such a log.
///
/// # Errors
///
/// What keeps the member from starting, and what ends it other than `shutdown`.
pub async fn run(
    config: Config,
    missing: IfMissing,
    log: Option<Arc<dyn LogControl>>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    allocator::bound();
    let mut shutdown = pin!(shutdown);
    let (registry, awaited) = tokio::select! {
        registry = awaited::registry(&config) => registry?,
        () = &mut shutdown => return Ok(()),
    };
    let member = Member::open(config, registry).await?.if_missing(missing).awaiting(awaited).with_log(log);
    let mut running = member.launch().await?;
    process::tell(&[NotifyState::Ready]);
    tokio::select! {
        () = shutdown => {
            process::tell(&[NotifyState::Stopping]);
            running.stop().await
        }
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
        Self::with_pen(config, Pen::own(key), registry)
    }

    fn with_pen(config: Config, pen: Pen, registry: Arc<dyn Registry>) -> Self {
        Self {
            config,
            pen,
            registry,
            clock: Arc::new(SystemClock),
            missing: IfMissing::Refuse,
            awaited: None,
            distrusted: None,
            #[cfg(test)]
            counts: false,
            log: None,
            machine: None,
        }
    }

    /// What it holds is being counted until a test says that it is done.
    #[cfg(test)]
    pub(crate) fn counting(mut self) -> Self {
        self.counts = true;
        self
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

    /// What was signed until unix second `at` may not be in its store: it looks for it at its peers.
    pub(crate) fn distrusting(mut self, at: u64) -> Self {
        self.distrusted = Some(at);
        self
    }

    /// Its operator can ask for, and change, what this log has in it.
    #[must_use]
    pub fn with_log(mut self, log: Option<Arc<dyn LogControl>>) -> Self {
        self.log = log;
        self
    }

    /// The same on another machine than this one: its connections and its store are there, and orders of an operator are not
    /// taken. All of it runs in one thread ([`holdfast_transport::block_in_place`]).
    #[must_use]
    pub fn on(mut self, machine: Machine) -> Self {
        self.machine = Some(machine);
        self
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// A member with the key of its keystore, or with the signer that its settings name.
    ///
    /// # Errors
    ///
    /// [`Error::File`] and [`Error::Keystore`].
    pub async fn open(config: Config, registry: Arc<dyn Registry>) -> Result<Self, Error> {
        if let Some(signer) = &config.signer {
            let pen = Pen::far(signer, registry.domain())?;
            return Ok(Self::with_pen(config, pen, registry));
        }
        let (keystore, password) = (config.keystore.clone(), config.password_file.clone());
        let key = tokio::task::spawn_blocking(move || open_key(&keystore, &password))
            .await
            .map_err(|e| Error::Server(e.to_string()))??;
        Ok(Self::new(config, key, registry))
    }

    /// Records in the store what its archive has, where it is lost or an old copy, and distrusts it: what was signed last may not
    /// be there. Nothing is served meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Self::launch`]; [`Error::Archive`].
    pub(crate) async fn restore(&self) -> Result<Found, Error> {
        self.restore_from(|_| {}).await
    }

    /// The same from an archive that is seen to before.
    pub(crate) async fn restore_from(&self, prepare: impl FnOnce(&Archive)) -> Result<Found, Error> {
        let config = &self.config;
        config.check()?;
        let Some(settings) = &config.archive else {
            let reason = "is missing: there is none to recover from".into();
            return Err(config::Error::Invalid { key: "archive", reason }.into());
        };
        // Where it is taken a member is at work on this folder.
        let _port = listen(config.listen)?;
        let public_key = self.pen.public_key();
        let identity = Identity { public_key, domain: self.registry.domain() };
        let (data_dir, missing) = (config.data_dir.clone(), self.missing);
        let store = tokio::task::spawn_blocking(move || Store::open(&data_dir, &identity, missing))
            .await
            .map_err(|e| Error::Server(e.to_string()))??;
        let (store, now) = (Arc::new(store), self.clock.now());
        if store.lost_at().is_none() {
            store.set_lost(Some(self.distrusted.unwrap_or(now)))?;
        }
        let archive = Archive::new(settings.clone(), public_key, Arc::clone(&store));
        prepare(&archive);
        let found = archive::restore(&archive, &self.registry, now).await;
        store.close().await?;
        found.map_err(|error| Error::Archive(error.to_string()))
    }

    /// Listens, opens the store, serves.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], [`Error::Store`] (the folder is another member's or in use), [`Error::InUse`].
    pub async fn launch(self) -> Result<Running, Error> {
        let Self { config, pen, registry, clock, missing, awaited, distrusted, log, machine, .. } = self;
        config.check()?;
        process::budget(config.limits.connections)?;
        let memory = Memory::of(&config.limits, config.archive.is_some())
            .map_err(|needed| Error::Server(format!("{needed} MiB of memory are needed for these limits")))?;
        let tls = config.tls.as_ref().map(|tls| ServerTls::load(&tls.certificate, &tls.key)).transpose()?;
        let public_key = pen.public_key();
        let identity = Identity { public_key, domain: registry.domain() };
        // The port first: where it is taken nothing of a store is touched.
        let (listener, addr) = door(config.listen, machine.as_ref()).await?;
        let metrics_listener = config.metrics_listen.map(listen).transpose()?;
        let metrics_addr = metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let data_dir = config.data_dir.clone();
        let disk = machine.as_ref().map(|machine| Arc::clone(&machine.disk));
        let opening = blocking(move || match disk {
            Some(disk) => Store::open_uncounted_on(disk, &identity, missing),
            None => Store::open_uncounted(&data_dir, &identity, missing),
        });
        let store = opening.await.map_err(|e| Error::Server(e.to_string()))??;
        #[cfg(test)]
        store.faults().counts.store(self.counts, std::sync::atomic::Ordering::SeqCst);
        let store = Arc::new(store);
        if let Some(at) = distrusted.filter(|_| store.lost_at().is_none()) {
            store.set_lost(Some(at))?;
        }
        let quota = Quota::new(config.policy.namespace_quota());
        let disk = Disk::open(&config, Arc::clone(&store))?;
        let archive = archive(&config, public_key, &store).await?;
        let peers = PeerTime::default();
        let attestor = Arc::new(Attestor {
            pen: Arc::new(pen),
            public_key,
            registry,
            policy: config.policy.clone(),
            clock: Arc::clone(&clock),
            peers: peers.clone(),
            quota,
            disk,
            store: Arc::clone(&store),
            archive: archive.clone(),
            workers: Workers::new(),
            strangers: Strangers::new(),
            network: machine.as_ref().map(|machine| Arc::clone(&machine.network)),
            checkpoints: Arc::new(Semaphore::new(MOST_CHECKPOINTS)),
        });
        let waits = awaited.as_ref().map_or_else(|| watch::channel(None).1, |awaited| awaited.waits());
        let shared = serving::shared(
            attestor,
            (&config.limits, memory),
            waits.clone(),
            Host { data_dir: config.data_dir.clone(), tls: tls.clone() },
            Arc::new(Operator::new(&config.data_dir, log)),
        );
        let orders = if machine.is_some() { None } else { orders(&config)? };
        let (health, routes) = serving::routes(&shared)?;
        health::begin(&health).await;
        let limits = &config.limits;
        let caps = Caps {
            all: limits.connections,
            each: limits.connections_per_address,
            reserve: limits.connections_reserved,
            windows: memory.windows,
        };
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let admission = Admission::new(caps, shared.known.clone());
        let door =
            Listener::new(Arc::clone(&shared), routes, admission.clone(), tls.clone(), stop.clone(), kill.clone());
        let server = match listener {
            Door::Tcp(listener) => tokio::spawn(door.run(listener)),
            Door::Other(listener) => tokio::spawn(door.run(listener)),
        };
        let registry = Arc::clone(&shared.attestor.registry);
        let operator = Arc::clone(&shared.operator);
        let retention = Retention::new(
            Arc::clone(&store),
            registry,
            (Arc::clone(&clock), peers),
            Arc::clone(&operator),
            config.policy.deletion_grace,
        );
        let retention = Arc::new(retention);
        let background = TaskTracker::new();
        let (verifying, until) = (Arc::clone(&shared), stop.clone());
        background.spawn(async move { verifying.certificates.run(&verifying.attestor, until).await });
        background.spawn(serving::every_minute(Arc::clone(&shared), tls.clone(), stop.clone()));
        if let Some(listener) = metrics_listener {
            let report = Report::new(Arc::clone(&shared), admission.clone(), health.clone());
            background.spawn(site::serve(listener, report, stop.clone()));
        }
        background.spawn(pen::watch(Arc::clone(&shared.attestor.pen), stop.clone()));
        if machine.is_none() {
            background.spawn(pressure::watch(Arc::clone(&shared), stop.clone()));
            background.spawn(pressure::measure_disk(Arc::clone(&shared), stop.clone()));
        }
        background.spawn(resume::run(Arc::clone(&shared.attestor), stop.clone()));
        background.spawn(drop_expired(Arc::clone(&retention), stop.clone()));
        if let Some(archive) = archive {
            background.spawn(archive::run(archive, Arc::clone(&shared.attestor), stop.clone()));
        }
        background.spawn(repair::run(Arc::clone(&shared.attestor), Arc::clone(&shared.repair), stop.clone()));
        background.spawn(scrub::run(Arc::clone(&store), clock, config.policy.scrub_period, operator, stop.clone()));
        if let Some(orders) = orders {
            background.spawn(orders.run(Arc::clone(&shared), stop.clone()));
        }
        if let Some(awaited) = awaited {
            let (config, stop) = (config.clone(), stop.clone());
            background.spawn(async move { awaited.connect(&config, stop).await });
        }
        // A small store is counted before anybody can ask; a large one is read meanwhile.
        let counted = async {
            store
                .writes_disabled()
                .wait_for(|disabled| !disabled.as_ref().is_some_and(Disabled::is_counting))
                .await
                .map(drop)
        };
        let _counting = tokio::time::timeout(COUNTING, counted).await;
        let watch =
            health::Watch::begin(Arc::clone(&shared.attestor), Arc::clone(&shared.operator), health.clone(), waits)
                .await;
        background.spawn(watch.keep(stop.clone()));
        background.close();
        tracing::info!(%addr, key = %public_key, data_dir = %config.data_dir.display(), "member.start");
        Ok(Running {
            addr,
            metrics_addr,
            tls,
            shared,
            store,
            retention,
            admission,
            health,
            server,
            background,
            _guard: kill.clone().drop_guard(),
            stop,
            kill,
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
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.addr)
    }

    /// The pin of its TLS key, if it speaks TLS.
    #[must_use]
    pub fn tls_pin(&self) -> Option<Pin> {
        self.tls.as_ref().map(ServerTls::pin)
    }

    /// Where its metrics are, if they are anywhere.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Connections that are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.admission.count()
    }

    /// What it makes whole again, and how far it is.
    #[must_use]
    pub fn repair(&self) -> v1::Repair {
        self.shared.repair.progress().into()
    }

    /// Its store: for tools in the same process.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[cfg(test)]
    pub(crate) async fn metrics_page(&self) -> String {
        Report::new(Arc::clone(&self.shared), self.admission.clone(), self.health.clone()).metrics().await
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
            Ok(()) => Error::Server("it ended".into()),
            Err(e) => Error::Server(e.to_string()),
        }
    }

    /// Stops in order: health first, so that nobody sends more; then calls under way, up to the drain limit, but not
    /// connections on which there are none; then the store. The data folder is free when this returns, unless the disk hangs.
    ///
    /// # Errors
    ///
    /// [`Error::NotDrained`] when calls had to be cut off or the disk hangs, [`Error::Store`] when the last flush failed.
    pub async fn stop(self) -> Result<(), Error> {
        let Self { shared, store, health, mut server, background, stop, kill, drain_deadline, .. } = self;
        let deadline = Instant::now() + drain_deadline;
        shared.drain();
        stop.cancel();
        health::set_all(&health, ServingStatus::NotServing).await;
        let drained = server.is_finished() || timeout_at(deadline, &mut server).await.is_ok();
        if !drained {
            kill.cancel();
            let _ended = tokio::time::timeout(CUT_OFF, &mut server).await;
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

/// The archive of the settings. A store that has one is not opened without it: what is there alone could not be read.
async fn archive(config: &Config, key: PublicKey, store: &Arc<Store>) -> Result<Option<Arc<Archive>>, Error> {
    let Some(settings) = &config.archive else {
        let reader = Arc::clone(store);
        let recorded = blocking(move || reader.archive());
        return match recorded.await.map_err(|e| Error::Server(e.to_string()))?? {
            None => Ok(None),
            Some(_) => Err(config::Error::Invalid {
                key: "archive",
                reason: "is missing, and what this store holds may be in its archive alone".into(),
            }
            .into()),
        };
    };
    Ok(Some(Arc::new(Archive::new(settings.clone(), key, Arc::clone(store)))))
}

/// Where the operator's orders are taken. A place that the settings name must do; without the one that nobody has named the member
/// does all the same what it is there for.
fn orders(config: &Config) -> Result<Option<admin::Listener>, Error> {
    let path = config.admin_socket();
    match (admin::Listener::bind(&path), &config.admin_socket) {
        (Ok(listener), _) => Ok(Some(listener)),
        (Err(error), Some(_)) => Err(Error::File { what: "admin socket", file: path, reason: error.to_string() }),
        (Err(error), None) => {
            tracing::warn!(path = %path.display(), %error, "admin.listen: no orders are taken; set admin_socket to another place");
            Ok(None)
        }
    }
}
