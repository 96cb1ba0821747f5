//! Members whose key is elsewhere: with a signer that is well, slow, away, or lies.

use holdfast_certificate::{Address, Attestation, Checkpoint, Endorsement, Keystore, keystore::Strength};
use holdfast_proto::signer::v1::{self as wire, signer_server};
use tonic::Code;

use super::*;
use crate::{config::Tls, signer};

const TOKEN: &str = "a-token-that-is-long-enough";

/// The settings of a signer with the key of the member under test.
fn settings(world: &World, folder: &Path, listen: &str) -> signer::Config {
    let secret = SecretKey::from_bytes(world.secrets[usize::from(SLOT)].to_bytes().as_ref()).expect("a key");
    let keystore = Keystore::encrypt_with(&secret, "password", Strength::Development);
    std::fs::write(folder.join("k.json"), serde_json::to_string(&keystore).expect("JSON")).expect("written");
    std::fs::write(folder.join("p"), "password").expect("written");
    std::fs::write(folder.join("token"), TOKEN).expect("written");
    let domain = world.registry.domain();
    let text = format!(
        "listen = \"{listen}\"\ntoken_file = \"token\"\nkeystore = \"k.json\"\npassword_file = \"p\"\nchain_id = {}\nregistry = \"{}\"\nmax_endorsement = \"90d\"\n",
        domain.chain_id, domain.registry
    );
    std::fs::write(folder.join("signer.toml"), text).expect("written");
    signer::Config::load(&folder.join("signer.toml")).expect("good")
}

/// A member that asks the signer at `url`.
async fn member(world: &World, folder: &Path, url: String, change: impl FnOnce(&mut signer::Settings)) -> Running {
    let mut config = World::config(folder);
    (config.keystore, config.password_file) = Default::default();
    let mut signer = signer::Settings {
        url,
        public_key: world.secrets[usize::from(SLOT)].public_key(),
        tls_pin: None,
        token_file: Some(folder.join("token")),
        deadline: Duration::from_secs(2),
    };
    change(&mut signer);
    config.signer = Some(signer);
    let member = Member::open(config, Arc::clone(&world.registry)).await.expect("opens");
    member.if_missing(IfMissing::Create).with_clock(TestClock::at(NOW)).launch().await.expect("starts")
}

async fn start(config: signer::Config) -> signer::Running {
    signer::start_by(config, TestClock::at(NOW)).await.expect("starts")
}

fn trouble(member: &Running) -> String {
    member.shared().attestor.pen.trouble().unwrap_or_default()
}

