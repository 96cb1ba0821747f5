use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, future::join_all, stream};
use holdfast_erasure::{BlobId, Digest};
use holdfast_proto::v1;
use tokio::time::Instant;

use super::{ledger::Ledger, locate::locate, options::RetrieveOptions, patience::patiently, read::Read};
use crate::{
    context::Context,
    error::{Error, Wanted},
    failure::FailureReason,
    fault::Fault,
    members::Member,
};

/// The most blob ids that one member may list, by the protocol.
const MAX_LISTED: usize = 100;

/// The most blobs that one search returns.
const MAX_FOUND: usize = 32;

/// Claims that a search checks at once.
const CHECKED_AT_ONCE: usize = 32;

/// How long a search waits for a member.
const LISTING_WAIT: Duration = Duration::from_secs(5);

pub(crate) async fn find(context: &Context, payload_digest: Digest) -> Result<Vec<BlobId>, Error> {
    context.check_open()?;
    let namespace = context.namespace(None)?;
    let deadline = Instant::now() + context.config.read_deadline;
    let record = context.newest_epoch(deadline).await?;
    let members = context.members(&record);
    let request = v1::FindBlobsRequest {
        namespace: Bytes::copy_from_slice(namespace.as_bytes()),
        payload_digest: Bytes::copy_from_slice(payload_digest.as_bytes()),
    };
    let wait = LISTING_WAIT.min(context.config.read_deadline);
    let answers = join_all(members.iter().map(|member| listed(member, &request, wait))).await;
    let mut ledger = Ledger::default();
    let mut listings = Vec::new();
    for (member, answer) in members.iter().zip(answers) {
        match answer {
            Ok(ids) if ids.is_empty() => ledger.fail(member, FailureReason::NotStored),
            Ok(ids) => listings.push((member, ids)),
            Err(reason) => ledger.fail(member, reason),
        }
    }
    let checks = claims(&listings, MAX_FOUND + members.len()).into_iter().map(|(id, by)| {
        let record = &record;
        async move {
            let until = deadline.min(Instant::now() + wait);
            let mut read = Read::new(context, id, until, RetrieveOptions::default());
            let located = locate(&mut read, record, &by, until).await.ok()?;
            (located.commitment.blob().payload_digest == payload_digest).then_some(id)
        }
    });
    let checked: Vec<Option<BlobId>> = stream::iter(checks).buffered(CHECKED_AT_ONCE).collect().await;
    let found: Vec<BlobId> = checked.into_iter().flatten().take(MAX_FOUND).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let needed = record.committee.parameters().code().recovery_shards() + 1;
    let said = ledger.count(record.committee.epoch(), |reason| matches!(reason, FailureReason::NotStored));
    let what = Wanted::Payload(payload_digest);
    if said >= needed {
        return Err(Error::NotFound { what, said, needed });
    }
    Err(Error::Unknown { what, said, needed, failures: ledger.failures() })
}

/// What members claim to hold, each claim with those who make it, who are asked for its commitment before it is believed.
///
/// Checking costs a request, so there is a bound; one from each member in turn, or a member with a long made-up list would
/// keep the others' from being looked at.
fn claims(listings: &[(&Member, Vec<BlobId>)], most: usize) -> Vec<(BlobId, Vec<Member>)> {
    let mut claims: Vec<(BlobId, Vec<Member>)> = Vec::new();
    for rank in 0..MAX_LISTED {
        for (member, id) in listings.iter().filter_map(|(member, ids)| Some((*member, *ids.get(rank)?))) {
            match claims.iter().position(|(claimed, _)| *claimed == id) {
                Some(at) if claims[at].1.iter().any(|it| it.slot == member.slot) => {}
                Some(at) => claims[at].1.push(member.clone()),
                None if claims.len() < most => claims.push((id, vec![member.clone()])),
                None => {}
            }
        }
    }
    claims
}

async fn listed(member: &Member, request: &v1::FindBlobsRequest, wait: Duration) -> Result<Vec<BlobId>, FailureReason> {
    let until = Instant::now() + wait;
    let answer = tokio::time::timeout_at(until, patiently(until, || member.peer.find_blobs(request)))
        .await
        .unwrap_or(Err(FailureReason::NoAnswer { within: wait }))?;
    if answer.blob_ids.len() > MAX_LISTED {
        return Err(Fault::Malformed(holdfast_proto::Error::TooLarge {
            field: "blob_ids",
            max: 100,
            got: u64::try_from(answer.blob_ids.len()).unwrap_or(u64::MAX),
        })
        .into());
    }
    let ids = answer.blob_ids.iter().map(|id| holdfast_proto::blob_id(id));
    Ok(ids.collect::<Result<_, _>>().map_err(Fault::Malformed)?)
}
