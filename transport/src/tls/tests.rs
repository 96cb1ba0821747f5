mod fuzz;

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use holdfast_certificate::{Address, Domain, SecretKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    dial::endpoint,
    trust::{MemberKey, Trust},
};

const LIMIT: Duration = Duration::from_secs(5);

fn write(folder: &Path, pair: &Pair) -> ServerTls {
    fs::write(folder.join("tls.crt"), &pair.certificate).expect("written");
    fs::write(folder.join("tls.key"), &pair.key).expect("written");
    ServerTls::load(&folder.join("tls.crt"), &folder.join("tls.key")).expect("a good pair")
}

fn pair() -> Pair {
    generate(vec!["127.0.0.1".into(), "member.example".into()], None).expect("made")
}

/// Serves TLS and nothing else: what matters is whether a client goes on after the handshake. Tells the bytes of each
/// connection, decrypted.
async fn serve(tls: ServerTls) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (told, heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, told) = (tls.clone(), told.clone());
            tokio::spawn(async move {
                let bytes = match tls.acceptor().accept(stream).await {
                    Ok(mut stream) => stream.read(&mut [0; 1024]).await.unwrap_or(0),
                    Err(_) => 0,
                };
                let _gone = told.send(bytes);
            });
        }
    });
    (address, heard)
}

/// Connects, and says how many bytes the server was sent in the clear of its own TLS.
async fn connect(url: String, trust: Trust, heard: &mut tokio::sync::mpsc::UnboundedReceiver<usize>) -> usize {
    let endpoint = endpoint(&url, &trust, LIMIT).expect("a good URL");
    let _channel = tokio::time::timeout(LIMIT, endpoint.connect()).await;
    tokio::time::timeout(LIMIT, heard.recv()).await.expect("in time").expect("told")
}

#[tokio::test]
async fn the_pinned_key_is_taken_and_nobody_else_gets_a_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let (good, other) = (pair(), pair());
    let (address, mut heard) = serve(write(folder.path(), &good)).await;
    let url = format!("https://{address}");
    assert!(connect(url.clone(), Trust::pinned(Some(good.pin)), &mut heard).await > 0, "the pinned key");
    assert_eq!(connect(url.clone(), Trust::pinned(Some(other.pin)), &mut heard).await, 0, "another pin");
    assert_eq!(connect(url, Trust::default(), &mut heard).await, 0, "no pin, and no root vouches for it");
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
}

#[tokio::test]
async fn an_endorsed_key_is_taken_from_its_member_in_its_registry_and_its_time_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (secret, other) = (SecretKey::generate(), SecretKey::generate());
    let domain = Domain { chain_id: 7, registry: Address::from([3; 20]) };
    let elsewhere = Domain { chain_id: 8, ..domain };
    let endorser = |secret, from| Endorser { secret, domain, from, span: Duration::from_secs(3600) };
    let make = |endorser| generate(vec!["127.0.0.1".into()], Some(endorser)).expect("made");
    let trust =
        |key: &SecretKey, domain| Trust { pin: None, member: Some(MemberKey { key: key.public_key(), domain }) };
    let good = make(endorser(&secret, now() - 60));
    let tls = write(folder.path(), &good);
    assert_eq!(tls.pin(), good.pin);
    assert!(tls.not_after().abs_diff(now() + 3540) <= 1, "its date is the endorsement's");
    let (address, mut heard) = serve(tls.clone()).await;
    let url = format!("https://{address}");
    assert!(connect(url.clone(), trust(&secret, domain), &mut heard).await > 0, "its own member");
    assert_eq!(connect(url.clone(), trust(&other, domain), &mut heard).await, 0, "another member's");
    assert_eq!(connect(url.clone(), trust(&secret, elsewhere), &mut heard).await, 0, "another registry");
    assert_eq!(connect(url.clone(), Trust::default(), &mut heard).await, 0, "who does not know the member");
    // Where there is a pin it alone counts.
    let pinned = Trust { pin: Some([1; 32]), ..trust(&secret, domain) };
    assert_eq!(connect(url.clone(), pinned, &mut heard).await, 0, "another pin, though endorsed");
    // A key that was changed, without a word to anybody: what it was replaced by is endorsed as well.
    for (from, expected) in [(now() - 60, true), (now() - 7200, false), (now() + 3600, false)] {
        write(folder.path(), &make(endorser(&secret, from)));
        tls.reload().expect("a good pair");
        let sent = connect(url.clone(), trust(&secret, domain), &mut heard).await;
        assert_eq!(sent > 0, expected, "endorsed from {from} for an hour");
    }
    // Not endorsed at all, and endorsed by somebody else.
    for pair in [pair(), make(endorser(&other, now() - 60))] {
        write(folder.path(), &pair);
        tls.reload().expect("a good pair");
        assert_eq!(connect(url.clone(), trust(&secret, domain), &mut heard).await, 0);
    }
}

