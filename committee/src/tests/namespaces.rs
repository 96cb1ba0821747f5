//! Namespaces that strangers make up, or make on L1.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use holdfast_registry::{EpochRecord, NamespaceRecord};
use tonic::Code;
use v1::store_shard_request::Part;

use super::*;

/// A registry that must ask a node which never answers for a namespace that it does not know.
#[derive(Debug)]
struct FarAway {
    near: Arc<dyn Registry>,
    asking: AtomicUsize,
    most: AtomicUsize,
}

#[tonic::async_trait]
impl Registry for FarAway {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, holdfast_registry::Error> {
        self.near.epoch(epoch).await
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, holdfast_registry::Error> {
        self.near.active_epoch(at).await
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, holdfast_registry::Error> {
        if let Ok(known) = self.near.namespace(namespace).await {
            return Ok(known);
        }
        let asking = self.asking.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(asking, Ordering::SeqCst);
        std::future::pending().await
    }

    fn domain(&self) -> holdfast_certificate::Domain {
        self.near.domain()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_namespaces_are_looked_up_two_at_a_time_and_keep_nobody_else_waiting() {
    let (mut world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let registry = Arc::new(FarAway { near: Arc::clone(&world.registry), asking: 0.into(), most: 0.into() });
    world.registry = Arc::clone(&registry) as Arc<dyn Registry>;
    let first = coded(1000, 1, Dispersal::ByShard);
    // After a restart too: who has something here is known.
    let member = world.start(folder.path(), &clock).await;
    Peer::connect(&member).await.store(&world, &first, &world.statement(&first)).await;
    member.stop().await.expect("stops");
    let mut config = World::config(folder.path());
    config.limits.drain_deadline = Duration::from_millis(100);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let mut strangers = tokio::task::JoinSet::new();
    for made_up in 100..140 {
        let statement = Statement { namespace: Namespace::from([made_up; 32]), ..world.statement(&first) };
        let (peer, header) = (peer.clone(), world.shard_header(&statement, &first));
        strangers.spawn(async move { peer.send_shard(vec![Part::Header(header)]).await });
    }
    // All but the two that are being looked up are sent away.
    for _ in 0..38 {
        let answer = tokio::time::timeout(Duration::from_secs(10), strangers.join_next()).await.expect("an answer");
        let status = answer.expect("one of forty").expect("joined").expect_err("refused");
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    }
    assert_eq!(registry.most.load(Ordering::SeqCst), 2);
    let second = coded(1000, 2, Dispersal::ByShard);
    peer.store(&world, &second, &world.statement(&second)).await;
    // And a newcomer from elsewhere is looked up meanwhile.
    let elsewhere = Peer::connect_from(&member, 5).await;
    let statement = Statement { namespace: Namespace::from([200; 32]), ..world.statement(&second) };
    let header = world.shard_header(&statement, &second);
    let newcomer = tokio::spawn(async move { elsewhere.send_shard(vec![Part::Header(header)]).await });
    until(|| registry.most.load(Ordering::SeqCst) == 3).await;
    newcomer.abort();
    strangers.shutdown().await;
    let _stopped = member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_anybody_made_on_l1_is_not_served_where_the_operator_named_others() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let encoded = coded(1000, 1, Dispersal::ByShard);
    let statement = world.statement(&encoded);
    let mut config = World::config(folder.path());
    config.policy.namespaces = vec![Namespace::from([4; 32])];
    let member = world.member(config.clone(), Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let status =
        peer.send_shard(vec![Part::Header(world.shard_header(&statement, &encoded))]).await.expect_err("refused");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains(&world.namespace.to_string()), "{status}");
    assert!(peer.list().await.is_empty(), "nothing was signed");
    member.stop().await.expect("stops");
    // Named, it is served.
    config.policy.namespaces.push(world.namespace);
    let member = world.member(config, clock).launch().await.expect("starts");
    Peer::connect(&member).await.store(&world, &encoded, &statement).await;
    member.stop().await.expect("stops");
}
