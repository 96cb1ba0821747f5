//! `holdfast member`: set up, check, run and look at one committee member.

mod drain;
mod obligations;
mod orders;
mod recover;
mod status;
mod tls;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use holdfast_certificate::{Address, PublicKey, Registration, SecretKey, keystore::Strength};
use holdfast_committee::{
    self as committee,
    store::{IfMissing, Store},
};
use holdfast_l1::RpcUrls;
use holdfast_proto::v1::{GetInfoRequest, GetInfoResponse, node_client::NodeClient};
use holdfast_registry::{Finality, Registry};
use holdfast_transport::{
    Trust,
    tls::{ServerTls, generate},
};
use serde::Serialize;
use tonic::transport::Channel;

use crate::{
    exit::{Exit, fail, of_registry},
    files, keys, log,
    output::Output,
    shutdown::Shutdown,
    times::now,
    tls_pair,
};
pub(crate) const DEFAULT_FILE: &str = "member.toml";
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// Set up, check, run and look at one committee member.
#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    /// Make a member's folder: signing key, password, configuration.
    ///
    /// Example: holdfast member init --dir m0 --listen 0.0.0.0:7400 --rpc-url URL --registry ADDRESS
    Init(InitArgs),
    /// Make the empty store of a key that has never signed anything; `member init` does so itself.
    ///
    /// Example: holdfast --config m0/member.toml member new-store
    NewStore,
    /// Check the configuration, the key, the registry and the clock, and print what is in force; starts nothing.
    ///
    /// Example: holdfast --config m0/member.toml member check
    Check,
    /// Run the member until SIGTERM or SIGINT; a second signal ends it at once.
    ///
    /// Example: holdfast --config m0/member.toml member run
    Run {
        /// Make an empty store in the place of one that is lost. The member says from then on that it may not have what it
        /// signed before.
        #[arg(long)]
        accept_empty_store: bool,
        /// Stop when standard input closes.
        #[arg(long, hide = true)]
        until_stdin_closes: bool,
    },
    /// Get back from the other members all that bears this member's name, after its disk was lost or replaced by a backup.
    ///
    /// It runs the member, which serves and signs meanwhile, until all is there, and then stops it.
    ///
    /// Example: holdfast --config m0/member.toml member recover
    Recover {
        /// First record what the member's archive has; what was signed last and had not come there is got from the others.
        #[arg(long)]
        from_archive: bool,
    },
    /// Make another TLS key that the member's own key endorses: clients take it without a word on L1.
    ///
    /// Example: holdfast --config m0/member.toml member new-tls --host m0.example
    NewTls(tls::NewTlsArgs),
    /// Ask the running member what it has signed: until when, how many bytes, and for whom.
    ///
    /// Example: holdfast --config m0/member.toml member obligations
    Obligations,
    /// Ask the running member what it says of itself.
    ///
    /// Example: holdfast --config m0/member.toml member status
    Status,
    /// Have the running member take nothing new, before it is stopped; it goes on reading out.
    ///
    /// Refused, with exit code 6, where the others are too few to make a certificate without it. A restart ends it, as
    /// `member undrain` does.
    ///
    /// Example: holdfast --config m0/member.toml member drain --wait
    Drain(drain::DrainArgs),
    /// Have the running member take statements again.
    ///
    /// Example: holdfast --config m0/member.toml member undrain
    Undrain,
    /// Have the running member drop nothing that has expired, until a time or until it is released.
    ///
    /// Example: holdfast --config m0/member.toml member hold --until 2026-12-31T00:00:00Z
    Hold(orders::HoldArgs),
    /// Have the running member read and check all that it stores, beginning now.
    ///
    /// Example: holdfast --config m0/member.toml member scrub --wait
    Scrub(orders::ScrubArgs),
    /// Have the running member log more or less, until it is stopped.
    ///
    /// Example: holdfast --config m0/member.toml member log info,holdfast_committee=debug
    Log(orders::LogArgs),
}

