//! What a member counts, for Prometheus. docs/metrics.md lists every one; a test compares.
//!
//! # Nothing grows with what a peer sends
//!
//! Labels are names of calls, codes and reasons that stand in this code.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use tonic::Code;

use crate::{
    archive::{Trouble, View},
    repair::Progress,
    store::Why,
};

type Label = [(&'static str, &'static str); 1];

/// A member's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// What every process calls by the same name, without this one's prefix.
    process: Registry,
    process_resident: Gauge,
    calls: Family<[(&'static str, &'static str); 2], Counter>,
    call_seconds: Family<Label, Histogram>,
    refused: Family<Label, Counter>,
    cut: Family<Label, Counter>,
    connections: Gauge,
    calls_under_way: Gauge,
    calls_limit: Gauge,
    memory_full: Gauge,
    memory: Family<Label, Gauge>,
    memory_limit: Family<Label, Gauge>,
    serving: Family<Label, Gauge>,
    drained: Gauge,
    under_way: Gauge,
    held_until: Gauge,
    blobs: Gauge,
    stored: Gauge,
    writes_disabled: Family<Label, Gauge>,
    reopened: Gauge,
    resident: Gauge,
    disk_free: Gauge,
    disk_budget: Gauge,
    descriptors: Gauge,
    descriptors_limit: Gauge,
    epoch: Gauge,
    finalized_age: Gauge,
    finality_stalled: Gauge,
    dissenters: Gauge,
    clock_behind: Gauge,
    clock_ahead_of_peers: Gauge,
    signature: Gauge<f64, AtomicU64>,
    signer_trouble: Gauge,
    spans_lost: Gauge,
    tls_seconds_left: Gauge,
    archive: Archive,
    repair: Repair,
}

/// What is in the archive.
#[derive(Debug)]
struct Archive {
    objects: Gauge,
    bytes: Gauge,
    waiting: Gauge,
    waiting_bytes: Gauge,
    oldest_waiting: Gauge,
    reads: Gauge,
    failed_reads: Gauge,
    trouble: Family<Label, Gauge>,
}

/// What is made whole again.
#[derive(Debug)]
struct Repair {
    queued: Gauge,
    queued_bytes: Gauge,
    set_aside: Gauge,
    repaired: Gauge,
    repaired_bytes: Gauge,
    unfillable: Gauge,
    eta: Gauge,
    damaged: Gauge,
    lost: Gauge,
}

