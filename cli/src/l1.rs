//! `holdfast l1`: are the nodes and the registry fit for a member, and what an operator writes to the registry.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use holdfast_certificate::{Address, PublicKey};
use holdfast_contracts::RegistryCall;
use holdfast_l1::{Deployment, L1Report, Moment, PublishReceipt, Publisher, RpcUrls};
use serde::Serialize;

use crate::{
    account::{AccountArgs, L1Account, options},
    committee::card::{Pin, parse_endpoint, parse_pin},
    config::{Config, L1Args},
    exit::{Exit, fail, refused},
    keys,
    output::{Output, progress, table},
    times::parse_span,
};

/// Check L1 nodes and a registry, deploy one, register a member's key and endpoint.
#[derive(Debug, Subcommand)]
pub(crate) enum L1 {
    #[allow(rustdoc::bare_urls, reason = "this text is the command's help, where a link has no brackets")]
    /// Look at each node by itself, and at the registry; fails when a member could not run on them.
    ///
    /// Example: holdfast l1 check --rpc https://a.example --rpc https://b.example --registry ADDRESS
    Check(CheckArgs),
    /// Deploy a registry; nothing of it can be changed afterwards.
    ///
    /// Example: holdfast l1 deploy --rpc URL --governance SAFE --guardian SAFE --delay 7d --key-file deployer.key
    Deploy(DeployArgs),
    /// Register a member's key with its proof of possession; the account that does so sets its endpoint.
    ///
    /// Example: holdfast l1 register-key --keystore m0.json --password-file m0.password --key-file account.key
    RegisterKey(RegisterArgs),
    #[command(subcommand)]
    Endpoint(Endpoint),
}

/// Say where a member is reached.
#[derive(Debug, Subcommand)]
pub(crate) enum Endpoint {
    #[allow(rustdoc::bare_urls, reason = "this text is the command's help, where a link has no brackets")]
    /// Set URL and TLS pin of a key, from the account that registered it. Without --tls-pin there is none afterwards.
    ///
    /// Example: holdfast l1 endpoint set --keystore m0.json --url http://10.0.0.7:7400 --key-file account.key
    Set(EndpointArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// URL of a node; may be given more than once. The configured one if absent.
    #[arg(long, value_name = "URL")]
    rpc: Vec<String>,
    /// The registry; the configured one if no node is given.
    #[arg(long, value_name = "ADDRESS")]
    registry: Option<Address>,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// URL of a node.
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// Proposes epochs: a Safe.
    #[arg(long)]
    governance: Address,
    /// Cancels proposals, revokes epochs, holds namespaces; nobody if absent.
    #[arg(long)]
    guardian: Option<Address>,
    /// From a proposal to its activation, at least.
    #[arg(long, value_parser = parse_span)]
    delay: std::time::Duration,
    /// For how long an epoch's certificates are good after its end, for those that are then on their way to L1.
    #[arg(long, default_value = "1h", value_parser = parse_span)]
    overlap: std::time::Duration,
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The member's keystore (ERC-2335).
    #[arg(long)]
    keystore: PathBuf,
    /// File with its password.
    #[arg(long)]
    password_file: PathBuf,
    #[command(flatten)]
    account: AccountArgs,
    #[command(flatten)]
    l1: L1Args,
}

#[derive(Debug, Args)]
pub(crate) struct EndpointArgs {
    /// The URL at which the member is reached.
    #[arg(long, value_parser = parse_endpoint)]
    url: String,
    /// SHA-256 of the DER SubjectPublicKeyInfo of the member's TLS certificate (RFC 7469), in hex.
    #[arg(long, value_parser = parse_pin)]
    tls_pin: Option<Pin>,
    /// The member's keystore; its password is not needed.
    #[arg(long)]
    keystore: PathBuf,
    #[command(flatten)]
    account: AccountArgs,
    #[command(flatten)]
    l1: L1Args,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deployed {
    chain_id: u64,
    registry: String,
    governance: String,
    guardian: String,
    delay_seconds: u64,
    overlap_seconds: u64,
    transaction: String,
    block: u64,
    gas_used: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    key_id: String,
    public_key: String,
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_pin: Option<Pin>,
    /// None of the three where all was so already.
    transaction: Option<String>,
    block: Option<u64>,
    gas_used: Option<u64>,
}

impl Sent {
    /// A transaction about a key, which says nothing of an endpoint.
    fn new(key: &PublicKey, account: &L1Account, receipt: &PublishReceipt) -> Self {
        Self {
            transaction: Some(receipt.tx_hash.to_string()),
            block: Some(receipt.block),
            gas_used: Some(receipt.gas_used),
            ..Self::held(key, account)
        }
    }

