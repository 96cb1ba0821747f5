//! TLS on the listeners that serve payloads.

use std::{fs, path::Path, time::Duration};

use holdfast_gateway::{Gateway, config::Tls};
use holdfast_transport::tls::{Pair, generate};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{Answer, Committee, LIMIT, Server, commitment, payload, raw};

fn pair() -> Pair {
    generate(vec!["127.0.0.1".into(), "gateway.example".into()], None).unwrap()
}

fn write(folder: &Path, pair: &Pair) -> Tls {
    let tls = Tls { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    fs::write(&tls.certificate, &pair.certificate).unwrap();
    fs::write(&tls.key, &pair.key).unwrap();
    tls
}

/// A client that trusts this certificate and no other.
fn client(pair: &Pair) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(pair.certificate.as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([root]).timeout(LIMIT).build().unwrap()
}

fn https(gateway: &Server, listener: &str, path: &str) -> String {
    format!("https://{}{path}", gateway.at(listener))
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_go_over_tls_in_and_out_and_nothing_in_the_clear() {
    let committee = Committee::start().await;
    let (good, other) = (pair(), pair());
    let tls = write(committee.folder(), &good);
    let gateway = committee.gateway_with(|config| config.tls = Some(tls)).await;
    let trusting = client(&good);
    let payload = payload(300_000, 1);
    let put = trusting.post(https(&gateway, "op", "/put")).body(payload.clone()).send().await.unwrap();
    assert_eq!(hex::encode(Answer::of(put).await.ok().body), commitment(&payload));
    for (listener, path) in [
        ("op", format!("/get/0x{}", commitment(&payload))),
        ("read", format!("/get/0x{}", commitment(&payload))),
        ("http", format!("/v1/blobs/{}", &commitment(&payload)[4..])),
    ] {
        let read = trusting.get(https(&gateway, listener, &path)).send().await.unwrap();
        assert!(Answer::of(read).await.ok().body == payload, "{listener}");
    }
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"daprovider_getSupportedHeaderBytes","params":[]}"#;
    let answer = trusting.post(https(&gateway, "nitro", "/")).body(call).send().await.unwrap();
    assert!(Answer::of(answer).await.ok().text().contains("0x01"));
    // Who trusts somebody else gives nothing away; who speaks in the clear is hung up on.
    client(&other).get(https(&gateway, "op", "/healthz")).send().await.unwrap_err();
    let clear = raw(gateway.at("op"), &[b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"]).await;
    assert!(!clear.contains("HTTP/1.1 200"), "{clear}");
    // Metrics are for the operator's own network, and stay as they are.
    gateway.get("metrics", "/metrics").await.ok();
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_ends_the_handshake_is_cut_off_and_holds_up_no_stop() {
    let committee = Committee::start().await;
    let good = pair();
    let tls = write(committee.folder(), &good);
    let gateway = committee
        .gateway_with(|config| {
            config.tls = Some(tls);
            config.limits.head_deadline = Duration::from_secs(1);
        })
        .await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(gateway.at("op")).await.unwrap());
        silent.last_mut().unwrap().write_all(&[22, 3, 1]).await.unwrap();
    }
    let served = client(&good).get(https(&gateway, "op", "/healthz")).send().await.unwrap();
    assert_eq!(served.status(), 200);
    for mut stream in silent {
        let read = tokio::time::timeout(LIMIT, tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64])).await;
        assert!(matches!(read.expect("cut off"), Ok(0) | Err(_)));
    }
    let _late = TcpStream::connect(gateway.at("op")).await.unwrap();
    tokio::time::timeout(LIMIT / 3, gateway.running.stop()).await.expect("a stop waits for no handshake");
}

#[tokio::test]
async fn half_a_pair_or_none_keeps_the_gateway_from_starting() {
    let committee = Committee::start().await;
    let tls = write(committee.folder(), &Pair { key: pair().key, ..pair() });
    for (tls, part) in [
        (tls.clone(), "tls.key"),
        (Tls { certificate: committee.folder().join("none"), ..tls.clone() }, "none"),
        (Tls { key: tls.certificate.clone(), ..tls }, "tls.crt"),
    ] {
        let mut config = committee.config();
        config.tls = Some(tls);
        let report = holdfast_gateway::check(&config).await;
        assert!(report.problems.iter().any(|problem| problem.contains(part)), "{:?}", report.problems);
        let error = Gateway::new(config).start().await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
