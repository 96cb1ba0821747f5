use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, future::join_all, stream};
use holdfast_certificate::{Address, PublicKey};
use holdfast_erasure::{BlobId, Digest};
use holdfast_proto::v1;
use tokio::time::{Instant, timeout_at};

use crate::{
    client::Inner,
    error::{Error, Wanted},
    failure::{FailureReason, Fault, MemberFailure, peer_text},
    ledger::Ledger,
    locate::locate,
    members::Member,
};

/// The most blob ids that one member may list, by the protocol.
const MAX_LISTED: usize = 100;

/// The most blobs that one search returns.
const MAX_FOUND: usize = 32;

/// Claims that a search checks at once.
const CHECKED_AT_ONCE: usize = 32;

/// How long a status waits for a member.
const STATUS_WAIT: Duration = Duration::from_secs(5);

/// One slot of the active epoch, and what its member says of itself.
#[derive(Clone, Debug)]
pub struct MemberStatus {
    /// The epoch.
    pub epoch: u64,
    /// The slot.
    pub slot: u16,
    /// Where the member was asked.
    pub endpoint: String,
    /// The slot's key.
    pub public_key: PublicKey,
    /// What it said, or why it said nothing that can be used.
    pub info: Result<MemberInfo, MemberFailure>,
}

/// What a member says of itself, texts cut to 256 bytes without control characters. Only its key's form and its being the slot's were checked.
#[derive(Clone, Debug)]
pub struct MemberInfo {
    /// Its software's version.
    pub version: String,
    /// The chain whose registry it follows; zero for a committee file.
    pub chain_id: u64,
    /// That registry.
    pub registry: Option<Address>,
    /// The epoch that is active as it sees it; zero where none is.
    pub epoch: u64,
    /// Its slot in that epoch.
    pub slot: Option<u16>,
    /// Its clock, unix seconds.
    pub time: u64,
    /// Blobs that it holds.
    pub blobs: u64,
    /// Bytes of shards and whole payloads that it holds.
    pub stored_bytes: u64,
    /// Why it neither stores nor signs, where that is so.
    pub writes_disabled: Option<String>,
    /// How long it took to answer.
    pub answered_in: Duration,
}

pub(crate) async fn status(inner: &Inner) -> Result<Vec<MemberStatus>, Error> {
    inner.check_open()?;
    let now = Instant::now();
    let record = inner.active_epoch(now + inner.config.read_deadline).await?;
    let wait = STATUS_WAIT.min(inner.config.read_deadline);
    let answers = join_all(inner.members(&record).into_iter().map(|member| {
        let record = &record;
        async move {
            let public_key = *record.committee.key(member.slot).expect("members are the committee's slots");
            let asked = Instant::now();
            let info = match timeout_at(asked + wait, member.peer.get_info()).await {
                Ok(Ok(answer)) => info(answer, &public_key, asked.elapsed()).map_err(FailureReason::from),
                Ok(Err(reason)) => Err(reason),
                Err(_) => Err(FailureReason::NoAnswer { within: wait }),
            };
            MemberStatus {
                epoch: member.epoch,
                slot: member.slot,
                endpoint: member.peer.endpoint().to_owned(),
                public_key,
                info: info.map_err(|reason| member.failure(reason)),
            }
        }
    }));
    Ok(answers.await)
}

fn info(answer: v1::GetInfoResponse, expected: &PublicKey, answered_in: Duration) -> Result<MemberInfo, Fault> {
    let invalid = |field, reason: String| Fault::Malformed(holdfast_proto::Error::Invalid { field, reason });
    let got = PublicKey::from_bytes(&answer.public_key).map_err(|error| invalid("public_key", error.to_string()))?;
    if got != *expected {
        return Err(Fault::WrongKey { expected: Box::new(*expected), got: Box::new(got) });
    }
    let registry = match answer.registry.as_ref() {
        [] => None,
        bytes => Some(Address::from_bytes(bytes).map_err(|error| invalid("registry", error.to_string()))?),
    };
    let slot = answer.slot.map(u16::try_from).transpose().map_err(|error| invalid("slot", error.to_string()))?;
    Ok(MemberInfo {
        version: peer_text(&answer.version),
        chain_id: answer.chain_id,
        registry,
        epoch: answer.epoch,
        slot,
        time: answer.time,
        blobs: answer.blobs,
        stored_bytes: answer.stored_bytes,
        writes_disabled: Some(peer_text(&answer.writes_disabled)).filter(|reason| !reason.is_empty()),
        answered_in,
    })
}

pub(crate) async fn find(inner: &Inner, payload_digest: Digest) -> Result<Vec<BlobId>, Error> {
    inner.check_open()?;
    let namespace = inner.namespace.ok_or(Error::NotConfigured { what: "namespace" })?;
    let deadline = Instant::now() + inner.config.read_deadline;
    let record = inner.active_epoch(deadline).await?;
    let members = inner.members(&record);
    let request = v1::FindBlobsRequest {
        namespace: Bytes::copy_from_slice(namespace.as_bytes()),
        payload_digest: Bytes::copy_from_slice(payload_digest.as_bytes()),
    };
    let wait = STATUS_WAIT.min(inner.config.read_deadline);
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
            let located = locate(inner, record, id, &by, &mut Ledger::default(), until).await.ok()?;
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
    let answer = tokio::time::timeout(wait, member.peer.find_blobs(request))
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

#[cfg(test)]
mod tests {
    use holdfast_certificate::SecretKey;

    use super::*;

    #[test]
    fn what_a_member_says_of_itself_cannot_write_to_the_terminal() {
        let key = SecretKey::generate().public_key();
        let text = format!("1.0\u{1b}]0;owned\u{7}\r\n{}", "x".repeat(1 << 16));
        let answer = v1::GetInfoResponse {
            version: text.clone(),
            writes_disabled: text,
            public_key: Bytes::copy_from_slice(&key.to_bytes()),
            ..v1::GetInfoResponse::default()
        };
        let info = info(answer, &key, Duration::ZERO).expect("the slot's key");
        for text in [info.version, info.writes_disabled.expect("a reason")] {
            assert!(text.starts_with("1.0 ]0;owned") && text.len() < 300, "{text}");
            assert!(!text.chars().any(char::is_control));
        }
    }
}
