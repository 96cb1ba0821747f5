//! `holdfast bench`: a load generator for a committee, or for one that it starts itself.

mod apart;
mod fleet;
mod line;
mod load;
mod machine;
mod page;
mod payloads;
mod plots;
mod report;
mod svg;
mod usage;

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use holdfast_certificate::Namespace;
use holdfast_client::Client;

use crate::{
    config::Config,
    exit::{Exit, fail},
    files,
    output::{Output, progress},
    put::By,
    shutdown::Shutdown,
    target::Replace,
    times::parse_span,
};

use fleet::{Fault, Fleet};
use line::{Line, Loss, parse_loss, parse_round_trip};
use load::{Load, Pace};
use report::{Report, Run};
use usage::Watch;

/// How long the work is waited for that goes on after stores have their certificates.
const SETTLE: Duration = Duration::from_secs(5);

/// What is measured, and on which committee.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Start so many members as processes on this machine, in a folder that is removed afterwards, and measure these; without it
    /// the configured committee is measured, which keeps what is stored until its retention ends.
    #[arg(long, value_name = "N")]
    devnet: Option<u16>,
    /// Signatures needed (t) of --devnet; the default for this n if absent.
    #[arg(short = 't', long, requires = "devnet")]
    threshold: Option<u16>,
    /// Original shards (k) of --devnet; the default for this n if absent.
    #[arg(short = 'k', long, requires = "devnet")]
    original_shards: Option<u16>,
    /// The members of --devnet speak TLS.
    #[arg(long, requires = "devnet")]
    tls: bool,
    /// Make the folder of --devnet here: on the disk that is to be measured.
    #[arg(long, value_name = "DIR", requires = "devnet")]
    dir: Option<PathBuf>,
    /// What the last member of --devnet does while the others are measured.
    #[arg(long, value_enum, requires = "devnet")]
    fault: Option<Fault>,
    /// How long a packet to a member of --devnet and one back take, such as 150ms: client and members then have network name
    /// spaces of their own, and a router between them. Needs root.
    #[arg(long, value_name = "SPAN", requires = "devnet", value_parser = parse_round_trip)]
    rtt: Option<Duration>,
    /// Of the packets in each direction that router loses so many, such as 1%.
    #[arg(long, value_name = "PERCENT", requires = "devnet", value_parser = parse_loss)]
    loss: Option<Loss>,
    /// This process has the network name space already that the line needs.
    #[arg(long, hide = true, requires = "devnet")]
    apart: bool,
    /// What is done to the committee.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "store")]
    op: Vec<Op>,
    /// How members get the payloads.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "shard")]
    by: Vec<By>,
    /// Bytes of a payload, separated by commas; k, m are thousands and millions.
    #[arg(long, value_delimiter = ',', default_value = "1k,100k,1m,8m", value_parser = parse_size)]
    sizes: Vec<u32>,
    /// Calls at once, separated by commas: each begins the next when one ends. With --rate, the most at once.
    #[arg(long, value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: Vec<u16>,
    /// Calls a second, begun whether or not those before have ended. A call's time counts from when it was due.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<NonZeroU32>,
    /// How long each combination is measured.
    #[arg(long, default_value = "10s", value_parser = parse_span)]
    duration: Duration,
    /// How long each is warmed up before.
    #[arg(long, default_value = "1s", value_parser = parse_span)]
    warm_up: Duration,
    /// The rollup's namespace; the configured one if absent.
    #[arg(long, conflicts_with = "devnet")]
    namespace: Option<Namespace>,
    /// How long members keep what is stored.
    #[arg(long, default_value = "48h", value_parser = parse_span)]
    retain: Duration,
    /// Also write one HTML page with plots, which needs nothing but itself.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Measure nothing, and put these results of earlier runs (what --json printed), separated by commas, on that page together.
    #[arg(long, value_name = "FILES", value_delimiter = ',', requires = "html", conflicts_with_all = ["devnet", "namespace", "rate"])]
    join: Vec<PathBuf>,
    #[command(flatten)]
    replace: Replace,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Op {
    /// Disperse a payload, up to its certificate.
    Store,
    /// Read a payload back, up to its last verified byte.
    Read,
    /// A store and a read in turn.
    Mixed,
}

impl Op {
    fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Read => "read",
            Self::Mixed => "store and read",
        }
    }
}

impl BenchArgs {
    /// The line to the members, where there is to be one.
    fn line(&self) -> Option<Line> {
        let any = self.rtt.is_some() || self.loss.is_some();
        any.then(|| Line::new(self.rtt.unwrap_or_default(), self.loss.unwrap_or_default()))
    }

    /// Refuses what would not measure what it says.
    fn check(&self) -> anyhow::Result<()> {
        if self.fault == Some(Fault::Corrupt) && self.op.iter().any(|op| *op != Op::Read) {
            return fail(Exit::Usage, "--fault corrupt changes what one member gives out: it goes with --op read");
        }
        Ok(())
    }
}

