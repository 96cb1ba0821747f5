//! Peers that use up memory or time: dispersers that stall or hang up, readers that do not read.

use std::time::Duration;

use tonic::Code;
use v1::store_shard_request::Part;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_disperser_that_sends_nothing_more_is_cut_off() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.limits.stall_deadline = Duration::from_millis(300);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let encoded = coded(10_000, 1, Dispersal::ByShard);
    let header = world.shard_header(&world.statement(&encoded), &encoded);
    for parts in
        [vec![], vec![Part::Header(header.clone())], vec![Part::Header(header), Part::Chunk(Bytes::from_static(&[1]))]]
    {
        let sent = futures::stream::iter(parts.into_iter().map(|part| v1::StoreShardRequest { part: Some(part) }));
        let stalled = futures::StreamExt::chain(sent, futures::stream::pending());
        let status = peer.dispersal.clone().store_shard(stalled).await.expect_err("stalled");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    }
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_budget_are_shed_with_a_retry_hint() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.limits.receiving_mib = Some(1);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let [first, second] = [1, 2].map(|seed| coded(2_000_000, seed, Dispersal::ByShard));
    // The first sends more than half of what there is room for, and then nothing.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let send = |part| sender.send(v1::StoreShardRequest { part: Some(part) });
    let mut client = peer.dispersal.clone();
    let call =
        tokio::spawn(async move { client.store_shard(tokio_stream::wrappers::ReceiverStream::new(receiver)).await });
    send(Part::Header(world.shard_header(&world.statement(&first), &first))).await.expect("sent");
    send(Part::Chunk(shard(&first).slice(..600_000))).await.expect("sent");
    until(|| member.shared().receiving.used() > 600_000).await;
    let statement = world.statement(&second);
    let status = peer.store_shard(world.shard_header(&statement, &second), shard(&second)).await.expect_err("no room");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    send(Part::Chunk(shard(&first).slice(600_000..))).await.expect("sent");
    drop(sender);
    let attestation = call.await.expect("joined").expect("stored").into_inner().attestation.expect("an attestation");
    world.verify(&world.statement(&first), &attestation);
    peer.store(&world, &second, &statement).await;
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_back_for_a_retried_dispersal_counts_as_memory_too() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.limits.working_mib = Some(1);
    config.limits.call_deadline = Duration::from_millis(500);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        let [first, second] = [1, 2].map(|seed| coded(2_000_000, seed, dispersal));
        for encoded in [&first, &second] {
            peer.store(&world, encoded, &world.statement(encoded)).await;
        }
        // A longer promise of what is held: its bytes are read back, and the write hangs.
        let longer = |encoded: &EncodedBlob| Statement { retain_until: RETAIN + 48 * HOUR, ..world.statement(encoded) };
        let hanging = Hanging::begin(&world, &member, &peer, &first, longer(&first)).await;
        let statement = longer(&second);
        let again = async {
            match dispersal {
                Dispersal::ByShard => {
                    peer.send_shard(vec![Part::Header(world.shard_header(&statement, &second))]).await
                }
                Dispersal::ByPayload => peer.store_payload(world.payload_header(&statement), Bytes::new()).await,
            }
        };
        let answer = tokio::time::timeout(Duration::from_secs(10), again).await.expect("not taken");
        let status = answer.expect_err("no room to read it back");
        assert_eq!(status.code(), Code::ResourceExhausted, "{dispersal:?}: {status}");
        hanging.end(&member).await.expect("stored");
    }
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disperser_that_hangs_up_during_the_write_frees_no_memory_that_is_still_in_use() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.limits.receiving_mib = Some(1);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let first = coded(2_000_000, 1, Dispersal::ByShard);
    let hanging = Hanging::start(&world, &member, &peer, first.clone()).await;
    hanging.hang_up();
    let second = coded(2_000_000, 2, Dispersal::ByShard);
    let statement = world.statement(&second);
    let refused = peer.store_shard(world.shard_header(&statement, &second), shard(&second));
    let answer = tokio::time::timeout(Duration::from_secs(10), refused).await.expect("not taken");
    let status = answer.expect_err("no room");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(hanging.end(&member).await.is_none(), "the caller has gone");
    // The write went on all the same, and then there is room.
    peer.store(&world, &second, &statement).await;
    assert_eq!(peer.get_shard(first.id(), index(&first)).await.expect("held"), shard(&first));
    member.stop().await.expect("stops");
}

/// A dispersal whose write hangs.
struct Hanging {
    call: tokio::task::JoinHandle<v1::Attestation>,
}

impl Hanging {
    async fn start(world: &World, member: &Running, peer: &Peer, encoded: EncodedBlob) -> Self {
        let statement = world.statement(&encoded);
        Self::begin(world, member, peer, &encoded, statement).await
    }

