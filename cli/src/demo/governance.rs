//! What owner, governance and guardian do on L1, and what that makes of certificates: a longer retention that is withdrawn,
//! the next epoch, its revocation. What was judged of an earlier time stays as it was.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use holdfast_certificate::{HOUR, VerifiedCertificate};
use holdfast_client::{Client, DisperseOptions, Dispersed};
use holdfast_l1::{ChainRegistry, Moment, Publisher};
use holdfast_registry::Status;

use super::report::{Outcome, Report};
use crate::{config::Config, times::human_time};

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
    let view = config.view(Moment::Latest).await?;
    let judged = view.time();
    ensure!(chain.verify_on_chain(certificate, Some(judged)).await? == Status::Ok, "not acceptable before");
    lengthen_retention(config, &publisher, certificate, judged, report).await?;
    let next = next_epoch(config, client, &chain, &publisher, certificate, judged, report).await?;
    revoke(config, client, &chain, &publisher, &next, report).await
}

/// The owner asks for more than the certificate has left, and thinks better of it before the hour is over.
async fn lengthen_retention(
    config: &Config,
    publisher: &Publisher,
    certificate: &VerifiedCertificate,
    judged: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    report
        .step("the owner raises the namespace's minimum retention, and withdraws that", async {
            let statement = &certificate.statement;
            let rules = async || -> anyhow::Result<_> {
                let found = config.view(Moment::Latest).await?.namespace(&statement.namespace).await?;
                found.context("the namespace is gone")
            };
            let in_force = rules().await?.min_retention;
            let longer = statement.retain_until - judged + HOUR;
            let raised = publisher.set_min_retention(&statement.namespace, longer).await?;
            let pending = rules().await?;
            let (seconds, from) = pending.next_min_retention.context("nothing is pending")?;
            ensure!(seconds == longer && pending.min_retention == in_force, "the raise holds too early: {pending:?}");
            let withdrawn = publisher.set_min_retention(&statement.namespace, in_force).await?;
            let after = rules().await?;
            ensure!(after.next_min_retention.is_none() && after.min_retention == in_force, "still pending: {after:?}");
            let result = format!(
                "pending until {}, then taken back; {} and {} gas",
                human_time(from),
                raised.gas_used,
                withdrawn.gas_used
            );
            Ok(((), Outcome::new(result)))
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
            let before = config.view(Moment::Latest).await?.epoch(certificate.statement.epoch).await?;
            let members: Vec<_> = before.slots.iter().map(|slot| (slot.key, slot.account)).collect();
            let (epoch, receipt) = publisher.propose_epoch(&members, before.committee.parameters(), None).await?;
            becomes(chain, certificate, Status::EpochClosed).await?;
            stays(chain, certificate, judged, Status::Ok).await?;
            let next = put_in(client, epoch, certificate.statement.retain_until).await?;
            let status = chain.verify_on_chain(&next, None).await?;
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
    config: &Config,
    client: &Client,
    chain: &ChainRegistry,
    publisher: &Publisher,
    certificate: &VerifiedCertificate,
    report: &mut Report,
) -> anyhow::Result<()> {
    report
        .step("the guardian revokes the epoch", async {
            let (before, retain_until) =
                (config.view(Moment::Latest).await?.time(), certificate.statement.retain_until);
            stays(chain, certificate, before, Status::Ok).await?;
            let receipt = publisher.revoke_epoch(certificate.statement.epoch).await?;
            becomes(chain, certificate, Status::Revoked).await?;
            stays(chain, certificate, before, Status::Ok).await?;
            let refusal = eventually("members still sign", async || {
                let options = DisperseOptions::by_shard().retain_until(retain_until);
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
        let options = DisperseOptions::by_shard().retain_until(retain_until);
        let dispersed = client.disperse(marker(), options).await;
        Ok(dispersed.ok().map(|Dispersed { certificate, .. }| certificate).filter(|it| it.statement.epoch == epoch))
    });
    let certificate = stored.await?;
    client.drain().await;
    Ok(certificate)
}

/// Waits until the registry says so of a certificate in its newest block.
async fn becomes(chain: &ChainRegistry, certificate: &VerifiedCertificate, expected: Status) -> anyhow::Result<()> {
    let what = format!("the registry does not say {expected}");
    let said = async || Ok((chain.verify_on_chain(certificate, None).await? == expected).then_some(()));
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
