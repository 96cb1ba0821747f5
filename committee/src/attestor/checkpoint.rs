//! The signing rule for checkpoints (docs/protocol.md section 5), in its order.
//!
//! # Nothing new is promised
//!
//! A checkpoint says again of many blobs what this member has signed of each. So nothing is written, no quota is taken, and
//! the same request has the same signature; but every blob is looked up, and the first that is not promised or not held
//! ends it.

use std::{sync::Arc, time::Duration};

use holdfast_certificate::{Attestation, Checkpoint, DisperserSignature, Namespace};
use holdfast_erasure::BlobId;

use super::{Attestor, Error, rules};

/// Checkpoints that are looked up in the store at once: each reads up to a few hundred megabytes.
pub(crate) const MOST_CHECKPOINTS: usize = 2;

/// How long a checkpoint waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a disperser asks to have signed.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointRequest {
    pub(crate) namespace: Namespace,
    pub(crate) epoch: u64,
    pub(crate) ids: Vec<BlobId>,
    pub(crate) retain_until: u64,
    pub(crate) disperser_signature: DisperserSignature,
}

impl Attestor {
    /// Format, epoch and slot, namespace and disperser, time, then every blob; and signs. The tree over the ids, which the
    /// disperser's signature is over, is built for what is refused by nothing cheaper.
    pub(crate) async fn sign_checkpoint(&self, request: CheckpointRequest) -> Result<Attestation, Error> {
        let CheckpointRequest { namespace, epoch, ids, retain_until, disperser_signature } = request;
        let now = self.clock.now();
        Checkpoint::check_parts(&ids, retain_until).map_err(Error::Format)?;
        self.check_clock(now)?;
        let active = self.active_epoch(epoch, now).await?;
        let slot = rules::slot(&active, &self.public_key)?;
        rules::served(&namespace, &self.policy)?;
        let built = self
            .workers
            .cpu(move || Checkpoint::over(namespace, epoch, &ids, retain_until).map(|checkpoint| (checkpoint, ids)));
        let (checkpoint, ids) = built.await?.map_err(Error::Format)?;
        let digest = checkpoint.digest(&self.domain());
        let disperser = self.recover(disperser_signature, digest).await?;
        let record = self.namespace(&namespace).await?;
        rules::disperser(&namespace, &record, disperser, digest)?;
        rules::retention(retain_until, &record, now)?;

        let busy = Error::TooManyCheckpoints { most: MOST_CHECKPOINTS };
        let turn = match tokio::time::timeout(PATIENCE, Arc::clone(&self.checkpoints).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => return Err(busy),
        };
        let (store, covered) = (Arc::clone(&self.store), ids.clone());
        self.workers
            .disk(move || {
                // A caller that goes away frees the turn only when the work is done.
                let _turn = turn;
                store.covers(&checkpoint, &covered)
            })
            .await??;
        Ok(self.pen.checkpoint((&checkpoint, &ids, digest), slot, &self.workers).await?)
    }
}
