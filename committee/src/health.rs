//! Whether each service does what it is there for, told to whoever asks and to whoever watches.
//!
//! `Retrieval` and the empty name are about reading: a member that can still read is not to be restarted. `Dispersal` is about
//! signing, and says no while nothing would be signed.

use std::{sync::Arc, time::Duration};

use holdfast_proto::v1::{
    dispersal_server::DispersalServer, node_server::NodeServer, retrieval_server::RetrievalServer,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    attestor::Attestor,
    operator::{DRAINED, Operator},
    rpc::{DispersalService, NodeService, RetrievalService},
};

const DISPERSAL: &str = DispersalServer::<DispersalService>::NAME;
/// All services, and the empty name that stands for the member.
pub(crate) const SERVICES: [&str; 4] =
    ["", DISPERSAL, RetrievalServer::<RetrievalService>::NAME, NodeServer::<NodeService>::NAME];

/// How often it is looked whether the member would sign.
const LOOK: Duration = Duration::from_secs(2);
/// How long one look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// Says that all serve, but for signing: whether it does that is told once somebody has looked.
pub(crate) async fn begin(health: &HealthReporter) {
    set_all(health, ServingStatus::Serving).await;
    health.set_service_status(DISPERSAL, ServingStatus::NotServing).await;
}

/// Says of all services that they serve, or that none does.
pub(crate) async fn set_all(health: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}

/// The health of `Dispersal`.
#[derive(Debug)]
pub(crate) struct Watch {
    attestor: Arc<Attestor>,
    operator: Arc<Operator>,
    health: HealthReporter,
    /// Changes when L1 answers for the first time.
    waits: watch::Receiver<Option<Arc<str>>>,
    /// Why it does not serve, as far as has been told.
    why: Option<String>,
}

impl Watch {
    /// Tells how it is now.
    pub(crate) async fn begin(
        attestor: Arc<Attestor>,
        operator: Arc<Operator>,
        health: HealthReporter,
        waits: watch::Receiver<Option<Arc<str>>>,
    ) -> Self {
        let mut watch = Self { attestor, operator, health, waits, why: None };
        watch.look().await;
        watch
    }

    /// Keeps it true until the member stops.
    pub(crate) async fn keep(mut self, stop: CancellationToken) {
        let mut disabled = self.attestor.store.writes_disabled();
        let mut drained = self.operator.drained();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                // A failed write, L1's first answer and an order are told at once.
                Ok(()) = disabled.changed() => {}
                Ok(()) = drained.changed() => {}
                Ok(()) = self.waits.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            tokio::select! {
                // A stop says last that nothing serves.
                () = stop.cancelled() => return,
                () = self.look() => {}
            }
        }
    }

    async fn look(&mut self) {
        let why = match tokio::time::timeout(LOOK_LIMIT, self.attestor.ready()).await {
            Ok(ready) => {
                ready.err().map(|error| error.to_string()).or(self.attestor.registry_too_old().map(Into::into))
            }
            Err(_) => Some("the registry does not answer in time".to_owned()),
        };
        let why = why.or_else(|| self.operator.is_drained().then(|| DRAINED.to_owned()));
        if why.is_some() != self.why.is_some() {
            match &why {
                Some(why) => tracing::warn!(why, "dispersal.not_serving"),
                None => tracing::info!("dispersal.serving"),
            }
        }
        let status = if why.is_some() { ServingStatus::NotServing } else { ServingStatus::Serving };
        self.health.set_service_status(DISPERSAL, status).await;
        self.why = why;
    }
}
