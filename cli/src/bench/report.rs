//! The results: as records, and as a table.

use std::{collections::BTreeMap, fmt::Write as _};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{
    BenchArgs,
    fleet::Fleet,
    line::Line,
    load::{Load, Outcome},
    machine::Machine,
    usage::Usage,
};
use crate::{
    output::{human_bytes, plain, table},
    put::By,
    times::{human_time, now},
};

/// Points of a plot of times.
const PERCENTILES: [f64; 17] =
    [1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 100.0];

/// All that was measured.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) at: String,
    pub(super) machine: Machine,
    /// The members that were started; absent for a configured committee.
    pub(super) devnet: Option<Devnet>,
    pub(super) runs: Vec<Run>,
}

/// A committee of processes on this machine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Devnet {
    pub(super) members: usize,
    pub(super) threshold: u16,
    pub(super) original_shards: u16,
    pub(super) tls: bool,
    pub(super) fault: Option<String>,
    /// Between the client and the members; absent where there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<Line>,
}

/// One combination, measured.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) op: String,
    pub(super) by: String,
    pub(super) bytes: u32,
    pub(super) concurrency: u16,
    /// Calls a second that were begun; absent where each call followed another.
    pub(super) rate: Option<u32>,
    pub(super) seconds: f64,
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) last_failure: Option<String>,
    pub(super) per_second: f64,
    pub(super) megabytes_per_second: f64,
    /// Milliseconds: with a rate from when a call was due, else from its begin.
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
    /// Percentile and milliseconds.
    pub(super) percentiles: Vec<(f64, f64)>,
    pub(super) cpu: Cpu,
    pub(super) peak_bytes: Peak,
    /// What was resident, every two seconds or, of a long run, less often.
    #[serde(default)]
    pub(super) memory: Vec<Memory>,
}

/// Milliseconds of processor time for a call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cpu {
    pub(super) client: f64,
    /// Of all members together; absent where they are not on this machine.
    pub(super) members: Option<f64>,
    pub(super) total: Option<f64>,
    /// The total for each megabyte (10^6 bytes) of payload.
    pub(super) per_megabyte: Option<f64>,
    /// The members' share by what their threads are called; what threads had used that have ended since is in none.
    pub(super) members_by_thread: BTreeMap<String, f64>,
    /// Milliseconds for each megabyte of payload, of client and members together, by what is done.
    #[serde(default)]
    pub(super) stages: Vec<Stage>,
}

/// What one kind of work takes, for a megabyte (10^6 bytes) of payload.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stage {
    pub(super) stage: String,
    /// Milliseconds in the program itself.
    pub(super) user: f64,
    /// Milliseconds in the kernel for it.
    pub(super) kernel: f64,
}

/// Bytes that were resident at a moment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Memory {
    pub(super) seconds: f64,
    pub(super) client: u64,
    /// Each member that runs.
    pub(super) members: Vec<u64>,
}

/// The most memory that was resident since the start.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Peak {
    pub(super) client: u64,
    pub(super) member: Option<u64>,
}

impl Report {
    pub(super) fn new(args: &BenchArgs, fleet: Option<&Fleet>) -> Self {
        let devnet = fleet.map(|fleet| {
            let (members, threshold, original_shards) = fleet.shape();
            let (tls, fault, line) = (args.tls, args.fault.map(|fault| fault.name().to_owned()), args.line());
            Devnet { members, threshold, original_shards, tls, fault, line }
        });
        Self { at: human_time(now()), machine: Machine::this(), devnet, runs: Vec::new() }
    }

    /// What it was measured on, in a line.
    pub(super) fn scene(&self) -> String {
        let Machine { processor, cores, instructions, version, .. } = &self.machine;
        let mut text = format!("holdfast {version}; {cores} cores of {processor} ({})", instructions.join(", "));
        text.push_str("; ");
        text.push_str(&self.committee());
        text
    }

    /// The committee in a few words.
    pub(super) fn committee(&self) -> String {
        let Some(Devnet { members, threshold, original_shards, tls, fault, line }) = &self.devnet else {
            return "a configured committee".to_owned();
        };
        let mut text = format!("{members} members as processes, t={threshold} k={original_shards}, synced");
        text.push_str(if *tls { ", TLS" } else { ", no TLS" });
        let _ = fault.as_ref().map(|fault| write!(text, ", one {fault}"));
        let _ = line.as_ref().map(|line| write!(text, ", {}", line.in_words()));
        text
    }