async fn store(world: &World, running: &Running, seed: u8) -> Result<v1::Attestation, Status> {
    let encoded = coded(1000, seed, Dispersal::ByShard);
    let header = world.shard_header(&world.statement(&encoded), &encoded);
    let peer = Peer::connect(running).await;
    let attestation = peer.store_shard(header, shard(&encoded)).await?;
    world.verify(&world.statement(&encoded), &attestation);
    Ok(attestation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_signs_by_a_signer_over_a_socket_and_over_an_address() {
    for over_socket in [true, false] {
        let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
        let listen = if over_socket { "unix:s.sock" } else { "127.0.0.1:0" };
        let running = start(settings(&world, folder.path(), listen)).await;
        let url = match running.addr() {
            Some(address) => format!("http://{address}"),
            None => format!("unix:{}", folder.path().join("s.sock").display()),
        };
        let member = member(&world, folder.path(), url, |_| {}).await;
        until(|| member.shared().attestor.pen.trouble().is_none()).await;
        store(&world, &member, 1).await.expect("signed");
        // What is known is not asked for again, and is the same.
        running.stop().await;
        store(&world, &member, 1).await.expect("remembered");
        assert!(member.shared().attestor.pen.median().is_some_and(|took| took < Duration::from_secs(2)));
        member.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_is_away_costs_no_data_and_what_is_stored_is_signed_when_it_is_back() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    std::fs::write(folder.path().join("token"), TOKEN).expect("written");
    let url = format!("unix:{}", folder.path().join("s.sock").display());
    let member = member(&world, folder.path(), url, |_| {}).await;
    until(|| member.shared().attestor.pen.trouble().is_some()).await;
    let status = store(&world, &member, 1).await.expect_err("nobody signs");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"), "{status:?}");
    assert!(!status.message().contains('/'), "a stranger is told no path: {status}");
    assert_eq!(member.store().usage().items, 1, "it is held all the same");
    let encoded = coded(1000, 1, Dispersal::ByShard);
    let peer = Peer::connect(&member).await;
    let told = peer.get_blob(encoded.id()).await.expect("known");
    assert!(told.statements[0].attestation.is_none(), "and told of without a signature");
    assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("read"), shard(&encoded));
    let signer = start(settings(&world, folder.path(), "unix:s.sock")).await;
    until(|| member.shared().attestor.pen.trouble().is_none()).await;
    let header = v1::store_shard_request::Part::Header(world.shard_header(&world.statement(&encoded), &encoded));
    let attestation = peer.send_shard(vec![header]).await.expect("signed from the header alone");
    world.verify(&world.statement(&encoded), &attestation);
    signer.stop().await;
    member.stop().await.expect("stops");
}

/// The pair of a signer that speaks TLS.
fn secure(mut config: signer::Config, folder: &Path) -> signer::Config {
    let tls = Tls { certificate: folder.join("s.crt"), key: folder.join("s.key") };
    let pair = holdfast_transport::tls::generate(vec!["127.0.0.1".into()], None).expect("made");
    std::fs::write(&tls.certificate, pair.certificate).expect("written");
    std::fs::write(&tls.key, pair.key).expect("written");
    config.tls = Some(tls);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_another_tls_key_than_the_pinned_one_is_told_nothing_and_signs_nothing() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let running = start(secure(settings(&world, folder.path(), "127.0.0.1:0"), folder.path())).await;
    let url = format!("https://{}", running.addr().expect("an address"));
    for (name, pin, signs) in
        [("right", running.tls_pin(), true), ("wrong", Some([1; 32]), false), ("none", None, false)]
    {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).expect("made");
        std::fs::write(place.join("token"), TOKEN).expect("written");
        let member = member(&world, &place, url.clone(), |signer| signer.tls_pin = pin).await;
        assert_eq!(store(&world, &member, 1).await.is_ok(), signs, "{name}");
        assert_eq!(trouble(&member).is_empty(), signs, "{name}: {}", trouble(&member));
        member.stop().await.expect("stops");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_another_chain_or_registry_is_not_signed() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let changes: [fn(&mut signer::Config); 2] =
        [|config| config.chain_id += 1, |config| config.registry = Address::from([9; 20])];
    for (number, change) in changes.into_iter().enumerate() {
        let place = folder.path().join(number.to_string());
        std::fs::create_dir(&place).expect("made");
        let mut config = settings(&world, &place, "unix:s.sock");
        change(&mut config);
        let running = start(config).await;
        let member = member(&world, &place, format!("unix:{}", place.join("s.sock").display()), |_| {}).await;
        until(|| trouble(&member).contains("another chain or registry")).await;
        let status = store(&world, &member, 1).await.expect_err("not signed");
        // The settings may be mended, and whose they are a stranger is not told.
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(!status.message().contains("chain"), "{status}");
        assert!(member.shared().attestor.ready().await.is_err());
        member.stop().await.expect("stops");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_and_a_tls_key_are_signed_by_the_signer_too() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let running = start(settings(&world, folder.path(), "unix:s.sock")).await;
    let mut asked = None;
    let url = format!("unix:{}", folder.path().join("s.sock").display());
    let member = member(&world, folder.path(), url, |settings| asked = Some(settings.clone())).await;
    let settings = asked.expect("changed");
    store(&world, &member, 1).await.expect("signed");
    let ids = [coded(1000, 1, Dispersal::ByShard).id()];
    let checkpoint = Checkpoint::over(world.namespace, EPOCH, &ids, RETAIN).expect("sound");
    let digest = checkpoint.digest(&world.registry.domain());
    let request = v1::SignCheckpointRequest {
        namespace: Bytes::copy_from_slice(checkpoint.namespace.as_bytes()),
        epoch: checkpoint.epoch,
        blob_ids: holdfast_proto::blob_ids_to_bytes(&ids),
        retain_until: checkpoint.retain_until,
        disperser_signature: Bytes::copy_from_slice(&world.disperser.sign(&digest).to_bytes()),
    };
    let signed = Peer::connect(&member).await.sign_checkpoint(request).await.expect("signed");
    let committee = world.registry.epoch(EPOCH).await.expect("the epoch").committee.clone();
    Attestation::try_from(&signed).expect("a point").verify(&committee, &digest).expect("verifies");

    let domain = world.registry.domain();
    let endorsed = crate::endorse(&settings, domain, &[5; 32], (NOW, NOW + 3600)).await.expect("endorsed");
    let key = world.secrets[usize::from(SLOT)].public_key();
    endorsed.verify(&key, &domain, &[5; 32], NOW + 1).expect("verifies");
    let longer = crate::endorse(&settings, domain, &[5; 32], (NOW, NOW + 91 * 86_400)).await.expect_err("too long");
    assert!(longer.contains("by this signer's rules"), "{longer}");
    member.stop().await.expect("stops");
    running.stop().await;
    // One of another TLS key is not taken.
    let (url, serving) = lie(&world, Lie::Garbage).await;
    crate::endorse(&signer::Settings { url, ..settings }, domain, &[5; 32], (NOW, NOW + 3600))
        .await
        .expect_err("a lie");
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_the_token_has_anything_signed() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let running = start(settings(&world, folder.path(), "127.0.0.1:0")).await;
    let url = format!("http://{}", running.addr().expect("an address"));
    std::fs::write(folder.path().join("other"), "another-token-as-long-as-it").expect("written");
    let member = member(&world, folder.path(), url, |signer| {
        signer.token_file = Some(folder.path().join("other"));
    })
    .await;
    until(|| member.shared().attestor.pen.trouble().is_some_and(|why| why.contains("the token is missing"))).await;
    assert_eq!(store(&world, &member, 1).await.expect_err("refused").code(), Code::Unavailable);
    member.stop().await.expect("stops");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_is_refused_before_anything_of_a_message_is_taken() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let running = start(settings(&world, folder.path(), "127.0.0.1:0")).await;
    let stream = tokio::net::TcpStream::connect(running.addr().expect("an address")).await.expect("connects");
    let (mut calls, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let _driver = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
    let request = |method: &str, token: &str| {
        let request = http::Request::post(format!("http://signer/holdfast.signer.v1.Signer/{method}"));
        let request = request.header("content-type", "application/grpc").header("te", "trailers");
        request.header("authorization", format!("Bearer {token}")).body(()).expect("a request")
    };
    // 16 KiB of a message of 128 KiB, of which no more comes.
    let begun = || Bytes::from([&[0][..], &(128u32 << 10).to_be_bytes(), &vec![0; 16 << 10]].concat());
    // More of them than there are streams at once, and more bytes than a connection has in flight.
    for _ in 0..300 {
        calls = calls.ready().await.expect("open");
        let (answer, mut body) = calls.send_request(request("SignCheckpoint", "no-token"), false).expect("sent");
        // It may be refused while it is sent.
        let _sent = body.send_data(begun(), false);
        let answer = tokio::time::timeout(Duration::from_secs(10), answer).await.expect("at once").expect("answered");
        assert_eq!(answer.headers()["grpc-status"], "16");
    }
    // Of one who has it the rest is waited for.
    calls = calls.ready().await.expect("open");
    let (mut waits, mut body) = calls.send_request(request("SignCheckpoint", TOKEN), false).expect("sent");
    body.send_data(begun(), false).expect("sent");
    calls = calls.ready().await.expect("open");
    let (key, mut end) = calls.send_request(request("GetKey", TOKEN), false).expect("sent");
    end.send_data(Bytes::from_static(&[0; 5]), true).expect("sent");
    assert_eq!(key.await.expect("answered").status(), 200);
    assert!(futures::poll!(&mut waits).is_pending());
    body.send_reset(h2::Reason::CANCEL);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_read_leave_stores_their_share_of_a_signers_rate() {
    /// Signatures a second that the signer makes, as many at once,
    const RATE: u32 = 30;
    /// and those that reads may have of them.
    const READS: f64 = 20.0;
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let config = signer::Config { signatures_per_second: RATE, ..settings(&world, folder.path(), "unix:s.sock") };
    let url = format!("unix:{}", folder.path().join("s.sock").display());
    let member = member(&world, folder.path(), url, |_| {}).await;
    // While nobody signs.
    let blobs: Vec<EncodedBlob> = (1..=60).map(|seed| coded(1000, seed, Dispersal::ByShard)).collect();
    let peer = Peer::connect(&member).await;
    for blob in &blobs {
        let header = world.shard_header(&world.statement(blob), blob);
        peer.store_shard(header, shard(blob)).await.expect_err("stored, and not signed");
    }
    assert_eq!(member.store().usage().items, 60);
    let signer = start(config).await;
    until(|| trouble(&member).is_empty()).await;
    let (began, stranger) = (std::time::Instant::now(), Peer::connect_from(&member, 66).await);
    let told = futures::future::join_all(blobs.iter().map(|blob| stranger.get_blob(blob.id()))).await;
    let most = READS * (1.0 + began.elapsed().as_secs_f64()) + 1.0;
    store(&world, &member, 61).await.expect("signed beside them");
    let signed = |told: &v1::GetBlobResponse| told.statements[0].attestation.clone();
    let told: Vec<_> = told.into_iter().map(|told| signed(&told.expect("known"))).collect();
    let count = told.iter().flatten().count();
    assert!(count > 0 && count as f64 <= most, "{count} signatures for reads, expected at most {most}");
    // What was made for a read is remembered: it is given out when nobody signs.
    signer.stop().await;
    for (blob, before) in blobs.iter().zip(told).filter(|(_, before)| before.is_some()) {
        assert_eq!(signed(&stranger.get_blob(blob.id()).await.expect("known")), before);
    }
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_has_too_much_to_do_is_well_all_the_same() {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    std::fs::write(folder.path().join("token"), TOKEN).expect("written");
    let (url, serving) = lie(&world, Lie::Busy).await;
    let member = member(&world, folder.path(), url, |_| {}).await;
    until(|| trouble(&member).is_empty()).await;
    let status = store(&world, &member, 1).await.expect_err("not signed now");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(trouble(&member), "");
    member.shared().attestor.ready().await.expect("it would sign the next");
    member.stop().await.expect("stops");
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_beyond_a_signers_rate_is_refused_by_its_shape_first() {
    use wire::signer_client::SignerClient;
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let config = settings(&world, folder.path(), "127.0.0.1:0");
    let running = start(signer::Config { signatures_per_second: 1, ..config }).await;
    let channel = Channel::from_shared(format!("http://{}", running.addr().expect("an address"))).expect("a URL");
    let mut client = SignerClient::new(channel.connect().await.expect("connects"));
    let domain = world.registry.domain();
    let mut ids: Vec<BlobId> = (0..4096u32).map(|n| holdfast_erasure::sha256(&n.to_be_bytes()).into()).collect();
    ids.sort_unstable();
    let mut ask = async |ids: &[BlobId]| {
        let mut request = tonic::Request::new(wire::SignCheckpointRequest {
            chain_id: domain.chain_id,
            registry: Bytes::copy_from_slice(domain.registry.as_bytes()),
            namespace: Bytes::copy_from_slice(world.namespace.as_bytes()),
            epoch: EPOCH,
            blob_ids: holdfast_proto::blob_ids_to_bytes(ids),
            retain_until: RETAIN,
        });
        request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().expect("ASCII"));
        client.sign_checkpoint(request).await.map(tonic::Response::into_inner)
    };
    let digest = Checkpoint::over(world.namespace, EPOCH, &ids, RETAIN).expect("sound").digest(&domain);
    let signature = ask(&ids).await.expect("the first one").signature;
    let signature = holdfast_certificate::Signature::from_bytes(&signature).expect("a point");
    let key = world.secrets[usize::from(SLOT)].public_key();
    assert!(Attestation { slot: SLOT, signature }.is_by(&key, &digest), "over the root that it has built itself");
    // A second's worth is one: of ten at once most are too many.
    let mut refused = 0;
    for _ in 0..10 {
        let swapped = [&ids[1..], &ids[..1]].concat();
        assert_eq!(ask(&swapped).await.expect_err("out of order").code(), Code::InvalidArgument);
        refused += ask(&ids).await.is_err_and(|status| status.code() == Code::ResourceExhausted) as usize;
    }
    assert!(refused > 0, "more than one in a second");
    running.stop().await;
}

/// How a signer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    OtherKey,
    OtherSignature,
    Garbage,
    Silent,
    Busy,
}

struct Liar(Lie, Arc<SecretKey>, holdfast_certificate::Domain);

#[tonic::async_trait]
impl signer_server::Signer for Liar {
    async fn get_key(
        &self,
        _: tonic::Request<wire::GetKeyRequest>,
    ) -> Result<tonic::Response<wire::GetKeyResponse>, Status> {
        let other = SecretKey::derive_master(&[9; 32]).expect("a key");
        let key = if self.0 == Lie::OtherKey { other.public_key() } else { self.1.public_key() };
        Ok(tonic::Response::new(wire::GetKeyResponse {
            public_key: Bytes::copy_from_slice(&key.to_bytes()),
            chain_id: self.2.chain_id,
            registry: Bytes::copy_from_slice(self.2.registry.as_bytes()),
        }))
    }

    async fn sign_statement(
        &self,
        request: tonic::Request<wire::SignStatementRequest>,
    ) -> Result<tonic::Response<wire::SignStatementResponse>, Status> {
        let statement = Statement::try_from(request.get_ref().statement.as_ref().expect("there")).expect("good");
        let longer = Statement { retain_until: statement.retain_until + HOUR, ..statement };
        let other = SecretKey::derive_master(&[9; 32]).expect("a key");
        let signature = match self.0 {
            Lie::OtherKey => Attestation::sign(SLOT, &other, &statement.digest(&self.2)).signature.to_bytes().to_vec(),
            Lie::OtherSignature => {
                Attestation::sign(SLOT, &self.1, &longer.digest(&self.2)).signature.to_bytes().to_vec()
            }
            Lie::Garbage => vec![0x5a; 48],
            Lie::Silent => std::future::pending().await,
            Lie::Busy => return Err(Status::resource_exhausted("more than this signer signs in a second")),
        };
        Ok(tonic::Response::new(wire::SignStatementResponse { signature: signature.into() }))
    }

    async fn sign_checkpoint(
        &self,
        _: tonic::Request<wire::SignCheckpointRequest>,
    ) -> Result<tonic::Response<wire::SignCheckpointResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn sign_endorsement(
        &self,
        request: tonic::Request<wire::SignEndorsementRequest>,
    ) -> Result<tonic::Response<wire::SignEndorsementResponse>, Status> {
        let wire::SignEndorsementRequest { not_before, not_after, .. } = *request.get_ref();
        // Of another TLS key than was asked for.
        let made = Endorsement::sign(&self.1, &self.2, &[9; 32], not_before, not_after).expect("good times");
        Ok(tonic::Response::new(wire::SignEndorsementResponse {
            endorsement: Bytes::copy_from_slice(&made.to_bytes()),
        }))
    }
}

/// Serves a liar; where.
async fn lie(world: &World, lie: Lie) -> (String, tokio::task::JoinHandle<Result<(), tonic::transport::Error>>) {
    let secret = SecretKey::from_bytes(world.secrets[usize::from(SLOT)].to_bytes().as_ref()).expect("a key");
    let liar = Liar(lie, Arc::new(secret), world.registry.domain());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder().add_service(signer_server::SignerServer::new(liar));
    (url, tokio::spawn(server.serve_with_incoming(incoming)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lying_or_silent_signer_answers_is_never_given_out() {
    for lie in [Lie::OtherKey, Lie::OtherSignature, Lie::Garbage, Lie::Silent] {
        let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
        std::fs::write(folder.path().join("token"), TOKEN).expect("written");
        let (url, serving) = self::lie(&world, lie).await;
        let member = member(&world, folder.path(), url, |signer| signer.deadline = Duration::from_millis(500)).await;
        let status = store(&world, &member, 1).await.expect_err("not given out");
        assert_eq!(status.code(), Code::Unavailable, "{lie:?}: {status}");
        // Trouble is seen by health, and the signer is not called well by its next word.
        let named = match lie {
            Lie::OtherKey => "the signer holds another key",
            Lie::OtherSignature | Lie::Garbage => "no signature of this member's",
            Lie::Silent => "does not sign within 500ms",
            Lie::Busy => unreachable!("tested by itself"),
        };
        // What it says of its key and what it signs come in any order.
        until(|| trouble(&member).contains(named) || lie == Lie::OtherKey && trouble(&member).contains("no signature"))
            .await;
        assert!(member.shared().attestor.ready().await.is_err(), "{lie:?}");
        let encoded = coded(1000, 1, Dispersal::ByShard);
        let told = Peer::connect(&member).await.get_blob(encoded.id()).await.expect("known");
        assert!(told.statements[0].attestation.is_none(), "{lie:?}");
        member.stop().await.expect("stops");
        serving.abort();
    }
}
