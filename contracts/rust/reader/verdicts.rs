//! What the registry itself says of certificates: `eth_call`s at the newest block, which change nothing.

use alloy::{eips::BlockNumberOrTag, primitives::B256, sol_types::SolCall};
use holdfast_certificate::{Certificate, CheckpointCertificate, CheckpointProof};
use holdfast_erasure::BlobId;

use super::ChainRegistry;
use crate::{
    Error, Status,
    bindings::CommitteeRegistry::{verifyCall, verifyCheckpointCall, verifyInCheckpointCall},
};

impl ChainRegistry {
    /// What the registry says of a certificate at unix time `at`, or at the newest block's time.
    ///
    /// # Errors
    /// An L1 error: a refusal is a [`Status`], not an error.
    pub async fn verify_on_chain(&self, certificate: &Certificate, at: Option<u64>) -> Result<Status, Error> {
        let certificate = certificate.encode_l1();
        self.status(at, |at_time| verifyCall { certificate: certificate.into(), atTime: at_time }).await
    }

    /// What the registry says of a checkpoint at unix time `at`, or at the newest block's time.
    ///
    /// # Errors
    /// An L1 error: a refusal is a [`Status`], not an error.
    pub async fn verify_checkpoint_on_chain(
        &self,
        checkpoint: &CheckpointCertificate,
        at: Option<u64>,
    ) -> Result<Status, Error> {
        let checkpoint = checkpoint.encode_l1();
        self.status(at, |at_time| verifyCheckpointCall { checkpoint: checkpoint.into(), atTime: at_time }).await
    }

    /// What the registry says at unix time `at`, or at the newest block's time, of a blob in a checkpoint that was
    /// published.
    ///
    /// # Errors
    /// An L1 error: a refusal is a [`Status`], not an error.
    pub async fn verify_in_checkpoint(
        &self,
        blob: &BlobId,
        proof: &CheckpointProof,
        at: Option<u64>,
    ) -> Result<Status, Error> {
        let (blob_id, proof) = (B256::from(*blob.as_bytes()), proof.encode());
        self.status(at, |at_time| verifyInCheckpointCall { blobId: blob_id, proof: proof.into(), atTime: at_time })
            .await
    }

    async fn status<C>(&self, at: Option<u64>, call: impl FnOnce(u64) -> C) -> Result<Status, Error>
    where
        C: SolCall<Return = u8> + Clone + Send + Sync + 'static,
    {
        let newest = self.nodes.block(self.domain.chain_id, BlockNumberOrTag::Latest).await?;
        let call = call(at.unwrap_or(newest.timestamp));
        Status::try_from(self.nodes.call(self.domain.registry, call, newest.id()).await?)
    }
}
