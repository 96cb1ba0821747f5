//! `holdfast gateway`: check and run what rollup stacks talk to.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use holdfast_gateway as gateway;

use crate::{
    exit::{Exit, fail, of_registry},
    output::Output,
    shutdown::Shutdown,
};

pub(crate) const DEFAULT_FILE: &str = "gateway.toml";

/// Serve a rollup stack's data-availability protocol, and plain HTTP, over a committee.
#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// Check settings, files, registry, disperser and addresses, and print what is in force; starts nothing.
    ///
    /// Example: holdfast --config gateway.toml gateway check
    Check(ListenArgs),
    /// Run the gateway until SIGTERM or SIGINT; a second signal ends it at once.
    ///
    /// Example: holdfast --config gateway.toml gateway run --op 127.0.0.1:7501
    Run(RunArgs),
}

/// Addresses and backend, over the configuration.
#[derive(Debug, Default, Args)]
pub(crate) struct ListenArgs {
    /// Plain HTTP.
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// OP Stack Alt-DA.
    #[arg(long, value_name = "ADDR")]
    op: Option<SocketAddr>,
    /// Arbitrum Nitro's DA provider.
    #[arg(long, value_name = "ADDR")]
    nitro: Option<SocketAddr>,
    /// Plain HTTP and OP Stack Alt-DA, reads only.
    #[arg(long, value_name = "ADDR")]
    read: Option<SocketAddr>,
    /// Metrics.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// Fault injection of the backend `memory`.
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Where payloads are stored.
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// What becomes of certificates on L1, over `mode` of the configuration's table `publish`.
    #[arg(long, value_enum)]
    publish: Option<Publish>,
}

/// How to run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// Stop when standard input closes.
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// Where payloads are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// At the committee.
    Committee,
    /// In this process, until it ends: for tests.
    Memory,
}

/// What becomes of certificates on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Publish {
    /// Nothing.
    Never,
    /// Each is published in a transaction of its own.
    Each,
    /// Those of an interval are published in one checkpoint.
    Checkpoint,
}

impl From<Publish> for gateway::config::PublishMode {
    fn from(publish: Publish) -> Self {
        match publish {
            Publish::Never => Self::Never,
            Publish::Each => Self::Each,
            Publish::Checkpoint => Self::Checkpoint,
        }
    }
}

impl ListenArgs {
    fn over(&self, config: &mut gateway::Config) {
        let listen = &mut config.listen;
        for (given, set) in [
            (self.http, &mut listen.http),
            (self.op, &mut listen.op),
            (self.nitro, &mut listen.nitro),
            (self.read, &mut listen.read),
            (self.metrics, &mut listen.metrics),
            (self.admin, &mut listen.admin),
        ] {
            *set = given.or(*set);
        }
        match self.backend {
            Some(Backend::Committee) => config.backend = gateway::config::BackendKind::Committee,
            Some(Backend::Memory) => config.backend = gateway::config::BackendKind::Memory,
            None => {}
        }
        if let (Some(mode), Some(publish)) = (self.publish, &mut config.publish) {
            publish.mode = mode.into();
        }
    }

    /// The configuration with this over it. The backend `memory` needs no file.
    fn load(&self, file: Option<&Path>) -> anyhow::Result<gateway::Config> {
        let path = file.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_owned);
        let loaded = if self.backend == Some(Backend::Memory) && file.is_none() && !path.exists() {
            let mut config = gateway::Config::default();
            self.over(&mut config);
            config.check().map(|()| config)
        } else {
            gateway::Config::load_with(&path, |config| self.over(config))
        };
        let config = loaded.or_else(|error| fail(Exit::Usage, error.to_string()))?;
        if config.publish.is_none() && self.publish.is_some_and(|publish| publish != Publish::Never) {
            return fail(
                Exit::Usage,
                "--publish needs the table `publish` with `dir` and `key_file` in the configuration",
            );
        }
        Ok(config)
    }
}

pub(crate) async fn run(command: GatewayCommand, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    match command {
        GatewayCommand::Check(args) => check(&args.load(config)?, output).await,
        GatewayCommand::Run(args) => {
            let shutdown = Shutdown::listen(args.until_stdin_closes)?;
            let config = args.listen.load(config)?;
            gateway::run(config, async move { shutdown.requested().await }).await.or_else(refused)
        }
    }
}

/// What the operator must set right before the gateway starts has its own exit codes.
fn refused(error: gateway::Error) -> anyhow::Result<()> {
    match error {
        gateway::Error::Config(_) | gateway::Error::File { .. } | gateway::Error::Listen { .. } => {
            fail(Exit::Usage, error.to_string())
        }
        gateway::Error::Registry(ref cause) => fail(of_registry(cause), error.to_string()),
        _ => Err(error.into()),
    }
}

async fn check(config: &gateway::Config, output: Output) -> anyhow::Result<()> {
    let report = gateway::check(config).await;
    let in_force = toml::to_string_pretty(&report.config)?;
    output.print(&report, |report| {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        let mut text = format!(
            "{in_force}\nchain id    {}\nepoch       {}\nmax payload {}\ndisperser   {}\n",
            or_none(report.chain_id.map(|id| id.to_string())),
            or_none(report.epoch.map(|epoch| epoch.to_string())),
            or_none(report.max_payload.map(|bytes| bytes.to_string())),
            report.disperser.as_deref().unwrap_or("none: this gateway only reads"),
        );
        for problem in &report.problems {
            text += &format!("problem     {problem}\n");
        }
        text
    })?;
    if report.problems.is_empty() { Ok(()) } else { fail(Exit::Usage, report.problems.join("; ")) }
}
