//! What the operator orders by the admin socket, and who cannot.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
};

use holdfast_certificate::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use v1::store_shard_request::Part;

use super::{lifecycle::health, *};
use crate::{
    Error, LogControl,
    admin::{Answer, Order, State, ask},
    fault,
};

const DAY: u64 = 24 * HOUR;

fn socket(folder: &Path) -> PathBuf {
    World::config(folder).admin_socket()
}

async fn give(folder: &Path, order: Order) -> Result<State, String> {
    match ask(&socket(folder), &order).await.expect("answered") {
        Answer::Done(state) => Ok(state),
        Answer::Refused(why) => Err(why),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_member_ends_what_it_has_begun_takes_nothing_new_and_reads_out() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let [stored, begun, late] = [1, 2, 3].map(|seed| coded(20_000, seed, Dispersal::ByShard));
    peer.store(&world, &stored, &world.statement(&stored)).await;
    // One is half sent when the order comes.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let send = |part| sender.send(v1::StoreShardRequest { part: Some(part) });
    let mut client = peer.dispersal.clone();
    let call =
        tokio::spawn(async move { client.store_shard(tokio_stream::wrappers::ReceiverStream::new(receiver)).await });
    send(Part::Header(world.shard_header(&world.statement(&begun), &begun))).await.expect("sent");
    send(Part::Chunk(shard(&begun).slice(..100))).await.expect("sent");
    until(|| member.shared().receiving.used() > 0).await;

    let state = give(folder.path(), Order::Drain).await.expect("done");
    assert!(state.drained && state.under_way == 1, "{state:?}");
    let header = world.shard_header(&world.statement(&late), &late);
    let status = peer.store_shard(header, shard(&late)).await.expect_err("nothing new");
    assert_eq!((status.code(), status.message()), (Code::Unavailable, crate::operator::DRAINED));
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"), "{status:?}");
    let turned = async |to| {
        let turned = async {
            while health(&peer, "holdfast.v1.Dispersal").await != to {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), turned).await.expect("health is told");
    };
    turned(ServingStatus::NotServing).await;
    for service in ["", "holdfast.v1.Retrieval", "holdfast.v1.Node"] {
        assert_eq!(health(&peer, service).await, ServingStatus::Serving, "{service:?}");
    }
    assert_eq!(peer.get_shard(stored.id(), index(&stored)).await.expect("read out"), shard(&stored));
    // A certificate of what was signed before is kept.
    let statement = world.statement(&stored);
    let committee = futures::executor::block_on(world.registry.epoch(EPOCH)).expect("the epoch").committee.clone();
    let digest = statement.digest(committee.domain());
    let signed: Vec<Attestation> =
        (0..4).map(|slot| Attestation::sign(slot, &world.secrets[usize::from(slot)], &digest)).collect();
    let certificate = Certificate::aggregate(&committee, statement, &signed).expect("signed").encode().into();
    peer.dispersal.clone().put_certificate(v1::PutCertificateRequest { certificate }).await.expect("taken");

    send(Part::Chunk(shard(&begun).slice(100..))).await.expect("sent");
    drop(sender);
    let answer = call.await.expect("joined").expect("it had begun").into_inner();
    world.verify(&world.statement(&begun), &answer.attestation.expect("an attestation"));
    until(|| member.shared().operator.under_way() == 0).await;

    let state = give(folder.path(), Order::Undrain).await.expect("done");
    assert!(!state.drained && state.under_way == 0);
    turned(ServingStatus::Serving).await;
    peer.store(&world, &late, &world.statement(&late)).await;
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_member_s_own_user_can_give_orders_and_what_is_no_order_changes_nothing() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let path = socket(folder.path());
    // What is left of a process that was killed is replaced.
    fs::create_dir_all(folder.path()).expect("made");
    drop(UnixListener::bind(&path).expect("bound"));
    let member = world.start(folder.path(), &clock).await;
    let mode = fs::symlink_metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    for (said, expected) in [
        (&b"{\"do\": \"status\"}\n"[..], "{\"ok\":{\"version\":\"0.1.0\",\"drained\":false,"),
        (b"{\"do\": \"drain\", \"when\": 7}\n", "{\"error\":"),
        (b"drain\n", "{\"error\":\"no order: "),
        (b"\n", "{\"error\":\"no order: "),
        (&[b'['; 20_000], "{\"error\":\"no order: "),
        (b"{\"do\": \"log\", \"filter\": \"debug\"}\n", "{\"error\":\"this process has no log"),
        (b"{\"do\": \"hold\", \"until\": 18446744073709551615}\n", "{\"error\":\"a hold is for at most 90 days"),
    ] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.expect("connects");
        // It may hang up before it has read what is too long.
        let _sent = stream.write_all(said).await;
        let mut answer = String::new();
        let _read = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with(expected) || (said.len() > 16 << 10 && answer.is_empty()), "{answer}");
    }
    assert!(!member.shared().operator.is_drained());
    // More than it takes at once, each silent: the rest wait, and the member stops all the same.
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(tokio::net::UnixStream::connect(&path).await.expect("connects"));
    }
    member.stop().await.expect("stops");
    assert!(!path.exists(), "its file goes with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_where_no_orders_can_be_taken_stops_a_start_only_where_the_settings_name_it() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let path = socket(folder.path());
    fs::write(&path, "somebody's").expect("written");
    let member = world.start(folder.path(), &clock).await;
    member.stop().await.expect("stops");
    assert_eq!(fs::read_to_string(&path).expect("left alone"), "somebody's");
    let mut config = World::config(folder.path());
    config.admin_socket = Some(path.clone());
    let start = world.member(config.clone(), Arc::clone(&clock)).launch().await;
    let Err(Error::File { what: "admin socket", file, .. }) = start else { panic!("{start:?}") };
    assert_eq!(file, path);
    // Nor where another process answers.
    fs::remove_file(&path).expect("removed");
    let _other = UnixListener::bind(&path).expect("bound");
    let start = world.member(config, Arc::clone(&clock)).launch().await;
    assert!(start.expect_err("another's").to_string().contains("another process takes orders there"));
    assert!(path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_operator_holds_is_not_dropped_until_released_also_over_a_restart() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let encoded = coded(10_000, 1, Dispersal::ByShard);
    Peer::connect(&member).await.store(&world, &encoded, &world.statement(&encoded)).await;
    let due = (RETAIN / DAY + 1) * DAY + HOUR;
    clock.set(due - DAY);
    let state = give(folder.path(), Order::Hold { until: due + DAY }).await.expect("done");
    assert_eq!(state.held_until, Some(due + DAY));
    clock.set(due);
    assert_eq!(member.drop_expired().await.expect("looked"), Vec::<String>::new());
    member.stop().await.expect("stops");
    let member = world.start(folder.path(), &clock).await;
    assert_eq!(member.drop_expired().await.expect("looked"), Vec::<String>::new());
    let peer = Peer::connect(&member).await;
    assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("served"), shard(&encoded));
    assert_eq!(give(folder.path(), Order::Hold { until: 0 }).await.expect("done").held_until, None);
    assert_eq!(member.drop_expired().await.expect("dropped").len(), 1);
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrub_that_is_ordered_begins_now() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let encoded = coded(3_000_000, 1, Dispersal::ByShard);
    Peer::connect(&member).await.store(&world, &encoded, &world.statement(&encoded)).await;
    // The pass of the start is over, and the next is a week away.
    let scrubs = |folder: &Path| futures::executor::block_on(give(folder, Order::Status)).expect("done").scrubs;
    let path = folder.path().to_owned();
    let passes = async |least: u64| {
        let ended = async {
            while give(&path, Order::Status).await.expect("done").scrubs < least {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ended).await.expect("a pass ends");
    };
    passes(1).await;
    member.stop().await.expect("stops");
    fault::flip_bit(&folder.path().join("data"), &encoded.id()).await.expect("flipped");
    let member = world.start(folder.path(), &clock).await;
    assert_eq!((member.store().damaged(), scrubs(folder.path())), (0, 0));
    clock.set(NOW + 60);
    give(folder.path(), Order::Scrub).await.expect("done");
    passes(1).await;
    let state = give(folder.path(), Order::Status).await.expect("done");
    assert_eq!((member.store().damaged(), state.scrubbed_at, state.scrubbing), (1, NOW + 60, false));
    member.stop().await.expect("stops");
}

#[derive(Debug, Default)]
struct Log(Mutex<String>);

impl LogControl for Log {
    fn filter(&self) -> String {
        self.0.lock().expect("no panic").clone()
    }

    fn set_filter(&self, filter: &str) -> Result<(), String> {
        if filter == "inof" {
            return Err("no such level".into());
        }
        filter.clone_into(&mut self.0.lock().expect("no panic"));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_s_filter_is_changed_and_one_that_is_none_is_refused() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let log = Arc::new(Log::default());
    let member = world.member(World::config(folder.path()), clock).with_log(Some(log.clone() as Arc<dyn LogControl>));
    let member = member.launch().await.expect("starts");
    let order = |filter: &str| Order::Log { filter: filter.into() };
    assert_eq!(give(folder.path(), order("debug")).await.expect("done").log.as_deref(), Some("debug"));
    assert_eq!(give(folder.path(), order("inof")).await, Err("no such level".into()));
    assert_eq!(log.filter(), "debug");
    member.stop().await.expect("stops");
}
