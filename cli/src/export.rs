//! `holdfast export` and `holdfast mirror run`: a namespace's payloads with what proves them, once or for good.

mod epochs;
mod events;
mod exporter;
mod follow;
mod held;
mod lists;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use holdfast_certificate::Namespace;

pub(crate) use self::events::beginning;
use self::exporter::{Exported, Exporter, Settings};
use crate::{
    config::Config,
    exit::{Exit, fail},
    output::{Output, human_bytes, plain, progress},
    shutdown::Shutdown,
    times::parse_span,
};

/// The most payload that is in memory at once, in payloads.
const MOST_AT_ONCE: u8 = 16;

/// What, and where to.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The folder; what is in it already is kept, and only what it lacks is read.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The namespace; the configured one if absent.
    #[arg(long)]
    namespace: Option<Namespace>,
    /// How many payloads at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_AT_ONCE)))]
    concurrency: u8,
    /// How long one payload may take.
    #[arg(long, default_value = "60s", value_parser = parse_span)]
    deadline: Duration,
}

/// Keep a namespace's payloads whole, without anybody's consent: whoever runs this needs no key.
#[derive(Debug, Subcommand)]
pub(crate) enum Mirror {
    /// Export again and again, until it is stopped: only what is new is read, by L1's publish events and members' lists, and what
    /// is there is kept for good.
    ///
    /// Example: holdfast mirror run --dir /srv/mirror --every 5m
    Run {
        #[command(flatten)]
        export: ExportArgs,
        /// How often members are asked for their lists.
        #[arg(long, default_value = "5m", value_parser = parse_span)]
        every: Duration,
        /// Read what is new once, and end: for a timer.
        #[arg(long, conflicts_with = "every")]
        once: bool,
    },
}

impl ExportArgs {
    async fn open(&self, config: Option<&Path>) -> anyhow::Result<Exporter> {
        let settings = Settings {
            dir: self.dir.clone(),
            namespace: self.namespace,
            concurrency: self.concurrency.into(),
            deadline: self.deadline,
        };
        Exporter::open(settings, Config::load(config)?).await
    }
}

pub(crate) async fn export(args: &ExportArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let exported = args.open(config).await?.pass(true).await?;
    output.print(&exported, text)?;
    verdict(&exported)
}

pub(crate) async fn mirror(command: &Mirror, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let Mirror::Run { export, every, once } = command;
    let mut exporter = export.open(config).await?;
    if *once {
        let exported = exporter.pass(false).await?;
        output.print(&exported, text)?;
        return verdict(&exported);
    }
    let stop = Shutdown::listen(false)?;
    loop {
        let next = tokio::time::Instant::now() + *every;
        tokio::select! {
            () = stop.requested() => return Ok(()),
            exported = exporter.pass(false) => match exported {
                Ok(exported) => output.print(&exported, text)?,
                // Members and L1 come back.
                Err(error) => progress(format!("nothing was read: {}", plain(&format!("{error:#}")))),
            },
        }
        tokio::select! {
            () = stop.requested() => return Ok(()),
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

fn verdict(exported: &Exported) -> anyhow::Result<()> {
    match (exported.missing.len(), exported.complete, exported.listed) {
        (0, true, _) => Ok(()),
        (0, false, true) => fail(Exit::Unreachable, "L1 did not give all its publish events: blobs may be missing"),
        (0, false, false) => fail(Exit::Unreachable, "too few members gave their lists: blobs may be missing"),
        (missing, ..) => fail(Exit::Unreachable, format!("{missing} blobs are missing; run it again")),
    }
}

fn text(exported: &Exported) -> String {
    let mut text = format!(
        "{} blobs in {}, {} of them read now ({})\n",
        exported.blobs,
        exported.folder.display(),
        exported.read,
        human_bytes(exported.read_bytes)
    );
    if let (Some(published), Some(block)) = (exported.published, exported.through_block) {
        text += &format!("{published} publish events of L1, up to block {block}\n");
    }
    for (count, what) in [
        (exported.uncertified, "have no certificate that anybody knows"),
        (exported.missing.len(), "are missing"),
        (exported.doubtful, "that too few members list were passed over"),
        (exported.gone, "were published, are past their time, and nobody has them any more"),
    ] {
        if count > 0 {
            text += &format!("{count} {what}\n");
        }
    }
    if exported.l1_away {
        text += "L1 is away: what only it shows is read when it is back\n";
    }
    if !exported.complete {
        text += "too few members gave their lists, or L1 not all its events: blobs may be missing\n";
    }
    text
}
