//! One checkpoint over all blobs, published, and each blob verified in it by the contract.

use anyhow::ensure;
use holdfast_certificate::{CheckpointProof, VerifiedCertificate};
use holdfast_client::Client;
use holdfast_erasure::BlobId;
use holdfast_l1::Until;
use holdfast_registry::Status;

use super::report::{Outcome, Report};
use crate::{
    cert::{self, Verified},
    config::Config,
};

pub(super) async fn checkpoint(
    config: &Config,
    client: &Client,
    certificates: &[&VerifiedCertificate],
    report: &mut Report,
) -> anyhow::Result<()> {
    report
        .step("one checkpoint over both blobs; verify each in it on L1", async {
            let ids: Vec<BlobId> = certificates.iter().map(|it| it.statement.blob.id()).collect();
            let retain_until = certificates.iter().map(|it| it.statement.retain_until).min().unwrap_or_default();
            let signed = client.checkpoint(None, &ids, retain_until).await?;
            let published =
                cert::publish(config, &Verified::Checkpoint(Box::new(signed.certificate)), Until::Mined).await?;
            let chain = config.chain().await?;
            let mut proof_bytes = 0;
            for id in &ids {
                let proof = CheckpointProof::build(signed.certificate.checkpoint, &signed.ids, id)?;
                proof_bytes = proof.encode().len();
                let status = chain.verify_in_checkpoint(id, &proof, None).await?;
                ensure!(status == Status::Ok, "the registry says {status} of blob {id}, expected OK");
                let mut foreign = *id.as_bytes();
                foreign[0] ^= 1;
                let refused = chain.verify_in_checkpoint(&foreign.into(), &proof, None).await?;
                ensure!(refused == Status::NotIncluded, "a foreign blob id gave {refused}, expected NOT_INCLUDED");
            }
            let result = format!(
                "{} signatures; published in block {}, {} gas; each of {} blobs OK; a foreign id: {}\n\
                 checkpoint of {} bytes, proofs of {proof_bytes}",
                signed.attested.len(),
                published.block,
                published.gas_used,
                ids.len(),
                Status::NotIncluded,
                signed.certificate.encode().len(),
            );
            Ok(((), Outcome::new(result)))
        })
        .await
}
