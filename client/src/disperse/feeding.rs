use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::round::Sending;
use crate::{failure::FailureReason, members::Member};

/// How long one member may take to take a certificate.
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Goes on after the quorum: gives the certificate at once to the members that attested, to each other member as soon as
/// it has stored its part or failed, and when `limit` is over to those that never answered.
pub(crate) async fn settle(
    members: Vec<Member>,
    certificate: Bytes,
    mut sending: Sending,
    attested: Vec<u16>,
    limit: Duration,
) {
    let deadline = Instant::now() + limit;
    let mut waiting: BTreeMap<u16, Member> = members.into_iter().map(|member| (member.slot, member)).collect();
    let mut giving = JoinSet::new();
    for slot in attested {
        if let Some(member) = waiting.remove(&slot) {
            giving.spawn(give(member, certificate.clone()));
        }
    }
    while let Ok(Some(sent)) = timeout_at(deadline, sending.join_next()).await {
        let Ok((slot, result)) = sent else { continue };
        if let Err(reason) = result {
            tracing::debug!(slot, %reason, "a member did not attest");
        }
        if let Some(member) = waiting.remove(&slot) {
            giving.spawn(give(member, certificate.clone()));
        }
    }
    sending.shutdown().await;
    for member in waiting.into_values() {
        giving.spawn(give(member, certificate.clone()));
    }
    giving.join_all().await;
}

async fn give(member: Member, certificate: Bytes) {
    let reason = match timeout(CERTIFICATE_TIMEOUT, member.peer.put_certificate(certificate)).await {
        Ok(Ok(())) => return,
        Ok(Err(reason)) => reason,
        Err(_) => FailureReason::NoAnswer { within: CERTIFICATE_TIMEOUT },
    };
    tracing::debug!(slot = member.slot, endpoint = member.peer.endpoint(), %reason, "a member did not take the certificate");
}
