//! The `holdfast` command: one binary, a file per subcommand.

mod account;
mod bench;
mod blob;
mod bridge;
mod bundle;
mod cert;
mod committee;
mod config;
mod demo;
mod devnet;
mod doctor;
mod exit;
mod export;
mod failures;
mod feeding;
mod files;
mod find;
mod gateway;
mod get;
mod given;
mod keys;
mod l1;
mod log;
mod ls;
mod member;
mod namespace;
mod output;
mod peers;
mod put;
mod registration;
mod safe;
mod shell;
mod shutdown;
mod signer;
mod spans;
mod status;
mod target;
mod times;
mod tls_pair;
mod verify;
mod waiting;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use clap::{CommandFactory as _, Parser, Subcommand};
use holdfast_committee::config as committee_config;
use holdfast_gateway::config as gateway_config;
use holdfast_transport::configuration::{self, LogFormat};

use crate::{
    exit::ErrorRecord,
    output::{Output, progress},
};

/// What `--version` says.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit    ",
    env!("HOLDFAST_COMMIT"),
    "\ntarget    ",
    env!("HOLDFAST_TARGET"),
    "\nprotocol  1\nfeatures  tls",
);

/// Keeps rollup batches readable: erasure-coded over a committee, certified, verified on L1.
///
/// Exit codes: 0 ok, 1 other, 2 usage or configuration, 3 quorum not reached or unreachable, 4 verification failed,
/// 5 not found (certain), 6 refused as unsafe, 7 expired, 8 dispersed and not published.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, long_version = LONG_VERSION, max_term_width = 110)]
struct Cli {
    /// Print results as JSON.
    ///
    /// A result is one object on stdout, an error one object on the last line of stderr.
    #[arg(long, global = true, help_heading = "Every command")]
    json: bool,
    /// Configuration (TOML); HOLDFAST_* variables go over it. Default: the file that HOLDFAST_CONFIG names, else
    /// holdfast.toml where there is one; for `member`, member.toml, for `signer`, signer.toml, for `gateway`, gateway.toml.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Every command")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main job from end to end on this machine, with members dying and lying.
    ///
    /// Example: holdfast demo
    Demo(demo::DemoArgs),
    #[command(subcommand)]
    Devnet(devnet::Devnet),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Committee(committee::Committee),
    #[command(subcommand)]
    Namespace(namespace::NamespaceCommand),
    #[command(subcommand)]
    L1(l1::L1),
    #[command(subcommand)]
    Member(member::Member),
    #[command(subcommand)]
    Signer(signer::SignerCommand),
    #[command(subcommand)]
    Gateway(gateway::GatewayCommand),
    /// Disperse a file and print its certificate.
    ///
    /// Example: holdfast put batch.bin --by shard --retain 28d -o batch.cert
    Put(put::PutArgs),
    /// Read a payload back, given its blob id or its certificate.
    ///
    /// Example: holdfast get batch.cert -o batch.bin
    Get(get::GetArgs),
    /// What members say that they hold.
    ///
    /// Example: holdfast ls
    Ls(ls::LsArgs),
    /// Find blobs by keccak256 of their payload, as members say and each checked; only those dispersed by payload.
    ///
    /// Example: holdfast find --file batch.bin
    Find(find::FindArgs),
    #[command(subcommand)]
    Blob(blob::BlobCommand),
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Write everything of a namespace that members hold into a folder: payloads, certificates, and the keys that signed them.
    ///
    /// Example: holdfast export --dir bundle
    Export(export::ExportArgs),
    #[command(subcommand)]
    Mirror(export::Mirror),
    /// Check a folder that `export` or `mirror` has written: that each payload is the blob that its certificate names, and that
    /// the committee signed it.
    ///
    /// Example: holdfast verify --bundle bundle
    Verify(verify::VerifyArgs),
    /// What every member of the active epoch says of itself.
    ///
    /// Example: holdfast status
    Status,
    /// Ask everything that can be asked from here: configuration, L1, members, keys; and say what to do.
    ///
    /// Example: holdfast doctor
    Doctor,
    /// Load a committee, configured or started for it, and measure times, throughput and processor time.
    ///
    /// Example: holdfast bench --devnet 5 -t 4 -k 2 --sizes 1k,1m --concurrency 1,16 --html bench.html
    Bench(bench::BenchArgs),
    /// Print a completion script for a shell.
    ///
    /// Example: holdfast completions bash > /etc/bash_completion.d/holdfast
    Completions(shell::CompletionsArgs),
    /// Write manual pages.
    ///
    /// Example: holdfast man --dir /usr/local/share/man/man1
    Man(shell::ManArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let is_daemon = matches!(
        cli.command,
        Command::Member(_) | Command::Signer(_) | Command::Gateway(_) | Command::Devnet(devnet::Devnet::Clock(_))
    );
    let format = cli.log_format();
    // Who reads the log line by line finds an object in every one.
    let output = Output::new(cli.json || format == LogFormat::Json);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.worker_threads(cores).thread_name_fn(thread_names(cores)).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            progress(format!("holdfast: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let spans = cli.spans(&runtime);
    let log = log::start(if is_daemon { "info" } else { "warn" }, format, spans);
    let is_doctor = matches!(cli.command, Command::Doctor);
    for remark in config::remarks().into_iter().filter(|_| !is_doctor) {
        match format {
            LogFormat::Text => progress(format!("note: {remark}")),
            LogFormat::Json => tracing::warn!(%remark, "config.environment"),
        }
    }
    let result = runtime.block_on(run(cli, &log, output));
    log.end_spans();
    // Work that waits for a disk that hangs is not waited for.
    runtime.shutdown_background();
    // The error is the last of stderr.
    drop(log);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(ErrorRecord::new(&error), || format!("holdfast: {}", exit::explain(&error)));
            ExitCode::from(exit::exit_of(&error) as u8)
        }
    }
}

/// Names by which `top -H` and `bench` tell calls from work that blocks: a runtime starts its workers first, and threads for
/// what blocks when they are needed.
fn thread_names(workers: usize) -> impl Fn() -> String + Send + Sync {
    let started = AtomicUsize::new(0);
    move || if started.fetch_add(1, Ordering::Relaxed) < workers { "async" } else { "blocking" }.to_owned()
}

/// A command that runs until it is told to stop, and has settings of its own.
struct Daemon<'a> {
    name: &'static str,
    prefix: &'static str,
    file: &'a Path,
}

