//! Namespaces that the guardian holds on L1: nothing of them is dropped, and what is there is served.

use std::{
    collections::BTreeSet,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use tonic::Code;

use super::{registry::Scripted, *};
use crate::failpoint;

const DAY: u64 = 24 * HOUR;
/// When the shards' bucket is over.
const END: u64 = (RETAIN / DAY + 1) * DAY;
/// When an hourly look finds it due.
const DUE: u64 = END + HOUR;
const FOLDER: &str = "HOLDFAST_TEST_HOLD_FOLDER";
const SIGKILL: i32 = 9;

struct Scene {
    world: World,
    registry: Arc<Scripted>,
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    member: Running,
    /// Held by shard and, until its bucket is dropped, whole.
    encoded: EncodedBlob,
}

impl Scene {
    async fn new() -> Self {
        let (mut world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
        let registry = Scripted::of(&mut world);
        let member = world.start(folder.path(), &clock).await;
        let encoded = coded(10_000, 1, Dispersal::ByPayload);
        Peer::connect(&member).await.store(&world, &encoded, &world.statement(&encoded)).await;
        Self { world, registry, folder, clock, member, encoded }
    }

    fn hold(&self, until: u64) {
        self.registry.hold(self.world.namespace, until);
    }

    /// What is dropped at `now`.
    async fn dropped(&self, now: u64) -> BTreeSet<String> {
        self.clock.set(now);
        self.member.drop_expired().await.expect("dropped").into_iter().collect()
    }

    async fn restart(self) -> Self {
        self.member.stop().await.expect("stops");
        let member = self.world.start(self.folder.path(), &self.clock).await;
        Self { member, ..self }
    }

    async fn is_served(&self) {
        let (peer, id) = (Peer::connect(&self.member).await, self.encoded.id());
        assert_eq!(peer.get_shard(id, index(&self.encoded)).await.expect("served"), shard(&self.encoded));
        assert_eq!(peer.get_payload(id).await.expect("served"), *self.encoded.payload());
        let blob = peer.get_blob(id).await.expect("known");
        assert_eq!((blob.whole, blob.shard_indices), (true, vec![u32::from(index(&self.encoded))]));
        let usage = self.member.store().usage();
        assert_eq!((usage.items, usage.bytes), (1, (shard(&self.encoded).len() + self.encoded.payload().len()) as u64));
    }

    async fn is_gone(&self) {
        let (peer, id) = (Peer::connect(&self.member).await, self.encoded.id());
        let status = peer.get_shard(id, index(&self.encoded)).await.expect_err("over");
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert_eq!(peer.get_payload(id).await.expect_err("over").code(), Code::FailedPrecondition);
        let blob = peer.get_blob(id).await.expect("its commitment and statement stay");
        assert_eq!((blob.whole, blob.shard_indices.len(), blob.statements.len()), (false, 0, 1));
        assert_eq!(self.member.store().usage().bytes, 0);
    }

    async fn end(self) {
        self.member.stop().await.expect("stops");
    }
}

/// The buckets of the scene's blob.
fn both() -> BTreeSet<String> {
    BTreeSet::from([format!("shards-{}", RETAIN / DAY), format!("whole-{}", WHOLE / DAY)])
}

/// The buckets that are in a member's folder.
fn on_disk(folder: &Path) -> BTreeSet<String> {
    let database = World::config(folder).data_dir.join("db");
    let names = rocksdb::DB::list_cf(&rocksdb::Options::default(), database).expect("a database");
    names.into_iter().filter(|name| name.contains('-')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn held_namespace_is_kept_and_served_past_its_time_until_the_hold_is_over() {
    let scene = Scene::new().await;
    let until = DUE + 60 * DAY;
    scene.hold(until);
    for now in [WHOLE + DAY + HOUR, DUE, DUE + 30 * DAY, until, until + HOUR - 1] {
        assert_eq!(scene.dropped(now).await, BTreeSet::new(), "at {now}");
        scene.is_served().await;
    }
    let scene = scene.restart().await;
    scene.is_served().await;
    assert_eq!(scene.dropped(until + HOUR - 1).await, BTreeSet::new());
    assert_eq!(scene.dropped(until + HOUR).await, both());
    scene.is_gone().await;
    let scene = scene.restart().await;
    scene.is_gone().await;
    assert_eq!(on_disk(scene.folder.path()), BTreeSet::new());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_that_comes_after_the_time_but_before_the_drop_keeps_all_and_can_be_prolonged() {
    let scene = Scene::new().await;
    scene.clock.set(DUE + DAY);
    scene.hold(DUE + 10 * DAY);
    assert_eq!(scene.dropped(DUE + DAY).await, BTreeSet::new());
    scene.hold(DUE + 20 * DAY);
    assert_eq!(scene.dropped(DUE + 15 * DAY).await, BTreeSet::new());
    scene.is_served().await;
    assert_eq!(scene.dropped(DUE + 20 * DAY + HOUR).await, both());
    scene.is_gone().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_of_namespaces_that_are_not_held_are_dropped_in_time() {
    let scene = Scene::new().await;
    let peer = Peer::connect(&scene.member).await;
    let namespace = Namespace::from([4; 32]);
    scene.registry.put(namespace, &[&scene.world.disperser], 0);
    let other = coded(10_000, 2, Dispersal::ByShard);
    let statement = Statement { namespace, retain_until: RETAIN + 2 * DAY, ..scene.world.statement(&other) };
    peer.store(&scene.world, &other, &statement).await;
    scene.hold(DUE + 60 * DAY);
    assert_eq!(scene.dropped(DUE + DAY).await, BTreeSet::new());
    assert_eq!(peer.get_shard(other.id(), index(&other)).await.expect("in its time"), shard(&other));
    let name = format!("shards-{}", statement.retain_until / DAY);
    assert_eq!(scene.dropped(DUE + 2 * DAY).await, BTreeSet::from([name]));
    assert_eq!(peer.get_shard(other.id(), index(&other)).await.expect_err("over").code(), Code::FailedPrecondition);
    scene.is_served().await;
    assert_eq!(on_disk(scene.folder.path()), both());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_namespace_holds_is_kept_though_the_first_does_not() {
    let scene = Scene::new().await;
    let namespace = Namespace::from([4; 32]);
    scene.registry.put(namespace, &[&scene.world.disperser], DUE + 60 * DAY);
    let statement = Statement { namespace, ..scene.world.statement(&scene.encoded) };
    Peer::connect(&scene.member).await.store(&scene.world, &scene.encoded, &statement).await;
    assert_eq!(scene.dropped(DUE).await, BTreeSet::new());
    scene.is_served().await;
    assert_eq!(scene.dropped(DUE + 60 * DAY + HOUR).await, both());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn member_that_cannot_ask_l1_keeps_for_fourteen_days_and_no_longer() {
    let scene = Scene::new().await;
    scene.registry.set_down(true);
    assert_eq!(scene.dropped(WHOLE + DAY + HOUR).await, BTreeSet::new());
    scene.is_served().await;
    let whole = format!("whole-{}", WHOLE / DAY);
    let over = (WHOLE / DAY + 1) * DAY + 14 * DAY;
    assert_eq!(scene.dropped(over - 1).await, BTreeSet::new());
    assert_eq!(scene.dropped(over).await, BTreeSet::from([whole]));
    let scene = scene.restart().await;
    assert_eq!(scene.dropped(END + 14 * DAY - 1).await, BTreeSet::new());
    let peer = Peer::connect(&scene.member).await;
    peer.get_shard(scene.encoded.id(), index(&scene.encoded)).await.expect("served");
    assert_eq!(scene.dropped(END + 14 * DAY).await, BTreeSet::from([format!("shards-{}", RETAIN / DAY)]));
    scene.is_gone().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_of_l1_in_a_long_hold_loses_nothing_even_after_a_restart() {
    let scene = Scene::new().await;
    let until = DUE + 60 * DAY;
    scene.hold(until);
    assert_eq!(scene.dropped(DUE).await, BTreeSet::new());
    scene.registry.set_down(true);
    let scene = scene.restart().await;
    // Longer after its time than a bucket is kept of which nothing is known.
    assert_eq!(scene.dropped(DUE + 40 * DAY).await, BTreeSet::new());
    scene.is_served().await;
    assert_eq!(scene.dropped(until + 14 * DAY - 1).await, BTreeSet::new());
    scene.registry.set_down(false);
    assert_eq!(scene.dropped(until + 14 * DAY - 1).await, both());
    scene.is_gone().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stall_of_finality_that_hides_a_hold_drops_nothing_for_fourteen_days() {
    let scene = Scene::new().await;
    scene.registry.stalled.store(true, Ordering::SeqCst);
    assert_eq!(scene.dropped(WHOLE + DAY + HOUR).await, BTreeSet::new());
    assert_eq!(scene.dropped((WHOLE / DAY + 1) * DAY + 14 * DAY - 1).await, BTreeSet::new());
    scene.is_served().await;
    // It goes on, and with it the hold is seen.
    scene.hold(DUE + 60 * DAY);
    scene.registry.stalled.store(false, Ordering::SeqCst);
    assert_eq!(scene.dropped(DUE + 30 * DAY).await, BTreeSet::new());
    scene.is_served().await;
    // A hold that is seen counts also in a stall.
    scene.registry.stalled.store(true, Ordering::SeqCst);
    assert_eq!(scene.dropped(DUE + 59 * DAY).await, BTreeSet::new());
    assert_eq!(scene.dropped(DUE + 60 * DAY + 14 * DAY).await, both());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_says_for_ever_keeps_for_ninety_days_past_its_lie() {
    let scene = Scene::new().await;
    scene.hold(u64::MAX);
    assert_eq!(scene.dropped(DUE).await, BTreeSet::new());
    scene.registry.set_down(true);
    let last = DUE + 90 * DAY + 14 * DAY;
    assert_eq!(scene.dropped(last - 1).await, BTreeSet::new());
    assert_eq!(scene.dropped(last).await, both());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_sixty_days_ahead_drops_nothing_with_l1_or_without() {
    let scene = Scene::new().await;
    for down in [false, true] {
        scene.registry.set_down(down);
        scene.registry.time.store(NOW, Ordering::SeqCst);
        let real = scene.clock.now();
        scene.clock.jump(real + 60 * DAY);
        let dropped = scene.member.drop_expired().await.expect("decided");
        assert!(dropped.is_empty(), "down {down}: {dropped:?}");
        scene.is_served().await;
        // An hour of the steady clock later it is no different.
        scene.clock.set(scene.clock.now() + HOUR);
        assert!(scene.member.drop_expired().await.expect("decided").is_empty());
    }
    // A member that has heard nothing of L1 since its start knows no time at all.
    scene.registry.time.store(0, Ordering::SeqCst);
    let scene = scene.restart().await;
    scene.clock.set(scene.clock.now() + 100 * DAY);
    assert!(scene.member.drop_expired().await.expect("decided").is_empty());
    scene.is_served().await;
    // L1 says that it is so late.
    scene.registry.set_down(false);
    scene.registry.time.store(DUE, Ordering::SeqCst);
    assert_eq!(scene.member.drop_expired().await.expect("dropped").into_iter().collect::<BTreeSet<_>>(), both());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storing_into_a_day_that_was_dropped_is_refused_as_what_it_is() {
    let scene = Scene::new().await;
    assert_eq!(scene.dropped(DUE).await, both());
    // A clock that goes back makes an old date look as if it were ahead.
    scene.clock.set(RETAIN - DAY);
    let encoded = coded(1000, 9, Dispersal::ByShard);
    let statement = scene.world.statement(&encoded);
    let peer = Peer::connect(&scene.member).await;
    let refused = peer.store_shard(scene.world.shard_header(&statement, &encoded), shard(&encoded)).await;
    let status = refused.expect_err("dropped");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("are dropped"), "{status}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_can_be_promised_anew_without_a_second_transfer() {
    let scene = Scene::new().await;
    scene.hold(DUE + 3 * DAY);
    assert_eq!(scene.dropped(DUE + DAY).await, BTreeSet::new());
    let times = (RETAIN + 9 * DAY, DUE + 2 * DAY);
    let first = scene.world.statement(&scene.encoded);
    let longer = Statement { retain_until: times.0, whole_until: times.1 / HOUR * HOUR, ..first };
    let header = v1::store_payload_request::Part::Header(scene.world.payload_header(&longer));
    let requests = futures::stream::iter([v1::StorePayloadRequest { part: Some(header) }]);
    let mut peer = Peer::connect(&scene.member).await;
    let answer = peer.dispersal.store_payload(requests).await.expect("no body is needed").into_inner();
    scene.world.verify(&longer, &answer.attestation.expect("an attestation"));
    scene.is_served().await;
    // The hold is over, the new promise is not.
    assert!(scene.dropped(DUE + 4 * DAY).await.is_superset(&both()));
    let got = peer.get_shard(scene.encoded.id(), index(&scene.encoded)).await.expect("promised");
    assert_eq!(got, shard(&scene.encoded));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of the test below"]
async fn child() {
    let folder = PathBuf::from(std::env::var(FOLDER).expect("set by the test below"));
    let (mut world, clock) = (World::new(), TestClock::at(DUE + DAY));
    Scripted::of(&mut world).hold(world.namespace, DUE + DAY - HOUR);
    let member = world.start(&folder, &clock).await;
    failpoint::arm("between-record-and-drop");
    let dropped = member.drop_expired().await;
    panic!("not killed: {dropped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_both_steps_of_dropping_what_was_kept() {
    let scene = Scene::new().await;
    scene.hold(DUE + DAY - HOUR);
    assert_eq!(scene.dropped(DUE).await, BTreeSet::new());
    let Scene { world, registry, folder, clock, member, encoded } = scene;
    member.stop().await.expect("stops");
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "tests::hold::child", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGKILL), "{} {stderr}", output.status);
    assert_eq!(on_disk(folder.path()), both(), "recorded as dropped, and still there");

    // The next start finishes it, even when the namespace is held again meanwhile.
    registry.hold(world.namespace, DUE + 60 * DAY);
    clock.set(DUE + DAY);
    let member = world.start(folder.path(), &clock).await;
    assert_eq!(on_disk(folder.path()), BTreeSet::new());
    let scene = Scene { world, registry, folder, clock, member, encoded };
    scene.is_gone().await;
    assert_eq!(scene.dropped(DUE + DAY).await, BTreeSet::new());
    scene.end().await;
}