/// What is so at the moment in which the metrics are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Now {
    pub(crate) connections: usize,
    /// By name: bytes taken, and bytes there are.
    pub(crate) memory: Vec<(&'static str, usize, usize)>,
    /// Whether nothing new is taken from strangers for want of memory.
    pub(crate) memory_full: bool,
    /// How many, and how many there may be.
    pub(crate) calls_under_way: (usize, usize),
    /// By service.
    pub(crate) serving: Vec<(&'static str, bool)>,
    pub(crate) drained: bool,
    pub(crate) under_way: usize,
    pub(crate) held_until: Option<u64>,
    pub(crate) blobs: u64,
    pub(crate) stored: u64,
    /// The kind of reason for which nothing is written, if nothing is.
    pub(crate) writes_disabled: Option<Why>,
    /// How often the store was opened anew after a failed write.
    pub(crate) reopened: u64,
    pub(crate) resident: Option<u64>,
    pub(crate) disk_free: Option<u64>,
    pub(crate) disk_budget: u64,
    pub(crate) descriptors: Option<u64>,
    pub(crate) descriptors_limit: Option<u64>,
    pub(crate) epoch: u64,
    /// Seconds since the finalized block, whether finality stalls, and how many nodes contradict the others.
    pub(crate) finality: Option<(u64, bool, usize)>,
    pub(crate) clock_behind: u64,
    pub(crate) archive: Option<View>,
    pub(crate) clock_ahead_of_peers: i64,
    /// The median time of the last signatures.
    pub(crate) signature: Option<Duration>,
    pub(crate) signer_trouble: bool,
    pub(crate) spans_lost: u64,
    pub(crate) repair: Progress,
    pub(crate) damaged: u64,
    pub(crate) lost: bool,
    /// `None` without TLS.
    pub(crate) tls_seconds_left: Option<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("holdfast_member");
        let seconds = || Histogram::new(exponential_buckets(0.000_5, 4.0, 9));
        let mut process = Registry::default();
        let process_resident = Gauge::default();
        process.register("process_resident_memory_bytes", "Memory of the process", process_resident.clone());
        let calls = Family::default();
        registry.register("calls", "Calls by path and status code", calls.clone());
        let call_seconds = Family::<Label, Histogram>::new_with_constructor(seconds);
        let text = "Time from a call's headers to the end of its answer, by path";
        registry.register_with_unit("call", text, Unit::Seconds, call_seconds.clone());
        let refused = Family::default();
        registry.register("connections_refused", "Connections refused, by reason", refused.clone());
        let cut = Family::default();
        registry.register("connections_cut", "Connections closed by this member, by reason", cut.clone());
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let connections = gauge("connections", "Connections open");
        let calls_under_way = gauge("calls_under_way", "Calls under way");
        let calls_limit = gauge("calls_limit", "Calls that may be under way");
        let memory_full =
            gauge("memory_full", "1 while the process has so much memory that nothing new is taken from strangers");
        let drained = gauge("drained", "1 while it takes nothing new by its operator's order");
        let under_way = gauge("stores_under_way", "Statements that are being stored and signed");
        let held_until = gauge("hold_until_timestamp_seconds", "Until when nothing is dropped by its operator's order");
        let blobs = gauge("blobs", "Shards held");
        let stored = gauge("stored_bytes", "Bytes of shards and whole payloads held");
        let reopened = gauge("store_reopened", "Times that the store was opened anew after a failed write");
        let resident = gauge("resident_bytes", "Memory of the process");
        let disk_free = gauge("disk_free_bytes", "Bytes free on the disk of the store");
        let disk_budget = gauge("disk_budget_bytes", "Bytes of shards and whole payloads that are held at most");
        let descriptors = gauge("descriptors", "File descriptors that the process has open");
        let descriptors_limit = gauge("descriptors_limit", "File descriptors that the process may have open");
        let epoch = gauge("epoch", "The epoch that is active, zero where there is none");
        let finalized_age = gauge("l1_finalized_age_seconds", "Age of the newest finalized block by this clock");
        let finality_stalled = gauge("l1_finality_stalled", "1 while nothing seems to become final");
        let dissenters = gauge("l1_dissenting_nodes", "L1 nodes that contradicted the others within an hour");
        let clock_behind = gauge("clock_behind_seconds", "By how much this clock is behind L1's finalized block");
        let spans_lost = gauge("spans_lost", "Spans since the start that no collector has taken");
        let signer_trouble = gauge("signer_trouble", "1 while the signer that holds the key does not sign");
        let text = "By how much this clock is ahead of those of most other members";
        let clock_ahead_of_peers = gauge("clock_ahead_of_peers_seconds", text);
        let tls_seconds_left = gauge("tls_seconds_left", "Time until the TLS certificate ends, 0 without TLS");
        let archive = [
            gauge("archive_objects", "Shards and whole payloads in the archive"),
            gauge("archive_bytes", "Their bytes"),
            gauge("archive_waiting", "Shards and whole payloads that are to go there"),
            gauge("archive_waiting_bytes", "Their bytes"),
            gauge("archive_oldest_waiting_seconds", "For how long the first of them waits"),
            gauge("archive_reads", "Reads from the archive since the start"),
            gauge("archive_reads_failed", "Of them, those that it did not answer"),
        ];
        let repair = Repair {
            queued: gauge("repair_queued", "Statements whose data is to be fetched"),
            queued_bytes: gauge("repair_queued_bytes", "Bytes to be fetched for them"),
            set_aside: gauge("repair_set_aside", "Statements whose data nobody has"),
            repaired: gauge("repair_done", "Statements made whole since the start"),
            repaired_bytes: gauge("repair_done_bytes", "Bytes fetched for them"),
            unfillable: gauge("repair_unfillable", "Positions found unfillable since the start"),
            eta: gauge("repair_eta_seconds", "Time until the queue is empty at the rate of now, 0 where not known"),
            damaged: gauge("damaged", "Items found damaged and not whole again"),
            lost: gauge("store_lost", "1 while a lost store is not yet recovered"),
        };
        let signature = Gauge::<f64, AtomicU64>::default();
        let text = "Median time of the last 50 signatures";
        registry.register("signature_median_seconds", text, signature.clone());
        let mut family = |name: &str, help: &str| {
            let family = Family::<Label, Gauge>::default();
            registry.register(name, help, family.clone());
            family
        };
        let memory = family("memory_bytes", "Bytes taken of each budget");
        let memory_limit = family("memory_limit_bytes", "Bytes of each budget");
        let writes_disabled = family("writes_disabled", "1 for the reason why nothing is written, while nothing is");
        let trouble = family("archive_trouble", "1 for the kind of trouble with the archive");
        let [objects, bytes, waiting, waiting_bytes, oldest_waiting, reads, failed_reads] = archive;
        let archive = Archive { objects, bytes, waiting, waiting_bytes, oldest_waiting, reads, failed_reads, trouble };
        let serving = family("serving", "1 while the service is SERVING, by name");
        Self {
            registry,
            process,
            process_resident,
            calls,
            call_seconds,
            refused,
            cut,
            connections,
            calls_under_way,
            calls_limit,
            memory_full,
            memory,
            memory_limit,
            serving,
            drained,
            under_way,
            held_until,
            blobs,
            stored,
            writes_disabled,
            reopened,
            resident,
            disk_free,
            disk_budget,
            descriptors,
            descriptors_limit,
            epoch,
            finalized_age,
            finality_stalled,
            dissenters,
            clock_behind,
            clock_ahead_of_peers,
            signature,
            signer_trouble,
            spans_lost,
            tls_seconds_left,
            archive,
            repair,
        }
    }

    /// A call has ended.
    pub(crate) fn call(&self, path: &'static str, code: Code, took: Duration) {
        self.calls.get_or_create(&[("path", path), ("code", code_name(code))]).inc();
        self.call_seconds.get_or_create(&[("path", path)]).observe(took.as_secs_f64());
    }

    /// A connection was not taken.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// A connection was closed by this member.
    pub(crate) fn cut(&self, reason: &'static str) {
        self.cut.get_or_create(&[("reason", reason)]).inc();
    }

    /// The page, as Prometheus reads it.
    pub(crate) fn page(&self, now: &Now) -> String {
        self.connections.set(whole(now.connections as u64));
        let (calls, calls_limit) = now.calls_under_way;
        self.calls_under_way.set(whole(calls as u64));
        self.calls_limit.set(whole(calls_limit as u64));
        self.memory_full.set(i64::from(now.memory_full));
        for (name, used, total) in &now.memory {
            self.memory.get_or_create(&[("budget", *name)]).set(whole(*used as u64));
            self.memory_limit.get_or_create(&[("budget", *name)]).set(whole(*total as u64));
        }
        for (name, serving) in &now.serving {
            self.serving.get_or_create(&[("service", *name)]).set(i64::from(*serving));
        }
        self.drained.set(i64::from(now.drained));
        self.under_way.set(whole(now.under_way as u64));
        self.held_until.set(whole(now.held_until.unwrap_or(0)));
        self.blobs.set(whole(now.blobs));
        self.stored.set(whole(now.stored));
        for why in Why::ALL {
            let disabled = now.writes_disabled == Some(why);
            self.writes_disabled.get_or_create(&[("reason", why.label())]).set(i64::from(disabled));
        }
        self.reopened.set(whole(now.reopened));
        self.resident.set(whole(now.resident.unwrap_or(0)));
        self.process_resident.set(whole(now.resident.unwrap_or(0)));
        self.disk_free.set(whole(now.disk_free.unwrap_or(0)));
        self.disk_budget.set(whole(now.disk_budget));
        self.descriptors.set(whole(now.descriptors.unwrap_or(0)));
        self.descriptors_limit.set(whole(now.descriptors_limit.unwrap_or(0)));
        self.epoch.set(whole(now.epoch));
        let (age, stalled, dissenters) = now.finality.unwrap_or_default();
        self.finalized_age.set(whole(age));
        self.finality_stalled.set(i64::from(stalled));
        self.dissenters.set(whole(dissenters as u64));
        self.clock_behind.set(whole(now.clock_behind));
        self.clock_ahead_of_peers.set(now.clock_ahead_of_peers);
        self.signature.set(now.signature.map_or(0.0, |took| took.as_secs_f64()));
        self.spans_lost.set(whole(now.spans_lost));
        self.signer_trouble.set(i64::from(now.signer_trouble));
        self.tls_seconds_left.set(whole(now.tls_seconds_left.unwrap_or(0)));
        self.archive.set(now.archive);
        self.repair.set(now);
        let mut page = String::new();
        // Writing to a string does not fail.
        let _written = encode_registry(&mut page, &self.process)
            .and_then(|()| encode_registry(&mut page, &self.registry))
            .and_then(|()| encode_eof(&mut page));
        page
    }
}