impl Daemon<'_> {
    /// A setting that is needed before all are read.
    fn peek(&self, key: &str) -> Option<String> {
        configuration::peek(self.file, self.prefix, key)
    }
}

impl Cli {
    /// How the log of a daemon is to be written: what is wrong with its settings is told when it reads them.
    fn log_format(&self) -> LogFormat {
        match self.daemon().and_then(|daemon| daemon.peek("log.format")).as_deref() {
            Some("json") => LogFormat::Json,
            _ => LogFormat::Text,
        }
    }

    /// What sends a daemon's spans, if its settings name a collector; without it the daemon runs all the same.
    fn spans(&self, runtime: &tokio::runtime::Runtime) -> Option<spans::Spans> {
        let daemon = self.daemon()?;
        let collector = daemon.peek("log.otlp")?;
        let _within = runtime.enter();
        let started = spans::Spans::start(&collector, daemon.name);
        started.inspect_err(|error| progress(format!("note: no spans are sent: {error}"))).ok()
    }

    fn daemon(&self) -> Option<Daemon<'_>> {
        let (name, prefix, default) = match self.command {
            Command::Member(member::Member::Run { .. }) => {
                ("holdfast-member", committee_config::ENVIRONMENT, member::DEFAULT_FILE)
            }
            Command::Signer(signer::SignerCommand::Run { .. }) => {
                ("holdfast-signer", holdfast_committee::signer::ENVIRONMENT, signer::DEFAULT_FILE)
            }
            Command::Gateway(gateway::GatewayCommand::Run(_)) => {
                ("holdfast-gateway", gateway_config::PREFIX, gateway::DEFAULT_FILE)
            }
            _ => return None,
        };
        Some(Daemon { name, prefix, file: self.config.as_deref().unwrap_or(Path::new(default)) })
    }
}

async fn run(cli: Cli, log: &log::Guard, output: Output) -> anyhow::Result<()> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Demo(args) => demo::run(&args, output).await,
        Command::Devnet(command) => devnet::run(command, config, output).await,
        Command::Keys(command) => keys::run(command, output),
        Command::Committee(command) => committee::run(command, config, output).await,
        Command::Namespace(command) => namespace::run(command, config, output).await,
        Command::L1(command) => l1::run(command, config, output).await,
        Command::Member(command) => member::run(command, config, log, output).await,
        Command::Signer(command) => signer::run(command, config, output).await,
        Command::Gateway(command) => gateway::run(command, config, output).await,
        Command::Put(args) => put::run(&args, config, output).await,
        Command::Get(args) => get::run(&args, config, output).await,
        Command::Cert(command) => cert::run(command, config, output).await,
        Command::Ls(args) => ls::run(&args, config, output).await,
        Command::Find(args) => find::run(&args, config, output).await,
        Command::Blob(command) => blob::run(command, config, output).await,
        Command::Export(args) => export::export(&args, config, output).await,
        Command::Mirror(command) => export::mirror(&command, config, output).await,
        Command::Verify(args) => verify::run(&args, config, output).await,
        Command::Status => status::run(config, output).await,
        Command::Doctor => doctor::run(config, output).await,
        Command::Bench(args) => bench::run(&args, config, output).await,
        Command::Completions(args) => shell::completions(&args, Cli::command()),
        Command::Man(args) => shell::man(&args, Cli::command(), output),
    }
}

/// What is no command line, or asks for help or the version.
fn refuse(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let message = error.to_string();
        let record = ErrorRecord::usage(message.trim().trim_start_matches("error: ").to_owned());
        Output::new(true).error(record, String::new);
    } else {
        // Help goes to stdout, which may be closed.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::Exit::Usage as u8))
}