    async fn begin(world: &World, member: &Running, peer: &Peer, encoded: &EncodedBlob, statement: Statement) -> Self {
        let faults = member.store().faults();
        let before = faults.synced.load(Ordering::SeqCst);
        faults.disk_hangs.store(true, Ordering::SeqCst);
        let (peer, encoded) = (peer.clone(), encoded.clone());
        let (shard_header, payload_header) =
            (world.shard_header(&statement, &encoded), world.payload_header(&statement));
        let call = tokio::spawn(async move {
            if encoded.blob().is_by_payload() {
                peer.store_payload(payload_header, encoded.payload().clone()).await
            } else {
                peer.store_shard(shard_header, shard(&encoded)).await
            }
            .expect("stored")
        });
        tokio::time::timeout(Duration::from_secs(10), async {
            while member.store().faults().synced.load(Ordering::SeqCst) == before {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the write begins");
        Self { call }
    }

    fn hang_up(&self) {
        self.call.abort();
    }

    /// Lets the write go on; none when the caller has hung up.
    async fn end(self, member: &Running) -> Option<v1::Attestation> {
        member.store().faults().disk_hangs.store(false, Ordering::SeqCst);
        self.call.await.ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_keeps_as_much_as_it_may_refuses_what_is_new_and_no_longer_than_that() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let held = coded(50_000, 1, Dispersal::ByShard);
    peer.store(&world, &held, &world.statement(&held)).await;
    let disk = &member.shared().attestor.disk;
    let all_but_a_little = disk.charge(disk.budget() - member.store().usage().bytes - 1000);
    let new = coded(50_000, 2, Dispersal::ByShard);
    let statement = world.statement(&new);
    let refused =
        peer.store_shard(world.shard_header(&statement, &new), shard(&new)).await.expect_err("over the budget");
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    assert!(refused.message().contains("keeps as much as it may"), "{}", refused.message());
    assert!(refused.metadata().contains_key("grpc-retry-pushback-ms"));
    // What is there is read, signed again, and promised for longer; and what is small enough is taken.
    assert_eq!(peer.get_shard(held.id(), index(&held)).await.expect("read"), shard(&held));
    let longer = Statement { retain_until: RETAIN + HOUR, ..world.statement(&held) };
    peer.store(&world, &held, &longer).await;
    let small = coded(500, 3, Dispersal::ByShard);
    peer.store(&world, &small, &world.statement(&small)).await;
    drop(all_but_a_little);
    peer.store(&world, &new, &statement).await;
    member.stop().await.expect("stops");
    let mut config = World::config(folder.path());
    config.policy.disk_budget_gib = Some(1 << 40);
    let error = world.member(config, clock).launch().await.expect_err("no disk is so large").to_string();
    assert!(error.contains("policy.disk_budget_gib"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_keeps_no_member_from_stopping_in_time() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.limits.drain_deadline = Duration::from_millis(500);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let encoded = coded(2_000_000, 1, Dispersal::ByShard);
    let _hanging = Hanging::start(&world, &member, &peer, encoded).await;
    let started = std::time::Instant::now();
    let error =
        tokio::time::timeout(Duration::from_secs(20), member.stop()).await.expect("it ends").expect_err("cut off");
    assert!(matches!(error, crate::Error::NotDrained { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_with_many_statements_is_asked_for_at_the_lower_rate() {
    const STATEMENTS: u64 = 50;
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.limits.costly_calls_per_second = 5;
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect_from(&member, 1).await;
    let [many, one] = [1, 2].map(|seed| coded(10_000, seed, Dispersal::ByShard));
    peer.store(&world, &one, &world.statement(&one)).await;
    for number in 0..STATEMENTS {
        let statement = Statement { retain_until: RETAIN + number * HOUR, ..world.statement(&many) };
        peer.store(&world, &many, &statement).await;
    }
    let reader = Peer::connect_from(&member, 2).await;
    let told = reader.get_blob(many.id()).await.expect("told of");
    assert_eq!(told.statements.len() as u64, STATEMENTS);
    for signed in &told.statements {
        let statement = Statement::try_from(signed.statement.as_ref().expect("there")).expect("good");
        world.verify(&statement, signed.attestation.as_ref().expect("signed"));
    }
    let mut given = 1;
    let status = loop {
        match reader.get_blob(many.id()).await {
            Ok(_) => given += 1,
            Err(status) => break status,
        }
        assert!(given < 1000, "nothing is refused");
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(given >= 9, "{given} were given before, each worth two of the twenty that may be saved up");
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"), "{status:?}");
    reader.get_blob(one.id()).await.expect("another blob is not refused for it");
    Peer::connect_from(&member, 3).await.get_blob(many.id()).await.expect("nor is another reader");
    member.stop().await.expect("stops");
}
