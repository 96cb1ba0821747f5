//! `holdfast namespace`: make a rollup's namespace, say who disperses in it and how long data is kept, hold it on, and look at
//! it.

mod change;
mod renew;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use holdfast_certificate::{Address, Namespace};
use holdfast_contracts::RegistryCall;
use holdfast_erasure::keccak256;
use holdfast_l1::{Moment, RegistryView};
use holdfast_registry::NamespaceRecord;

use crate::{
    account::AccountArgs,
    config::{Config, L1Args},
    exit::{Exit, fail},
    output::Output,
    target::Replace,
    times::{human_time, parse_span, parse_time},
};
use change::{Changed, Signer, carry_out, text};
use renew::RenewArgs;
use show::{ShowArgs, existing};

/// Make a rollup's namespace, say who disperses in it and how long data is kept, hold it on, and look at it.
///
/// What changes a namespace is sent from the configured account (l1_key_file), or with --safe-json written down for a
/// Safe to sign.
#[derive(Debug, Subcommand)]
pub(crate) enum NamespaceCommand {
    /// Create the sender's namespace keccak256(abi.encode(sender, salt)).
    ///
    /// Example: holdfast namespace create --min-retention 7d --disperser 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    Create(CreateArgs),
    /// Allow an account to disperse in the namespace; by its owner.
    ///
    /// Example: holdfast namespace allow 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    Allow(DisperserArgs),
    /// Take that back: members take nothing more from the account.
    ///
    /// Example: holdfast namespace revoke 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    Revoke(DisperserArgs),
    /// Set how long data must still be kept when a certificate is used. A raise takes effect after an hour, a lowering after the registry's
    /// delay; until then the value in force takes it back.
    ///
    /// Example: holdfast namespace retention 14d
    Retention(RetentionArgs),
    /// Write, for the guardian's Safe, that members drop nothing of the namespace before a date, at most 90 days ahead.
    ///
    /// Example: holdfast namespace hold --until 2026-12-31T00:00:00Z --safe-json hold.json
    Hold(HoldArgs),
    /// Have the committee hold on what it holds and what is about to end, from what its members have: nothing is uploaded to
    /// who has its part. Run it every day, or before an epoch ends that should hold longer.
    ///
    /// Example: holdfast namespace renew --retain 28d --within 14d
    Renew(RenewArgs),
    /// Show owner, dispersers, retention, a pending change and a hold.
    ///
    /// Example: holdfast namespace show
    Show(ShowArgs),
}

/// A new namespace.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Tells the sender's namespaces apart: 32 bytes in hex.
    #[arg(long, value_parser = parse_salt, default_value = "0x0000000000000000000000000000000000000000000000000000000000000000", hide_default_value = true)]
    salt: Salt,
    /// How long data must still be kept when a certificate is used.
    #[arg(long, value_parser = parse_span)]
    min_retention: std::time::Duration,
    /// The accounts that may disperse in it.
    #[arg(long, num_args = 1.., required = true, value_name = "ADDRESS")]
    disperser: Vec<Address>,
    /// The Safe that will own it, which is part of its id.
    #[arg(long, requires = "safe_json", value_name = "SAFE")]
    owner: Option<Address>,
    /// Write the transaction here, for the Safe{Wallet} Transaction Builder to import, instead of sending it.
    #[arg(long, requires = "owner", value_name = "OUT")]
    safe_json: Option<PathBuf>,
    #[command(flatten)]
    replace: Replace,
    #[command(flatten)]
    account: AccountArgs,
    #[command(flatten)]
    l1: L1Args,
}

/// Which namespace, and how the transaction gets signed.
#[derive(Debug, Args)]
struct Change {
    /// The namespace; the configured one if absent.
    #[arg(long)]
    namespace: Option<Namespace>,
    /// Write the transaction here, for the owner's Safe to sign, instead of sending it.
    #[arg(long, value_name = "OUT")]
    safe_json: Option<PathBuf>,
    #[command(flatten)]
    replace: Replace,
    #[command(flatten)]
    account: AccountArgs,
    #[command(flatten)]
    l1: L1Args,
}

#[derive(Debug, Args)]
pub(crate) struct DisperserArgs {
    /// The account.
    address: Address,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    /// Such as 14d.
    #[arg(value_parser = parse_span)]
    duration: std::time::Duration,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    /// Unix seconds or RFC 3339; only ever later than before.
    #[arg(long, value_parser = parse_time)]
    until: u64,
    /// Write the transaction here, for the guardian's Safe to sign.
    #[arg(long, value_name = "OUT")]
    safe_json: PathBuf,
    #[command(flatten)]
    replace: Replace,
    /// The namespace; the configured one if absent.
    #[arg(long)]
    namespace: Option<Namespace>,
    #[command(flatten)]
    l1: L1Args,
}

#[derive(Debug, Clone, Copy)]
struct Salt([u8; 32]);

pub(crate) async fn run(command: NamespaceCommand, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    match command {
        NamespaceCommand::Create(args) => create(args, config, output).await,
        NamespaceCommand::Allow(args) => disperser(args, true, config, output).await,
        NamespaceCommand::Revoke(args) => disperser(args, false, config, output).await,
        NamespaceCommand::Retention(args) => retention(args, config, output).await,
        NamespaceCommand::Hold(args) => hold(args, config, output).await,
        NamespaceCommand::Renew(args) => renew::renew(args, config, output).await,
        NamespaceCommand::Show(args) => show::show(args, config, output).await,
    }
}

