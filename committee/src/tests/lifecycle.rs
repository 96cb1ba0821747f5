//! Starting, serving, stopping, starting again.

use holdfast_certificate::{Domain, SecretKey};
use holdfast_proto::v1::node_client::NodeClient;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::*;
use crate::{Error, store};

pub(super) async fn health(peer: &Peer, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.into() };
    HealthClient::new(peer.channel.clone()).check(request).await.expect("health").into_inner().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_by_shard_is_stored_signed_and_read_back_after_a_restart() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    // Lengths on both sides of a chunk, and a shard of several chunks.
    let blobs: Vec<_> = (0u8..)
        .zip([1, 127, 4096, 2 << 20, (2 << 20) + 1, 7 << 20])
        .map(|(seed, length)| coded(length, seed, Dispersal::ByShard))
        .collect();
    let mut signed = Vec::new();
    for encoded in &blobs {
        let statement = world.statement(encoded);
        let attestation = peer.store(&world, encoded, &statement).await;
        assert_eq!(peer.store(&world, encoded, &statement).await, attestation, "the same again is the same signature");
        signed.push(attestation);
    }
    assert_eq!(peer.list().await.len(), blobs.len());
    let before = member.store().usage();
    member.stop().await.expect("stops");

    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    assert_eq!(member.store().usage(), before);
    for (encoded, attestation) in blobs.iter().zip(&signed) {
        let blob = peer.get_blob(encoded.id()).await.expect("known");
        assert_eq!(blob.shard_indices, [u32::from(index(encoded))]);
        assert_eq!(blob.statements.len(), 1);
        assert_eq!(blob.statements[0].attestation.as_ref(), Some(attestation));
        assert_eq!(blob.commitment.as_ref(), Some(&encoded.commitment().into()));
        assert!(!blob.whole);
        assert_eq!(peer.get_shard(encoded.id(), index(encoded)).await.expect("held"), shard(encoded));
    }
    let listed: Vec<_> = peer.list().await.into_iter().map(|entry| entry.blob_id).collect();
    let expected: Vec<_> = blobs.iter().map(|encoded| Bytes::copy_from_slice(encoded.id().as_bytes())).collect();
    assert_eq!(listed, expected, "in the order of signing");
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_by_payload_is_found_by_its_digest_and_read_whole() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let encoded = coded(3_000_001, 1, Dispersal::ByPayload);
    let statement = world.statement(&encoded);
    peer.store(&world, &encoded, &statement).await;
    assert!(peer.get_blob(encoded.id()).await.expect("known").whole);
    assert_eq!(peer.get_payload(encoded.id()).await.expect("whole"), *encoded.payload());
    assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("held"), shard(&encoded));
    let request = v1::FindBlobsRequest {
        namespace: Bytes::copy_from_slice(world.namespace.as_bytes()),
        payload_digest: Bytes::copy_from_slice(encoded.blob().payload_digest.as_bytes()),
    };
    let found = peer.retrieval.clone().find_blobs(request).await.expect("found").into_inner().blob_ids;
    assert_eq!(found, [Bytes::copy_from_slice(encoded.id().as_bytes())]);

    let request = v1::GetLeafRequest {
        blob_id: Bytes::copy_from_slice(encoded.id().as_bytes()),
        shard_index: index(&encoded).into(),
        leaf_number: 17,
    };
    let leaf = peer.retrieval.clone().get_leaf(request.clone()).await.expect("a leaf").into_inner();
    assert_eq!(leaf.leaf, shard(&encoded).slice(17 * 4096..18 * 4096));
    let beyond = v1::GetLeafRequest { leaf_number: 1 << 20, ..request };
    let status = peer.retrieval.clone().get_leaf(beyond).await.expect_err("no such leaf");
    assert_eq!(status.code(), Code::InvalidArgument);
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_on_where_the_last_one_ended() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let mut expected = Vec::new();
    for seed in 0..7 {
        let encoded = coded(100, seed, Dispersal::ByShard);
        peer.store(&world, &encoded, &world.statement(&encoded)).await;
        expected.push(Bytes::copy_from_slice(encoded.id().as_bytes()));
    }
    for namespace in [Bytes::new(), Bytes::copy_from_slice(world.namespace.as_bytes())] {
        let (mut listed, mut token, mut pages) = (Vec::new(), Bytes::new(), 0);
        loop {
            let request =
                v1::ListBlobsRequest { namespace: namespace.clone(), page_size: 3, page_token: token.clone() };
            let page = peer.retrieval.clone().list_blobs(request).await.expect("a page").into_inner();
            listed.extend(page.blobs.into_iter().map(|entry| entry.blob_id));
            pages += 1;
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((listed.as_slice(), pages), (expected.as_slice(), 3));
    }
    let other = v1::ListBlobsRequest { namespace: Bytes::from_static(&[8; 32]), ..Default::default() };
    assert!(peer.retrieval.clone().list_blobs(other).await.expect("a page").into_inner().blobs.is_empty());
    let bad = v1::ListBlobsRequest { page_token: Bytes::from_static(b"abc"), ..Default::default() };
    assert_eq!(peer.retrieval.clone().list_blobs(bad).await.expect_err("bad").code(), Code::InvalidArgument);
    let many = v1::ListBlobsRequest { page_size: 1001, ..Default::default() };
    assert_eq!(peer.retrieval.clone().list_blobs(many).await.expect_err("bad").code(), Code::InvalidArgument);
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_says_who_and_how_it_is() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let encoded = coded(1000, 1, Dispersal::ByPayload);
    peer.store(&world, &encoded, &world.statement(&encoded)).await;
    let info = NodeClient::new(peer.channel.clone()).get_info(v1::GetInfoRequest {}).await.expect("info").into_inner();
    assert_eq!(info.public_key, world.secrets[usize::from(SLOT)].public_key().to_bytes().as_slice());
    assert_eq!((info.epoch, info.slot, info.time, info.protocol), (EPOCH, Some(SLOT.into()), NOW, 1));
    assert_eq!((info.blobs, info.stored_bytes), (1, 1000 + 512));
    assert_eq!(info.registry, world.registry.domain().registry.as_bytes().as_slice());
    assert_eq!(info.writes_disabled, "");
    assert_eq!(info.store_id, member.store().id().as_bytes().as_slice());
    assert_eq!((info.store_lost_at, info.damaged), (0, 0));
    for service in ["", "holdfast.v1.Dispersal", "holdfast.v1.Retrieval", "holdfast.v1.Node"] {
        assert_eq!(health(&peer, service).await, ServingStatus::Serving, "{service}");
    }
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_members_data_folder_is_refused_with_what_differs() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let encoded = coded(1000, 1, Dispersal::ByShard);
    Peer::connect(&member).await.store(&world, &encoded, &world.statement(&encoded)).await;

    let busy = world.member(World::config(folder.path()), Arc::clone(&clock)).launch().await.expect_err("locked");
    assert!(matches!(&busy, Error::Store(store::Error::Locked { .. })), "{busy}");
    assert!(busy.to_string().contains("in use by another process"), "{busy}");
    member.stop().await.expect("stops");

    let other = SecretKey::derive_master(&[8; 32]).expect("a key");
    let expected = other.public_key().to_string();
    let config = World::config(folder.path());
    let error = Member::new(config.clone(), other, Arc::clone(&world.registry)).launch().await.expect_err("other key");
    let text = error.to_string();
    assert!(text.contains(&expected) && text.contains(&world.secrets[3].public_key().to_string()), "{text}");

    let key = world.secrets[usize::from(SLOT)].public_key();
    let domain = world.registry.domain();
    for (domain, field) in
        [(Domain { chain_id: 1, ..domain }, "chain id"), (Domain { registry: [1; 20].into(), ..domain }, "registry")]
    {
        let identity = store::Identity { public_key: key, domain };
        let error = store::Store::open(&config.data_dir, &identity, IfMissing::Refuse).expect_err(field);
        assert!(matches!(&error, store::Error::WrongIdentity { field: got, .. } if *got == field), "{error}");
    }
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("still there"), shard(&encoded));
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_and_the_folder_left_free() {
    let (world, clock) = (World::new(), TestClock::at(NOW));
    let (first, second) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let member = world.start(first.path(), &clock).await;
    let config = Config { listen: member.addr(), ..World::config(second.path()) };
    let error = world.member(config, Arc::clone(&clock)).launch().await.expect_err("in use");
    assert_eq!(error.to_string(), format!("{} is in use by another process", member.addr()));
    assert!(!World::config(second.path()).data_dir.exists(), "the port comes first");
    world.start(second.path(), &clock).await.stop().await.expect("the folder is free");
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_member_takes_nothing_new_and_cuts_off_what_does_not_end() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let mut config = World::config(folder.path());
    config.limits.drain_deadline = std::time::Duration::from_millis(200);
    let member = world.member(config, Arc::clone(&clock)).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    let encoded = coded(1000, 1, Dispersal::ByShard);
    let header = world.shard_header(&world.statement(&encoded), &encoded);
    // A disperser that sends its header and then nothing.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let part = Some(v1::store_shard_request::Part::Header(header));
    sender.send(v1::StoreShardRequest { part }).await.expect("sent");
    let mut client = peer.dispersal.clone();
    let call =
        tokio::spawn(async move { client.store_shard(tokio_stream::wrappers::ReceiverStream::new(receiver)).await });
    // The call is on its way once there is room in the queue again, and has arrived when a later one on the same
    // connection is answered.
    let _room = sender.reserve().await.expect("taken");
    peer.list().await;
    let error = member.stop().await.expect_err("not drained");
    assert!(matches!(error, Error::NotDrained { .. }), "{error}");
    drop(sender.clone());
    call.abort();
    let member = world.start(folder.path(), &clock).await;
    assert!(Peer::connect(&member).await.list().await.is_empty(), "nothing was signed");
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_every_service() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = ServerReflectionRequest { host: String::new(), message_request };
    let mut answers = ServerReflectionClient::new(peer.channel.clone())
        .server_reflection_info(stream::iter([request]))
        .await
        .expect("answers")
        .into_inner();
    let answer = answers.message().await.expect("an answer").expect("one").message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["holdfast.v1.Dispersal", "holdfast.v1.Retrieval", "holdfast.v1.Node", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    drop(answers);
    member.stop().await.expect("stops");
}

/// An address on loopback at which nothing listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_l1_is_away_at_its_start_serves_what_it_holds_and_signs_nothing() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let encoded = coded(1000, 1, Dispersal::ByShard);
    Peer::connect(&member).await.store(&world, &encoded, &world.statement(&encoded)).await;
    member.stop().await.expect("stops");

    let mut config = World::config(folder.path());
    config.committee_file = None;
    let registry = world.registry.domain().registry;
    config.l1 = Some(crate::config::L1 { rpc_url: nowhere().as_str().into(), registry, code_hash: None });
    // Without a store there is nothing to serve, and nobody knows the chain.
    let empty = tempfile::tempdir().expect("a folder");
    let unknown = Config { data_dir: empty.path().into(), ..config.clone() };
    assert!(matches!(crate::awaited::registry(&unknown).await, Err(Error::Registry(_))));

    let (registry, awaited) = crate::awaited::registry(&config).await.expect("waited for");
    let key = SecretKey::from_bytes(world.secrets[usize::from(SLOT)].to_bytes().as_ref()).expect("a key");
    let member = Member::new(config, key, registry).awaiting(awaited).launch().await.expect("starts");
    let peer = Peer::connect(&member).await;
    assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("served"), shard(&encoded));
    assert!(peer.get_blob(encoded.id()).await.expect("served").statements[0].attestation.is_some());
    assert_eq!(health(&peer, "holdfast.v1.Dispersal").await, ServingStatus::NotServing);
    assert_eq!(health(&peer, "holdfast.v1.Retrieval").await, ServingStatus::Serving);
    let info = NodeClient::new(peer.channel.clone()).get_info(v1::GetInfoRequest {}).await.expect("info").into_inner();
    assert!(info.writes_disabled.contains("L1 has not answered"), "{}", info.writes_disabled);
    let more = coded(1000, 2, Dispersal::ByShard);
    let header = world.shard_header(&world.statement(&more), &more);
    let status = peer.store_shard(header, shard(&more)).await.expect_err("nothing is signed");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_could_not_be_read_for_too_long_shows_in_health_and_status_until_it_is_read_again() {
    let (mut world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let registry = registry::Scripted::of(&mut world);
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let info = || async {
        let asked = NodeClient::new(peer.channel.clone()).get_info(v1::GetInfoRequest {}).await;
        asked.expect("answered").into_inner()
    };
    let turns = |to: ServingStatus| {
        let peer = &peer;
        async move {
            let turned = async {
                while health(peer, "holdfast.v1.Dispersal").await != to {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(10), turned).await.expect("health turns");
        }
    };
    let fresh = info().await;
    assert_eq!((fresh.writes_disabled.as_str(), fresh.l1.expect("a view").expired), ("", false));
    registry.expired.store(true, Ordering::SeqCst);
    turns(ServingStatus::NotServing).await;
    assert_eq!(health(&peer, "holdfast.v1.Retrieval").await, ServingStatus::Serving);
    let old = info().await;
    assert!(old.writes_disabled.contains("L1 could not be read for too long"), "{old:?}");
    assert!(old.l1.expect("a view").expired);
    registry.expired.store(false, Ordering::SeqCst);
    turns(ServingStatus::Serving).await;
    assert_eq!(info().await.writes_disabled, "");
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_heard_while_l1_is_being_connected_to() {
    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::in_folder("127.0.0.1:0".parse().expect("an address"), folder.path());
    config.committee_file = None;
    config.l1 = Some(crate::config::L1 {
        rpc_url: url.as_str().into(),
        registry: holdfast_certificate::Address::ZERO,
        code_hash: None,
    });
    let stop = async {
        // It asks; so it is being started.
        let _asking = silent.accept().await.expect("a connection");
    };
    let started = std::time::Instant::now();
    crate::run(config, store::IfMissing::Create, None, stop).await.expect("stopped in order");
    assert!(started.elapsed() < std::time::Duration::from_secs(3), "waited for L1");
}
