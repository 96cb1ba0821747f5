//! Serving: who may ask, how often, and the signature.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    net::SocketAddr,
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use holdfast_certificate::{Attestation, Endorsement, PublicKey, SecretKey, StatementDigest};
use holdfast_erasure::{Digest, sha256};
use holdfast_proto::signer::v1::{self, signer_server};
use holdfast_transport::{Pin, settings, tls::ServerTls};
use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Response, Status, async_trait,
    service::{Routes, interceptor::InterceptedService},
};

use super::{Config, Listen, config::token, rules};
use crate::{
    accept,
    clock::{Clock, SystemClock},
    error::Error,
    files::open_key,
    listen::listen,
    origin::Origin,
    socket::{self, Socket},
};

/// Connections at once, and from one address, an IPv6 network of 64 bits as one: a member has one.
const CONNECTIONS: usize = 64;
const CONNECTIONS_EACH: usize = 8;
/// A connection on which nobody has shown the token for so long is closed. A member asks every few seconds.
const UNKNOWN: Duration = Duration::from_secs(20);
/// Refusals that are logged in a minute; the rest are counted.
const REFUSALS: NonZeroU32 = NonZeroU32::new(6).expect("not zero");
/// Calls at once on one of them: as many as a member asks for.
const CALLS: u32 = 128;
/// A checkpoint's ids, and little else.
const MESSAGE_BYTES: usize = 132 << 10;
/// A TLS handshake may take so long.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A signer at work, until it is dropped.
#[derive(Debug)]
pub struct Running {
    listen: Listen,
    public_key: PublicKey,
    tls: Option<ServerTls>,
    server: JoinHandle<()>,
    stop: CancellationToken,
    _guard: DropGuard,
}

/// Runs a signer until `shutdown` resolves.
///
/// # Errors
///
/// What keeps it from starting.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let running = start(config).await?;
    crate::process::tell(&[sd_notify::NotifyState::Ready]);
    shutdown.await;
    running.stop().await;
    Ok(())
}

/// Opens the key and listens.
///
/// # Errors
///
/// [`Error::Config`], [`Error::File`], [`Error::Keystore`], [`Error::Tls`], [`Error::Listen`].
pub async fn start(config: Config) -> Result<Running, Error> {
    start_by(config, Arc::new(SystemClock)).await
}

/// The same by another clock.
pub(crate) async fn start_by(config: Config, clock: Arc<dyn Clock>) -> Result<Running, Error> {
    let (keystore, password) = (config.keystore.clone(), config.password_file.clone());
    let key = tokio::task::spawn_blocking(move || open_key(&keystore, &password))
        .await
        .map_err(|e| Error::Server(e.to_string()))??;
    let token = config.token_file.as_deref().map(token).transpose()?;
    let tls = config.tls.as_ref().map(|tls| ServerTls::load(&tls.certificate, &tls.key)).transpose()?;
    let (stop, public_key) = (CancellationToken::new(), key.public_key());
    let rate = NonZeroU32::new(config.signatures_per_second).unwrap_or(NonZeroU32::MIN);
    let inner = Arc::new(Inner {
        key,
        token: token.map(|token| sha256(token.as_bytes())),
        rate: RateLimiter::direct(Quota::per_second(rate)),
        told: RateLimiter::direct(Quota::per_minute(REFUSALS)),
        untold: AtomicU64::new(0),
        clock,
        config: config.clone(),
    });
    let (listen, server) = match &config.listen {
        Listen::Tcp(address) => {
            let tcp = listen(*address)?;
            let address = tcp.local_addr().map_err(|e| Error::Listen { addr: *address, reason: e.to_string() })?;
            (Listen::Tcp(address), tokio::spawn(over_tcp(tcp, tls.clone(), inner, stop.clone())))
        }
        Listen::Unix(path) => {
            let socket = Socket::bind(path).map_err(|error| of_socket(path.clone(), &error))?;
            (Listen::Unix(path.clone()), tokio::spawn(over_socket(socket, inner, stop.clone())))
        }
    };
    tracing::info!(%listen, key = %public_key, "signer.start");
    Ok(Running { listen, public_key, tls, server, _guard: stop.clone().drop_guard(), stop })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn listen(&self) -> &Listen {
        &self.listen
    }

    /// The address, where it is one.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        match &self.listen {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        }
    }

    /// The key that it holds.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The pin of its TLS key, if it speaks TLS.
    #[must_use]
    pub fn tls_pin(&self) -> Option<Pin> {
        self.tls.as_ref().map(ServerTls::pin)
    }

    /// Ends it.
    pub async fn stop(self) {
        self.stop.cancel();
        // It ends by the word above; only a panic is left to be heard of.
        let _ended = self.server.await;
        tracing::info!("signer.stop");
    }
}

