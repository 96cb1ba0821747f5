use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Attestation, DisperserSignature, Statement};
use holdfast_erasure::{Dispersal, EncodedBlob};
use holdfast_proto::{digests_to_bytes, v1};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{failure::FailureReason, members::Member, round::Sending};

/// How long one member may take to take a certificate.
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(5);

/// One signed statement and its data, ready to be sent to any member. Shards and payload are shared, never copied.
#[derive(Debug)]
pub(crate) struct Delivery {
    statement: Statement,
    wire_statement: v1::Statement,
    disperser_signature: Bytes,
    shard_roots: Bytes,
    encoded: EncodedBlob,
    dispersal: Dispersal,
}

impl Delivery {
    pub(crate) fn new(
        statement: Statement,
        signature: &DisperserSignature,
        encoded: EncodedBlob,
        dispersal: Dispersal,
    ) -> Self {
        Self {
            wire_statement: (&statement).into(),
            statement,
            disperser_signature: Bytes::copy_from_slice(&signature.to_bytes()),
            shard_roots: digests_to_bytes(encoded.commitment().shard_roots()),
            encoded,
            dispersal,
        }
    }

    pub(crate) fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Sends the member its part and returns its attestation; neither slot nor signature is verified.
    pub(crate) async fn to(&self, member: &Member) -> Result<Attestation, FailureReason> {
        match self.dispersal {
            Dispersal::ByShard => self.shard_to(member).await,
            Dispersal::ByPayload => {
                let header = v1::StorePayloadHeader {
                    statement: Some(self.wire_statement.clone()),
                    disperser_signature: self.disperser_signature.clone(),
                };
                member.peer.store_payload(header, self.encoded.payload().clone()).await
            }
        }
    }

    async fn shard_to(&self, member: &Member) -> Result<Attestation, FailureReason> {
        let commitment = self.encoded.commitment();
        let index = commitment.parameters().shard_of_slot(member.slot, &commitment.blob().shards_root);
        let header = v1::StoreShardHeader {
            statement: Some(self.wire_statement.clone()),
            disperser_signature: self.disperser_signature.clone(),
            shard_index: index.get().into(),
            shard_roots: self.shard_roots.clone(),
            fingerprints: commitment.fingerprints().clone(),
        };
        member.peer.store_shard(header, self.encoded.shard(index)).await
    }
}

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