/// A new member.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to make.
    #[arg(long)]
    dir: PathBuf,
    /// Where the member listens. On an address that is not loopback it speaks TLS, with a key that is made now.
    #[arg(long, default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// A name or address under which clients reach the member, for its TLS certificate; it may be given several times.
    #[arg(long)]
    host: Vec<String>,
    /// Speak plain text on an address that is not loopback: whoever is on the way can read and disturb.
    #[arg(long, conflicts_with = "host")]
    insecure_plaintext: bool,
    /// URL of an Ethereum JSON-RPC node. Give several, of different operators, and two must give the same answer.
    #[arg(long, requires = "registry", conflicts_with = "committee_file")]
    rpc_url: Vec<String>,
    /// The CommitteeRegistry contract.
    #[arg(long, requires = "rpc_url")]
    registry: Option<Address>,
    /// A committee file, for a committee that is not read from L1.
    #[arg(long, required_unless_present = "rpc_url")]
    committee_file: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    config: PathBuf,
    public_key: String,
    /// For a committee file; on L1 `holdfast l1 register-key` makes the one that the registry takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_of_possession: Option<String>,
    /// SHA-256 of the TLS key's SubjectPublicKeyInfo; none where the member speaks plain text.
    tls_pin: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MadeStore {
    data_dir: PathBuf,
    store_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    config: committee::Config,
    public_key: String,
    chain_id: u64,
    registry: String,
    epoch: Option<u64>,
    slot: Option<u16>,
    finality: Option<Finality>,
    /// Whether this very member is running.
    running: bool,
    problems: Vec<String>,
    /// What to know of these settings, and no reason not to start.
    notes: Vec<String>,
}

pub(crate) async fn run(
    command: Member,
    config: Option<&Path>,
    log: &log::Guard,
    output: Output,
) -> anyhow::Result<()> {
    let config = config.unwrap_or(Path::new(DEFAULT_FILE));
    match command {
        Member::Init(args) => init(&args, output),
        Member::Check => check(&load(config)?, output).await,
        Member::NewStore => new_store(&load(config)?, output),
        Member::Run { accept_empty_store, until_stdin_closes } => {
            let shutdown = Shutdown::listen(until_stdin_closes)?;
            let missing = if accept_empty_store { IfMissing::Replace } else { IfMissing::Refuse };
            let asked = async move { shutdown.requested().await };
            committee::run(load(config)?, missing, log.control(), asked).await.or_else(refused)
        }
        Member::Recover { from_archive } => recover::run(load(config)?, from_archive, output).await,
        Member::Status => status::run(&load(config)?, output).await,
        Member::Obligations => obligations::run(&load(config)?, output).await,
        Member::Drain(args) => drain::drain(&args, &load(config)?, output).await,
        Member::Undrain => drain::undrain(&load(config)?, output).await,
        Member::Hold(args) => orders::hold(&args, &load(config)?, output).await,
        Member::Scrub(args) => orders::scrub(&args, &load(config)?, output).await,
        Member::Log(args) => orders::log(args, &load(config)?, output).await,
        Member::NewTls(args) => tls::run(&args, config, output).await,
    }
}

fn load(file: &Path) -> anyhow::Result<committee::Config> {
    committee::Config::load(file).or_else(|error| fail(Exit::Usage, error.to_string()))
}

async fn registry_of(config: &committee::Config) -> anyhow::Result<Arc<dyn Registry>> {
    match committee::registry(config).await {
        Ok(registry) => Ok(registry),
        Err(error) => refused(error),
    }
}

/// What the operator must set right before the member starts has its own exit codes.
fn refused<T>(error: committee::Error) -> anyhow::Result<T> {
    match error {
        committee::Error::Config(_)
        | committee::Error::File { .. }
        | committee::Error::Keystore { .. }
        | committee::Error::Tls(_)
        | committee::Error::Descriptors { .. }
        | committee::Error::InUse { .. }
        | committee::Error::Listen { .. } => fail(Exit::Usage, error.to_string()),
        committee::Error::Registry(ref cause) => fail(of_registry(cause), error.to_string()),
        committee::Error::Store(_) => fail(Exit::Unsafe, error.to_string()),
        _ => Err(error.into()),
    }
}