fn of_socket(file: PathBuf, error: &io::Error) -> Error {
    Error::File { what: "signer socket", file, reason: error.to_string() }
}

async fn over_tcp(tcp: TcpListener, tls: Option<ServerTls>, inner: Arc<Inner>, stop: CancellationToken) {
    let callers = Arc::new(Mutex::new(HashMap::new()));
    let serve = |(stream, from): (TcpStream, SocketAddr)| {
        let (tls, inner) = (tls.clone(), Arc::clone(&inner));
        let caller = Caller::enter(&callers, Origin::of(from.ip()));
        async move {
            let Some(_caller) = caller else { return };
            let _set = stream.set_nodelay(true);
            match tls {
                None => converse(stream, inner).await,
                Some(tls) => match timeout(HANDSHAKE, tls.acceptor().accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, inner).await,
                    Ok(Err(error)) => tracing::debug!(%error, "signer.handshake"),
                    Err(_) => tracing::debug!("signer.handshake: too slow"),
                },
            }
        }
    };
    accept::each(|context| tcp.poll_accept(context), CONNECTIONS, stop, serve).await;
}

async fn over_socket(socket: Socket, inner: Arc<Inner>, stop: CancellationToken) {
    let serve = |(stream, _): socket::Accepted| {
        let inner = Arc::clone(&inner);
        async move { converse(stream, inner).await }
    };
    accept::each(|context| socket.poll_accept(context), CONNECTIONS, stop, serve).await;
}

async fn converse<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: T, inner: Arc<Inner>) {
    let (admitted, mut seen) = watch::channel(());
    let gate = Arc::clone(&inner);
    // The token is looked at before anything of a message is taken.
    let admit = move |request: Request<()>| {
        gate.admit(&request)?;
        admitted.send_replace(());
        Ok(request)
    };
    let server = signer_server::SignerServer::new(Service(inner)).max_decoding_message_size(MESSAGE_BYTES);
    let routes = Routes::new(InterceptedService::new(server, admit)).prepare();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(settings::HEADER_BYTES)
        .max_concurrent_streams(CALLS)
        .keep_alive_interval(settings::SERVER_KEEP_ALIVE)
        .keep_alive_timeout(settings::SERVER_KEEP_ALIVE_LIMIT);
    let served = builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(routes));
    let strange = async { while let Ok(Ok(())) = timeout(UNKNOWN, seen.changed()).await {} };
    tokio::select! {
        ended = served => {
            if let Err(error) = ended {
                tracing::debug!(%error, "signer.connection");
            }
        }
        () = strange => tracing::debug!("signer.connection: nobody that may ask is there"),
    }
}

/// One more connection from an address, until it is dropped.
#[derive(Debug)]
struct Caller {
    callers: Arc<Mutex<HashMap<Origin, usize>>>,
    from: Origin,
}

impl Caller {
    fn enter(callers: &Arc<Mutex<HashMap<Origin, usize>>>, from: Origin) -> Option<Self> {
        let mut all = callers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(from).or_default();
        if *count >= CONNECTIONS_EACH {
            return None;
        }
        *count += 1;
        Some(Self { callers: Arc::clone(callers), from })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut all = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = all.entry(self.from) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// The service, on one connection.
#[derive(Clone, Debug)]
struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: SecretKey,
    /// The hash of the token, so that comparing takes as long whatever was sent.
    token: Option<Digest>,
    rate: DefaultDirectRateLimiter,
    /// How often a refusal is logged, and how many were not since.
    told: DefaultDirectRateLimiter,
    untold: AtomicU64,
    clock: Arc<dyn Clock>,
    config: Config,
}

impl Inner {
    /// Whoever asks has the token, where there is one.
    fn admit(&self, request: &Request<()>) -> Result<(), Status> {
        let Some(expected) = &self.token else { return Ok(()) };
        let shown = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if sha256(shown.as_bytes()) == *expected {
            return Ok(());
        }
        Err(Status::unauthenticated("the token is missing or another one"))
    }

