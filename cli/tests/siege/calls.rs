//! Calls that cost the member work, as many as it takes.

use std::net::SocketAddr;

use holdfast_proto::v1;
use prost::Message;

use crate::{raw::Raw, siege::Siege};

/// Connections that ask at once, from as many addresses.
const ASKERS: u8 = 4;

/// Asks again and again, on new connections when the member hangs up, and reads all answers.
pub(crate) async fn ask(member: SocketAddr, last: u8, path: &'static str, request: impl Message) {
    loop {
        let Some(mut asker) = Raw::try_connect(member, last, 1 << 20).await else {
            // Refused for a while.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        for call in 0.. {
            if !asker.call(2 * call + 1, path, &request).await {
                break;
            }
            if call % 32 == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
    }
}

fn endure(name: &str, path: &'static str, request: &(impl Message + Clone + 'static)) {
    let siege = Siege::begin();
    for last in 0..ASKERS {
        siege.strangers.spawn(ask(siege.member, 80 + last, path, request.clone()));
    }
    siege.endure(name);
}

#[test]
fn lists_without_end() {
    let request = v1::ListBlobsRequest { page_size: 1000, ..Default::default() };
    endure("ListBlobs", "/holdfast.v1.Retrieval/ListBlobs", &request);
}

#[test]
fn certificates_that_are_none() {
    let request = v1::PutCertificateRequest { certificate: vec![1; 210].into() };
    endure("PutCertificate", "/holdfast.v1.Dispersal/PutCertificate", &request);
}

#[test]
fn leaves_of_a_large_shard() {
    let siege = Siege::begin();
    let v1::GetShardRequest { blob_id, shard_index } = siege.known_shard();
    for last in 0..ASKERS {
        let request = v1::GetLeafRequest { blob_id: blob_id.clone(), shard_index, leaf_number: 7 };
        siege.strangers.spawn(ask(siege.member, 80 + last, "/holdfast.v1.Retrieval/GetLeaf", request));
    }
    siege.endure("GetLeaf");
}

#[test]
fn checkpoints_of_blobs_that_are_not_there() {
    let ids: Vec<u8> = (0..4096u32).flat_map(|number| [&number.to_be_bytes()[..], &[0; 28]].concat()).collect();
    let request = v1::SignCheckpointRequest { blob_ids: ids.into(), ..Default::default() };
    endure("SignCheckpoint", "/holdfast.v1.Dispersal/SignCheckpoint", &request);
}

#[test]
fn what_does_not_exist() {
    endure("unknown calls", "/holdfast.v1.Dispersal/Steal", &v1::GetInfoRequest {});
}
