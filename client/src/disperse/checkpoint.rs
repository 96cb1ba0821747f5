//! One certificate over many blobs.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_certificate::{Checkpoint, CheckpointCertificate, Namespace, VerifiedCheckpoint};
use holdfast_erasure::BlobId;
use holdfast_proto::{blob_ids_to_bytes, v1};
use tokio::time::Instant;

use super::round::Round;
use crate::{config::MAX_WAIT, context::Context, error::Error, failure::MemberFailure};

/// A checkpoint that reached its quorum.
#[derive(Clone, Debug)]
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
    context.check_open()?;
    let started = Instant::now();
    let allowed = context.config.disperse_deadline.min(MAX_WAIT);
    let namespace = context.namespace(namespace)?;
    let key = context.disperser()?;
    let ids = in_order(ids)?;
    let record = context.active_epoch(started + allowed).await?;
    let (epoch, domain) = (record.committee.epoch(), *record.committee.domain());
    let (checkpoint, request, ids) = context
        .cpu
        .run(move || {
            let checkpoint = Checkpoint::over(namespace, epoch, &ids, retain_until).map_err(Error::Statement)?;
            let signature = key.sign(&checkpoint.digest(&domain));
            let request = v1::SignCheckpointRequest {
                namespace: Bytes::copy_from_slice(namespace.as_bytes()),
                epoch,
                blob_ids: blob_ids_to_bytes(&ids),
                retain_until,
                disperser_signature: Bytes::copy_from_slice(&signature.to_bytes()),
            };
            Ok((checkpoint, Arc::new(request), ids))
        })
        .await?;
    let mut round = Round::ask(context, &record, started, allowed, |member| {
        let request = Arc::clone(&request);
        async move { member.peer.sign_checkpoint(&request).await }
    });
    let certificate = round
        .certified(move |committee, attestations| CheckpointCertificate::aggregate(committee, checkpoint, attestations))
        .await?;
    Ok(Checkpointed { attested: certificate.signer_slots(), failures: round.failures(), certificate, ids })
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
