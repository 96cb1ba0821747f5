//! Bodies that are not read, not sent, or sent by the byte.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use holdfast_proto::v1::{self, store_shard_request::Part};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    raw::{DATA, END_HEADERS, END_STREAM, HEADERS, Raw, frame, header, headers, message},
    siege::Siege,
    support::{MIB, noise},
};

#[test]
fn shards_that_are_asked_for_and_not_read() {
    let siege = Siege::begin();
    let request = siege.known_shard();
    // Of four addresses four connections each, with 28 calls for 32 MiB on each: of windows of nothing and of usual ones.
    let unread: Vec<Raw> = (0..16u8)
        .map(|number| {
            let (member, last) = (siege.member, 40 + number % 4);
            let window = if number < 8 { 0 } else { 64 << 10 };
            siege.strangers.block_on(async {
                let mut stranger = Raw::connect(member, last, window).await;
                for call in 0..28 {
                    stranger.call(2 * call + 1, "/holdfast.v1.Retrieval/GetShard", &request).await;
                }
                stranger
            })
        })
        .collect();
    siege.endure("448 shards of 32 MiB that nobody reads");
    drop(unread);
}

#[test]
fn lists_that_are_asked_for_and_not_read() {
    let siege = Siege::begin();
    let request = v1::ListBlobsRequest { page_size: 1000, ..Default::default() };
    let unread: Vec<Raw> = (0..8u8)
        .map(|number| {
            let (member, last) = (siege.member, 50 + number);
            siege.strangers.block_on(async {
                let mut stranger = Raw::connect(member, last, 0).await;
                for call in 0..100 {
                    stranger.call(2 * call + 1, "/holdfast.v1.Retrieval/ListBlobs", &request).await;
                }
                stranger
            })
        })
        .collect();
    siege.endure("800 lists that nobody reads");
    drop(unread);
}

#[test]
fn headers_that_announce_32_mib_and_no_byte_of_it() {
    let siege = Siege::begin();
    let encoded = siege.world.coded(&noise(32 * MIB, 77));
    for number in 0..64u8 {
        // By the namespace's own disperser, from another address each.
        let part =
            v1::StoreShardRequest { part: Some(Part::Header(siege.world.header(&encoded, 48 + u64::from(number)))) };
        let mut client = siege.dispersal(100 + number);
        siege.strangers.spawn(async move {
            let stalled = stream::iter([part]).chain(stream::pending());
            client.store_shard(stalled).await
        });
    }
    siege.endure("64 headers for 32 MiB each");
}

#[test]
fn bodies_at_some_bytes_a_second() {
    let siege = Siege::begin();
    let encoded = siege.world.coded(&noise(MIB, 78));
    for number in 0..32u8 {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let header = siege.world.header(&encoded, 48 + u64::from(number));
        let mut client = siege.dispersal(60 + number % 4);
        siege.strangers.spawn(async move { client.store_shard(ReceiverStream::new(receiver)).await });
        siege.strangers.spawn(async move {
            let mut part = Part::Header(header);
            while sender.send(v1::StoreShardRequest { part: Some(part) }).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                part = Part::Chunk(vec![1].into());
            }
        });
    }
    siege.endure("32 bodies by the byte");
}

#[test]
fn messages_that_are_announced_and_never_finished() {
    let siege = Siege::begin();
    let announced = [&[0][..], &(4u32 << 20).to_be_bytes()].concat();
    let unfinished: Vec<Raw> = (0..32u8)
        .map(|number| {
            let (member, last) = (siege.member, 64 + number % 8);
            siege.strangers.block_on(async {
                let mut stranger = Raw::connect(member, last, 64 << 10).await;
                for (call, path) in
                    (0..96).zip(["StoreShard", "StorePayload", "PutCertificate", "SignCheckpoint"].iter().cycle())
                {
                    let stream = 2 * call + 1;
                    let path = format!("/holdfast.v1.Dispersal/{path}");
                    let call = [
                        frame(HEADERS, END_HEADERS, stream, &headers(&path)),
                        frame(DATA, 0, stream, &announced),
                        frame(DATA, 0, stream, &[0; 16_000]),
                    ];
                    if !stranger.send(&call.concat()).await {
                        break;
                    }
                }
                stranger
            })
        })
        .collect();
    siege.endure("3072 unfinished messages");
    drop(unfinished);
}

/// Headers of a call with nearly as many others as are taken, each short and none that means anything.
fn bomb(path: &str) -> Vec<u8> {
    let mut all = headers(path);
    // 34 bytes each by HTTP/2's count, of 8 KiB.
    for number in 0..210u16 {
        let [a, b] = number.to_be_bytes().map(|byte| b'a' + byte % 26);
        all.extend(header(&char::from(a).to_string(), &char::from(b).to_string()));
    }
    all
}

/// Connections from seven addresses, as many of each as it may have, with so many calls each.
fn everywhere(siege: &Siege, calls: u32, window: u32, call: impl Fn(u32) -> Vec<u8>) -> Vec<Raw> {
    let connections = (0..7u8).flat_map(|address| (0..64).map(move |_| 200 + address));
    connections
        .filter_map(|last| {
            siege.strangers.block_on(async {
                let mut stranger = Raw::try_connect(siege.member, last, window).await?;
                let all: Vec<u8> = (0..calls).flat_map(|number| call(2 * number + 1)).collect();
                stranger.send(&all).await.then_some(stranger)
            })
        })
        .collect()
}

#[test]
fn header_bombs_from_four_hundred_connections() {
    let siege = Siege::begin();
    let bomb = bomb("/holdfast.v1.Dispersal/StoreShard");
    let open = everywhere(&siege, 96, 64 << 10, |stream| frame(HEADERS, END_HEADERS, stream, &bomb));
    siege.endure(&format!("96 header bombs on each of {} connections", open.len()));
}

#[test]
fn everything_at_once() {
    let siege = Siege::begin();
    let shard = message(&siege.known_shard());
    let list = message(&v1::ListBlobsRequest { page_size: 1000, ..Default::default() });
    let checkpoint = v1::SignCheckpointRequest { blob_ids: vec![7; 4096 * 32].into(), ..Default::default() };
    let checkpoint = message(&checkpoint);
    let bomb = bomb("/holdfast.v1.Dispersal/StorePayload");
    let announced = [&[0][..], &(4u32 << 20).to_be_bytes(), &[0; 1000]].concat();
    let asked = |path: &str, stream, body: &[u8]| {
        let data: Vec<u8> = body.chunks(16 << 10).flat_map(|part| frame(DATA, 0, stream, part)).collect();
        [frame(HEADERS, END_HEADERS, stream, &headers(path)), data, frame(DATA, END_STREAM, stream, &[])].concat()
    };
    let open = everywhere(&siege, 64, 0, |stream| match stream % 10 {
        1 => asked("/holdfast.v1.Retrieval/GetShard", stream, &shard),
        3 => asked("/holdfast.v1.Retrieval/ListBlobs", stream, &list),
        5 => [
            frame(HEADERS, END_HEADERS, stream, &headers("/holdfast.v1.Dispersal/StoreShard")),
            frame(DATA, 0, stream, &announced),
        ]
        .concat(),
        // Not on every connection: they share a window that nothing gives back.
        7 if stream < 10 => asked("/holdfast.v1.Dispersal/SignCheckpoint", stream, &checkpoint),
        _ => frame(HEADERS, END_HEADERS, stream, &bomb),
    });
    siege.endure(&format!("everything at once, on {} connections", open.len()));
}