fn init(args: &InitArgs, output: Output) -> anyhow::Result<()> {
    fs::create_dir_all(&args.dir).with_context(|| format!("cannot make {}", args.dir.display()))?;
    let path = args.dir.join("member.toml");
    if path.exists() {
        return fail(Exit::Unsafe, format!("{} exists: this folder is a member's already", path.display()));
    }
    let password = args.dir.join("password.txt");
    files::write_new_secret(&password, hex::encode(SecretKey::generate().to_bytes().as_ref()).as_bytes())?;
    let key = SecretKey::generate();
    keys::write_keystore(&args.dir.join("keystore.json"), &key, &files::password(&password)?, Strength::Standard)?;
    let mut config = committee::Config::in_folder(args.listen, Path::new(""));
    config.committee_file = args.committee_file.as_deref().map(std::path::absolute).transpose()?;
    config.l1 = args.registry.map(|registry| committee::config::L1 {
        rpc_url: RpcUrls::new(args.rpc_url.clone()),
        registry,
        code_hash: None,
    });
    config.insecure_plaintext = args.insecure_plaintext;
    let mut tls_pin = None;
    if !args.listen.ip().is_loopback() && !args.insecure_plaintext {
        let hosts = if args.host.is_empty() { vec![args.listen.ip().to_string()] } else { args.host.clone() };
        let pair = generate(hosts, None)?;
        files::write_new_secret(&args.dir.join(tls_pair::KEY), pair.key.as_bytes())?;
        fs::write(args.dir.join(tls_pair::CERTIFICATE), pair.certificate)?;
        config.tls =
            Some(committee::config::Tls { certificate: tls_pair::CERTIFICATE.into(), key: tls_pair::KEY.into() });
        tls_pin = Some(format!("0x{}", hex::encode(pair.pin)));
    }
    config.check().or_else(|error| fail(Exit::Usage, error.to_string()))?;
    config.write(&path)?;
    let store = args.dir.join(&config.data_dir);
    Store::create(&store, &key.public_key()).or_else(|error| fail(Exit::Unsafe, error.to_string()))?;
    let made = Made {
        tls_pin,
        config: path,
        public_key: key.public_key().to_string(),
        proof_of_possession: args
            .registry
            .is_none()
            .then(|| key.prove_possession(&Registration::WITHOUT_L1).to_string()),
    };
    output.print(&made, |made| {
        format!(
            "configuration        {}\npublic key           {}\n{}{}\nBack up keystore.json and password.txt, apart from each other.",
            made.config.display(),
            made.public_key,
            made.proof_of_possession.as_ref().map_or_else(String::new, |proof| format!("proof of possession  {proof}\n")),
            made.tls_pin.as_ref().map_or_else(String::new, |pin| format!("TLS pin              {pin}\n")),
        )
    })
}

/// The member's key: of its keystore, or of the signer that its settings name.
fn public_key(config: &committee::Config) -> anyhow::Result<PublicKey> {
    match &config.signer {
        Some(signer) => Ok(signer.public_key),
        None => Ok(keys::unlock(&config.keystore, &config.password_file)?.public_key()),
    }
}

fn new_store(config: &committee::Config, output: Output) -> anyhow::Result<()> {
    let store = Store::create(&config.data_dir, &public_key(config)?);
    let store = store.or_else(|error| fail(Exit::Unsafe, error.to_string()))?;
    let made = MadeStore { data_dir: config.data_dir.clone(), store_id: store.to_string() };
    output.print(&made, |made| format!("made store {} in {}\n", made.store_id, made.data_dir.display()))
}