#[tokio::test]
async fn who_is_refused_is_told_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = SecretKey::generate();
    let domain = Domain { chain_id: 7, registry: Address::from([3; 20]) };
    let endorser = Endorser { secret: &secret, domain, from: 1000, span: Duration::from_secs(3600) };
    let old = generate(vec!["127.0.0.1".into()], Some(endorser)).expect("made");
    let (address, _heard) = serve(write(folder.path(), &old)).await;
    let member = Some(MemberKey { key: secret.public_key(), domain });
    for (trust, says) in [
        (Trust::pinned(Some([1; 32])), format!("has the pin 0x{}, expected 0x0101", hex::encode(old.pin))),
        (Trust { pin: None, member }, "is not endorsed: ".to_owned()),
    ] {
        let endpoint = endpoint(&format!("https://{address}"), &trust, LIMIT).expect("a good URL");
        let error = endpoint.connect().await.expect_err("refused");
        let mut cause: &dyn std::error::Error = &error;
        let mut text = cause.to_string();
        while let Some(inner) = cause.source() {
            cause = inner;
            text = format!("{text}: {cause}");
        }
        assert!(text.contains(&says), "{text}");
    }
}

#[tokio::test]
async fn not_one_byte_of_plain_text_goes_to_an_https_endpoint() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let endpoint = endpoint(&format!("https://{address}"), &Trust::pinned(Some([1; 32])), LIMIT).expect("a good URL");
    let client = tokio::spawn(async move { endpoint.connect().await.map(drop) });
    let (mut stream, _) = listener.accept().await.expect("connects");
    let mut first = [0; 6];
    stream.read_exact(&mut first).await.expect("sent");
    // A TLS record of a handshake with a ClientHello in it.
    assert_eq!((first[0], first[1], first[5]), (22, 3, 1));
    // Who answers in plain HTTP/2 is hung up on.
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("sent");
    assert!(client.await.expect("joined").is_err());
}

#[test]
fn a_new_pair_is_taken_and_half_of_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (pair(), pair());
    let tls = write(folder.path(), &first);
    assert_eq!((tls.pin(), tls.reload()), (first.pin, Ok(false)));
    fs::write(folder.path().join("tls.crt"), &second.certificate).expect("written");
    let error = tls.reload().expect_err("another's key");
    assert!(matches!(&error, Error::Pair { .. }), "{error}");
    assert_eq!(tls.pin(), first.pin, "the one before stays");
    fs::write(folder.path().join("tls.key"), &second.key).expect("written");
    assert_eq!((tls.reload(), tls.pin()), (Ok(true), second.pin));
    fs::write(folder.path().join("tls.crt"), "not a certificate").expect("written");
    assert!(matches!(tls.reload(), Err(Error::File { .. })));
    // 2099-12-31T00:00:00Z
    assert_eq!(tls.not_after(), 4_102_358_400);
}

#[test]
fn two_made_at_once_are_different_and_each_has_its_own_pin() {
    let (first, second) = (pair(), pair());
    assert_ne!(first.pin, second.pin);
    let _shared: Arc<str> = first.key.into();
}
