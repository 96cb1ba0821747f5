//! Peers that would hold up a stop.

use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{raw::Raw, *};

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_is_told_and_holds_up_nothing() {
    let besieged = Besieged::start(1, |_| {}).await;
    let channel = Peer::connect_from(&besieged.member, STRANGER).await.channel;
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = HealthClient::new(channel).watch(request).await.expect("watches").into_inner();
    let first = watch.message().await.expect("told").expect("a status");
    assert_eq!(first.status(), ServingStatus::Serving);
    let last = tokio::spawn(async move { watch.message().await.expect("told").expect("a status").status() });
    besieged.end().await;
    assert_eq!(last.await.expect("joined"), ServingStatus::NotServing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_answers_nothing_holds_up_nothing() {
    let besieged = Besieged::start(1, |_| {}).await;
    let mut silent = Raw::connect(besieged.member.addr(), STRANGER, 64 << 10).await;
    assert!(silent.call(1, "/holdfast.v1.Node/GetInfo", &v1::GetInfoRequest {}).await);
    until(|| silent.received.load(Ordering::SeqCst) > 100).await;
    besieged.end().await;
    until(|| silent.is_closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_is_finished_and_one_that_hangs_is_cut_off() {
    use v1::store_shard_request::Part;
    let besieged = Besieged::start(1, |config| config.limits.drain_deadline = Duration::from_secs(2)).await;
    let encoded = coded(10_000, 9, Dispersal::ByShard);
    let header = besieged.world.shard_header(&besieged.world.statement(&encoded), &encoded);
    let part = v1::StoreShardRequest { part: Some(Part::Header(header)) };
    let stalled = futures::StreamExt::chain(stream::iter([part]), stream::pending());
    let peer = besieged.honest.clone();
    let call = tokio::spawn(async move { peer.dispersal.clone().store_shard(stalled).await });
    until(|| besieged.member.shared().receiving.used() > 0).await;
    let stopped = besieged.member.stop().await;
    assert!(matches!(stopped, Err(crate::Error::NotDrained { .. })), "{stopped:?}");
    assert!(call.await.expect("joined").is_err());
}