async fn create(args: CreateArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let config = config.with_l1(&args.l1)?;
    let signer = match (args.owner, args.safe_json) {
        (Some(address), Some(file)) => Signer::safe(address, &file, args.replace)?,
        _ => Signer::Account(Box::new(config.account(args.account.files())?)),
    };
    let owner = signer.address();
    let namespace = id_of(owner, &args.salt.0);
    let call = RegistryCall::CreateNamespace {
        salt: args.salt.0,
        min_retention: args.min_retention.as_secs(),
        dispersers: args.disperser,
    };
    let view = config.view(Moment::Latest).await?;
    let means = format!("{owner} owns the namespace {namespace}; set it as namespace in the configuration");
    let changed = carry_out(&view, namespace, &signer, &call, means).await?;
    output.print(&changed, text)
}

async fn disperser(args: DisperserArgs, allowed: bool, config: Config, output: Output) -> anyhow::Result<()> {
    let (_, view, namespace, signer, found) = open(&args.change, config).await?;
    let call = RegistryCall::SetDisperser { namespace, disperser: args.address, allowed };
    match (found.dispersers.contains(&args.address), allowed) {
        (true, true) => {
            let means = format!("{} is allowed already", args.address);
            return output.print(&Changed::nothing(namespace, &signer, &call, means), text);
        }
        (false, false) => {
            let known: Vec<String> = found.dispersers.iter().map(Address::to_string).collect();
            let known = if known.is_empty() { "nobody".to_owned() } else { known.join(" ") };
            return fail(
                Exit::NotFound,
                format!("{} does not disperse in {namespace}; allowed: {known}", args.address),
            );
        }
        _ => {}
    }
    let means = if allowed {
        format!("members take blobs that {} signs, as soon as the block is final", args.address)
    } else {
        format!("members take nothing more that {} signs, once the block is final; what it stored stays", args.address)
    };
    let changed = carry_out(&view, namespace, &signer, &call, means).await?;
    output.print(&changed, text)
}

/// Seconds that the registry lets pass before a raise of a retention takes effect.
const RAISE_DELAY: u64 = 3600;

async fn retention(args: RetentionArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let (config, view, namespace, signer, found) = open(&args.change, config).await?;
    let (now, wanted) = (found.min_retention, args.duration.as_secs());
    let delay = view.governance().await?.delay.max(1);
    let call = RegistryCall::SetMinRetention { namespace, min_retention: wanted };
    let from = (wanted != now).then(|| view.time().saturating_add(if wanted < now { delay } else { RAISE_DELAY }));
    let means = meaning(now, wanted, from, " if it is sent now");
    let mut changed = carry_out(&view, namespace, &signer, &call, means).await?;
    changed.effective_from = from;
    if let (Signer::Account(_), Some(expected)) = (&signer, from) {
        // As the contract counts it, from the block that the transaction stands in.
        let after = existing(&config.view(Moment::Latest).await?, &namespace).await?;
        // Nothing is pending where the change has taken effect meanwhile.
        let from = after.next_min_retention.map_or(expected, |(_, from)| from);
        changed.effective_from = Some(from);
        changed.means = meaning(now, wanted, Some(from), "");
    }
    output.print(&changed, text)
}

/// What a retention changes, for people.
fn meaning(now: u64, wanted: u64, from: Option<u64>, condition: &str) -> String {
    let span = |seconds| humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string();
    match from {
        None => format!("the minimum retention is {} already; a change that was pending is taken back", span(now)),
        Some(from) => format!(
            "{} the minimum retention from {} to {}; takes effect at {}{condition}",
            if wanted < now { "lowers" } else { "raises" },
            span(now),
            span(wanted),
            human_time(from),
        ),
    }
}

async fn hold(args: HoldArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let config = config.with_l1(&args.l1)?;
    let namespace = config.namespace(args.namespace)?;
    let view = config.view(Moment::Latest).await?;
    existing(&view, &namespace).await?;
    let guardian = view.governance().await?.guardian;
    if guardian == Address::ZERO {
        return fail(Exit::Usage, "this registry has no guardian, so nothing can be held");
    }
    let signer = Signer::safe(guardian, &args.safe_json, args.replace)?;
    let call = RegistryCall::HoldNamespace { namespace, until: args.until };
    let means = format!("members drop nothing of the namespace before {}", human_time(args.until));
    let changed = carry_out(&view, namespace, &signer, &call, means).await?;
    output.print(&changed, text)
}

/// The namespace as the registry has it, and who signs: its owner's Safe, or the configured account.
async fn open(
    change: &Change,
    config: Config,
) -> anyhow::Result<(Config, RegistryView, Namespace, Signer, NamespaceRecord)> {
    let config = config.with_l1(&change.l1)?;
    let namespace = config.namespace(change.namespace)?;
    let view = config.view(Moment::Latest).await?;
    let found = existing(&view, &namespace).await?;
    let signer = match &change.safe_json {
        Some(file) => Signer::safe(found.owner, file, change.replace)?,
        None => Signer::Account(Box::new(config.account(change.account.files())?)),
    };
    Ok((config, view, namespace, signer, found))
}

/// As the contract computes it: keccak256(abi.encode(owner, salt)).
fn id_of(owner: Address, salt: &[u8; 32]) -> Namespace {
    let encoded = [&[0; 12], owner.to_bytes().as_slice(), salt].concat();
    Namespace::from(*keccak256(&encoded).as_bytes())
}

fn parse_salt(text: &str) -> Result<Salt, String> {
    let mut salt = [0; 32];
    hex::decode_to_slice(text.trim_start_matches("0x"), &mut salt)
        .map(|()| Salt(salt))
        .map_err(|error| format!("{text:?} is no salt (32 bytes in hex): {error}"))
}
