//! Frames of HTTP/2 that cost work and carry nothing, sent again on a new connection whenever the member hangs up.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt as _;

use crate::{
    raw::{
        CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
        header, headers, tcp,
    },
    siege::Siege,
};

/// Connections that flood at once, from as many addresses.
const FLOODS: u8 = 4;
/// Frames in one write.
const BATCH: u32 = 200;
/// What they may take of a core, with the honest puts and gets beside them.
const MOST_CORES: f64 = 0.5;

/// Nothing that the member says is ever read.
async fn flood(member: SocketAddr, last: u8, first: Vec<u8>, next: fn(u32) -> Vec<u8>) {
    loop {
        let Ok(mut stream) = tcp(member, [127, 0, 4, last]).await else { return };
        if stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &first].concat()).await.is_err() {
            continue;
        }
        for batch in 0.. {
            let frames: Vec<u8> = (0..BATCH).flat_map(|number| next(batch * BATCH + number)).collect();
            if stream.write_all(&frames).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

fn endure(name: &str, first: &[u8], next: fn(u32) -> Vec<u8>) {
    let siege = Siege::begin();
    for last in 0..FLOODS {
        siege.strangers.spawn(flood(siege.member, 10 + last, first.to_vec(), next));
    }
    siege.endure(name);
    // An address that has sent too many is not heard for a while, so four of them cost little.
    let cores = siege.cores();
    assert!(cores < MOST_CORES, "{name} take {cores:.2} cores");
}

#[test]
fn a_flood_of_settings() {
    endure("SETTINGS floods", &[], |_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]));
}

#[test]
fn a_flood_of_pings() {
    endure("PING floods", &[], |_| frame(PING, 0, 0, &[7; 8]));
}

#[test]
fn floods_of_priorities_and_windows() {
    endure("PRIORITY and WINDOW_UPDATE floods", &[], |_| {
        [frame(PRIORITY, 0, 5, &[0, 0, 0, 0, 1]), frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes())].concat()
    });
}

#[test]
fn a_flood_of_resets() {
    endure("reset floods", &[], |number| {
        let stream = 2 * number + 1;
        let open = frame(HEADERS, END_HEADERS, stream, &headers("/holdfast.v1.Node/GetInfo"));
        [open, frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
    });
}

#[test]
fn a_flood_of_continuations() {
    let open = frame(HEADERS, 0, 1, &headers("/holdfast.v1.Node/GetInfo"));
    endure("CONTINUATION floods", &open, |_| frame(CONTINUATION, 0, 1, &header("x", &"y".repeat(100))));
}

#[test]
fn a_flood_of_tiny_data() {
    let open = frame(HEADERS, END_HEADERS, 1, &headers("/holdfast.v1.Dispersal/StoreShard"));
    endure("tiny DATA", &open, |_| frame(DATA, 0, 1, &[0]));
}
