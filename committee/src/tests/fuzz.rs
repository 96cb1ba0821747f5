//! The state machines behind the calls, over real gRPC: streams in every order, and bytes that are no messages.

use std::{cell::Cell, convert::Infallible};

use holdfast_fuzz::Target;
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tokio::{runtime::Handle, task::block_in_place};
use tonic::{Code, body::Body};
use tower_service::Service as _;
use v1::store_shard_request::Part;

use super::{doors::raw, *};

/// What may be answered to nonsense; anything else would be this member's fault.
const REFUSALS: [Code; 8] = [
    Code::InvalidArgument,
    Code::OutOfRange,
    Code::NotFound,
    Code::PermissionDenied,
    Code::FailedPrecondition,
    Code::ResourceExhausted,
    Code::Cancelled,
    Code::Unimplemented,
];

async fn start(world: &World, folder: &Path) -> Running {
    let mut config = World::config(folder);
    // Here nobody is to be kept waiting.
    let limits = &mut config.limits;
    (limits.calls_per_second, limits.costly_calls_per_second, limits.frames_per_second) = (1 << 20, 1 << 20, 1 << 20);
    world.member(config, TestClock::at(NOW)).launch().await.expect("starts")
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(work))
}

/// One step of a stream.
fn part(step: u8, body: &mut Bytes, header: &v1::StoreShardHeader, foreign: &v1::StoreShardHeader) -> Option<Part> {
    let count = usize::from(step >> 3) * 13 + 1;
    match step & 7 {
        0 => Some(Part::Header(header.clone())),
        1 => Some(Part::Header(foreign.clone())),
        2 => Some(Part::Chunk(body.split_to(count.min(body.len())))),
        3 => Some(Part::Chunk(std::mem::take(body))),
        4 => {
            let wrong: Vec<u8> = body.split_to(count.min(body.len())).iter().map(|byte| byte ^ 1).collect();
            Some(Part::Chunk(wrong.into()))
        }
        5 => None,
        6 => Some(Part::Chunk(Bytes::new())),
        _ => Some(Part::Chunk(vec![7; body.len() + count].into())),
    }
}

/// Whether the steps are a header and then the body in its order, and no more.
fn is_honest(steps: &[u8], length: usize) -> bool {
    let Some((0, rest)) = steps.split_first().map(|(first, rest)| (first & 7, rest)) else { return false };
    let mut left = length;
    rest.iter().all(|step| match step & 7 {
        2 if left > 0 => {
            left -= (usize::from(step >> 3) * 13 + 1).min(left);
            true
        }
        3 if left > 0 => {
            left = 0;
            true
        }
        _ => false,
    }) && left == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn fuzz_streams_that_store() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let member = start(&world, folder.path()).await;
    let peer = Peer::connect(&member).await;
    let foreign = coded(700, 255, Dispersal::ByShard);
    let mut foreign = world.shard_header(&world.statement(&foreign), &foreign);
    foreign.disperser_signature = Bytes::from(vec![1; 65]);
    let number = Cell::new(0u32);
    let steps = |all: &[u8]| all.to_vec();
    let seeds = [
        steps(&[0, 3]),
        steps(&[0, 0xfa, 3]),
        steps(&[0, 0x12, 0x5a, 0xfa, 3]),
        steps(&[0, 4, 3]),
        steps(&[3, 0]),
        steps(&[0, 3, 5, 6, 7, 1]),
    ];
    Target::new("streams that store", seeds).cases(250).run(|script| {
        let steps = script.get(..24).unwrap_or(script);
        // Every stream has a blob of its own.
        number.set(number.get() + 1);
        let payload = Bytes::from([&number.get().to_be_bytes()[..], &payload(900, 3)].concat());
        let encoded =
            encode(Parameters::new(ORIGINAL, MEMBERS).expect("good"), payload, Dispersal::ByShard).expect("encodes");
        let (statement, whole) = (world.statement(&encoded), shard(&encoded));
        let (header, mut body) = (world.shard_header(&statement, &encoded), whole.clone());
        let messages: Vec<_> = steps
            .iter()
            .map(|step| v1::StoreShardRequest { part: part(*step, &mut body, &header, &foreign) })
            .collect();
        let answer = wait(peer.dispersal.clone().store_shard(stream::iter(messages)));
        let id = encoded.blob().id();
        match answer {
            Ok(answer) => {
                assert!(is_honest(steps, whole.len()), "stored: {steps:?}");
                world.verify(&statement, &answer.into_inner().attestation.expect("an attestation"));
                assert_eq!(wait(peer.get_shard(id, index(&encoded))).expect("there"), whole);
            }
            Err(status) => {
                assert!(!is_honest(steps, whole.len()), "refused: {steps:?}: {status}");
                assert!(REFUSALS.contains(&status.code()), "{status}");
                assert_eq!(wait(peer.get_blob(id)).expect_err("nothing was stored").code(), Code::NotFound);
            }
        }
    });
    until(|| member.shared().receiving.used() == 0 && member.shared().working.used() == 0).await;
    member.stop().await.expect("stops");
}