    /// What L1 has already.
    fn held(key: &PublicKey, account: &L1Account) -> Self {
        Self {
            key_id: key.id().to_string(),
            public_key: key.to_string(),
            account: account.address().to_string(),
            endpoint: None,
            tls_pin: None,
            transaction: None,
            block: None,
            gas_used: None,
        }
    }
}

pub(crate) async fn run(command: L1, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    match command {
        L1::Check(args) => check(args, config, output).await,
        L1::Deploy(args) => deploy(&args, config, output).await,
        L1::RegisterKey(args) => register(&args, Config::load(config)?, output).await,
        L1::Endpoint(Endpoint::Set(args)) => endpoint(args, Config::load(config)?, output).await,
    }
}

async fn check(args: CheckArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let (urls, registry, pinned) = if args.rpc.is_empty() {
        let config = Config::load(config)?;
        let Some((urls, registry, pinned)) = config.l1_parts() else {
            return fail(Exit::Usage, "no L1 is configured: give --rpc URL, or set [l1] rpc_url and registry");
        };
        let asked = args.registry.unwrap_or(registry);
        // A hash that stands in the file is of the registry that stands there.
        (urls.as_slice().to_vec(), Some(asked), pinned.filter(|_| asked == registry))
    } else {
        (args.rpc, args.registry, None)
    };
    RpcUrls::new(urls.clone()).check()?;
    let report = holdfast_l1::check(&urls, registry, pinned).await;
    output.print(&report, text)?;
    verdict(&report)
}

/// What a member cannot run on is refused; what contradicts itself did not verify.
fn verdict(report: &L1Report) -> anyhow::Result<()> {
    if report.problems.is_empty() {
        return Ok(());
    }
    let exit = if report.nodes.iter().any(|node| node.eip2537 == Some(false)) {
        Exit::Unsafe
    } else if report.nodes.iter().any(|node| !node.reachable) {
        Exit::Unreachable
    } else {
        Exit::Verification
    };
    fail(exit, report.problems.join("\n"))
}

async fn deploy(args: &DeployArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    let account = config.account_files(args.account.files())?.open()?;
    let report = holdfast_l1::check(std::slice::from_ref(&args.rpc), None, None).await;
    // How old the chain's last block is does not matter here.
    if report.nodes.iter().any(|node| node.eip2537 != Some(true)) {
        verdict(&report)?;
    }
    if args.delay.subsec_nanos() != 0 || args.overlap.subsec_nanos() != 0 {
        return fail(Exit::Usage, "delay and overlap must be whole seconds");
    }
    if args.overlap.is_zero() {
        progress(
            "note: without an overlap, certificates that are on their way to L1 when a committee changes are refused",
        );
    }
    if args.delay.is_zero() {
        progress("note: without a delay an epoch is active in the second after its proposal: for tests only");
    }
    if args.guardian.is_none() {
        progress("note: without a guardian nobody can ever revoke an epoch or hold a namespace");
    }
    let deployment = Deployment {
        governance: args.governance,
        guardian: args.guardian.unwrap_or(Address::ZERO),
        delay: args.delay.as_secs(),
        overlap: args.overlap.as_secs(),
    };
    let sent = Publisher::deploy_account(&args.rpc, account, deployment, options(&config.journal())).await;
    let (publisher, receipt) = sent.map_err(|error| refused("not deployed", error))?;
    let deployed = Deployed {
        chain_id: publisher.domain().chain_id,
        registry: publisher.registry().to_string(),
        governance: deployment.governance.to_string(),
        guardian: deployment.guardian.to_string(),
        delay_seconds: deployment.delay,
        overlap_seconds: deployment.overlap,
        transaction: receipt.tx_hash.to_string(),
        block: receipt.block,
        gas_used: receipt.gas_used,
    };
    output.print(&deployed, |deployed| {
        format!(
            "registry     {} on chain {}\ngovernance   {}\nguardian     {}\ndelay        {}\noverlap      {}\ntransaction  {} in block {}, {} gas\n",
            deployed.registry,
            deployed.chain_id,
            deployed.governance,
            deployed.guardian,
            humantime::format_duration(args.delay),
            humantime::format_duration(args.overlap),
            deployed.transaction,
            deployed.block,
            deployed.gas_used
        )
    })
}

async fn register(args: &RegisterArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let secret = keys::unlock(&args.keystore, &args.password_file)?;
    let config = config.with_l1(&args.l1)?;
    let account = config.account(args.account.files())?;
    let key = secret.public_key();
    let publisher = account.publisher().await?;
    // What the journal knows goes on with its transaction; what only L1 knows holds already.
    let sent = match publisher.register_key(&key, &secret.prove_possession(&publisher.registration())).await {
        Ok(receipt) => Sent::new(&key, &account, &receipt),
        Err(error) => {
            let owner = config.view(Moment::Latest).await?.key_account(&key).await?;
            if owner != Some(account.address()) {
                return Err(refused("the registry refuses this", error));
            }
            Sent::held(&key, &account)
        }
    };
    output.print(&sent, sent_text)
}

async fn endpoint(args: EndpointArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let key: PublicKey = match keys::read_keystore(&args.keystore)?.public_key() {
        Some(key) => key,
        None => {
            return fail(Exit::Usage, format!("{} names no public key of a Holdfast member", args.keystore.display()));
        }
    };
    let config = config.with_l1(&args.l1)?;
    let account = config.account(args.account.files())?;
    let tls_pin = args.tls_pin.map(|pin| pin.0);
    let call = RegistryCall::SetEndpoint { key, endpoint: args.url.clone(), tls_pin };
    let slot = config.view(Moment::Latest).await?.slot(&key).await?;
    if slot.account == Address::ZERO {
        return fail(Exit::Unsafe, "the key is not registered: run `holdfast l1 register-key` first");
    }
    if args.tls_pin.is_some() && !args.url.starts_with("https://") {
        return fail(Exit::Usage, format!("{} is http, and clients connect to no http endpoint with a pin", args.url));
    }
    if slot.account == account.address() && slot.endpoint == args.url && slot.tls_pin == tls_pin {
        let held = Sent { endpoint: Some(args.url), tls_pin: args.tls_pin, ..Sent::held(&key, &account) };
        return output.print(&held, sent_text);
    }
    let receipt = account.send(&call).await?;
    let sent = Sent { endpoint: Some(args.url), tls_pin: args.tls_pin, ..Sent::new(&key, &account, &receipt) };
    output.print(&sent, sent_text)
}

fn sent_text(sent: &Sent) -> String {
    let mut text = format!("key id       {}\naccount      {}\n", sent.key_id, sent.account);
    if let Some(endpoint) = &sent.endpoint {
        let pin = sent.tls_pin.map_or_else(|| "none".to_owned(), String::from);
        text += &format!("endpoint     {endpoint}\nTLS pin      {pin}\n");
    }
    match (&sent.transaction, sent.block, sent.gas_used) {
        (Some(transaction), Some(block), Some(gas)) => {
            text + &format!("transaction  {transaction} in block {block}, {gas} gas")
        }
        _ => text + "nothing sent: it is so already",
    }
}

fn text(report: &L1Report) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let yes = |holds: Option<bool>| holds.map_or("-", |holds| if holds { "yes" } else { "no" }).to_owned();
    let mut rows =
        vec![["node", "chain id", "head", "finalized", "age", "EIP-2537", "by hash"].map(str::to_owned).to_vec()];
    for node in &report.nodes {
        rows.push(vec![
            node.node.clone(),
            number(node.chain_id),
            number(node.head),
            number(node.finalized),
            node.finalized_age_seconds.map_or_else(|| "-".to_owned(), |age| format!("{age} s")),
            yes(node.eip2537),
            yes(node.by_hash),
        ]);
    }
    let mut text = table(&rows);
    if let Some(registry) = &report.registry {
        let account = |account: Option<Address>| account.map_or_else(|| "-".to_owned(), |account| account.to_string());
        text += &format!(
            "\nregistry      {}\ngovernance    {}\nguardian      {}\ndelay         {} s\noverlap       {} s\nepochs        {}\nactive epoch  {}\n",
            registry.address,
            account(registry.governance),
            account(registry.guardian),
            number(registry.delay),
            number(registry.overlap),
            number(registry.epoch_count),
            registry.active_epoch.filter(|epoch| *epoch != 0).map_or("none".to_owned(), |epoch| epoch.to_string()),
        );
    }
    text
}