impl Archive {
    fn set(&self, view: Option<View>) {
        let view = view.unwrap_or_default();
        self.objects.set(whole(view.objects));
        self.bytes.set(whole(view.bytes));
        self.waiting.set(whole(view.waiting));
        self.waiting_bytes.set(whole(view.waiting_bytes));
        self.oldest_waiting.set(whole(view.oldest_waiting));
        self.reads.set(whole(view.reads));
        self.failed_reads.set(whole(view.failed_reads));
        for trouble in Trouble::ALL {
            let so = view.trouble == Some(trouble);
            self.trouble.get_or_create(&[("kind", trouble.label())]).set(i64::from(so));
        }
    }
}

impl Repair {
    fn set(&self, now: &Now) {
        let progress = &now.repair;
        self.queued.set(whole(progress.count.queued));
        self.queued_bytes.set(whole(progress.count.queued_bytes));
        self.set_aside.set(whole(progress.count.aside));
        self.repaired.set(whole(progress.repaired));
        self.repaired_bytes.set(whole(progress.repaired_bytes));
        self.unfillable.set(whole(progress.unfillable));
        self.eta.set(whole(progress.eta.map_or(0, |eta| eta.as_secs())));
        self.damaged.set(whole(now.damaged));
        self.lost.set(i64::from(now.lost));
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The code as gRPC writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests;
