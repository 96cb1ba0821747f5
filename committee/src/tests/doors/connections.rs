//! Strangers that want this member's connections and descriptors.

use super::{
    raw::{PREFACE, Raw, tcp},
    *,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_leave_room_for_others() {
    let besieged = Besieged::start(1, |config| {
        config.limits.connections = 100;
        config.limits.connections_reserved = 10;
        config.limits.connections_per_address = 20;
        config.limits.opening_deadline = Duration::from_secs(60);
    })
    .await;
    // Twenty from each address are the most, and ninety of all.
    let mut idle = Vec::new();
    for number in 0..1000u16 {
        let [_, last] = (number % 50 + 100).to_be_bytes();
        idle.push(tcp(besieged.member.addr(), [127, 0, 1, last]).await.expect("the system connects"));
    }
    let open = |member: &Running| member.connections();
    until(|| open(&besieged.member) >= 90).await;
    assert!(open(&besieged.member) <= 91, "{}", open(&besieged.member));
    // Honest dispersers have a reserve.
    let small = coded(1, 200, Dispersal::ByShard);
    let disperser = Peer::connect(&besieged.member).await;
    disperser.store(&besieged.world, &small, &besieged.world.statement(&small)).await;
    drop(idle);
    until(|| open(&besieged.member) <= 3).await;
    besieged.still_serves("what is left").await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_all_connections() {
    let besieged = Besieged::start(1, |config| {
        config.limits.connections_per_address = 20;
        config.limits.opening_deadline = Duration::from_secs(60);
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(tcp(besieged.member.addr(), [127, 0, 0, STRANGER]).await.expect("the system connects"));
    }
    until(|| besieged.member.connections() >= 20).await;
    besieged.still_serves("1000 connections of one address").await;
    assert!(besieged.member.connections() <= 22, "{}", besieged.member.connections());
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_finishes_its_preface_or_its_first_call_is_closed() {
    let besieged = Besieged::start(1, |config| config.limits.opening_deadline = Duration::from_secs(1)).await;
    let mut waiting = Vec::new();
    for part in [0, 10, PREFACE.len()] {
        let stream = tcp(besieged.member.addr(), [127, 0, 0, STRANGER]).await.expect("connects");
        stream.writable().await.expect("open");
        assert_eq!(stream.try_write(&PREFACE[..part]).expect("sent"), part);
        waiting.push(stream);
    }
    let settled = Raw::connect(besieged.member.addr(), STRANGER, 0).await;
    besieged.still_serves("silent connections").await;
    for mut stream in waiting {
        let mut rest = Vec::new();
        let ended = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
        // Closed or reset, as the system has it.
        let _ended = tokio::time::timeout(Duration::from_secs(10), ended).await.expect("closed in time");
    }
    until(|| settled.is_closed()).await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_nothing_is_asked_is_closed_and_opened_again_when_needed() {
    let besieged = Besieged::start(1, |config| config.limits.idle_deadline = Duration::from_secs(1)).await;
    until(|| besieged.member.connections() == 0).await;
    // The honest peer's channel connects again by itself.
    besieged.still_serves("idle connections").await;
    besieged.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_are_shed_and_counted_and_others_are_not_kept_waiting() {
    let besieged = Besieged::start(1, |config| {
        config.limits.calls_per_second = 20;
        config.limits.costly_calls_per_second = 2;
    })
    .await;
    let stranger = Peer::connect_from(&besieged.member, STRANGER).await;
    let mut shed = 0u64;
    for _ in 0..100 {
        let list = stranger.retrieval.clone().list_blobs(v1::ListBlobsRequest::default()).await;
        if let Err(status) = list {
            assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status}");
            assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
            shed += 1;
        }
    }
    assert!(shed > 80, "{shed} of 100");
    let counted = besieged.member.shared().shed.counted();
    assert_eq!(counted, [("/holdfast.v1.Retrieval/ListBlobs", shed)]);
    besieged.still_serves("too many lists").await;
    besieged.end().await;
}
