//! Connections that are opened and not used.

use crate::{
    raw::{PREFACE, tcp},
    siege::Siege,
    support::wait_until,
};

/// All that strangers may have of the member's 512 connections.
const STRANGERS: usize = 512 - 64;

#[test]
fn a_thousand_idle_connections() {
    let siege = Siege::begin();
    let before = siege.descriptors();
    let idle: Vec<_> = (0..1000u16)
        .filter_map(|number| {
            let [_, last] = (number % 20 + 10).to_be_bytes();
            // Some say nothing at all and some begin.
            let stream = siege.strangers.block_on(tcp(siege.member, [127, 0, 2, last])).ok()?;
            if number % 2 == 0 {
                let _sent = stream.try_write(PREFACE);
            }
            Some(stream)
        })
        .collect();
    assert!(idle.len() > 900, "{} connections", idle.len());
    siege.endure("a thousand idle connections");
    let open = siege.descriptors().saturating_sub(before);
    assert!(open <= STRANGERS + 16, "{open} more descriptors are open");
    drop(idle);
    wait_until("the connections are gone", || siege.descriptors() <= before + 4);
}

#[test]
fn connections_that_come_and_go_as_fast_as_they_can() {
    let siege = Siege::begin();
    for last in 10..14 {
        let member = siege.member;
        siege.strangers.spawn(async move {
            loop {
                let _closed = tcp(member, [127, 0, 3, last]).await;
                tokio::task::yield_now().await;
            }
        });
    }
    siege.endure("connections that come and go");
}