    pub(super) fn text(&self) -> String {
        let heading = ["run", "per s", "MB/s", "p50 ms", "p99 ms", "CPU ms", "failed"];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        for run in &self.runs {
            rows.push(vec![
                run.title(),
                format!("{:.1}", run.per_second),
                format!("{:.1}", run.megabytes_per_second),
                format!("{:.2}", run.p50),
                format!("{:.2}", run.p99),
                format!("{:.2}", run.cpu.total.unwrap_or(run.cpu.client)),
                run.failed.to_string(),
            ]);
        }
        let whose = if self.devnet.is_some() { "of client and members" } else { "of the client alone" };
        let mut text =
            format!("{}\nCPU is the processor time {whose} for a call.\n\n{}", plain(&self.scene()), table(&rows));
        for run in self.runs.iter().filter(|run| run.failed > 0) {
            let said = run.last_failure.as_deref().unwrap_or_default();
            let _ = write!(text, "\n{}: {} failed, the last: {}", run.title(), run.failed, plain(said));
        }
        text
    }
}

impl Run {
    pub(super) fn new(load: &Load, outcome: &Outcome, usage: &Usage) -> Self {
        let times = &outcome.times;
        let done = times.len();
        let each = |milliseconds: f64| milliseconds / (done + outcome.failed).max(1) as f64;
        let total = usage.members_ms.map(|members| each(usage.client_ms + members));
        let megabytes = f64::from(load.bytes) / 1e6;
        Self {
            op: load.op.name().to_owned(),
            by: if load.by == By::Shard { "shard" } else { "payload" }.to_owned(),
            bytes: load.bytes,
            concurrency: load.pace.concurrency,
            rate: load.pace.rate.map(std::num::NonZeroU32::get),
            seconds: outcome.seconds,
            done,
            failed: outcome.failed,
            last_failure: outcome.said.clone(),
            per_second: done as f64 / outcome.seconds,
            megabytes_per_second: done as f64 * megabytes / outcome.seconds,
            mean: times.mean() / 1e3,
            p50: milliseconds(times, 50.0),
            p90: milliseconds(times, 90.0),
            p99: milliseconds(times, 99.0),
            max: milliseconds(times, 100.0),
            percentiles: PERCENTILES.map(|percentile| (percentile, milliseconds(times, percentile))).to_vec(),
            cpu: Cpu {
                client: each(usage.client_ms),
                members: usage.members_ms.map(each),
                total,
                per_megabyte: total.map(|total| total / megabytes),
                members_by_thread: usage.by_thread.iter().map(|(name, ms)| (name.clone(), each(*ms))).collect(),
                stages: usage
                    .stages
                    .iter()
                    .map(|(stage, spent)| Stage {
                        stage: (*stage).to_owned(),
                        user: each(spent.user) / megabytes,
                        kernel: each(spent.kernel) / megabytes,
                    })
                    .collect(),
            },
            peak_bytes: Peak { client: usage.client_peak, member: usage.member_peak },
            memory: usage
                .memory
                .iter()
                .map(|sample| Memory {
                    seconds: sample.seconds,
                    client: sample.client,
                    members: sample.members.clone(),
                })
                .collect(),
        }
    }

    pub(super) fn title(&self) -> String {
        let size = human_size(self.bytes);
        match self.rate {
            Some(rate) => format!("{} {size} by {}, {rate}/s", self.op, self.by),
            None => format!("{} {size} by {}, {} at once", self.op, self.by, self.concurrency),
        }
    }

    /// What runs of one kind share that differ in their size only.
    pub(super) fn kind(&self) -> String {
        match self.rate {
            Some(rate) => format!("{} by {}, {rate}/s", self.op, self.by),
            None => format!("{} by {}, {} at once", self.op, self.by, self.concurrency),
        }
    }
}

fn milliseconds(times: &Histogram<u64>, percentile: f64) -> f64 {
    times.value_at_percentile(percentile) as f64 / 1e3
}

/// As on the command line.
pub(super) fn human_size(bytes: u32) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1_000_000) => format!("{} MB", bytes / 1_000_000),
        _ if bytes.is_multiple_of(1000) => format!("{} kB", bytes / 1000),
        _ => human_bytes(bytes.into()),
    }
}
