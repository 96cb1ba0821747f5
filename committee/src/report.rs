//! What is so now, for the metrics and the status page.

use std::{sync::Arc, time::Duration};

use holdfast_registry::Finality;
use tokio::time::timeout;
use tonic::Request;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_server::Health},
    server::{HealthReporter, HealthService},
};

use crate::{
    archive::View,
    health::SERVICES,
    listener::Admission,
    metrics::Now,
    process,
    repair::{Ended, Progress},
    rpc::Shared,
    store,
};

/// How long the registry may take to say whether a statement would be signed.
const LIMIT: Duration = Duration::from_secs(2);

/// Where it is all read from.
#[derive(Debug)]
pub(crate) struct Report {
    shared: Arc<Shared>,
    admission: Admission,
    health: HealthReporter,
    /// Unix seconds.
    started: u64,
}

/// What the status page shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    /// Unix seconds, as all times here.
    pub(crate) now: u64,
    pub(crate) started: u64,
    pub(crate) key: String,
    pub(crate) chain_id: u64,
    pub(crate) epoch: u64,
    pub(crate) slot: Option<u16>,
    /// By service.
    pub(crate) serving: Vec<(&'static str, bool)>,
    /// Why nothing would be signed.
    pub(crate) why: Option<String>,
    pub(crate) drained: bool,
    pub(crate) held_until: Option<u64>,
    pub(crate) under_way: usize,
    pub(crate) connections: usize,
    pub(crate) finality: Option<Finality>,
    pub(crate) blobs: u64,
    pub(crate) stored: u64,
    pub(crate) disk_free: Option<u64>,
    pub(crate) disk_budget: u64,
    pub(crate) archive: Option<View>,
    pub(crate) damaged: u64,
    pub(crate) lost_at: Option<u64>,
    pub(crate) scrubbed_at: u64,
    pub(crate) twin: Option<String>,
    /// When the TLS certificate ends; `None` without TLS.
    pub(crate) tls_ends: Option<u64>,
    /// Bytes that were promised until some time of a day, by the day's first second.
    pub(crate) days: Vec<(u64, u64)>,
    pub(crate) repair: Progress,
    /// The newest first.
    pub(crate) repairs: Vec<Ended>,
}

impl Report {
    pub(crate) fn new(shared: Arc<Shared>, admission: Admission, health: HealthReporter) -> Self {
        let started = shared.attestor.clock.now();
        Self { shared, admission, health, started }
    }

    /// The metrics page of this moment.
    pub(crate) async fn metrics(&self) -> String {
        let (shared, attestor) = (&self.shared, &self.shared.attestor);
        let now = attestor.clock.now();
        let epoch = attestor.registry.active_epoch(now).await.map_or(0, |record| record.committee.epoch());
        let finality = attestor.registry.finality();
        let usage = attestor.store.usage();
        let (descriptors, descriptors_limit) = process::usage();
        let budgets = [("receiving", &shared.receiving), ("working", &shared.working), ("sending", &shared.sending)];
        let budgets = budgets.into_iter().map(|(name, budget)| (name, budget.used(), budget.total()));
        let (given, windows) = self.admission.windows();
        let resident = process::resident();
        let whole = usize::try_from(resident.unwrap_or(0)).unwrap_or(usize::MAX);
        let others = [
            ("reading", shared.shelf.bytes(), shared.memory.reading),
            ("windows", given, windows),
            ("process", whole, shared.memory.process),
        ];
        let (calls, calls_limit) = shared.places.usage();
        shared.metrics.page(&Now {
            connections: self.admission.count(),
            memory: budgets.chain(others).collect(),
            memory_full: shared.is_full(),
            calls_under_way: (calls, calls_limit),
            serving: self.serving().await,
            drained: shared.operator.is_drained(),
            under_way: shared.operator.under_way(),
            held_until: shared.operator.held_until(now),
            blobs: usage.items,
            stored: usage.bytes,
            writes_disabled: attestor.store.writes_disabled().borrow().as_ref().map(|disabled| disabled.why),
            reopened: attestor.store.reopened(),
            resident,
            disk_free: store::free(&shared.host.data_dir).ok(),
            disk_budget: attestor.disk.budget(),
            descriptors,
            descriptors_limit,
            epoch,
            finality: finality.as_ref().map(|it| (now.saturating_sub(it.timestamp), it.stalled, it.dissenters.len())),
            signature: attestor.pen.median(),
            spans_lost: shared.operator.spans_lost(),
            signer_trouble: attestor.pen.trouble().is_some(),
            clock_ahead_of_peers: attestor.peers.ahead(&*attestor.clock),
            clock_behind: finality.map_or(0, |it| it.timestamp.saturating_sub(now)),
            repair: shared.repair.progress(),
            archive: attestor.archive.as_ref().map(|archive| archive.view(now)),
            damaged: attestor.store.damaged(),
            lost: attestor.store.lost_at().is_some(),
            tls_seconds_left: self.tls_ends().map(|end| end.saturating_sub(now)),
        })
    }

    /// What there is to see at this moment.
    pub(crate) async fn status(&self) -> Status {
        let (shared, attestor) = (&self.shared, &self.shared.attestor);
        let (now, usage) = (attestor.clock.now(), attestor.store.usage());
        let ready = match timeout(LIMIT, attestor.ready()).await {
            Ok(ready) => ready.err().map(|error| error.to_string()),
            Err(_) => Some("the registry does not answer in time".to_owned()),
        };
        let record = attestor.registry.active_epoch(now).await.ok();
        Status {
            now,
            started: self.started,
            key: attestor.public_key.to_string(),
            chain_id: attestor.domain().chain_id,
            epoch: record.as_ref().map_or(0, |record| record.committee.epoch()),
            slot: record.and_then(|record| attestor.slot(&record.committee)),
            serving: self.serving().await,
            // The operator is told more than strangers.
            why: attestor.pen.trouble().or(ready).or(attestor.registry_too_old().map(Into::into)),
            drained: shared.operator.is_drained(),
            held_until: shared.operator.held_until(now),
            under_way: shared.operator.under_way(),
            connections: self.admission.count(),
            finality: attestor.registry.finality(),
            blobs: usage.items,
            stored: usage.bytes,
            disk_free: store::free(&shared.host.data_dir).ok(),
            disk_budget: attestor.disk.budget(),
            archive: attestor.archive.as_ref().map(|archive| archive.view(now)),
            damaged: attestor.store.damaged(),
            lost_at: attestor.store.lost_at(),
            scrubbed_at: attestor.store.scrubbed_at(),
            twin: shared.repair.twin(),
            tls_ends: self.tls_ends(),
            days: attestor.quota.days(now),
            repair: shared.repair.progress(),
            repairs: shared.repair.recent(),
        }
    }

    async fn serving(&self) -> Vec<(&'static str, bool)> {
        let service = HealthService::from_health_reporter(self.health.clone());
        let mut serving = Vec::new();
        for name in SERVICES {
            let request = Request::new(HealthCheckRequest { service: name.to_owned() });
            let status = service.check(request).await.map(|response| response.into_inner().status);
            serving.push((name, status.is_ok_and(|status| status == i32::from(ServingStatus::Serving as u8))));
        }
        serving
    }

    fn tls_ends(&self) -> Option<u64> {
        self.shared.host.tls.as_ref().map(holdfast_transport::tls::ServerTls::not_after)
    }
}
