//! Nodes that try to get hold of memory, of the terminal, or of the key in their URL.

use std::{
    fmt::{Debug, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use alloy::sol_types::{Revert, SolError as _};
use holdfast_certificate::Address;
use holdfast_devchain::{DEV_KEYS, DevChain};
use holdfast_l1::{ChainRegistry, Error, Moment, Publisher, RegistryView, check};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{
    proxy::{Plan, Proxy},
    world::{World, eager},
};
use crate::chain::still;

/// What is secret of a node's URL here.
const KEY: &str = "SECRETKEY";

fn url_of(node: &Proxy) -> String {
    format!("http://user:{KEY}@{}/v3/{KEY}?token={KEY}", node.host())
}

/// Everything that asks a node, each with what it says went wrong.
async fn everyones_errors(url: &str, registry: Address) -> Vec<String> {
    let publisher = Publisher::connect(url, registry, &DEV_KEYS[0]).await.map(drop);
    let view = RegistryView::connect(&[url], registry, None, Moment::Finalized).await.map(drop).map_err(Into::into);
    let reader = ChainRegistry::connect_with(&[url], registry, eager()).await.map(drop).map_err(Into::into);
    let errors = [publisher, view, reader].into_iter().filter_map(Result::err);
    let mut said: Vec<String> = errors.flat_map(|error| [error.to_string(), format!("{error:?}")]).collect();
    let report = check(&[url], Some(registry), None).await;
    said.push(serde_json::to_string(&report).unwrap());
    said.extend(report.problems);
    said.extend(report.nodes.into_iter().filter_map(|node| node.client_version));
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_streams_endlessly_costs_bounded_memory_and_is_an_error() {
    for head in ["Transfer-Encoding: chunked", "Content-Length: 1099511627776", "Connection: close"] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{head}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            // A chunk of 64 KiB, which is as good as any other bytes where there are no chunks.
            let chunk = [b"10000\r\n", &vec![b' '; 1 << 16][..], b"\r\n"].concat();
            while stream.write_all(&chunk).await.is_ok() {
                count.fetch_add(chunk.len(), Ordering::Relaxed);
            }
        });
        let error = ChainRegistry::connect(&url, Address::ZERO).await.unwrap_err();
        assert!(matches!(&error, Error::Rpc { reason, .. } if reason.contains("longer than 4194304 bytes")), "{error}");
        tokio::time::timeout(std::time::Duration::from_secs(10), server).await.expect("hung up on").unwrap();
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent < 64 << 20, "{sent} bytes were taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_takes_the_key_to_no_other_host() {
    let chain = DevChain::start(still()).await.unwrap();
    let thief = Proxy::start(&chain.url()).await;
    let to = format!("http://{}/", thief.host());
    let node = Proxy::scripted(&chain.url(), move |_, _| Plan::Redirect(to.clone())).await;
    for error in everyones_errors(&url_of(&node), Address::ZERO).await {
        assert!(error.contains("307") && !error.contains(KEY), "{error}");
    }
    assert_eq!(thief.asked("eth_chainId"), 0, "the node's URL went to another host");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_echoes_the_url_leaks_no_key_and_draws_on_no_terminal() {
    let world = World::start().await;
    let node = world.proxy().await;
    let echo = format!("\u{1b}[2J\u{202e}Cannot POST /v3/{KEY}?token={KEY}\r\n2026 ERROR forged {}", "z".repeat(9000));
    let object = json!({ "jsonrpc": "2.0", "id": 0, "error": { "code": -32000, "message": &echo } }).to_string();
    let data = alloy::primitives::Bytes::from(Revert::from(echo.clone()).abi_encode());
    let reverted =
        json!({ "jsonrpc": "2.0", "id": 0, "error": { "code": 3, "message": "execution reverted", "data": data } });
    let typed = json!({ "jsonrpc": "2.0", "id": 0, "result": &echo }).to_string();
    for (status, body) in [
        (404, echo.clone()),
        (500, object.clone()),
        (200, object),
        (200, reverted.to_string()),
        (200, typed),
        (200, echo),
    ] {
        // First at once, then only once calls reach contracts.
        for only in ["", "eth_call", "web3_clientVersion"] {
            let body = body.clone();
            node.set(
                move |method, _| {
                    if method.starts_with(only) { Plan::Says(status, body.clone()) } else { Plan::Honest }
                },
            );
            for error in everyones_errors(&url_of(&node), world.address()).await {
                let short: String = error.chars().take(400).collect();
                assert!(!error.to_uppercase().contains(KEY), "{only} {status}: {short}");
                assert!(
                    !error.contains(|char: char| char.is_control() || char == '\u{202e}'),
                    "{only} {status}: {short}"
                );
                assert!(error.len() < 4000, "{only} {status} of {} characters: {short}", error.len());
            }
        }
    }
}

/// Keeps everything of every level, spans and their fields included.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn no_span_or_log_line_of_any_level_has_the_key() {
    // One thread, so that everything that is done is done under this subscriber.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let book = Everything::default();
    let _here = tracing::subscriber::set_default(book.clone());
    runtime.block_on(async {
        let world = World::start().await;
        let node = world.proxy().await;
        everyones_errors(&url_of(&node), world.address()).await;
        node.set(|_, _| Plan::Says(404, format!("Cannot POST /v3/{KEY}")));
        everyones_errors(&url_of(&node), world.address()).await;
        everyones_errors(&format!("http://127.0.0.1:9/v3/{KEY}"), world.address()).await;
    });
    let book = book.0.lock().unwrap();
    assert!(book.contains("sending request"), "nothing of the client was kept");
    let leaks: Vec<_> = book.lines().filter(|line| line.contains(KEY)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
