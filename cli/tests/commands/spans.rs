//! Spans to a collector: what they are of, and that a collector that is away, slow or refuses changes nothing.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::Span,
};
use rustix::process::Signal;
use tonic::{Request, Response, Status};

use crate::{
    http,
    support::{Devnet, command, noise, signal, wait_until},
};

/// How a collector answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Takes,
    Refuses,
    /// Never.
    Silent,
}

/// A collector, as others write them too: the service of the specification over gRPC.
struct Collector {
    address: SocketAddr,
    /// By the name of the process.
    taken: Arc<Mutex<Vec<(String, Span)>>>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Service(Manner, Arc<Mutex<Vec<(String, Span)>>>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        match self.0 {
            Manner::Takes => {}
            Manner::Refuses => return Err(Status::permission_denied("not here")),
            Manner::Silent => std::future::pending().await,
        }
        for of_process in request.into_inner().resource_spans {
            let resource = of_process.resource.unwrap();
            let name = resource.attributes.iter().find(|pair| pair.key == "service.name").unwrap();
            let Some(Value::StringValue(name)) = name.value.clone().unwrap().value else { panic!("no name") };
            let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.1.lock().unwrap().extend(spans.map(|span| (name.clone(), span)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    fn start(manner: Manner) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let server = TraceServiceServer::new(Service(manner, Arc::clone(&taken)));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            tonic::transport::Server::builder().add_service(server).serve_with_incoming(incoming).await.unwrap();
        });
        Self { address, taken, _runtime: runtime }
    }

    /// Spans of one name, of one process.
    fn spans(&self, process: &str, name: &str) -> Vec<Span> {
        let taken = self.taken.lock().unwrap();
        let of = taken.iter().filter(|(of, span)| of == process && span.name == name);
        of.map(|(_, span)| span.clone()).collect()
    }
}

/// The text of an attribute.
fn attribute(span: &Span, key: &str) -> Option<String> {
    let value = span.attributes.iter().find(|pair| pair.key == key)?.value.clone()?.value?;
    match value {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A gateway of the devnet's, as a process of its own.
struct Gateway(Child);

impl Gateway {
    fn start(devnet: &Devnet, config: &str, listen: SocketAddr) -> Self {
        let config = devnet.dir().join(config);
        let arguments = ["--config", config.to_str().unwrap(), "gateway", "run", "--http", &listen.to_string()];
        // What the specification names is heeded.
        let mut command = command(&arguments);
        command.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test").env("HOLDFAST_LOG", "off");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let gateway = Self(child);
        wait_until("the gateway serves", || ask(listen, "GET /healthz", b"").is_some_and(|(status, _)| status == 200));
        gateway
    }

    /// How long it takes to stop.
    fn stop(&mut self) -> Duration {
        let asked = Instant::now();
        signal(i32::try_from(self.0.id()).unwrap(), Signal::TERM);
        assert!(self.0.wait().unwrap().success());
        asked.elapsed()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Status and body of one request, which brings a trace of its own along.
fn ask(address: SocketAddr, head: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    http::ask(address, head, &[parent], body)
}

/// A devnet whose first member, and whose gateway, send spans.
fn devnet(collector: SocketAddr) -> (Devnet, String, SocketAddr) {
    let devnet = Devnet::up(&["--l1", "none", "--members", "3", "--gateway", "http"]);
    devnet.devnet(&["down"]).ok();
    let config = devnet.dir().join("m0/member.toml");
    let metrics = holdfast_transport::free_addresses(1).unwrap()[0];
    let text = fs::read_to_string(&config).unwrap();
    let log = format!("\n[log]\notlp = \"http://{collector}\"\n");
    fs::write(&config, format!("metrics_listen = \"{metrics}\"\n{text}{log}")).unwrap();
    devnet.devnet(&["up"]).ok();
    let text = fs::read_to_string(devnet.dir().join("gateway.toml")).unwrap();
    fs::write(devnet.dir().join("spans.toml"), format!("{text}{log}")).unwrap();
    (devnet, "spans.toml".to_owned(), metrics)
}

#[test]
fn a_collector_gets_the_spans_of_a_put_from_gateway_and_member_and_no_trace_is_anybody_elses() {
    let collector = Collector::start(Manner::Takes);
    let (devnet, config, metrics) = devnet(collector.address);
    let listen = holdfast_transport::free_addresses(1).unwrap()[0];
    let mut gateway = Gateway::start(&devnet, &config, listen);
    let (status, stored) = ask(listen, "PUT /v1/blobs", &noise(50_000, 1)).unwrap();
    assert_eq!(status, 200);
    let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    let id = stored["blobId"].as_str().unwrap();
    assert_eq!(ask(listen, &format!("GET /v1/blobs/{id}"), b"").unwrap().0, 200);
    // What waits is sent at the end, however soon it comes.
    assert!(gateway.stop() < Duration::from_secs(10));
    let (member, gate) = ("holdfast-member", "holdfast-gateway");
    wait_until("the member's spans have come", || !collector.spans(member, "attestor.attest").is_empty());

    let put = &collector.spans(gate, "gateway.put")[0];
    assert!(put.parent_span_id.is_empty(), "nobody else's trace goes on here");
    assert_ne!(hex::encode(&put.trace_id), "0af7651916cd43dd8448eb211c80319c");
    let disperse = &collector.spans(gate, "disperse")[0];
    assert_eq!((&disperse.trace_id, &disperse.parent_span_id), (&put.trace_id, &put.span_id));
    assert_eq!(attribute(disperse, "bytes").as_deref(), Some("50000"));
    let deliveries = collector.spans(gate, "disperse.deliver");
    let mut slots: Vec<_> = deliveries.iter().filter_map(|span| attribute(span, "slot")).collect();
    slots.sort();
    assert_eq!(slots, ["0", "1", "2"]);
    assert!(deliveries.iter().all(|span| span.parent_span_id == disperse.span_id));
    assert_eq!(collector.spans(gate, "gateway.get").len(), 1);

    let attest = &collector.spans(member, "attestor.attest")[0];
    assert!(attribute(attest, "blob").is_some_and(|blob| blob == id), "{attest:?}");
    let calls = collector.spans(member, "rpc.call");
    let call = calls.iter().find(|call| call.span_id == attest.parent_span_id).unwrap();
    assert!(attribute(call, "call").is_some_and(|path| path.starts_with("/holdfast.v1.Dispersal/Store")), "{call:?}");
    assert!(calls.iter().all(|call| call.parent_span_id.is_empty() && call.trace_id != put.trace_id));
    for name in ["store.hold", "pen.sign"] {
        let spans = collector.spans(member, name);
        assert!(spans.iter().any(|span| span.parent_span_id == attest.span_id), "{name}: {spans:?}");
    }
    // Nothing of the libraries is among them, and nothing of what sends them.
    let ours = ["rpc.", "attestor.", "store.", "pen.", "gateway.", "disperse", "retrieve"];
    for (_, span) in collector.taken.lock().unwrap().iter() {
        assert!(ours.iter().any(|name| span.name.starts_with(name)), "{span:?}");
        let text = format!("{:?}{:?}", span.attributes, span.events);
        assert!(!text.contains("member.toml") && !text.contains(devnet.dir().to_str().unwrap()), "{text}");
    }
    assert!(lost(metrics) == 0);
}

/// What the member says that it has lost.
fn lost(metrics: SocketAddr) -> u64 {
    let (status, page) = ask(metrics, "GET /metrics", b"").unwrap();
    assert_eq!(status, 200);
    let page = String::from_utf8(page).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix("holdfast_member_spans_lost ")).unwrap();
    line.parse().unwrap()
}

fn disturbs_nobody(collector: SocketAddr) {
    let (devnet, config, metrics) = devnet(collector);
    let listen = holdfast_transport::free_addresses(1).unwrap()[0];
    let mut gateway = Gateway::start(&devnet, &config, listen);
    for seed in 0..5 {
        let began = Instant::now();
        assert_eq!(ask(listen, "PUT /v1/blobs", &noise(20_000, seed)).unwrap().0, 200);
        assert!(began.elapsed() < Duration::from_secs(10), "a put took {:?}", began.elapsed());
    }
    wait_until("what was not taken is counted", || lost(metrics) > 0);
    let took = gateway.stop();
    assert!(took < Duration::from_secs(10), "the gateway took {took:?} to stop");
    let began = Instant::now();
    devnet.devnet(&["down"]).ok();
    assert!(began.elapsed() < Duration::from_secs(15), "the members took {:?} to stop", began.elapsed());
    let log = fs::read_to_string(devnet.dir().join("m0.log")).unwrap();
    assert!(log.contains("spans.lost"), "it is told at the end: {log}");
}

#[test]
fn a_collector_that_is_away_disturbs_nobody() {
    disturbs_nobody(holdfast_transport::free_addresses(1).unwrap()[0]);
}

#[test]
fn a_collector_that_refuses_disturbs_nobody() {
    let collector = Collector::start(Manner::Refuses);
    disturbs_nobody(collector.address);
    // It was there to the end.
    drop(collector);
}

#[test]
fn a_collector_that_never_answers_disturbs_nobody() {
    let collector = Collector::start(Manner::Silent);
    disturbs_nobody(collector.address);
    // It was there to the end.
    drop(collector);
}

#[test]
fn what_is_no_collector_is_refused_by_name() {
    let devnet = Devnet::shared();
    let folder = devnet.dir().join("m2");
    let text = fs::read_to_string(folder.join("member.toml")).unwrap();
    let file = folder.join("collector.toml");
    fs::write(&file, format!("{text}\n[log]\notlp = \"collector:4317\"\n")).unwrap();
    crate::support::run(&["--config", file.to_str().unwrap(), "member", "check"])
        .fails(2, &["expected http:// or https://"]);
}
