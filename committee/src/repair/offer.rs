//! Certificates of statements that this member has not signed, given to it: it was away when they were dispersed.

use std::time::Duration;

use holdfast_certificate::Certificate;
use tokio::time::Instant;

use super::{
    desk::Desk,
    queue::{Cause, Want},
};
use crate::attestor::Attestor;

/// Learns of the statement, if it is one whose shard belongs here. Its certificate is verified when its turn comes.
pub(crate) async fn offer(desk: &Desk, attestor: &Attestor, certificate: Certificate, delay: Duration) {
    let statement = certificate.statement;
    if attestor.is_over(statement.retain_until) || !attestor.serves(&statement.namespace) {
        return;
    }
    let Ok(record) = attestor.registry.epoch(statement.epoch).await else { return };
    if statement.check(record.committee.parameters()).is_err() {
        return;
    }
    let Some(slot) = attestor.slot(&record.committee) else { return };
    let digest = statement.digest(&attestor.domain());
    let cause = Cause::Offered(Box::new(certificate));
    if let Some(want) = Want::new(statement, digest, slot, cause) {
        desk.add(want, None, Instant::now() + delay);
    }
}
