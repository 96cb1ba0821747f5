//! The vectors of `openPayload` and `openCommittedLeaf`.

use alloy::{
    primitives::{B256, U256},
    sol_types::SolValue as _,
};
use serde_json::Value;

use super::{Golden, list, unhex, word};
use crate::abi::{self, Registry};

impl Golden {
    pub(super) fn openings(&mut self, signed: &Value) {
        for vector in list(&signed["openings"]) {
            let number = |name: &str| vector[name].as_u64().unwrap();
            let blob = abi::Blob {
                payloadLength: number("payloadLength").try_into().unwrap(),
                payloadDigest: word(&vector["payloadDigest"]),
                originalShards: number("originalShards").try_into().unwrap(),
                totalShards: number("totalShards").try_into().unwrap(),
                shardsRoot: word(&vector["shardsRoot"]),
                fingerprintsHash: word(&vector["fingerprintsHash"]),
            };
            let opened = list(&vector["offsets"]).iter().zip(list(&vector["leaves"])).zip(list(&vector["paths"]));
            for ((offset, leaf), path) in opened {
                let offset = offset.as_u64().unwrap();
                let path = unhex(path).chunks(32).map(B256::from_slice).collect();
                let mut call = Registry::openPayloadCall {
                    blobId: word(&vector["blobId"]),
                    blob: blob.clone(),
                    offset: U256::from(offset),
                    leaf: unhex(leaf).into(),
                    path,
                };
                // The last is a recovery shard's, which lies past the payload and is none.
                let left = number("payloadLength").saturating_sub(offset);
                let expected = U256::from(left).min(U256::from(call.leaf.len()));
                self.check("an opening", &call, expected.abi_encode());
                let Registry::openPayloadCall { blobId, blob, offset, leaf, path } = call.clone();
                let committed = Registry::openCommittedLeafCall { blobId, blob, offset, leaf, path };
                self.check("a committed leaf", &committed, expected.abi_encode());
                call.blobId.0[0] ^= 1;
                self.check("of another blob", &call, U256::ZERO.abi_encode());
            }
        }
    }
}
