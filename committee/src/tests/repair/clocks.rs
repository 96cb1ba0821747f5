//! Members whose clocks differ.

use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{super::*, committee::Committee};

const DAY: u64 = 86_400;

fn ahead(committee: &Committee, slot: u16) -> i64 {
    let attestor = &committee.members[&slot].shared().attestor;
    attestor.peers.ahead(&*attestor.clock)
}

fn heard(committee: &Committee, slot: u16) -> usize {
    committee.members[&slot].shared().attestor.peers.heard()
}

async fn signs(committee: &Committee, slot: u16) -> bool {
    let peer = Peer::connect(&committee.members[&slot]).await;
    let request = HealthCheckRequest { service: "holdfast.v1.Dispersal".into() };
    let status = HealthClient::new(peer.channel.clone()).check(request).await.expect("health").into_inner().status();
    status == ServingStatus::Serving
}

async fn until_signing(committee: &Committee, slot: u16, expected: bool) {
    let met = async {
        while signs(committee, slot).await != expected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(30), met).await;
    within.unwrap_or_else(|_| panic!("expected signing to be {expected}; ahead by {}", ahead(committee, slot)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_most_peers_contradict_stops_signing_until_it_is_set() {
    let mut committee = Committee::start().await;
    let payload = payload(1000, 1);
    let certificate = committee.put(payload.clone(), Dispersal::ByShard).await;
    committee.until_held(SLOT, &certificate).await;
    committee.down(SLOT).await;
    let now = committee.clock.now();
    let own = TestClock::at(now + 120);
    committee.up_at(SLOT, &own).await;
    until_signing(&committee, SLOT, false).await;
    assert_eq!(ahead(&committee, SLOT), 120);
    let peer = Peer::connect(&committee.members[&SLOT]).await;
    let info = v1::node_client::NodeClient::new(peer.channel.clone()).get_info(v1::GetInfoRequest {}).await;
    let told = info.expect("it answers").into_inner().writes_disabled;
    assert!(told.contains("120 s ahead of those of most other members"), "{told}");
    // It reads all the same, and the others go on without it.
    assert!(committee.holds(SLOT, &certificate).await);
    committee.put(super::super::payload(1000, 2), Dispersal::ByShard).await;
    own.set(now);
    until_signing(&committee, SLOT, true).await;
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minority_of_clocks_that_lie_stops_nobody_but_itself() {
    let mut committee = Committee::start().await;
    let now = committee.clock.now();
    for (slot, lie) in [(0, now + DAY), (2, now - DAY)] {
        committee.down(slot).await;
        committee.up_at(slot, &TestClock::at(lie)).await;
    }
    // Both have been heard when they know themselves that they are wrong.
    until_signing(&committee, 0, false).await;
    until_signing(&committee, 2, false).await;
    committee.down(SLOT).await;
    committee.up(SLOT).await;
    until(|| heard(&committee, SLOT) == 4).await;
    assert_eq!(ahead(&committee, SLOT), 0);
    assert!(signs(&committee, SLOT).await);
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_beside_a_clock_that_most_peers_contradict_signs_nothing_and_calls_nothing_over() {
    for ahead in [120, 60 * DAY] {
        let mut committee = Committee::start().await;
        committee.down(SLOT).await;
        let certificate = committee.put(payload(1000, 4), Dispersal::ByShard).await;
        let digest = certificate.statement.digest(&committee.world.registry.domain());
        let now = committee.clock.now();
        // Wrong before the first list is read.
        let own = TestClock::at(now + ahead);
        committee.up_at(SLOT, &own).await;
        let tries = || committee.members[&SLOT].shared().repair.tries(&digest);
        // The pauses between them are longer than that after which it is looked for what is over.
        until(|| tries().is_some_and(|tries| tries >= 4)).await;
        assert!(!committee.holds(SLOT, &certificate).await, "{ahead} s ahead");
        assert_eq!((committee.progress(SLOT).queued, committee.progress(SLOT).repaired), (1, 0), "{ahead} s ahead");
        own.set(now);
        committee.until_held(SLOT, &certificate).await;
        committee.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_not_over_by_a_clock_that_most_peers_contradict() {
    let mut committee = Committee::start().await;
    let certificate = committee.put(payload(1000, 5), Dispersal::ByShard).await;
    let digest = certificate.statement.digest(&committee.world.registry.domain());
    committee.until_held(SLOT, &certificate).await;
    committee.down(SLOT).await;
    committee.wipe(SLOT);
    let now = committee.clock.now();
    // So nothing is repaired, and the loss stays open.
    let own = TestClock::at(now + 120);
    let clock = Arc::clone(&own) as Arc<dyn Clock>;
    let member = committee.member(SLOT, committee.config(SLOT), IfMissing::Replace).with_clock(clock);
    let running = member.launch().await.expect("starts");
    committee.registry.put(SLOT, running.endpoint());
    committee.members.insert(SLOT, running);
    let tries = || committee.members[&SLOT].shared().repair.tries(&digest);
    until(|| tries().is_some()).await;
    own.jump(now + 400 * DAY);
    let before = tries().expect("queued");
    // Lists are heard more often than it is tried the third time.
    until(|| tries().is_none_or(|tries| tries >= before.max(2) + 2)).await;
    assert!(committee.members[&SLOT].store().lost_at().is_some());
    own.set(now);
    committee.until_held(SLOT, &certificate).await;
    until(|| committee.members[&SLOT].store().lost_at().is_none()).await;
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_most_peers_contradict_by_an_hour_drops_nothing() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let own = TestClock::at(committee.clock.now());
    committee.up_at(SLOT, &own).await;
    let certificate = committee.put(payload(1000, 3), Dispersal::ByShard).await;
    committee.until_held(SLOT, &certificate).await;
    let member = &committee.members[&SLOT];
    until(|| heard(&committee, SLOT) == 4).await;
    own.jump(own.now() + 60 * DAY);
    assert_eq!(member.drop_expired().await.expect("looked"), Vec::<String>::new());
    assert!(committee.holds(SLOT, &certificate).await);
    committee.stop().await;
}
