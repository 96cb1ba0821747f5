use std::time::Duration;

use holdfast_certificate::{Namespace, VerifiedCertificate};
use holdfast_erasure::BlobId;
use holdfast_registry::EpochRecord;
use tokio::time::Instant;

use crate::{
    context::Context,
    error::Wanted,
    retrieve::lookup::{LookupOptions, lookup},
};

/// How long is looked for a certificate that would save a dispersal.
const WAIT: Duration = Duration::from_secs(2);

/// A certificate of a blob in this namespace and epoch, verified, that holds until `enough` or later, where members have one.
pub(crate) async fn existing(
    context: &Context,
    record: &EpochRecord,
    id: BlobId,
    namespace: Namespace,
    enough: u64,
    deadline: Instant,
) -> Option<VerifiedCertificate> {
    let within = deadline.saturating_duration_since(Instant::now()).min(WAIT);
    let options = LookupOptions::default().active_epoch_only().deadline(within);
    // Whatever keeps it from being found, the dispersal goes on.
    let found = lookup(context, Wanted::Blob(id), options).await.ok()?;
    let certificates = found.into_iter().flat_map(|found| found.certificates);
    certificates
        .filter(|it| it.statement.namespace == namespace && it.statement.epoch == record.committee.epoch())
        .filter(|it| it.statement.retain_until >= enough)
        .max_by_key(|it| it.statement.retain_until)
}
