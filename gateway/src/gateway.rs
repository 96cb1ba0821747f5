//! A gateway from start to stop.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::header::CONTENT_TYPE, response::IntoResponse as _, routing::get};
use holdfast_certificate::Namespace;
use holdfast_registry::Registry;
use tokio::time::timeout;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    admin,
    app::App,
    auth::Writers,
    backend::{Backend, CommitteeBackend, MemoryBackend},
    budget::Budget,
    config::{BackendKind, Config},
    disk::Disk,
    error::Error,
    failure::Failure,
    health::Health,
    history::History,
    http,
    jwt::Secret,
    keys,
    listen::{Bound, Shared, identity, renew},
    metrics::{Metrics, Now, Protocol},
    nitro, op,
    order::Order,
    page,
    publish::Publishing,
    puts::Puts,
    reads::Reads,
    registry,
    reply::finish,
};

/// The namespace of the backend `memory` where none is set.
const MEMORY_NAMESPACE: [u8; 32] = *b"holdfast gateway, in memory only";

/// A gateway that has not been started.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    registry: Option<Arc<dyn Registry>>,
}

/// A gateway at work. [`Running::stop`] ends it in order; dropping it ends it, too, and nobody waits for what is under way.
#[derive(Debug)]
pub struct Running {
    addresses: BTreeMap<&'static str, SocketAddr>,
    backend: Arc<dyn Backend>,
    stop: CancellationToken,
    /// Listeners and connections.
    serving: TaskTracker,
    /// Dispersals, fetches, writes to the disk cache.
    working: TaskTracker,
    drain: Duration,
    _guard: DropGuard,
}

/// Runs a gateway and stops it when `shutdown` resolves.
///
/// # Errors
///
/// What keeps the gateway from starting.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let running = Gateway::new(config).start().await?;
    shutdown.await;
    running.stop().await;
    Ok(())
}

impl Gateway {
    /// A gateway with the registry that the settings name.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, registry: None }
    }

    /// The same with a registry that is open already.
    #[must_use]
    pub fn with_registry(mut self, registry: Arc<dyn Registry>) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Checks the settings, opens what they name, listens, serves.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing is left running.
    pub async fn start(self) -> Result<Running, Error> {
        let config = Arc::new(self.config);
        config.check()?;
        let metrics = Arc::new(Metrics::new());
        let writers = Arc::new(Writers::load(config.auth.write_file.as_deref())?);
        let secret = Secret::load(config.nitro.jwt_file.as_deref())?;
        let tls = identity(&config)?;
        let (backend, memory) = backend(&config, self.registry, &metrics).await?;
        let (serving, working, stop) = (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
        let disk = match &config.cache.disk_dir {
            Some(folder) => {
                let opened = Disk::open(folder, config.cache.disk_mib, working.clone(), Arc::clone(&metrics));
                let failed = |error: std::io::Error| Error::File {
                    what: "disk cache",
                    file: folder.clone(),
                    reason: error.to_string(),
                };
                Some(opened.map_err(failed)?)
            }
            None => None,
        };
        let budget = Budget::new(&config.limits);
        let history = Arc::new(History::default());
        let reads = Reads::new(Arc::clone(&backend), &config, budget.clone(), disk, &working, Arc::clone(&metrics));
        let publishing = Publishing::open(&config, Arc::clone(&backend), Arc::clone(&metrics))?;
        let puts = Puts::new(
            Arc::clone(&backend),
            (reads.clone(), publishing.clone()),
            config.put.clone(),
            working.clone(),
            (Arc::clone(&metrics), Arc::clone(&history)),
        );
        let app = App {
            config: Arc::clone(&config),
            backend: Arc::clone(&backend),
            puts,
            reads,
            publishing: publishing.clone(),
            budget,
            writers,
            order: Order::default(),
            health: Health::new(stop.clone()),
            history,
            metrics: Arc::clone(&metrics),
        };
        let shared = Shared { limits: config.limits.clone(), metrics, stop: stop.clone(), tasks: serving.clone() };
        // All are bound before any is served: a gateway runs whole or not at all.
        let mut bound = Vec::new();
        for (key, address) in config.listen.all() {
            bound.push((key, Bound::new(key, address).await?));
        }
        let mut addresses = BTreeMap::new();
        for (key, listener) in bound {
            addresses.insert(key, listener.address());
            tracing::info!(protocol = key, address = %listener.address(), "listening");
            let tls = tls.clone().filter(|_| config.listen.serving().any(|(serving, _)| serving == key));
            listener.serve(router(key, &app, &secret, memory.as_ref()), tls, shared.clone());
        }
        publishing.run(&serving, &stop);
        if let Some(tls) = tls {
            serving.spawn(renew(tls, stop.clone()));
        }
        if app.writers.is_open() && config.listen.all().any(|(key, at)| key != "read" && !at.ip().is_loopback()) {
            tracing::warn!("anybody who reaches this gateway may write: `auth.write_file` is not set");
        }
        serving.close();
        working.close();
        let drain = config.limits.drain_deadline;
        Ok(Running { addresses, backend, serving, working, drain, _guard: stop.clone().drop_guard(), stop })
    }
}

