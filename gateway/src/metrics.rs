//! What the gateway counts: one struct, every label from the committee or from an enum. docs/metrics.md lists them.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use holdfast_certificate::VerifiedCertificate;
use holdfast_registry::EpochRecord;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::clock::unix_now;

/// Seconds, from a cached read to the longest deadline that makes sense.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// Signers above the threshold.
const MARGINS: [f64; 8] = [0.0, 1.0, 2.0, 3.0, 4.0, 8.0, 16.0, 32.0];

/// The protocol of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Protocol {
    /// Plain HTTP.
    Http,
    /// OP Stack Alt-DA.
    Op,
    /// Arbitrum Nitro.
    Nitro,
}

/// A stage of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Stage {
    /// Taking the body.
    Body,
    /// Asking members for an existing certificate.
    Lookup,
    /// Dispersing.
    Disperse,
    /// Searching a blob.
    Find,
    /// Fetching and decoding it.
    Retrieve,
    /// Waiting for the replies before.
    Order,
    /// Having a checkpoint signed.
    Checkpoint,
}

/// How a PUT came to its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum How {
    /// It was made.
    Made,
    /// It existed.
    Reused,
    /// Another PUT of the same bytes made it at the same time.
    Joined,
}

/// A cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum CacheKind {
    /// In memory.
    Memory,
    /// On disk.
    Disk,
}

/// Whether a cache had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    Hit,
    Miss,
}

/// The way of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Direction {
    /// Taken.
    In,
    /// Given.
    Out,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    protocol: Protocol,
    /// From the routes and the method table.
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    protocol: Protocol,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HowLabels {
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    cache: CacheKind,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    cache: CacheKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabels {
    direction: Direction,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SlotLabels {
    slot: u16,
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<OperationLabels, Histogram, fn() -> Histogram>,
    stage_seconds: Family<StageLabels, Histogram, fn() -> Histogram>,
    payload_bytes: Family<DirectionLabels, Counter>,
    certificates: Family<HowLabels, Counter>,
    quorum_margin: Histogram,
    last_certificate: Gauge<f64, AtomicU64>,
    member_failures: Family<SlotLabels, Counter>,
    cache_lookups: Family<CacheLabels, Counter>,
    cache_bytes: Family<KindLabels, Gauge>,
    cache_failures: Counter,
    connections: Gauge,
    receiving_bytes: Gauge,
    dispersals: Gauge,
    unpublished: Gauge,
    oldest_unpublished: Gauge<f64, AtomicU64>,
    publish_failures: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            stage_seconds: Family::new_with_constructor(seconds),
            payload_bytes: Family::default(),
            certificates: Family::default(),
            quorum_margin: Histogram::new(MARGINS),
            last_certificate: Gauge::default(),
            member_failures: Family::default(),
            cache_lookups: Family::default(),
            cache_bytes: Family::default(),
            cache_failures: Counter::default(),
            connections: Gauge::default(),
            receiving_bytes: Gauge::default(),
            dispersals: Gauge::default(),
            unpublished: Gauge::default(),
            oldest_unpublished: Gauge::default(),
            publish_failures: Counter::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let mut registry = Registry::with_prefix("holdfast_gateway");
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register_with_unit("request", "Time to answer", Unit::Seconds, self.request_seconds.clone());
        registry.register_with_unit("stage", "Time in one stage", Unit::Seconds, self.stage_seconds.clone());
        registry.register_with_unit("payload", "Payloads taken and given", Unit::Bytes, self.payload_bytes.clone());
        registry.register("certificates", "PUTs that ended with a certificate", self.certificates.clone());
        registry.register("quorum_margin", "Signers above the threshold", self.quorum_margin.clone());
        let help = "When the last certificate was given, unix time";
        registry.register_with_unit("last_certificate_timestamp", help, Unit::Seconds, self.last_certificate.clone());
        registry.register("member_failures", "Members that failed in a request", self.member_failures.clone());
        registry.register("cache_lookups", "Cache lookups", self.cache_lookups.clone());
        registry.register_with_unit("cache", "Size of a cache", Unit::Bytes, self.cache_bytes.clone());
        registry.register("cache_failures", "Disk cache errors", self.cache_failures.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register_with_unit("receiving", "Payloads on their way in", Unit::Bytes, self.receiving_bytes.clone());
        registry.register("dispersals", "Dispersals under way", self.dispersals.clone());
        registry.register("unpublished_certificates", "Certificates not final on L1 yet", self.unpublished.clone());
        let help = "When the oldest of them was made, unix time; 0 for none";
        registry.register_with_unit(
            "oldest_unpublished_timestamp",
            help,
            Unit::Seconds,
            self.oldest_unpublished.clone(),
        );
        registry.register("publish_failures", "What could not be published", self.publish_failures.clone());
        self.registry = registry;
    }

    /// One request was answered.
    pub(crate) fn answered(&self, protocol: Protocol, operation: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { protocol, operation, status }).inc();
        self.request_seconds.get_or_create(&OperationLabels { protocol, operation }).observe(took.as_secs_f64());
    }

    /// Times a stage until the timer is stopped or dropped.
    pub(crate) fn stage(&self, stage: Stage) -> Timer {
        Timer { histogram: self.stage_seconds.get_or_create(&StageLabels { stage }).clone(), begun: Instant::now() }
    }

    /// A payload passed.
    pub(crate) fn passed(&self, direction: Direction, bytes: usize) {
        self.payload_bytes.get_or_create(&DirectionLabels { direction }).inc_by(bytes as u64);
    }

    /// A PUT ended with a certificate.
    pub(crate) fn certified(&self, how: How, certificate: &VerifiedCertificate, epoch: Option<&EpochRecord>) {
        self.certificates.get_or_create(&HowLabels { how }).inc();
        self.last_certificate.set(unix_now() as f64);
        if let Some(record) = epoch {
            let threshold = usize::from(record.committee.parameters().threshold());
            self.quorum_margin.observe(certificate.signer_slots().len().saturating_sub(threshold) as f64);
        }
    }

    /// What is not final on L1 yet, and since when the oldest of it waits.
    pub(crate) fn unpublished(&self, certificates: usize, oldest: Option<u64>) {
        self.unpublished.set(i64::try_from(certificates).unwrap_or(i64::MAX));
        self.oldest_unpublished.set(oldest.unwrap_or_default() as f64);
    }

    /// Something could not be published.
    pub(crate) fn publish_failed(&self) {
        self.publish_failures.inc();
    }

    /// A member failed.
    pub(crate) fn member_failed(&self, slot: u16) {
        self.member_failures.get_or_create(&SlotLabels { slot }).inc();
    }

    /// How often a member has failed.
    pub(crate) fn failures_of(&self, slot: u16) -> u64 {
        self.member_failures.get_or_create(&SlotLabels { slot }).get()
    }

    /// How often a cache had what it was asked for, and how often it was asked.
    pub(crate) fn cache_hits(&self, cache: CacheKind) -> (u64, u64) {
        let count = |outcome| self.cache_lookups.get_or_create(&CacheLabels { cache, outcome }).get();
        let (hits, misses) = (count(Outcome::Hit), count(Outcome::Miss));
        (hits, hits.saturating_add(misses))
    }

    /// What [`Self::unpublished`] was last told; zero for no time.
    pub(crate) fn unpublished_now(&self) -> (u64, u64) {
        // Set from unix seconds: whole, and far below what a float holds exactly.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let since = self.oldest_unpublished.get() as u64;
        (u64::try_from(self.unpublished.get()).unwrap_or_default(), since)
    }

    /// A cache was asked.
    pub(crate) fn cache_asked(&self, cache: CacheKind, hit: bool) {
        let outcome = if hit { Outcome::Hit } else { Outcome::Miss };
        self.cache_lookups.get_or_create(&CacheLabels { cache, outcome }).inc();
    }

    /// The disk cache failed.
    pub(crate) fn cache_failed(&self) {
        self.cache_failures.inc();
    }

    /// A connection is open until what is returned is dropped.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// The text that is scraped. `now` are values that are read, not counted.
    pub(crate) fn text(&self, now: &Now) -> Result<String, std::fmt::Error> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.cache_bytes.get_or_create(&KindLabels { cache: CacheKind::Memory }).set(signed(now.memory_cache));
        self.cache_bytes.get_or_create(&KindLabels { cache: CacheKind::Disk }).set(signed(now.disk_cache));
        self.receiving_bytes.set(signed(now.receiving));
        self.dispersals.set(signed(now.dispersals));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Values that are read when they are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) memory_cache: u64,
    pub(crate) disk_cache: u64,
    pub(crate) receiving: u64,
    pub(crate) dispersals: u64,
}

