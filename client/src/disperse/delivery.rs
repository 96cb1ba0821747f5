use bytes::Bytes;
use holdfast_certificate::{Attestation, DisperserSignature, Statement};
use holdfast_erasure::{Dispersal, EncodedBlob};
use holdfast_proto::{digests_to_bytes, v1};

use super::certify::Deliver;
use crate::{failure::FailureReason, members::Member};

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
        member.peer.store_shard(header, Some(self.encoded.shard(index))).await
    }
}

impl Deliver for Delivery {
    fn statement(&self) -> &Statement {
        &self.statement
    }

    async fn deliver(&self, member: &Member) -> Result<Attestation, FailureReason> {
        match self.dispersal {
            Dispersal::ByShard => self.shard_to(member).await,
            Dispersal::ByPayload => {
                let header = v1::StorePayloadHeader {
                    statement: Some(self.wire_statement.clone()),
                    disperser_signature: self.disperser_signature.clone(),
                };
                member.peer.store_payload(header, Some(self.encoded.payload().clone())).await
            }
        }
    }
}
