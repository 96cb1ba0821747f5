//! What is so now, for the metrics page.

use std::sync::Arc;

use tonic::Request;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_server::Health},
    server::{HealthReporter, HealthService},
};

use crate::{health::SERVICES, listener::Admission, metrics::Now, process, rpc::Shared, store};

/// The metrics page of this moment.
pub(crate) async fn page(
    shared: Arc<Shared>,
    admission: Admission,
    health: HealthReporter,
    not_after: Option<u64>,
) -> String {
    let attestor = &shared.attestor;
    let now = attestor.clock.now();
    let epoch = attestor.registry.active_epoch(now).await.map_or(0, |record| record.committee.epoch());
    let service = HealthService::from_health_reporter(health);
    let mut serving = Vec::new();
    for name in SERVICES {
        let request = Request::new(HealthCheckRequest { service: name.to_owned() });
        let status = service.check(request).await.map(|response| response.into_inner().status);
        serving.push((name, status.is_ok_and(|status| status == i32::from(ServingStatus::Serving as u8))));
    }
    let finality = attestor.registry.finality();
    let usage = attestor.store.usage();
    let (descriptors, descriptors_limit) = process::usage();
    let budgets = [("receiving", &shared.receiving), ("working", &shared.working), ("sending", &shared.sending)];
    shared.metrics.page(&Now {
        connections: admission.count(),
        memory: budgets.into_iter().map(|(name, budget)| (name, budget.used(), budget.total())).collect(),
        serving,
        blobs: usage.items,
        stored: usage.bytes,
        writes_disabled: attestor.store.writes_disabled().borrow().as_ref().map(|disabled| disabled.why),
        reopened: attestor.store.reopened(),
        resident: process::resident(),
        disk_free: store::free(&shared.host.data_dir).ok(),
        disk_budget: shared.attestor.disk.budget(),
        descriptors,
        descriptors_limit,
        epoch,
        finality: finality.as_ref().map(|it| (now.saturating_sub(it.timestamp), it.stalled, it.dissenters.len())),
        clock_behind: finality.map_or(0, |it| it.timestamp.saturating_sub(now)),
        repair: shared.repair.progress(),
        damaged: attestor.store.damaged(),
        lost: attestor.store.lost_at().is_some(),
        tls_seconds_left: not_after.map(|end| end.saturating_sub(now)),
    })
}
