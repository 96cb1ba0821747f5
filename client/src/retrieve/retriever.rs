use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::Statement;
use holdfast_erasure::{Blob, BlobId};
use holdfast_registry::EpochRecord;
use tokio::{sync::watch, time::Instant};
use tracing::Instrument as _;

use super::{
    epochs,
    locate::locate,
    options::RetrieveOptions,
    race::halfway,
    read::Read,
    reference::Reference,
    shards::{self, Promised},
    whole,
};
use crate::{
    config::MAX_WAIT,
    context::{Context, unix_now},
    error::Error,
    failure::MemberFailure,
    fault::MemberFault,
    members::Member,
    retries,
};

/// A payload that was read, and what it took.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Retrieved {
    /// The payload.
    pub payload: Bytes,
    /// The blob, whose id was asked for.
    pub blob: Blob,
    /// The payload's way back: whole from one member, or decoded from shards.
    pub way: Way,
    /// Slots whose data was used, in order.
    pub from: Vec<u16>,
    /// Members that lied or whose copy is damaged.
    pub faults: Vec<MemberFault>,
    /// Members that were asked and did not help, the faulty ones among them.
    pub failures: Vec<MemberFailure>,
}

/// How a payload came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One member gave it whole, and its recomputed blob id is the one asked for.
    Whole,
    /// It was decoded from `k` accepted shards.
    Shards,
}

pub(crate) async fn retrieve(
    context: &Context,
    reference: Reference,
    options: RetrieveOptions,
) -> Result<Retrieved, Error> {
    let allowed = options.deadline.unwrap_or(context.config.read_deadline).min(MAX_WAIT);
    let id = match &reference {
        Reference::BlobId(id) => *id,
        Reference::Certificate(certificate) => certificate.statement.blob.id(),
    };
    let span = tracing::info_span!("retrieve", blob = %id);
    let attempt = |left| once(context, id, reference.clone(), options.clone(), left);
    retries::until(context.config.retries, allowed, attempt).instrument(span).await
}

async fn once(
    context: &Context,
    id: BlobId,
    reference: Reference,
    options: RetrieveOptions,
    allowed: Duration,
) -> Result<Retrieved, Error> {
    context.check_open()?;
    let deadline = Instant::now() + allowed;
    let read = Read::new(context, id, deadline, options);
    let now = unix_now();
    match reference {
        Reference::Certificate(certificate) => {
            let statement = certificate.statement;
            let record = context.epoch(statement.epoch, deadline).await?;
            let committee = Arc::clone(&record.committee);
            statement.check(committee.parameters()).map_err(Error::Certificate)?;
            let mut read = read.promised_by(&certificate, now);
            // Verifying takes as long as fetching a small blob, and both go on at once. Nothing of what is fetched, and nothing
            // that was said of members, gets out before the certificate is known to be genuine.
            let mut verified = pin!(context.cpu.run(move || certificate.verify(&committee)));
            let mut fetched = pin!(by_statement(&mut read, &statement, record, now));
            tokio::select! {
                biased;
                verdict = &mut verified => match verdict {
                    Ok(_genuine) => fetched.await,
                    Err(error) => Err(Error::Certificate(error)),
                },
                outcome = &mut fetched => verified.await.map_err(Error::Certificate).and(outcome),
            }
        }
        Reference::BlobId(_) => {
            let mut read = read;
            let (record, located) = epochs::search(&mut read).await?;
            let records = epochs::hinted(&read, &located, record).await?;
            let blob = *located.commitment.blob();
            let (_given, promised) = watch::channel(Some(located.commitment));
            in_any_epoch(&mut read, &blob, records, located.whole_until > now, promised).await
        }
    }
}