pub(crate) async fn run(args: &BenchArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    args.check()?;
    let target = args.replace.optional(args.html.as_ref())?;
    if target.as_ref().is_some_and(crate::target::Target::is_standard_output) {
        return fail(Exit::Usage, "--html needs a file: the results go to standard output");
    }
    if !args.join.is_empty() {
        let reports = args.join.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<_>>>()?;
        return target.map_or(Ok(()), |target| target.write(page::html(&reports).as_bytes()));
    }
    if args.line().is_some() && !args.apart {
        return apart::begin_again();
    }
    let shutdown = Shutdown::listen(false)?;
    let mut fleet = match args.devnet {
        Some(members) => Some(Fleet::start(args, members, &shutdown).await?),
        None => None,
    };
    let measured = tokio::select! {
        measured = measure(args, config, fleet.as_mut()) => measured,
        () = shutdown.requested() => fail(Exit::Other, "interrupted"),
    };
    if let Some(fleet) = fleet {
        fleet.stop().await?;
    }
    let report = measured?;
    output.print(&report, Report::text)?;
    target.map_or(Ok(()), |target| target.write(page::html(&[report]).as_bytes()))
}

/// The results of an earlier run.
fn read(file: &Path) -> anyhow::Result<Report> {
    match serde_json::from_slice(&files::read(file)?) {
        Ok(report) => Ok(report),
        Err(error) => {
            fail(Exit::Usage, format!("{} is not what holdfast bench --json printed: {error}", file.display()))
        }
    }
}

async fn measure(args: &BenchArgs, config: Option<&Path>, mut fleet: Option<&mut Fleet>) -> anyhow::Result<Report> {
    let client = client(args, config, fleet.as_deref()).await?;
    let mut report = Report::new(args, fleet.as_deref());
    for op in &args.op {
        for by in &args.by {
            for bytes in &args.sizes {
                for concurrency in &args.concurrency {
                    let load = Load {
                        op: *op,
                        by: *by,
                        bytes: *bytes,
                        retain: args.retain,
                        pace: Pace { concurrency: *concurrency, rate: args.rate },
                    };
                    report.runs.push(one(args, &client, fleet.as_deref_mut(), load).await?);
                }
            }
        }
    }
    client.close().await;
    Ok(report)
}

/// Warms up, and measures one combination.
async fn one(args: &BenchArgs, client: &Client, mut fleet: Option<&mut Fleet>, load: Load) -> anyhow::Result<Run> {
    if let Some(fleet) = fleet.as_deref_mut() {
        fleet.whole().await?;
    }
    let prepared = load.prepare(client).await?;
    if let Some(fleet) = fleet.as_deref_mut() {
        fleet.corrupt().await?;
    }
    if !args.warm_up.is_zero() {
        prepared.run(client, args.warm_up, |_| {}).await?;
        let _late = tokio::time::timeout(SETTLE, client.drain()).await;
    }
    let mut watch = Watch::begin(fleet.map(|fleet| fleet.processes()).unwrap_or_default())?;
    let told = load.title();
    let outcome = prepared.run(client, args.duration, |line| {
        watch.sample();
        progress(format!("{told}  {line}"));
    });
    let outcome = outcome.await?;
    // What a store leaves to be done in the background is part of its work; a member that hangs is not waited for.
    let _late = tokio::time::timeout(SETTLE, client.drain()).await;
    Ok(Run::new(&load, &outcome, &watch.end()?))
}

async fn client(args: &BenchArgs, config: Option<&Path>, fleet: Option<&Fleet>) -> anyhow::Result<Client> {
    let devnet = fleet.map(Fleet::client_config);
    Config::load(devnet.as_deref().or(config))?.disperser(args.namespace).await
}

/// `1k`, `100k`, `8m` or a plain number of bytes.
fn parse_size(text: &str) -> Result<u32, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (digits, unit) = match lower.strip_suffix(['k', 'm']) {
        Some(digits) if lower.ends_with('k') => (digits, 1000),
        Some(digits) => (digits, 1_000_000),
        None => (lower.as_str(), 1),
    };
    let bytes = digits.parse::<u32>().ok().and_then(|count| count.checked_mul(unit)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("{text:?} is no size such as 1k, 100k or 8m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_plain_numbers_or_thousands_and_millions() {
        let sizes = ["1", "1k", "100K", "8m", "32M"].map(|text| parse_size(text).expect("a size"));
        assert_eq!(sizes, [1, 1000, 100_000, 8_000_000, 32_000_000]);
        for text in ["", "0", "0k", "k", "-1", "1.5m", "1g", "5000m"] {
            parse_size(text).expect_err(text);
        }
    }
}