impl Running {
    /// Where a listener of the settings' table `listen` listens.
    #[must_use]
    pub fn address(&self, key: &str) -> Option<SocketAddr> {
        self.addresses.get(key).copied()
    }

    /// Stops: takes nothing new, finishes what is under way within the drain limit, and gives members the certificates
    /// that they do not have yet.
    pub async fn stop(self) {
        self.stop.cancel();
        let drained = async {
            self.serving.wait().await;
            self.working.wait().await;
            self.backend.close().await;
        };
        if timeout(self.drain, drained).await.is_err() {
            tracing::warn!(limit = ?self.drain, "stopping with requests under way");
        }
    }
}

type Opened = (Arc<dyn Backend>, Option<Arc<MemoryBackend>>);

async fn backend(
    config: &Config,
    registry: Option<Arc<dyn Registry>>,
    metrics: &Arc<Metrics>,
) -> Result<Opened, Error> {
    let namespace = config.namespace.unwrap_or(Namespace::from(MEMORY_NAMESPACE));
    match config.backend {
        BackendKind::Memory => {
            let memory = MemoryBackend::new(namespace, config.put.whole)
                .map_err(|error| Error::Client(holdfast_client::Error::Certificate(error)))?;
            let memory = Arc::new(memory);
            Ok((Arc::clone(&memory) as Arc<dyn Backend>, Some(memory)))
        }
        BackendKind::Committee => {
            let registry = match registry {
                Some(registry) => registry,
                None => registry::open(config).await?,
            };
            let key = keys::disperser(config)?;
            let settings = (config.limits.clone(), &config.put);
            let backend = CommitteeBackend::new(registry, namespace, key, settings, Arc::clone(metrics))?;
            Ok((Arc::new(backend), None))
        }
    }
}

/// What one listener serves.
fn router(key: &'static str, app: &App, secret: &Option<Secret>, memory: Option<&Arc<MemoryBackend>>) -> Router {
    let (routes, protocol) = match key {
        "http" => (http::read_routes().merge(http::write_routes()), Protocol::Http),
        "op" => (op::read_routes().merge(op::write_routes()), Protocol::Op),
        "read" => {
            let reads = http::read_routes().merge(op::read_routes());
            (reads.merge(http::refused_writes()).merge(op::refused_writes()), Protocol::Http)
        }
        "nitro" => (nitro::routes(app, secret.clone()), Protocol::Nitro),
        "admin" => return memory.map_or_else(Router::new, |memory| admin::router(Arc::clone(memory))),
        _ => return metrics_router(app.clone()),
    };
    finish(routes.merge(http::health_routes()), app.clone(), protocol)
}

/// For the operator: the status page, and what is scraped.
fn metrics_router(app: App) -> Router {
    let page = page::routes(app.clone());
    let scrape = move || async move {
        let (memory_cache, disk_cache) = app.reads.cached_bytes();
        let now = Now {
            memory_cache,
            disk_cache,
            receiving: app.budget.receiving_bytes(&app.config.limits),
            dispersals: app.puts.in_flight() as u64,
        };
        match app.metrics.text(&now) {
            Ok(text) => {
                ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
            }
            Err(error) => Failure::internal(&error).into_response(),
        }
    };
    page.route("/metrics", get(scrape))
}
