//! A member that speaks TLS, and one that is watched.

use std::fs;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use v1::node_client::NodeClient;

use super::{
    raw::{PREFACE, tcp},
    *,
};
use crate::config::Tls;

fn secure(config: &mut Config) {
    let folder = config.data_dir.parent().expect("a folder");
    let tls = Tls { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    let pair = holdfast_transport::tls::generate(vec!["127.0.0.1".into()], None).expect("made");
    fs::write(&tls.certificate, pair.certificate).expect("written");
    fs::write(&tls.key, pair.key).expect("written");
    config.tls = Some(tls);
    config.metrics_listen = Some("127.0.0.1:0".parse().expect("an address"));
    config.limits.opening_deadline = Duration::from_secs(1);
}

async fn start() -> (tempfile::TempDir, Running) {
    let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
    let mut config = World::config(folder.path());
    secure(&mut config);
    let member = world.member(config, TestClock::at(NOW)).launch().await.expect("starts");
    (folder, member)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_with_a_certificate_answers_to_its_pin_and_to_nothing_else() {
    let (_folder, member) = start().await;
    let pin = member.tls_pin().expect("it speaks TLS");
    let ask = async |url: String, pin: Option<&holdfast_transport::Pin>| {
        let trust = holdfast_transport::Trust::pinned(pin.copied());
        let endpoint = holdfast_transport::endpoint(&url, &trust, Duration::from_secs(5)).expect("a good URL");
        let mut node = NodeClient::new(endpoint.connect_lazy());
        node.get_info(v1::GetInfoRequest {}).await.map(|answer| answer.into_inner().protocol)
    };
    assert_eq!(ask(member.endpoint(), Some(&pin)).await.expect("the pinned key"), 1);
    assert!(ask(member.endpoint(), Some(&[1; 32])).await.is_err(), "another pin");
    assert!(ask(member.endpoint(), None).await.is_err(), "no root vouches for it");
    assert!(ask(member.endpoint().replace("https", "http"), None).await.is_err(), "plain text");
    // Who never finishes the handshake is closed, and so is who speaks plain HTTP/2.
    for bytes in [&[22, 3, 1][..], PREFACE] {
        let mut stranger = tcp(member.addr(), [127, 0, 0, STRANGER]).await.expect("connects");
        stranger.write_all(bytes).await.expect("sent");
        let mut rest = Vec::new();
        let ended = stranger.read_to_end(&mut rest);
        let _ended = tokio::time::timeout(Duration::from_secs(10), ended).await.expect("closed in time");
    }
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_where_the_operator_put_them() {
    let (_folder, member) = start().await;
    let address = member.metrics_addr().expect("they are somewhere");
    let get = async |path: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connects");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: member\r\n\r\n").as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("text");
        answer
    };
    let page = get("/metrics").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    for line in [
        "holdfast_member_serving{service=\"holdfast.v1.Dispersal\"} 1",
        "holdfast_member_epoch 7",
        "holdfast_member_memory_limit_bytes{budget=\"receiving\"} 223696213",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    assert!(get("/other").await.starts_with("HTTP/1.1 404"));
    // For people there is a page, under a policy that lets nothing run.
    for (path, kind) in [("/", "text/html"), ("/status.css", "text/css"), ("/status.svg", "image/svg+xml")] {
        let answer = get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("content-type: {kind}")), "{answer}");
        for header in
            ["content-security-policy: default-src 'none'; ", "x-frame-options: DENY", "cache-control: no-store"]
        {
            assert!(answer.contains(header), "{header} is not in {answer}");
        }
    }
    let page = get("/").await;
    assert!(page.contains("Stores and signs") && page.contains("slot 3 of epoch 7"), "{page}");
    // The gRPC port knows nothing of it, and this one nothing of gRPC.
    member.stop().await.expect("stops");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the listener is gone");
}
