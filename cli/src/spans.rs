//! Spans of what a daemon does, to a collector that its settings name (`log.otlp`), by OTLP over gRPC.
//!
//! # Nothing waits for the collector
//!
//! Spans that have ended go through a bounded queue to a thread that sends them. Where the collector is away, slow or refuses,
//! spans are lost and counted, and nothing else happens; the end of the program waits for it for two seconds at most.
//!
//! # No trace is anybody else's
//!
//! Calls to other processes carry no trace context, and none that comes with a call is taken: members are run by others, and
//! whoever may call could otherwise write into the traces of a process.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use holdfast_transport::Trust;
use opentelemetry::{Context, trace::TracerProvider as _};
use opentelemetry_otlp::{SpanExporter as Otlp, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor},
};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// Spans that may wait to be sent.
const QUEUED: usize = 2048;
/// Spans that are sent at once.
const BATCH: usize = 256;
/// How often what waits is sent.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a connection may take to be made, and a batch to be taken.
const CONNECT: Duration = Duration::from_secs(2);
const SEND: Duration = Duration::from_secs(3);
/// How long the end of the program waits for what waits.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// How often it is told how many were lost.
const TELL: Duration = Duration::from_secs(60);
/// The variable of the specification that names the process.
const SERVICE: &str = "OTEL_SERVICE_NAME";

/// What sends spans.
#[derive(Debug)]
pub(crate) struct Spans {
    provider: SdkTracerProvider,
    count: Arc<Count>,
}

/// What has become of spans.
#[derive(Debug, Default)]
pub(crate) struct Count {
    waiting: AtomicUsize,
    lost: AtomicU64,
    /// Why, of the last that were not taken.
    why: Mutex<Option<String>>,
}

impl Spans {
    /// Begins to send, under a name of the process unless the environment gives it one. It is called within the runtime.
    pub(crate) fn start(collector: &str, service: &'static str) -> Result<Self, String> {
        let endpoint = holdfast_transport::endpoint(collector, &Trust::default(), CONNECT);
        let endpoint = endpoint.map_err(|error| error.to_string())?.timeout(SEND);
        let exporter = Otlp::builder().with_tonic().with_channel(endpoint.connect_lazy()).with_timeout(SEND).build();
        let count = Arc::new(Count::default());
        let sent = Sent { exporter: exporter.map_err(|error| error.to_string())?, count: Arc::clone(&count) };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUED)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(INTERVAL)
            .build();
        let batches = BatchSpanProcessor::builder(sent).with_batch_config(config).build();
        let resource = match std::env::var_os(SERVICE) {
            Some(_) => Resource::builder().build(),
            None => Resource::builder().with_service_name(service).build(),
        };
        let counted = Counted { batches, count: Arc::clone(&count) };
        let provider = SdkTracerProvider::builder().with_span_processor(counted).with_resource(resource).build();
        tokio::spawn(tell(Arc::clone(&count)));
        Ok(Self { provider, count })
    }

    /// What takes spans down.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("holdfast"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(is_ours))
    }

    /// What knows how many were lost.
    pub(crate) fn count(&self) -> Arc<Count> {
        Arc::clone(&self.count)
    }

    /// Sends what waits, for as long as that may take. It is called while the runtime runs.
    pub(crate) fn stop(&self) {
        let _sent = self.provider.shutdown_with_timeout(FLUSH_LIMIT);
        let lost = self.count.lost() + self.count.waiting.load(Ordering::SeqCst) as u64;
        if lost > 0 {
            tracing::warn!(spans = lost, why = self.count.why(), "spans.lost: since the start");
        }
    }
}

impl Count {
    /// Spans that no collector has taken, since the start.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }

    fn why(&self) -> String {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        why.clone().unwrap_or_else(|| "the collector does not take them in time".to_owned())
    }
}

/// Spans of this program, also those that no log has, and what of it is logged; of the libraries under it nothing, and so
/// nothing of what sends them.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    let most = if metadata.is_span() { Level::DEBUG } else { Level::INFO };
    metadata.target().starts_with("holdfast") && *metadata.level() <= most
}

async fn tell(count: Arc<Count>) {
    let mut told = 0;
    loop {
        tokio::time::sleep(TELL).await;
        let lost = count.lost();
        if lost > told {
            tracing::warn!(spans = lost - told, why = count.why(), "spans.lost");
            told = lost;
        }
    }
}

/// Lets no more wait than there is room for, so that each that is lost is counted.
#[derive(Debug)]
struct Counted {
    batches: BatchSpanProcessor,
    count: Arc<Count>,
}

impl SpanProcessor for Counted {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.count.waiting.fetch_add(1, Ordering::SeqCst) >= QUEUED {
            self.count.waiting.fetch_sub(1, Ordering::SeqCst);
            self.count.lost.fetch_add(1, Ordering::SeqCst);
            return;
        }
        self.batches.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Sends, and counts what was not taken.
#[derive(Debug)]
struct Sent {
    exporter: Otlp,
    count: Arc<Count>,
}

impl SpanExporter for Sent {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let length = batch.len();
        let sent = self.exporter.export(batch).await;
        if let Err(error) = &sent {
            self.count.lost.fetch_add(length as u64, Ordering::SeqCst);
            *self.count.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
        self.count.waiting.fetch_sub(length, Ordering::SeqCst);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
