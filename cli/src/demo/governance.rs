//! What owner, governance and guardian do on L1, and what that makes of certificates: a longer retention, the next epoch,
//! its revocation. What was judged of an earlier time stays as it was.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use holdfast_certificate::{HOUR, VerifiedCertificate};
use holdfast_client::{Client, DisperseOptions, Dispersed};
use holdfast_l1::{ChainRegistry, Publisher};
use holdfast_registry::Status;

use super::report::{Outcome, Report};
use crate::{config::Config, times::now};

/// How long the chain, members and client may take to see what was changed.
const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

/// The certificate's epoch is the first, and active.
pub(super) async fn govern(
    config: &Config,
    client: &Client,
    certificate: &VerifiedCertificate,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (chain, publisher) = (config.chain().await?, config.publisher().await?);
    let judged = now();
    ensure!(chain.verify_on_chain(certificate, Some(judged)).await? == Status::Ok, "not acceptable before");
    lengthen_retention(&chain, &publisher, certificate, judged, report).await?;
    let next = next_epoch(config, client, &chain, &publisher, certificate, judged, report).await?;
    revoke(client, &chain, &publisher, &next, report).await
}

/// The owner asks for more than the certificate has left.
async fn lengthen_retention(
    chain: &ChainRegistry,
    publisher: &Publisher,
    certificate: &VerifiedCertificate,
    judged: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    report
        .step("the owner raises the namespace's minimum retention", async {
            let statement = &certificate.statement;
            let longer = statement.retain_until - judged + HOUR;
            let receipt = publisher.set_min_retention(&statement.namespace, longer).await?;
            becomes(chain, certificate, Status::RetentionTooShort).await?;
            stays(chain, certificate, judged, Status::Ok).await?;
            Ok((
                (),
                Outcome::new(format!("{}; judged of before: OK; {} gas", Status::RetentionTooShort, receipt.gas_used)),
            ))
        })
        .await
}

/// Governance proposes the same members again; the old epoch ends when the new one is active.
async fn next_epoch(
    config: &Config,
    client: &Client,
    chain: &ChainRegistry,
    publisher: &Publisher,
    certificate: &VerifiedCertificate,
    judged: u64,
    report: &mut Report,
) -> anyhow::Result<VerifiedCertificate> {
    report
        .step("governance proposes the next epoch; put in it", async {
            let committee = config.registry().await?.epoch(certificate.statement.epoch).await?.committee.clone();
            let (epoch, receipt) = publisher.propose_epoch(committee.keys(), committee.parameters(), None).await?;
            becomes(chain, certificate, Status::EpochClosed).await?;
            stays(chain, certificate, judged, Status::Ok).await?;
            // As long as the namespace now asks, and an hour for what passes until L1 is asked.
            let retain_until = certificate.statement.retain_until + 2 * HOUR;
            let next = put_in(client, epoch, retain_until).await?;
            let status = chain.verify_on_chain(&next, Some(now())).await?;
            ensure!(status == Status::Ok, "the registry says {status} of the new epoch's certificate, expected OK");
            let result = format!(
                "epoch {epoch}: {} signatures, OK; the old certificate: {}, judged of before: OK; {} gas",
                next.signer_slots().len(),
                Status::EpochClosed,
                receipt.gas_used
            );
            Ok((next, Outcome::new(result)))
        })
        .await
}

/// The guardian revokes the epoch: from then on nothing of it is accepted, and nothing is taken.
async fn revoke(
    client: &Client,
    chain: &ChainRegistry,
    publisher: &Publisher,
    certificate: &VerifiedCertificate,
    report: &mut Report,
) -> anyhow::Result<()> {
    report
        .step("the guardian revokes the epoch", async {
            let (before, retain_until) = (now(), certificate.statement.retain_until);
            stays(chain, certificate, before, Status::Ok).await?;
            let receipt = publisher.revoke_epoch(certificate.statement.epoch).await?;
            becomes(chain, certificate, Status::Revoked).await?;
            stays(chain, certificate, before, Status::Ok).await?;
            let refusal = eventually("members still sign", async || {
                let options = DisperseOptions { retain_until: Some(retain_until), ..DisperseOptions::by_shard() };
                Ok(client.disperse(marker(), options).await.err())
            });
            let refusal = refusal.await?;
            let result = format!("{}, judged of before: OK; put: {refusal}; {} gas", Status::Revoked, receipt.gas_used);
            Ok(((), Outcome::new(result)))
        })
        .await
}

/// Stores something in the epoch, as soon as client and members have seen it.
async fn put_in(client: &Client, epoch: u64, retain_until: u64) -> anyhow::Result<VerifiedCertificate> {
    let stored = eventually("nothing is stored in the next epoch", async || {
        let options = DisperseOptions { retain_until: Some(retain_until), ..DisperseOptions::by_shard() };
        let dispersed = client.disperse(marker(), options).await;
        Ok(dispersed.ok().map(|Dispersed { certificate, .. }| certificate).filter(|it| it.statement.epoch == epoch))
    });
    let certificate = stored.await?;
    client.drain().await;
    Ok(certificate)
}

/// Waits until the registry says so of a certificate at the present time.
async fn becomes(chain: &ChainRegistry, certificate: &VerifiedCertificate, expected: Status) -> anyhow::Result<()> {
    let what = format!("the registry does not say {expected}");
    let said = async || Ok((chain.verify_on_chain(certificate, Some(now())).await? == expected).then_some(()));
    eventually(&what, said).await
}

/// The registry says so of a certificate at a time that is past.
async fn stays(
    chain: &ChainRegistry,
    certificate: &VerifiedCertificate,
    at: u64,
    expected: Status,
) -> anyhow::Result<()> {
    let status = chain.verify_on_chain(certificate, Some(at)).await?;
    ensure!(status == expected, "the registry says {status} of an earlier time, expected {expected}");
    Ok(())
}

/// Tries until there is something, for a limited time.
async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = attempt().await? {
            return Ok(found);
        }
        ensure!(Instant::now() < end, "{what} after {LIMIT:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

fn marker() -> Bytes {
    Bytes::from_static(b"stored in the next epoch")
}
