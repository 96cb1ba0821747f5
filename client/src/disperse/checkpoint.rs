//! One certificate over many blobs.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Checkpoint, CheckpointCertificate, Namespace, VerifiedCheckpoint};
use holdfast_erasure::BlobId;
use holdfast_proto::{blob_ids_to_bytes, v1};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    round::{Ended, Round},
    rules,
    signing::sign,
    statement::Times,
};
use crate::{
    config::MAX_WAIT,
    context::{Context, unix_now},
    error::Error,
    failure::MemberFailure,
    retries,
};

/// A checkpoint that reached its quorum.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Checkpointed {
    /// The certificate, verified.
    pub certificate: VerifiedCheckpoint,
    /// The blobs in ascending order of their ids. Nobody else keeps them: without them nothing can be proven to be in it.
    pub ids: Vec<BlobId>,
    /// Slots whose attestation is in the certificate.
    pub attested: Vec<u16>,
    /// Members that had failed when the quorum was reached, those with bad attestations among them. Slow members are in
    /// neither list.
    pub failures: Vec<MemberFailure>,
}

pub(crate) async fn checkpoint(
    context: &Context,
    namespace: Option<Namespace>,
    ids: &[BlobId],
    retain_until: u64,
) -> Result<Checkpointed, Error> {
    let allowed = context.config.disperse_deadline.min(MAX_WAIT);
    let span = tracing::info_span!("checkpoint", blobs = ids.len());
    let attempt = |left| once(context, namespace, ids, retain_until, left);
    retries::until(context.config.retries, allowed, attempt).instrument(span).await
}

async fn once(
    context: &Context,
    namespace: Option<Namespace>,
    ids: &[BlobId],
    retain_until: u64,
    allowed: Duration,
) -> Result<Checkpointed, Error> {
    context.check_open()?;
    let started = Instant::now();
    let deadline = started + allowed;
    let (namespace, key, ids) = (context.namespace(namespace)?, context.disperser()?, in_order(ids)?);
    let (active, rules) = tokio::join!(context.active_epoch(deadline), context.rules(&namespace, deadline));
    let mut record = active?;
    let times = Times { whole_until: 0, retain_until };
    rules::check(rules?.as_ref(), namespace, key.address(), &times, unix_now())?;
    let ids = Arc::new(ids);
    loop {
        let (epoch, domain) = (record.committee.epoch(), *record.committee.domain());
        let over = Arc::clone(&ids);
        let checkpoint = context
            .cpu
            .run(move || Checkpoint::over(namespace, epoch, &over, retain_until).map_err(Error::Statement))
            .await?;
        let signature = sign(&*key, checkpoint.digest(&domain), deadline).await?;
        let request = Arc::new(v1::SignCheckpointRequest {
            namespace: Bytes::copy_from_slice(namespace.as_bytes()),
            epoch,
            blob_ids: blob_ids_to_bytes(&ids),
            retain_until,
            disperser_signature: Bytes::copy_from_slice(&signature.to_bytes()),
        });
        let mut round = Round::ask(context, &record, started, allowed, move |member| {
            let request = Arc::clone(&request);
            async move { member.peer.sign_checkpoint(&request).await }
        });
        let certified = round.certified(|attestations| {
            let record = Arc::clone(&record);
            context.cpu.run(move || CheckpointCertificate::aggregate(&record.committee, checkpoint, &attestations))
        });
        match certified.await? {
            Ended::Certified(certificate) => {
                let (attested, failures) = (certificate.signer_slots(), round.failures());
                let ids = Arc::unwrap_or_clone(ids);
                return Ok(Checkpointed { certificate, ids, attested, failures });
            }
            Ended::Switched(active) => {
                drop(round);
                record = active;
            }
        }
    }
}

/// The ids as a checkpoint takes them. One that is there twice is the caller's mistake, not to be mended silently.
fn in_order(ids: &[BlobId]) -> Result<Vec<BlobId>, Error> {
    let most = Checkpoint::MAX_BLOBS as usize;
    if ids.is_empty() || ids.len() > most {
        let reason = format!("expected 1 to {most}, got {}", ids.len());
        return Err(Error::Invalid { what: "list of blob ids", reason });
    }
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::Invalid { what: "list of blob ids", reason: format!("{} is there twice", pair[0]) }),
        None => Ok(ids),
    }
}
