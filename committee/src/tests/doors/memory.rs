//! Strangers that want this member's memory.

use tonic::Code;
use v1::store_shard_request::Part;

use super::{
    raw::{DATA, END_HEADERS, HEADERS, Raw, frame, headers, message},
    *,
};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn unread_reads_of_one_stranger_stop_nobody() {
    let besieged = Besieged::start(32 * MIB, |config| {
        config.limits.stall_deadline = Duration::from_secs(60);
    })
    .await;
    // 112 calls for a shard of 16 MiB each, none of which is ever read: by 8 connections, and by windows of nothing.
    let mut strangers = Vec::new();
    for connection in 0..8 {
        let window = if connection % 2 == 0 { 0 } else { 64 << 10 };
        let mut stranger = Raw::connect(besieged.member.addr(), STRANGER, window).await;
        for call in 0..14 {
            assert!(stranger.call(2 * call + 1, "/holdfast.v1.Retrieval/GetShard", &besieged.get_shard()).await);
        }
        strangers.push(stranger);
    }
    let shared = besieged.member.shared();
    until(|| shared.sending.used() >= 16 * MIB).await;
    besieged.still_serves("112 unread calls").await;
    let used = shared.sending.used();
    assert!(used <= 65 * MIB, "one address has {used} bytes of answers in flight");
    drop(strangers);
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eighty_streams_without_a_window_on_one_connection_stop_nobody() {
    let besieged = Besieged::start(32 * MIB, |config| {
        config.limits.stall_deadline = Duration::from_secs(1);
    })
    .await;
    let mut stranger = Raw::connect(besieged.member.addr(), STRANGER, 0).await;
    for call in 0..80 {
        stranger.call(2 * call + 1, "/holdfast.v1.Retrieval/GetShard", &besieged.get_shard()).await;
    }
    besieged.still_serves("80 streams with window 0").await;
    // And who takes nothing is cut off, with all that HTTP/2 held for it.
    until(|| stranger.is_closed()).await;
    until(|| besieged.member.shared().sending.used() == 0).await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_a_little_now_and_then_is_cut_off() {
    let besieged = Besieged::start(32 * MIB, |config| {
        config.limits.stall_deadline = Duration::from_secs(1);
    })
    .await;
    let mut stranger = Raw::connect(besieged.member.addr(), STRANGER, 0).await;
    assert!(stranger.call(1, "/holdfast.v1.Retrieval/GetShard", &besieged.get_shard()).await);
    let started = std::time::Instant::now();
    // A kilobyte each 50 ms is 20 KiB a second, and 128 are the least.
    let more = [0, 1].map(|stream| frame(super::raw::WINDOW_UPDATE, 0, stream, &1024u32.to_be_bytes())).concat();
    while stranger.send(&more).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(started.elapsed() < Duration::from_secs(20), "still served");
    }
    besieged.still_serves("a slow reader").await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_short_answers_hold_a_share_and_are_cut_off() {
    let besieged = Besieged::start(1, |config| {
        config.limits.stall_deadline = Duration::from_secs(4);
        config.limits.costly_calls_per_second = 1000;
    })
    .await;
    let mut stranger = Raw::connect(besieged.member.addr(), STRANGER, 0).await;
    for call in 0..100 {
        let request = v1::ListBlobsRequest { page_size: 1000, ..Default::default() };
        stranger.call(2 * call + 1, "/holdfast.v1.Retrieval/ListBlobs", &request).await;
    }
    // Each is charged for the longest that it could be: 384 KiB.
    let shared = besieged.member.shared();
    until(|| shared.sending.used() >= 30 * MIB).await;
    besieged.still_serves("unread lists").await;
    until(|| stranger.is_closed()).await;
    until(|| shared.sending.used() == 0).await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_without_bodies_take_no_memory() {
    let besieged = Besieged::start(1, |_| {}).await;
    // Each announces 16 MiB, as the allowed disperser of the one namespace, from another address each; and sends nothing.
    let encoded = coded(32 * MIB, 1, Dispersal::ByShard);
    let mut calls = Vec::new();
    for number in 0..64 {
        let retain_until = RETAIN + u64::from(number) * HOUR;
        let statement = Statement { retain_until, ..besieged.world.statement(&encoded) };
        let header = besieged.world.shard_header(&statement, &encoded);
        let peer = Peer::connect_from(&besieged.member, 100 + number).await;
        let part = v1::StoreShardRequest { part: Some(Part::Header(header)) };
        let stalled = futures::StreamExt::chain(stream::iter([part]), stream::pending());
        calls.push(tokio::spawn(async move { peer.dispersal.clone().store_shard(stalled).await }));
    }
    until(|| besieged.member.shared().receiving.used() > 64 * 800).await;
    let used = besieged.member.shared().receiving.used();
    assert!(used < 64 * 4096, "64 headers hold {used} bytes");
    besieged.still_serves("64 headers without bodies").await;
    calls.into_iter().for_each(|call| call.abort());
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_a_byte_a_second_ends() {
    let besieged = Besieged::start(1, |config| config.limits.stall_deadline = Duration::from_secs(1)).await;
    let encoded = coded(100_000, 7, Dispersal::ByShard);
    let header = besieged.world.shard_header(&besieged.world.statement(&encoded), &encoded);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(v1::StoreShardRequest { part: Some(Part::Header(header)) }).await.expect("sent");
    let drip = tokio::spawn(async move {
        for byte in shard(&encoded) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let part = Some(Part::Chunk(Bytes::copy_from_slice(&[byte])));
            if sender.send(v1::StoreShardRequest { part }).await.is_err() {
                return;
            }
        }
    });
    let peer = Peer::connect_from(&besieged.member, STRANGER).await;
    let call = peer.dispersal.clone().store_shard(tokio_stream::wrappers::ReceiverStream::new(receiver)).await;
    let status = call.expect_err("too slow");
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    drip.await.expect("it notices");
    besieged.still_serves("a dripping body").await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_messages_of_calls_that_need_none_hold_nothing() {
    let besieged = Besieged::start(1, |config| config.limits.stall_deadline = Duration::from_secs(2)).await;
    let mut strangers = Vec::new();
    for path in ["PutCertificate", "SignCheckpoint"] {
        let mut stranger = Raw::connect(besieged.member.addr(), STRANGER, 64 << 10).await;
        // The largest message that tonic's own limit would let come, announced, of which all but the last byte is sent.
        let announced = [&[0][..], &u32::try_from(MIB).expect("small").to_be_bytes()].concat();
        for call in 0..100 {
            let stream = 2 * call + 1;
            let path = format!("/holdfast.v1.Dispersal/{path}");
            stranger.send(&frame(HEADERS, END_HEADERS, stream, &headers(&path))).await;
            stranger.send(&frame(DATA, 0, stream, &announced)).await;
            stranger.send(&frame(DATA, 0, stream, &[0; 16_000])).await;
        }
        strangers.push(stranger);
    }
    let used = besieged.member.shared().receiving.used();
    assert!(used < 8 * MIB, "200 unfinished messages hold {used} bytes");
    besieged.still_serves("200 unfinished messages").await;
    until(|| besieged.member.shared().receiving.used() == 0).await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_refused() {
    let besieged = Besieged::start(1, |_| {}).await;
    let mut request = tonic::Request::new(besieged.get_shard());
    request.metadata_mut().insert("grpc-encoding", "gzip".parse().expect("ascii"));
    let status = besieged.honest.retrieval.clone().get_shard(request).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    // The flag alone, without a word of it in the headers.
    let mut stranger = Raw::connect(besieged.member.addr(), STRANGER, 64 << 10).await;
    let mut compressed = message(&besieged.get_shard());
    compressed[0] = 1;
    let call = [
        frame(HEADERS, END_HEADERS, 1, &headers("/holdfast.v1.Retrieval/GetShard")),
        frame(DATA, super::raw::END_STREAM, 1, &compressed),
    ];
    assert!(stranger.send(&call.concat()).await);
    until(|| stranger.received.load(Ordering::SeqCst) > 100).await;
    besieged.still_serves("compressed bodies").await;
    besieged.end().await;
}