/// Reads a blob that a certificate names, its commitment and its shards at once.
async fn by_statement(
    read: &mut Read<'_>,
    statement: &Statement,
    record: Arc<EpochRecord>,
    now: u64,
) -> Result<Retrieved, Error> {
    let deadline = read.deadline;
    let members = read.members(&record);
    let fresh = statement.whole_until > now;
    if fresh
        && !read.options.audit
        && let Some(retrieved) = whole(read, &statement.blob, &members, halfway(deadline)).await
    {
        return Ok(retrieved);
    }
    let (give, promised) = watch::channel(None);
    let mut aside = read.aside();
    let outcome = {
        let mut located = pin!(async {
            let located = locate(&mut aside, &record, &members, deadline).await?;
            give.send_replace(Some(located.commitment));
            Ok::<(), Error>(())
        });
        let records = [Arc::clone(&record)];
        let mut read = pin!(whole_or_shards(read, &statement.blob, &records, false, promised));
        tokio::select! {
            biased;
            // What the members say of the blob itself decides, when the shards do not come.
            outcome = &mut read => match outcome {
                Ok(retrieved) => Ok(retrieved),
                Err(error) => located.await.and(Err(error)),
            },
            found = &mut located => match found {
                Ok(()) => read.await,
                Err(error) => Err(error),
            },
        }
    };
    read.ledger.merge(aside.ledger);
    match outcome {
        Err(Error::NotFound { .. }) if statement.retain_until <= now => {
            Err(Error::Expired { blob: read.id, failures: read.ledger.failures() })
        }
        Ok(mut retrieved) => {
            (retrieved.faults, retrieved.failures) = (read.ledger.faults(), read.ledger.failures());
            Ok(retrieved)
        }
        failed => failed,
    }
}

/// Reads a blob from members of the epochs that one member named, and of all the others when those do not have it: it
/// may have named the wrong ones.
async fn in_any_epoch(
    read: &mut Read<'_>,
    blob: &Blob,
    mut records: Vec<Arc<EpochRecord>>,
    fresh: bool,
    promised: Promised,
) -> Result<Retrieved, Error> {
    let others = epochs::others(read, &records).await;
    if others.is_empty() {
        return whole_or_shards(read, blob, &records, fresh, promised).await;
    }
    let deadline = read.deadline;
    read.deadline = halfway(deadline);
    let outcome = whole_or_shards(read, blob, &records, fresh, promised.clone()).await;
    read.deadline = deadline;
    match outcome {
        Err(Error::NotRetrievable { .. }) => {
            records.extend(others);
            from_shards(read, blob, &records, promised).await
        }
        outcome => outcome,
    }
}

/// Reads a blob whole first while members keep it whole, else from shards first. That it is kept whole is one member's
/// word, and whoever never answers must leave time for the shards.
async fn whole_or_shards(
    read: &mut Read<'_>,
    blob: &Blob,
    records: &[Arc<EpochRecord>],
    fresh: bool,
    promised: Promised,
) -> Result<Retrieved, Error> {
    let members: Vec<Member> = records.iter().flat_map(|record| read.members(record)).collect();
    let whole_first = fresh && !read.options.audit;
    let until = halfway(read.deadline);
    if blob.is_by_payload()
        && whole_first
        && let Some(retrieved) = whole(read, blob, &members, until).await
    {
        return Ok(retrieved);
    }
    match from_shards(read, blob, records, promised).await {
        Err(error @ Error::NotRetrievable { .. }) if blob.is_by_payload() && !whole_first => {
            let until = read.deadline;
            whole(read, blob, &members, until).await.ok_or(error)
        }
        outcome => outcome,
    }
}

async fn whole(read: &mut Read<'_>, blob: &Blob, members: &[Member], until: Instant) -> Option<Retrieved> {
    let (payload, slot) = whole::fetch(read, blob, members, until).await?;
    Some(retrieved(read, payload, *blob, Way::Whole, vec![slot]))
}

async fn from_shards(
    read: &mut Read<'_>,
    blob: &Blob,
    records: &[Arc<EpochRecord>],
    promised: Promised,
) -> Result<Retrieved, Error> {
    let (payload, from) = shards::fetch(read, *blob, promised, records).await?;
    Ok(retrieved(read, payload, *blob, Way::Shards, from))
}

fn retrieved(read: &Read<'_>, payload: Bytes, blob: Blob, way: Way, mut from: Vec<u16>) -> Retrieved {
    from.sort_unstable();
    let (faults, failures) = (read.ledger.faults(), read.ledger.failures());
    Retrieved { payload, blob, way, from, faults, failures }
}