async fn check(config: &committee::Config, output: Output) -> anyhow::Result<()> {
    let public_key = public_key(config)?;
    let registry = registry_of(config).await?;
    let mut problems = Vec::new();
    let (mut epoch, mut slot, mut notes) = (None, None, Vec::new());
    match registry.active_epoch(now()).await {
        Ok(record) => {
            epoch = Some(record.committee.epoch());
            slot = record.committee.slot_of(&public_key);
            notes.extend(config.outgrown(record.committee.parameters()).iter().map(ToString::to_string));
            if slot.is_none() {
                problems.push(format!("epoch {} has no slot for this key", record.committee.epoch()));
            }
        }
        Err(error) => problems.push(error.to_string()),
    }
    let listening = std::net::TcpListener::bind(config.listen);
    // Whoever has the port may be the member itself.
    let running = match &listening {
        Ok(_) => false,
        Err(_) => ask(config).await.is_ok_and(|info| info.public_key == public_key.to_bytes().as_slice()),
    };
    if let (Err(error), false) = (listening, running) {
        problems.push(format!("cannot listen on {}: {error}", config.listen));
    }
    let domain = registry.domain();
    let mut shown = config.clone();
    if let Some(l1) = &mut shown.l1 {
        l1.rpc_url = l1.rpc_url.redacted();
    }
    let in_force = toml::to_string_pretty(&shown)?;
    let checked = Checked {
        config: shown,
        public_key: public_key.to_string(),
        chain_id: domain.chain_id,
        registry: domain.registry.to_string(),
        epoch,
        slot,
        finality: registry.finality(),
        running,
        problems,
        notes,
    };
    output.print(&checked, |checked| {
        let number = |number: Option<u64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
        let mut text = format!(
            "{in_force}\npublic key  {}\nchain id    {}\nregistry    {}\nepoch       {}\nslot        {}\nrunning     {}\n",
            checked.public_key,
            checked.chain_id,
            checked.registry,
            number(checked.epoch),
            number(checked.slot.map(u64::from)),
            if checked.running { "yes" } else { "no" },
        );
        if let Some(finality) = &checked.finality {
            let stalled = if finality.stalled { ", finality stalls" } else { "" };
            let age = finality.read_at.saturating_sub(finality.timestamp);
            text += &format!("finalized   block {}, {age} s old{stalled}\n", finality.block);
            for dissenter in &finality.dissenters {
                text += &format!("outvoted    {dissenter} contradicts the other L1 nodes\n");
            }
        }
        for note in &checked.notes {
            text += &format!("note        {note}\n");
        }
        for problem in &checked.problems {
            text += &format!("problem     {problem}\n");
        }
        text
    })?;
    if checked.problems.is_empty() { Ok(()) } else { fail(Exit::Usage, checked.problems.join("; ")) }
}

/// Asks whoever listens where this member does.
async fn ask(config: &committee::Config) -> anyhow::Result<GetInfoResponse> {
    match NodeClient::new(connect(config).await?).get_info(GetInfoRequest {}).await {
        Ok(info) => Ok(info.into_inner()),
        Err(status) => {
            let listen = config.listen;
            fail(Exit::Unreachable, format!("whoever listens on {listen} is no member: {}", status.message()))
        }
    }
}

/// A connection to whoever listens where this member does.
async fn connect(config: &committee::Config) -> anyhow::Result<Channel> {
    // A member that listens on every address is asked on loopback.
    let mut address = config.listen;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    // Its own certificate is the one to find there.
    let pin = match &config.tls {
        Some(files) => Some(ServerTls::load(&files.certificate, &files.key)?.pin()),
        None => None,
    };
    let scheme = if pin.is_some() { "https" } else { "http" };
    let endpoint = holdfast_transport::endpoint(&format!("{scheme}://{address}"), &Trust::pinned(pin), STATUS_LIMIT)?
        .timeout(STATUS_LIMIT);
    match endpoint.connect().await {
        Ok(channel) => Ok(channel),
        Err(error) => {
            fail(Exit::Unreachable, format!("no member answers on {address}: {:#}", anyhow::Error::from(error)))
        }
    }
}
