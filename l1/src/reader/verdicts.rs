//! What the registry itself says of certificates: `eth_call`s at the newest block, which change nothing.

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{B256, U256},
    sol_types::SolCall,
};
use holdfast_certificate::{Certificate, CheckpointCertificate, CheckpointProof};
use holdfast_contracts::{
    bindings::CommitteeRegistry::{
        self as abi, openCommittedLeafCall, openPayloadCall, verifyCall, verifyCheckpointCall, verifyInCheckpointCall,
    },
    function_name,
};
use holdfast_erasure::{Blob, BlobId, Digest, LEAF_BYTES, Opening};
use holdfast_registry::{Status, UnknownStatus};

use super::ChainRegistry;
use crate::error::Error;

impl ChainRegistry {
    /// What the registry says of a certificate at unix time `at`, or at the newest block's time. Of a time after that of
    /// the newest block it is [`Status::NotYet`].
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

    /// How many bytes of an original shard's leaf the registry takes as payload, from the leaf's place on: 0 for none, and
    /// always for a blob by shard.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a blob with impossible parameters; otherwise an L1 error.
    pub async fn open_payload(&self, blob: &Blob, opening: &Opening) -> Result<u64, Error> {
        let call = leaf_call(blob, opening)?;
        self.leaf_bytes(call).await
    }

    /// As [`Self::open_payload`], of any blob, and only that the leaf was committed at its place.
    ///
    /// # Errors
    /// As [`Self::open_payload`].
    pub async fn open_committed_leaf(&self, blob: &Blob, opening: &Opening) -> Result<u64, Error> {
        let openPayloadCall { blobId, blob, offset, leaf, path } = leaf_call(blob, opening)?;
        self.leaf_bytes(openCommittedLeafCall { blobId, blob, offset, leaf, path }).await
    }

    async fn leaf_bytes<C>(&self, call: C) -> Result<u64, Error>
    where
        C: SolCall<Return = U256> + Clone + Send + Sync + 'static,
    {
        let newest = self.source.nodes().block(self.domain().chain_id, BlockNumberOrTag::Latest).await?;
        let bytes = self.source.nodes().call(self.domain().registry, call, newest.id()).await?;
        u64::try_from(bytes).ok().filter(|bytes| *bytes <= LEAF_BYTES as u64).ok_or_else(|| Error::BadAnswer {
            what: function_name(C::SIGNATURE),
            reason: format!("expected at most {LEAF_BYTES} bytes, got {bytes}"),
        })
    }

    async fn status<C>(&self, at: Option<u64>, call: impl FnOnce(u64) -> C) -> Result<Status, Error>
    where
        C: SolCall<Return = u8> + Clone + Send + Sync + 'static,
    {
        let newest = self.source.nodes().block(self.domain().chain_id, BlockNumberOrTag::Latest).await?;
        let call = call(at.unwrap_or(newest.timestamp));
        let number = self.source.nodes().call(self.domain().registry, call, newest.id()).await?;
        let unknown =
            |error: UnknownStatus| Error::BadAnswer { what: function_name(C::SIGNATURE), reason: error.to_string() };
        Status::try_from(number).map_err(unknown)
    }
}

fn leaf_call(blob: &Blob, opening: &Opening) -> Result<openPayloadCall, Error> {
    let word = |digest: &Digest| B256::from(*digest.as_bytes());
    let parameters = blob.parameters().map_err(|error| Error::Invalid { what: "blob", reason: error.to_string() })?;
    let shard_length = parameters.shard_length(blob.payload_length) as u64;
    let offset = u64::from(opening.index.get()) * shard_length + u64::from(opening.leaf_number) * LEAF_BYTES as u64;
    Ok(openPayloadCall {
        blobId: B256::from(*blob.id().as_bytes()),
        blob: abi::Blob {
            payloadLength: blob.payload_length,
            payloadDigest: word(&blob.payload_digest),
            originalShards: blob.original_shards,
            totalShards: blob.total_shards,
            shardsRoot: word(&blob.shards_root),
            fingerprintsHash: word(&blob.fingerprints_hash),
        },
        offset: U256::from(offset),
        leaf: opening.leaf.to_vec().into(),
        path: opening.leaf_path.iter().chain(&opening.shard_path).map(word).collect(),
    })
}
