//! `holdfast signer`: a member's key in a process, or on a machine, of its own.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use holdfast_committee::{self as committee, signer};
use holdfast_transport::tls::{ServerTls, generate};
use serde::Serialize;

use crate::{
    exit::{Exit, fail},
    files, keys,
    output::Output,
    shutdown::Shutdown,
    tls_pair,
};

pub(crate) const DEFAULT_FILE: &str = "signer.toml";

/// Hold a member's key in a process of its own, and sign for it what its rules allow.
///
/// Settings (signer.toml; HOLDFAST_SIGNER_* variables go over it):
///
/// listen = "unix:signer.sock" or "ADDRESS:PORT"; keystore, password_file; chain_id and registry, as `member
/// check` prints them, the only ones that it signs for; on an address token_file (16 characters or more, which the member
/// shows), and off loopback a table `tls` with certificate and key (`signer new-tls`).
///
/// Rules: namespaces (all), max_retention (90d), max_whole (30d), max_endorsement (0s: no TLS keys), signatures_per_second (500).
///
/// The member has, in place of keystore and password_file, [signer] with url, public_key, tls_pin, token_file, deadline (3s):
/// `signer check` prints it.
#[derive(Debug, Subcommand)]
pub(crate) enum SignerCommand {
    /// Check settings and key, and print what the member's configuration needs of them; starts nothing.
    ///
    /// Example: holdfast --config signer.toml signer check
    Check,
    /// Make the TLS pair of a signer on an address, tls.crt and tls.key beside its configuration, and print its pin.
    ///
    /// Example: holdfast --config signer.toml signer new-tls --host signer.example
    NewTls {
        /// A name or address under which the member reaches the signer; it may be given several times.
        #[arg(long, required = true)]
        host: Vec<String>,
    },
    /// Run the signer until SIGTERM or SIGINT; a second signal ends it at once.
    ///
    /// Example: holdfast --config signer.toml signer run
    Run {
        /// Stop when standard input closes.
        #[arg(long, hide = true)]
        until_stdin_closes: bool,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    config: signer::Config,
    public_key: String,
    tls_pin: Option<String>,
}

pub(crate) async fn run(command: SignerCommand, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let file = config.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_owned);
    let load = || signer::Config::load(&file).or_else(|error| fail(Exit::Usage, error.to_string()));
    match command {
        SignerCommand::Check => check(load()?, output),
        SignerCommand::NewTls { host } => new_tls(host, &file, output),
        SignerCommand::Run { until_stdin_closes } => {
            let config = load()?;
            let shutdown = Shutdown::listen(until_stdin_closes)?;
            let ended = signer::run(config, async move { shutdown.requested().await }).await;
            ended.or_else(|error| match error {
                committee::Error::Server(_) => Err(error.into()),
                _ => fail(Exit::Usage, error.to_string()),
            })
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    certificate: PathBuf,
    key: PathBuf,
    tls_pin: String,
}

/// The configuration that will name the pair may not be good yet.
fn new_tls(hosts: Vec<String>, file: &Path, output: Output) -> anyhow::Result<()> {
    let pair = generate(hosts, None)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let (certificate, key) = (folder.join(tls_pair::CERTIFICATE), folder.join(tls_pair::KEY));
    for path in [&certificate, &key] {
        if path.exists() {
            return fail(Exit::Unsafe, format!("{} exists, and the member may have its pin", path.display()));
        }
    }
    files::write_new_secret(&key, pair.key.as_bytes())?;
    files::write_new_secret(&certificate, pair.certificate.as_bytes())?;
    let made = Made { certificate, key, tls_pin: format!("0x{}", hex::encode(pair.pin)) };
    output.print(&made, |made| {
        format!(
            "certificate  {}\nTLS pin      {}\nIn the signer's configuration:\n\n{}",
            made.certificate.display(),
            made.tls_pin,
            tls_pair::table(),
        )
    })
}

fn check(config: signer::Config, output: Output) -> anyhow::Result<()> {
    let key = keys::unlock(&config.keystore, &config.password_file)?;
    let tls = config.tls.as_ref().map(|tls| ServerTls::load(&tls.certificate, &tls.key)).transpose();
    let tls = tls.or_else(|error| fail(Exit::Usage, error.to_string()))?;
    let in_force = toml::to_string_pretty(&config)?;
    let checked = Checked {
        public_key: key.public_key().to_string(),
        tls_pin: tls.map(|tls| format!("0x{}", hex::encode(tls.pin()))),
        config,
    };
    output.print(&checked, |checked| {
        let mut text = format!(
            "{in_force}\nIn the member's configuration:\n\n[signer]\npublic_key = \"{}\"\n",
            checked.public_key
        );
        if let Some(pin) = &checked.tls_pin {
            text += &format!("tls_pin = \"{pin}\"\n");
        }
        text
    })
}
