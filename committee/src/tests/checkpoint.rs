//! Checkpoints: what a member signs again of many blobs, and what it does not.

use holdfast_certificate::Checkpoint;
use tonic::Code;

use super::{registry::Scripted, *};
use crate::fault;

const BLOBS: u8 = 5;

/// A member that holds blobs of one namespace in one epoch.
struct Scene {
    world: World,
    registry: Arc<Scripted>,
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    member: Running,
    peer: Peer,
    /// In ascending order of their ids.
    blobs: Vec<EncodedBlob>,
}

impl Scene {
    async fn new() -> Self {
        let (mut world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
        let registry = Scripted::of(&mut world);
        let member = world.start(folder.path(), &clock).await;
        let peer = Peer::connect(&member).await;
        let mut blobs: Vec<_> = (0..BLOBS)
            .map(|seed| coded(10_000, seed, if seed % 2 == 0 { Dispersal::ByShard } else { Dispersal::ByPayload }))
            .collect();
        blobs.sort_by_key(EncodedBlob::id);
        for blob in &blobs {
            peer.store(&world, blob, &world.statement(blob)).await;
        }
        Self { world, registry, folder, clock, member, peer, blobs }
    }

    fn ids(&self) -> Vec<BlobId> {
        self.blobs.iter().map(EncodedBlob::id).collect()
    }

    fn checkpoint(&self, ids: &[BlobId]) -> Checkpoint {
        Checkpoint::over(self.world.namespace, EPOCH, ids, RETAIN).expect("sound")
    }

    /// What an honest disperser asks for.
    fn request(&self, ids: &[BlobId]) -> v1::SignCheckpointRequest {
        self.signed(&self.checkpoint(ids), ids)
    }

    fn signed(&self, checkpoint: &Checkpoint, ids: &[BlobId]) -> v1::SignCheckpointRequest {
        let signature = self.world.disperser.sign(&checkpoint.digest(&self.world.registry.domain()));
        v1::SignCheckpointRequest {
            namespace: Bytes::copy_from_slice(checkpoint.namespace.as_bytes()),
            epoch: checkpoint.epoch,
            blob_ids: holdfast_proto::blob_ids_to_bytes(ids),
            retain_until: checkpoint.retain_until,
            disperser_signature: Bytes::copy_from_slice(&signature.to_bytes()),
        }
    }

    async fn refused(&self, request: v1::SignCheckpointRequest, code: Code, says: &str) {
        let status = self.peer.sign_checkpoint(request).await.expect_err(says);
        assert_eq!(status.code(), code, "{says}: {status}");
        assert!(status.message().contains(says), "{says}: {status}");
    }

    /// Ids with one more in its place.
    fn with(&self, other: BlobId) -> Vec<BlobId> {
        let mut ids = self.ids();
        ids.push(other);
        ids.sort_unstable();
        ids
    }

    async fn end(self) {
        self.member.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_that_are_promised_and_held_are_signed_for_again_and_always_the_same() {
    let scene = Scene::new().await;
    let ids = scene.ids();
    let checkpoint = scene.checkpoint(&ids);
    let first = scene.peer.sign_checkpoint(scene.request(&ids)).await.expect("signed");
    let attestation = Attestation::try_from(&first).expect("a point");
    assert_eq!(attestation.slot, SLOT);
    let committee = scene.world.registry.epoch(EPOCH).await.expect("the epoch").committee.clone();
    attestation.verify(&committee, &checkpoint.digest(committee.domain())).expect("verifies");
    assert_eq!(scene.peer.sign_checkpoint(scene.request(&ids)).await.expect("signed"), first);
    // Any of them, and until any earlier time that L1 would take.
    for ids in [&ids[..1], &ids[2..4]] {
        scene.peer.sign_checkpoint(scene.request(ids)).await.expect("signed");
    }
    let sooner = Checkpoint { retain_until: RETAIN - 24 * HOUR, ..checkpoint };
    scene.peer.sign_checkpoint(scene.signed(&sooner, &ids)).await.expect("signed");
    // Nothing was written: the list of what was promised is as before, and so it is after a restart.
    assert_eq!(scene.peer.list().await.len(), usize::from(BLOBS));
    let Scene { world, folder, clock, member, .. } = scene;
    member.stop().await.expect("stops");
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let signature = world.disperser.sign(&checkpoint.digest(committee.domain()));
    let request = v1::SignCheckpointRequest {
        namespace: Bytes::copy_from_slice(world.namespace.as_bytes()),
        epoch: EPOCH,
        blob_ids: holdfast_proto::blob_ids_to_bytes(&ids),
        retain_until: RETAIN,
        disperser_signature: Bytes::copy_from_slice(&signature.to_bytes()),
    };
    assert_eq!(peer.sign_checkpoint(request).await.expect("signed"), first);
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_that_was_never_stored_is_refused_by_name() {
    let scene = Scene::new().await;
    for seed in [100, 101] {
        let unknown = coded(10_000, seed, Dispersal::ByShard).id();
        let ids = scene.with(unknown);
        scene.refused(scene.request(&ids), Code::NotFound, &unknown.to_string()).await;
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_of_another_namespace_is_refused_by_name() {
    let scene = Scene::new().await;
    let other = Namespace::from([4; 32]);
    scene.registry.put(other, &[&scene.world.disperser], 0);
    let foreign = coded(10_000, 100, Dispersal::ByShard);
    let statement = Statement { namespace: other, ..scene.world.statement(&foreign) };
    scene.peer.store(&scene.world, &foreign, &statement).await;
    let ids = scene.with(foreign.id());
    let says = format!("blob {} is not promised for namespace {}", foreign.id(), scene.world.namespace);
    scene.refused(scene.request(&ids), Code::FailedPrecondition, &says).await;
    // Promised for this one too, it is signed for.
    scene.peer.store(&scene.world, &foreign, &scene.world.statement(&foreign)).await;
    scene.peer.sign_checkpoint(scene.request(&ids)).await.expect("signed");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_of_an_older_epoch_is_refused_by_name() {
    let scene = Scene::new().await;
    scene.registry.active.store(EPOCH + 1, Ordering::SeqCst);
    let ids = scene.ids();
    let next = Checkpoint { epoch: EPOCH + 1, ..scene.checkpoint(&ids) };
    let says = format!("blob {} is not promised for namespace {} in epoch 8", ids[0], scene.world.namespace);
    scene.refused(scene.signed(&next, &ids), Code::FailedPrecondition, &says).await;
    // Renewed in the new epoch, they are signed for.
    for blob in &scene.blobs {
        let renewed = Statement { epoch: EPOCH + 1, ..scene.world.statement(blob) };
        if blob.blob().is_by_payload() {
            let header = scene.world.payload_header(&renewed);
            scene.peer.store_payload(header, blob.payload().clone()).await.expect("stored");
        } else {
            scene.peer.store_shard(scene.world.shard_header(&renewed, blob), shard(blob)).await.expect("stored");
        }
    }
    scene.peer.sign_checkpoint(scene.signed(&next, &ids)).await.expect("signed");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn epoch_that_is_not_active_is_refused() {
    let scene = Scene::new().await;
    let ids = scene.ids();
    let next = Checkpoint { epoch: EPOCH + 1, ..scene.checkpoint(&ids) };
    let says = "epoch 8 is not active, the active epoch is 7";
    scene.refused(scene.signed(&next, &ids), Code::FailedPrecondition, says).await;
    scene.registry.active.store(EPOCH + 1, Ordering::SeqCst);
    let says = "epoch 7 is not active, the active epoch is 8";
    scene.refused(scene.request(&ids), Code::FailedPrecondition, says).await;
    scene.registry.active.store(0, Ordering::SeqCst);
    scene.refused(scene.request(&ids), Code::FailedPrecondition, "no epoch is active").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_that_is_promised_for_less_long_is_refused_by_name() {
    let scene = Scene::new().await;
    let shorter = coded(10_000, 100, Dispersal::ByShard);
    let statement = Statement { retain_until: RETAIN - HOUR, ..scene.world.statement(&shorter) };
    scene.peer.store(&scene.world, &shorter, &statement).await;
    let ids = scene.with(shorter.id());
    let says = format!("until {RETAIN}, only until {}", RETAIN - HOUR);
    scene.refused(scene.request(&ids), Code::FailedPrecondition, &says).await;
    scene.refused(scene.request(&ids), Code::FailedPrecondition, &shorter.id().to_string()).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_whose_shard_was_dropped_is_refused_by_name() {
    let scene = Scene::new().await;
    let ids = scene.ids();
    scene.clock.set(RETAIN + 25 * HOUR);
    assert_eq!(scene.member.drop_expired().await.expect("dropped").len(), 2);
    // The time is over; and even a clock that was set back makes nothing of what is gone.
    scene.refused(scene.request(&ids), Code::InvalidArgument, "retain_until must be after now").await;
    scene.clock.set(NOW);
    let says = format!("of blob {} has expired", ids[0]);
    scene.refused(scene.request(&ids), Code::FailedPrecondition, &says).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_whose_shard_is_damaged_is_refused_by_name() {
    let scene = Scene::new().await;
    let (ids, victim) = (scene.ids(), scene.ids()[3]);
    let request = scene.request(&ids);
    let Scene { world, folder, clock, member, .. } = scene;
    member.stop().await.expect("stops");
    fault::flip_bit(&folder.path().join("data"), &victim).await.expect("flipped");
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let status = peer.sign_checkpoint(request).await.expect_err("damaged");
    assert_eq!(status.code(), Code::DataLoss, "{status}");
    assert!(status.message().contains(&victim.to_string()), "{status}");
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn disperser_that_may_not_is_refused() {
    let scene = Scene::new().await;
    let ids = scene.ids();
    let digest = scene.checkpoint(&ids).digest(&scene.world.registry.domain());
    // One of nobody, and one of another namespace, for this one.
    let stranger = DisperserKey::from_bytes(&[10; 32]).expect("in range");
    let neighbour = DisperserKey::from_bytes(&[11; 32]).expect("in range");
    scene.registry.put(Namespace::from([4; 32]), &[&neighbour], 0);
    for key in [stranger, neighbour] {
        let signature = Bytes::copy_from_slice(&key.sign(&digest).to_bytes());
        let request = v1::SignCheckpointRequest { disperser_signature: signature, ..scene.request(&ids) };
        scene.refused(request, Code::PermissionDenied, &key.address().to_string()).await;
    }
    // Its own key, over something else: another checkpoint, and a statement.
    let other = scene.request(&ids[1..]).disperser_signature;
    let availability = scene.world.sign(&scene.world.statement(&scene.blobs[0]));
    for signature in [other, availability] {
        let request = v1::SignCheckpointRequest { disperser_signature: signature, ..scene.request(&ids) };
        scene.refused(request, Code::PermissionDenied, "not a disperser").await;
    }
    let short = v1::SignCheckpointRequest { disperser_signature: Bytes::from_static(&[0; 64]), ..scene.request(&ids) };
    scene.refused(short, Code::InvalidArgument, "disperser_signature has 64 bytes").await;
    let unknown = Checkpoint { namespace: Namespace::from([5; 32]), ..scene.checkpoint(&ids) };
    scene.refused(scene.signed(&unknown, &ids), Code::NotFound, &unknown.namespace.to_string()).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_out_of_order_twice_none_or_too_many_are_refused() {
    let scene = Scene::new().await;
    let good = scene.request(&scene.ids());
    let with =
        |ids: &[BlobId]| v1::SignCheckpointRequest { blob_ids: holdfast_proto::blob_ids_to_bytes(ids), ..good.clone() };
    let mut swapped = scene.ids();
    swapped.swap(1, 2);
    scene.refused(with(&swapped), Code::InvalidArgument, "strictly ascending, the one at position 2").await;
    let mut twice = scene.ids();
    twice[1] = twice[0];
    scene.refused(with(&twice), Code::InvalidArgument, "strictly ascending, the one at position 1").await;
    scene.refused(with(&[]), Code::InvalidArgument, "blob_ids has 0 bytes").await;
    let many: Vec<BlobId> = (0..4097u32).map(|n| holdfast_erasure::sha256(&n.to_be_bytes()).into()).collect();
    scene.refused(with(&many), Code::InvalidArgument, "expected 131072").await;
    // As many as there may be get as far as the store.
    let mut most = many[..4096].to_vec();
    most.sort_unstable();
    scene.refused(scene.request(&most), Code::NotFound, &most[0].to_string()).await;
    let cut = v1::SignCheckpointRequest { blob_ids: good.blob_ids.slice(1..), ..good.clone() };
    scene.refused(cut, Code::InvalidArgument, "blob_ids has 159 bytes, expected 128").await;
    let off = v1::SignCheckpointRequest { retain_until: RETAIN + 1, ..good.clone() };
    scene.refused(off, Code::InvalidArgument, "multiple of 3600").await;
    let soon = Checkpoint { retain_until: 500_001 * HOUR, ..scene.checkpoint(&scene.ids()) };
    let says = format!("at least {}", NOW + 2 * HOUR);
    scene.refused(scene.signed(&soon, &scene.ids()), Code::InvalidArgument, &says).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_nothing_to_refuse_is_refused_while_nothing_can_be_computed() {
    let scene = Scene::new().await;
    let ids = scene.ids();
    // All that computes is busy until it is released.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let busy = Arc::new(AtomicU64::new(0));
    let (release, work): (Vec<_>, Vec<_>) = (0..cores).map(|_| std::sync::mpsc::channel::<()>()).unzip();
    for released in work {
        let (workers, busy) = (scene.member.shared().attestor.workers.clone(), Arc::clone(&busy));
        tokio::spawn(async move {
            let work = move || {
                busy.fetch_add(1, Ordering::SeqCst);
                released.recv().expect_err("the other end goes away")
            };
            workers.cpu(work).await
        });
    }
    until(|| busy.load(Ordering::SeqCst) == cores as u64).await;
    let (peer, good) = (scene.peer.clone(), scene.request(&ids));
    let waits = tokio::spawn(async move { peer.sign_checkpoint(good).await });
    for _ in 0..20 {
        let next = Checkpoint { epoch: EPOCH + 1, ..scene.checkpoint(&ids) };
        scene.refused(scene.signed(&next, &ids), Code::FailedPrecondition, "epoch 8 is not active").await;
        let mut swapped = ids.clone();
        swapped.swap(1, 2);
        let swapped =
            v1::SignCheckpointRequest { blob_ids: holdfast_proto::blob_ids_to_bytes(&swapped), ..scene.request(&ids) };
        scene.refused(swapped, Code::InvalidArgument, "strictly ascending").await;
    }
    assert!(!waits.is_finished(), "what is to be computed waits");
    drop(release);
    waits.await.expect("no panic").expect("signed");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn member_whose_disk_fails_says_nothing_again_of_what_is_on_it() {
    let scene = Scene::new().await;
    let ids = scene.ids();
    scene.peer.sign_checkpoint(scene.request(&ids)).await.expect("signed");
    scene.member.store().faults().disk_full.store(true, Ordering::SeqCst);
    let another = coded(10_000, 100, Dispersal::ByShard);
    let header = scene.world.shard_header(&scene.world.statement(&another), &another);
    let status = scene.peer.store_shard(header, shard(&another)).await.expect_err("full");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    scene.refused(scene.request(&ids), Code::Unavailable, "writes are disabled").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespace_that_is_not_served_and_unreachable_l1_sign_nothing() {
    let scene = Scene::new().await;
    let ids = scene.ids();
    let request = scene.request(&ids);
    scene.registry.set_down(true);
    scene.refused(request.clone(), Code::Unavailable, "registry").await;
    scene.registry.set_down(false);
    let Scene { world, folder, clock, member, .. } = scene;
    member.stop().await.expect("stops");
    let mut config = World::config(folder.path());
    config.policy.namespaces = vec![Namespace::from([4; 32])];
    let member = world.member(config, clock).launch().await.expect("starts");
    let status = Peer::connect(&member).await.sign_checkpoint(request).await.expect_err("not served");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    member.stop().await.expect("stops");
}
