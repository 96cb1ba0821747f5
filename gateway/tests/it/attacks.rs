//! Clients that want to hurt.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Committee, LIMIT, commitment, payload, raw};

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_and_slow_bodies_are_cut_off_and_others_are_served_meanwhile() {
    let committee = Committee::start().await;
    let gateway = committee
        .gateway_with(|config| {
            config.limits.head_deadline = Duration::from_secs(1);
            config.limits.stall_deadline = Duration::from_secs(1);
            config.limits.body_deadline = Duration::from_secs(2);
            config.limits.connections = 64;
        })
        .await;
    let address = gateway.at("op");
    let mut slow = Vec::new();
    for number in 0..40 {
        slow.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let (first, drip): (&[u8], &[u8]) = match number % 4 {
                0 => (b"", b""),
                1 => (b"POST /put HTTP/1.1\r\n", b"x-a: b\r\n"),
                2 => (b"POST /put HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n", b"x"),
                _ => (b"POST /put HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            };
            stream.write_all(first).await.unwrap();
            let begun = Instant::now();
            let mut answer = Vec::new();
            let (mut reading, mut writing) = stream.split();
            let closed = async {
                let _ = reading.read_to_end(&mut answer).await;
            };
            let dripping = async {
                loop {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    if writing.write_all(drip).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            };
            tokio::select! {
                () = closed => {}
                () = dripping => {}
            }
            (begun.elapsed(), String::from_utf8_lossy(&answer).into_owned())
        }));
    }
    let payload = payload(100_000, 1);
    let begun = Instant::now();
    gateway.op_put(&payload).await.ok();
    gateway.get("op", &format!("/get/0x{}", commitment(&payload))).await.ok();
    assert!(begun.elapsed() < Duration::from_secs(3), "others are served: {:?}", begun.elapsed());
    for task in slow {
        let (after, answer) = tokio::time::timeout(LIMIT, task).await.expect("cut off").unwrap();
        assert!(after < Duration::from_secs(10), "{after:?}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_take_the_answer_is_cut_off() {
    let committee = Committee::start().await;
    let gateway = committee.gateway_with(|config| config.limits.stall_deadline = Duration::from_secs(1)).await;
    let payload = payload(4 << 20, 2);
    gateway.op_put(&payload).await.ok();
    let mut greedy = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(gateway.at("op")).await.unwrap();
        let request = format!("GET /get/0x{} HTTP/1.1\r\nhost: x\r\n\r\n", commitment(&payload));
        // Asked for ten times over, and none taken.
        for _ in 0..10 {
            stream.write_all(request.as_bytes()).await.unwrap();
        }
        greedy.push(stream);
    }
    crate::support::eventually("only this test's own connections are left", || async {
        gateway.metric("holdfast_gateway_connections").await <= 3.0
    })
    .await;
    drop(greedy);
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_limits_puts_are_429_and_nothing_else_breaks() {
    let committee = Committee::start().await;
    let gateway = committee
        .gateway_with(|config| {
            config.limits.puts = 2;
            config.limits.receiving_mib = 1;
            config.limits.queue_deadline = Duration::from_millis(300);
        })
        .await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(gateway.at("op")).await.unwrap();
        stream.write_all(b"POST /put HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
        held.push(stream);
    }
    let small = payload(100, 3);
    crate::support::eventually("both places are taken", || async { gateway.op_put(&small).await.status == 429 }).await;
    gateway.op_put(&small).await.fails(429, "busy");
    for mut stream in held {
        stream.write_all(b"defghij").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    // Two MiB do not fit into one.
    gateway.op_put(&payload(2 << 20, 4)).await.fails(429, "busy");
    gateway.op_put(&payload(500_000, 5)).await.ok();
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_line_ends_that_connection_only() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    let long = format!("GET /get/{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000));
    let many: String = (0..500).map(|n| format!("x-{n}: y\r\n")).collect();
    let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /put HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /put HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /put HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let answer = raw(gateway.at("op"), &[garbage]).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    // Two requests in one: what follows a body is the next request, not part of it.
    let smuggled = b"POST /put HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\naGET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = raw(gateway.at("op"), &[smuggled]).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    gateway.get("op", "/healthz").await.ok();
    gateway.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_under_way_and_takes_nothing_new() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    let payloads: Vec<_> = (0..6).map(|seed| payload(500_000, seed)).collect();
    let (address, client) = (gateway.at("op"), gateway.client.clone());
    let begun: Vec<_> = payloads
        .iter()
        .map(|payload| tokio::spawn(client.post(format!("http://{address}/put")).body(payload.clone()).send()))
        .collect();
    crate::support::eventually("they are under way", || async {
        gateway.metric("holdfast_gateway_dispersals").await
            + gateway.metric("holdfast_gateway_certificates_total{how=\"Made\"}").await
            >= 6.0
    })
    .await;
    gateway.running.stop().await;
    for (answer, payload) in join_all(begun).await.into_iter().zip(&payloads) {
        let answer = answer.unwrap().expect("answered before the end");
        assert_eq!(hex::encode(answer.bytes().await.unwrap()), commitment(payload));
    }
    assert!(client.get(format!("http://{address}/healthz")).send().await.is_err());
}