    /// Only a member that was taken over, or whose settings differ, asks for what is refused.
    fn refused(&self, status: &Status) {
        if self.told.check().is_ok() {
            let before = self.untold.swap(0, Ordering::Relaxed);
            tracing::warn!(code = ?status.code(), reason = status.message(), before, "signer.refuse");
        } else {
            self.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Service {
    /// What may be asked for is within the rate, and the key works apart from the connections.
    async fn with_key<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SecretKey) -> T + Send + 'static,
    ) -> Result<T, Status> {
        self.0.rate.check().map_err(|_| Status::resource_exhausted("more than this signer signs in a second"))?;
        let inner = Arc::clone(&self.0);
        let worked = tokio::task::spawn_blocking(move || work(&inner.key));
        worked.await.map_err(|_| Status::internal("the signature was not made"))
    }
}

fn signature(key: &SecretKey, digest: &StatementDigest) -> Bytes {
    Bytes::copy_from_slice(&Attestation::sign(0, key, digest).signature.to_bytes())
}

#[async_trait]
impl signer_server::Signer for Service {
    async fn get_key(&self, _: Request<v1::GetKeyRequest>) -> Result<Response<v1::GetKeyResponse>, Status> {
        let domain = self.0.config.domain();
        Ok(Response::new(v1::GetKeyResponse {
            public_key: Bytes::copy_from_slice(&self.0.key.public_key().to_bytes()),
            chain_id: domain.chain_id,
            registry: Bytes::copy_from_slice(domain.registry.as_bytes()),
        }))
    }

    async fn sign_statement(
        &self,
        request: Request<v1::SignStatementRequest>,
    ) -> Result<Response<v1::SignStatementResponse>, Status> {
        let config = &self.0.config;
        let statement = rules::statement(request.get_ref(), config, self.0.clock.now())
            .inspect_err(|status| self.0.refused(status))?;
        let digest = statement.digest(&config.domain());
        let signature = self.with_key(move |key| signature(key, &digest)).await?;
        Ok(Response::new(v1::SignStatementResponse { signature }))
    }

    async fn sign_checkpoint(
        &self,
        request: Request<v1::SignCheckpointRequest>,
    ) -> Result<Response<v1::SignCheckpointResponse>, Status> {
        let config = &self.0.config;
        let allowed = rules::checkpoint(request.get_ref(), config, self.0.clock.now())
            .inspect_err(|status| self.0.refused(status))?;
        let domain = config.domain();
        let made = self.with_key(move |key| Ok(signature(key, &allowed.build()?.digest(&domain)))).await?;
        let signature =
            made.map_err(|error: holdfast_certificate::Error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(v1::SignCheckpointResponse { signature }))
    }

    async fn sign_endorsement(
        &self,
        request: Request<v1::SignEndorsementRequest>,
    ) -> Result<Response<v1::SignEndorsementResponse>, Status> {
        let config = &self.0.config;
        let (tls_key, from, until) = rules::endorsement(request.get_ref(), config, self.0.clock.now())
            .inspect_err(|status| self.0.refused(status))?;
        let domain = config.domain();
        let made = self.with_key(move |key| Endorsement::sign(key, &domain, &tls_key, from, until)).await?;
        let made = made.map_err(|error| Status::invalid_argument(error.to_string()))?;
        tracing::info!(tls_pin = hex::encode(tls_key), until, "signer.endorse");
        Ok(Response::new(v1::SignEndorsementResponse { endorsement: Bytes::copy_from_slice(&made.to_bytes()) }))
    }
}
