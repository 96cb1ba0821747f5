//! What a member serves with, and what it looks after once a minute.

use std::{sync::Arc, time::Duration};

use holdfast_proto::{
    MAX_MESSAGE_BYTES,
    v1::{dispersal_server::DispersalServer, node_server::NodeServer, retrieval_server::RetrievalServer},
};
use holdfast_transport::{blocking, tls::ServerTls};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;
use tonic_health::server::{HealthReporter, health_reporter};

use crate::{
    attestor::Attestor,
    config::{Limits, Memory},
    error::Error,
    known::Known,
    metrics::Metrics,
    operator::Operator,
    repair::Desk,
    rpc::{
        Budget, Certificates, DispersalService, Host, NodeService, Places, REPORT, Rates, RetrievalService, Shared,
        Shed, Shelf,
    },
};

/// A request of `Dispersal` that is not a chunk or a header is at most a checkpoint's ids; of the others, at most this.
const SMALL_MESSAGE_BYTES: usize = 4 << 10;
/// A certificate that ends within this time is warned of.
const TLS_WARNING: Duration = Duration::from_secs(14 * 86_400);

/// What the services share.
pub(crate) fn shared(
    attestor: Arc<Attestor>,
    (limits, memory): (&Limits, Memory),
    waits: watch::Receiver<Option<Arc<str>>>,
    host: Host,
    operator: Arc<Operator>,
) -> Arc<Shared> {
    Arc::new(Shared {
        attestor,
        receiving: Budget::new(memory.receiving),
        working: Budget::new(memory.working),
        sending: Budget::new(memory.sending),
        shelf: Arc::new(Shelf::new(memory.reading)),
        places: Places::new(limits.calls),
        memory,
        full: false.into(),
        certificates: Certificates::default(),
        repair: Arc::new(Desk::new()),
        rates: Rates::new(limits.calls_per_second, limits.costly_calls_per_second, limits.frames_per_second),
        shed: Shed::default(),
        metrics: Arc::new(Metrics::new()),
        known: Known::default(),
        operator,
        host,
        limits: limits.clone(),
        waits,
        draining: false.into(),
        tasks: TaskTracker::new(),
    })
}

/// All services, and what sets the health that they tell.
pub(crate) fn routes(shared: &Arc<Shared>) -> Result<(HealthReporter, Routes), Error> {
    let (health, health_service) = health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(holdfast_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let failed = |e: tonic_reflection::server::Error| Error::Server(e.to_string());
    let dispersal = DispersalServer::new(DispersalService(Arc::clone(shared)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(SMALL_MESSAGE_BYTES);
    let retrieval = RetrievalServer::new(RetrievalService(Arc::clone(shared)))
        .max_decoding_message_size(SMALL_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let node = NodeServer::new(NodeService(Arc::clone(shared)))
        .max_decoding_message_size(SMALL_MESSAGE_BYTES)
        .max_encoding_message_size(SMALL_MESSAGE_BYTES);
    let mut routes = Routes::builder();
    routes
        .add_service(health_service.max_decoding_message_size(SMALL_MESSAGE_BYTES))
        // Clients of before 2023 ask for the older name.
        .add_service(reflection().build_v1alpha().map_err(failed)?)
        .add_service(reflection().build_v1().map_err(failed)?)
        .add_service(dispersal)
        .add_service(retrieval)
        .add_service(node);
    Ok((health, routes.routes()))
}

/// Tells what was shed, forgets who has not asked for long, and takes a new TLS certificate.
pub(crate) async fn every_minute(shared: Arc<Shared>, tls: Option<ServerTls>, stop: CancellationToken) {
    let mut told = None;
    loop {
        let stopped = tokio::time::timeout(REPORT, stop.cancelled()).await.is_ok();
        shared.shed.report();
        shared.rates.forget();
        shared.attestor.strangers.forget();
        if stopped {
            return;
        }
        if let Some(tls) = tls.clone() {
            let now = shared.attestor.clock.now();
            let looked = blocking(move || renew(&tls, now)).await.ok();
            // The same trouble is told once.
            if let Some(trouble) = looked.filter(|looked| *looked != told) {
                if let Some(trouble) = &trouble {
                    tracing::warn!(trouble, "tls.trouble");
                }
                told = trouble;
            }
        }
    }
}

/// Takes another certificate, if there is one; says what is wrong with it, or that the one in use ends soon.
fn renew(tls: &ServerTls, now: u64) -> Option<String> {
    match tls.reload() {
        Ok(true) => tracing::info!(pin = hex::encode(tls.pin()), "tls.renew"),
        Ok(false) => {}
        Err(error) => return Some(format!("{error}; the certificate before is still used")),
    }
    let left = tls.not_after().saturating_sub(now);
    (left < TLS_WARNING.as_secs()).then(|| format!("the certificate ends in {} days", left / 86_400))
}
