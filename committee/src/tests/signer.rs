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
        // The settings may be mended: the statement is not refused for ever.
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(trouble(&member).contains("chain"), "{}", trouble(&member));
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

/// How a signer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    OtherKey,
    OtherSignature,
    Garbage,
    Silent,
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
