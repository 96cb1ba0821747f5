//! Strangers that send frames instead of calls: each flood ends with its connection, after a number of frames that is bounded.

use super::{
    raw::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE,
        frame, header, headers,
    },
    *,
};

/// More than the buffers of both ends hold, by far: what is in them when the member hangs up counts as sent.
const MANY: u32 = 1_000_000;

/// Sends what `next` gives, in batches, until the member hangs up; says how many that were.
async fn flood(stranger: &mut Raw, most: u32, mut next: impl FnMut(u32) -> Vec<u8>) -> u32 {
    for batch in 0..most / 100 {
        let frames: Vec<u8> = (0..100).flat_map(|number| next(batch * 100 + number)).collect();
        if !stranger.send(&frames).await {
            return batch * 100;
        }
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_that_carry_nothing_end_their_connection() {
    let besieged = Besieged::start(1, |config| config.limits.frames_per_second = 100).await;
    let ping = frame(PING, 0, 0, &[7; 8]);
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]);
    let window = frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes());
    let priority = frame(PRIORITY, 0, 5, &[0, 0, 0, 0, 1]);
    let floods = [("PING", ping), ("SETTINGS", settings), ("WINDOW_UPDATE", window), ("PRIORITY", priority)];
    // Each from another address: one that has flooded is not heard for a while.
    for (last, (name, bytes)) in (STRANGER..).zip(floods) {
        let mut stranger = Raw::connect(besieged.member.addr(), last, 64 << 10).await;
        let taken = flood(&mut stranger, MANY, |_| bytes.clone()).await;
        assert!(taken < MANY, "{taken} {name} frames were taken");
        besieged.still_serves(name).await;
    }
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rapid_reset_flood_ends_its_connection() {
    let besieged = Besieged::start(1, |config| config.limits.frames_per_second = 100).await;
    let mut stranger = Raw::connect(besieged.member.addr(), STRANGER, 64 << 10).await;
    let open = headers("/holdfast.v1.Node/GetInfo");
    let taken = flood(&mut stranger, MANY, |number| {
        let stream = 2 * number + 1;
        [frame(HEADERS, END_HEADERS, stream, &open), frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
    })
    .await;
    assert!(taken < MANY, "{taken} calls were begun and reset");
    besieged.still_serves("rapid resets").await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_continuation_flood_and_a_header_bomb_are_refused() {
    let besieged = Besieged::start(1, |_| {}).await;
    // A header block that never ends.
    let mut stranger = Raw::connect(besieged.member.addr(), STRANGER, 64 << 10).await;
    assert!(stranger.send(&frame(HEADERS, 0, 1, &headers("/holdfast.v1.Node/GetInfo"))).await);
    let more = header("x", &"y".repeat(100));
    let taken = flood(&mut stranger, MANY, |_| frame(CONTINUATION, 0, 1, &more)).await;
    assert!(taken < MANY, "{taken} CONTINUATION frames were taken");
    besieged.still_serves("CONTINUATION").await;
    // A large header, indexed once and then named by a byte again and again.
    let mut stranger = Raw::connect(besieged.member.addr(), STRANGER + 1, 64 << 10).await;
    let mut bomb = headers("/holdfast.v1.Node/GetInfo");
    bomb.extend([0x40, 1, b'x', 0x7f, 0x81, 0x17]);
    bomb.extend([b'y'; 3072]);
    bomb.extend([0xbe; 8000]);
    // The member may hang up while it is being sent.
    let _sent = stranger.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb)).await;
    until(|| stranger.is_closed() || stranger.received.load(Ordering::SeqCst) > 100).await;
    besieged.still_serves("a header bomb").await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_and_tiny_data_frames_end_their_connection() {
    let besieged = Besieged::start(1, |config| config.limits.frames_per_second = 100).await;
    for (last, size) in (STRANGER..).zip([0, 1]) {
        let mut stranger = Raw::connect(besieged.member.addr(), last, 64 << 10).await;
        let open = headers("/holdfast.v1.Dispersal/StoreShard");
        assert!(stranger.send(&frame(HEADERS, END_HEADERS, 1, &open)).await);
        let taken = flood(&mut stranger, MANY, |_| frame(DATA, 0, 1, &vec![0; size])).await;
        assert!(taken < MANY, "{taken} DATA frames of {size} bytes were taken");
        besieged.still_serves("tiny DATA frames").await;
    }
    besieged.end().await;
}
