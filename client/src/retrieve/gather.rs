//! Accepted shards for one who rebuilds another from them: the same reading, without the payload at its end.

use std::sync::Arc;

use holdfast_erasure::{AcceptedShard, Blob, BlobId, Commitment};
use holdfast_registry::EpochRecord;
use tokio::{sync::watch, time::Instant};

use super::{
    epochs,
    options::RetrieveOptions,
    race::halfway,
    read::Read,
    shards::{self, Given, Promised},
};
use crate::{config::MAX_WAIT, context::Context, error::Error, failure::MemberFailure, fault::MemberFault};

/// Accepted shards of a blob, and what it took to get them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Gathered {
    /// The blob's commitment, checked against its id.
    pub commitment: Commitment,
    /// `k` of them or more, at distinct positions.
    pub shards: Vec<AcceptedShard>,
    /// Members that lied or whose copy is damaged.
    pub faults: Vec<MemberFault>,
    /// Members that were asked and did not help, the faulty ones among them.
    pub failures: Vec<MemberFailure>,
}

pub(crate) async fn gather(context: &Context, id: BlobId, options: RetrieveOptions) -> Result<Gathered, Error> {
    context.check_open()?;
    let deadline = Instant::now() + options.deadline.unwrap_or(context.config.read_deadline).min(MAX_WAIT);
    let mut read = Read::new(context, id, deadline, options);
    let (record, located) = epochs::search(&mut read).await?;
    let records = epochs::hinted(&read, &located, record).await?;
    let blob = *located.commitment.blob();
    let (_given, promised) = watch::channel(Some(located.commitment));
    let (commitment, given) = in_any_epoch(&mut read, &blob, records, promised).await?;
    let shards = given.into_iter().map(|(shard, _)| shard).collect();
    Ok(Gathered { commitment, shards, faults: read.ledger.faults(), failures: read.ledger.failures() })
}

/// A blob's commitment, checked against its id, from whichever member has it.
pub(crate) async fn commitment(context: &Context, id: BlobId, deadline: Instant) -> Result<Commitment, Error> {
    let mut read = Read::new(context, id, deadline, RetrieveOptions::default());
    epochs::search(&mut read).await.map(|(_, located)| located.commitment)
}

/// From members of the epochs that one member named, and of all others when those do not have it.
async fn in_any_epoch(
    read: &mut Read<'_>,
    blob: &Blob,
    mut records: Vec<Arc<EpochRecord>>,
    promised: Promised,
) -> Result<(Commitment, Vec<Given>), Error> {
    let others = epochs::others(read, &records).await;
    let deadline = read.deadline;
    if !others.is_empty() {
        read.deadline = halfway(deadline);
    }
    let (holders, faults) = shards::holders(read, blob, &records)?;
    let outcome = shards::collect(read, *blob, promised.clone(), holders, faults).await;
    read.deadline = deadline;
    match outcome {
        Err(Error::NotRetrievable { .. }) if !others.is_empty() => {
            records.extend(others);
            let (holders, faults) = shards::holders(read, blob, &records)?;
            shards::collect(read, *blob, promised, holders, faults).await
        }
        outcome => outcome,
    }
}