/// Sends a body as it is; the code, and what came back.
async fn send(channel: &Channel, path: &str, body: &[u8]) -> (Code, Bytes) {
    let body = Body::new(Full::new(Bytes::copy_from_slice(body)).map_err(|never: Infallible| match never {}));
    let request = http::Request::post(format!("http://member{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let mut channel = channel.clone();
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.expect("the connection stays");
    let response = channel.call(request.body(body).expect("a request")).await;
    let (head, body) = response.expect("the connection stays").into_parts();
    let collected = tokio::time::timeout(Duration::from_secs(30), body.collect()).await.expect("in time");
    let Ok(collected) = collected else { return (Code::Cancelled, Bytes::new()) };
    let trailers = collected.trailers().cloned().unwrap_or(head.headers);
    let code = Status::from_header_map(&trailers).map_or(Code::Unknown, |status| status.code());
    (code, collected.to_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn fuzz_bodies_that_are_no_messages() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let member = start(&world, folder.path()).await;
    let peer = Peer::connect(&member).await;
    let encoded = coded(3000, 1, Dispersal::ByPayload);
    let statement = world.statement(&encoded);
    peer.store(&world, &encoded, &statement).await;
    let (blob_id, whole) = (Bytes::copy_from_slice(encoded.blob().id().as_bytes()), shard(&encoded));
    let (namespace, shard_index) = (Bytes::copy_from_slice(world.namespace.as_bytes()), u32::from(index(&encoded)));
    let fresh = coded(3000, 2, Dispersal::ByShard);
    let header = Part::Header(world.shard_header(&world.statement(&fresh), &fresh));
    let stored = [header, Part::Chunk(shard(&fresh))]
        .map(|part| raw::message(&v1::StoreShardRequest { part: Some(part) }))
        .concat();
    let calls = [
        (
            "Retrieval/GetBlob",
            raw::message(&v1::GetBlobRequest { blob_id: blob_id.clone(), namespace: namespace.clone() }),
        ),
        ("Retrieval/GetShard", raw::message(&v1::GetShardRequest { blob_id: blob_id.clone(), shard_index })),
        ("Retrieval/GetPayload", raw::message(&v1::GetPayloadRequest { blob_id: blob_id.clone() })),
        ("Retrieval/GetLeaf", raw::message(&v1::GetLeafRequest { blob_id, shard_index, leaf_number: 0 })),
        (
            "Retrieval/ListBlobs",
            raw::message(&v1::ListBlobsRequest {
                namespace: namespace.clone(),
                page_size: 3,
                page_token: vec![0; 8].into(),
            }),
        ),
        (
            "Retrieval/FindBlobs",
            raw::message(&v1::FindBlobsRequest {
                namespace: namespace.clone(),
                payload_digest: Bytes::copy_from_slice(encoded.blob().payload_digest.as_bytes()),
            }),
        ),
        ("Dispersal/StoreShard", stored),
        ("Dispersal/PutCertificate", raw::message(&v1::PutCertificateRequest { certificate: vec![1; 210].into() })),
        (
            "Dispersal/SignCheckpoint",
            raw::message(&v1::SignCheckpointRequest {
                namespace,
                epoch: EPOCH,
                blob_ids: vec![7; 64].into(),
                retain_until: RETAIN,
                disperser_signature: vec![1; 65].into(),
            }),
        ),
        ("Node/GetInfo", raw::message(&v1::GetInfoRequest {})),
    ];
    for (name, seed) in &calls {
        let path = format!("/holdfast.v1.{name}");
        let seeds = calls.iter().map(|(_, other)| other.clone()).filter(|other| other != seed);
        // Its own message first, and most often.
        let seeds: Vec<Vec<u8>> = std::iter::repeat_n(seed.clone(), 2 * calls.len()).chain(seeds).collect();
        Target::new("bodies", seeds).cases(100).run(|bytes| {
            let (code, answer) = wait(send(&peer.channel, &path, bytes));
            assert!(code == Code::Ok || REFUSALS.contains(&code), "{name}: {code:?}");
            if *name == "Retrieval/GetShard" && code == Code::Ok && !answer.is_empty() {
                let message = v1::GetShardResponse::decode(&answer[5..]).expect("a message");
                assert_eq!(message.chunk, whole, "the right bytes or none");
            }
        });
    }
    // It is as it was.
    peer.store(&world, &fresh, &world.statement(&fresh)).await;
    until(|| member.shared().receiving.used() == 0 && member.shared().sending.used() == 0).await;
    member.stop().await.expect("stops");
}
