//! One leaf of the payload, proven to the contract against the blob id: what a fraud proof or a challenge does.

use anyhow::ensure;
use bytes::Bytes;
use holdfast_certificate::VerifiedCertificate;
use holdfast_erasure::{Dispersal, LEAF_BYTES, encode};
use holdfast_l1::ChainRegistry;

use super::report::{Outcome, Report};

/// `certificate` is a by-payload one: its signers have computed every root, so an opening proves payload bytes.
pub(super) async fn open(
    chain: &ChainRegistry,
    payload: &Bytes,
    certificate: &VerifiedCertificate,
    report: &mut Report,
) -> anyhow::Result<()> {
    report
        .step("open a leaf of the payload on L1", async {
            let blob = certificate.statement.blob;
            let parameters = blob.parameters()?;
            let encoded = encode(parameters, payload.clone(), Dispersal::ByPayload)?;
            ensure!(encoded.id() == blob.id(), "the payload encodes to {}, expected {}", encoded.id(), blob.id());
            let leaves = parameters.shard_length(blob.payload_length).div_ceil(LEAF_BYTES);
            let (first, last) = (parameters.index(0)?, u32::try_from(leaves)? - 1);
            let opening = encoded.opening(first, last)?;
            let payload_bytes = chain.open_payload(&blob, &opening).await?;
            ensure!(payload_bytes > 0, "the registry does not open leaf {last}");
            let mut forged = opening.clone();
            let mut bytes = forged.leaf.to_vec();
            bytes[0] ^= 1;
            forged.leaf = bytes.into();
            ensure!(chain.open_payload(&blob, &forged).await? == 0, "the registry opens a leaf with a flipped bit");
            let result = format!(
                "leaf {last} of shard 0, {} bytes under {} hashes: {payload_bytes} bytes of payload; with a flipped bit: none",
                opening.leaf.len(),
                opening.leaf_path.len() + opening.shard_path.len(),
            );
            Ok(((), Outcome::new(result)))
        })
        .await
}
