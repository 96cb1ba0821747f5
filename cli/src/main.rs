//! The `holdfast` command: one binary, a file per subcommand.

mod account;
mod cert;
mod committee;
mod config;
mod demo;
mod devnet;
mod exit;
mod files;
mod get;
mod keys;
mod l1;
mod member;
mod namespace;
mod output;
mod put;
mod safe;
mod shutdown;
mod status;
mod times;

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::output::{Output, progress};

/// Keeps rollup batches readable: erasure-coded over a committee, certified, verified on L1.
///
/// Exit codes: 0 ok, 1 other, 2 usage or configuration, 3 quorum not reached or unreachable, 4 verification failed,
/// 5 not found (certain), 6 refused as unsafe, 7 expired.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, max_term_width = 110)]
struct Cli {
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Configuration (TOML); HOLDFAST_* variables go over it. Default: the file that HOLDFAST_CONFIG names, else
    /// holdfast.toml where there is one; for `member`, member.toml.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main job from end to end on this machine, with members dying and lying.
    ///
    /// Example: holdfast demo batch.bin
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
    /// Disperse a file and print its certificate.
    ///
    /// Example: holdfast put batch.bin --by shard --retain 28d -o batch.cert
    Put(put::PutArgs),
    /// Read a payload back, given its blob id or its certificate.
    ///
    /// Example: holdfast get batch.cert -o batch.bin
    Get(get::GetArgs),
    #[command(subcommand)]
    Cert(cert::Cert),
    /// What every member of the active epoch says of itself.
    ///
    /// Example: holdfast status
    Status,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("HOLDFAST_LOG")
        .unwrap_or_else(|_| EnvFilter::new(if matches!(cli.command, Command::Member(_)) { "info" } else { "warn" }));
    let terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(terminal).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("holdfast: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let output = Output::new(cli.json);
    let result = runtime.block_on(async {
        let config = cli.config.as_deref();
        match cli.command {
            Command::Demo(args) => demo::run(&args, output).await,
            Command::Devnet(command) => devnet::run(command, output).await,
            Command::Keys(command) => keys::run(command, output),
            Command::Committee(command) => committee::run(command, config, output).await,
            Command::Namespace(command) => namespace::run(command, config, output).await,
            Command::L1(command) => l1::run(command, config, output).await,
            Command::Member(command) => member::run(command, config, output).await,
            Command::Put(args) => put::run(&args, config, output).await,
            Command::Get(args) => get::run(&args, config, output).await,
            Command::Cert(command) => cert::run(command, config, output).await,
            Command::Status => status::run(config, output).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(format!("holdfast: {}", exit::explain(&error)));
            ExitCode::from(exit::exit_of(&error) as u8)
        }
    }
}