/// A stage that runs.
#[derive(Debug)]
pub(crate) struct Timer {
    histogram: Histogram,
    begun: Instant,
}

impl Timer {
    /// Ends the stage.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.histogram.observe(self.begun.elapsed().as_secs_f64());
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names in the first column of the gateway's table.
    fn documented() -> BTreeSet<String> {
        let page = include_str!("../../docs/metrics.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `holdfast_gateway_"));
        rows.filter_map(|row| Some(format!("holdfast_gateway_{}", row.split_once('`')?.0))).collect()
    }

    #[test]
    fn the_page_lists_every_metric_and_no_other() {
        let metrics = Metrics::new();
        // A family without members is not shown.
        metrics.answered(Protocol::Op, "put", 200, Duration::ZERO);
        metrics.stage(Stage::Body).stop();
        metrics.passed(Direction::In, 1);
        metrics.certificates.get_or_create(&HowLabels { how: How::Made }).inc();
        metrics.member_failed(3);
        metrics.cache_asked(CacheKind::Memory, true);
        let now = Now { memory_cache: 1, disk_cache: 2, receiving: 3, dispersals: 4 };
        let text = metrics.text(&now).expect("text");
        let exported: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .filter_map(|line| {
                let (name, kind) = line.split_once(' ')?;
                // In the text format a counter's samples are named with this suffix.
                Some(if kind == "counter" { format!("{name}_total") } else { name.to_owned() })
            })
            .collect();
        assert_eq!(exported.len(), 17, "{text}");
        assert_eq!(exported, documented());
    }
}
