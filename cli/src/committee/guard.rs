//! `holdfast committee cancel|revoke`: what only a guardian may do, as a transaction for it to sign.

use std::path::PathBuf;

use clap::Args;
use holdfast_certificate::Address;
use holdfast_contracts::RegistryCall;
use holdfast_l1::Moment;
use serde::Serialize;

use super::show;
use crate::{
    config::{Config, L1Args},
    exit::{Exit, fail, refused},
    output::Output,
    safe, target,
    times::human_time,
};

/// Which epoch, and where the transaction goes.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// The epoch.
    #[arg(long)]
    epoch: u64,
    /// Write the transaction here, for the Safe{Wallet} Transaction Builder to import.
    #[arg(long, value_name = "OUT")]
    safe_json: PathBuf,
    #[command(flatten)]
    replace: target::Replace,
    #[command(flatten)]
    l1: L1Args,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Guarded {
    epoch: u64,
    function: &'static str,
    chain_id: u64,
    registry: String,
    /// Who is to send the transaction.
    signer: String,
    /// The epoch as it is, before the transaction.
    state: &'static str,
    members: u16,
    threshold: u16,
    original_shards: u16,
    active_from: u64,
    active_until: Option<u64>,
    means: &'static str,
    safe_json: PathBuf,
}

/// Takes back a proposal that is not active yet, and those that were made after it.
pub(crate) async fn cancel(args: GuardArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let call = RegistryCall::CancelFrom { epoch: args.epoch };
    let means =
        "the proposal and all that were made after it are taken back for ever; the epoch before it stays active";
    write(args, config, call, means, output).await
}

/// Revokes an epoch from the second after the transaction's block.
pub(crate) async fn revoke(args: GuardArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let call = RegistryCall::RevokeEpoch { epoch: args.epoch };
    let means = "no certificate of the epoch is acceptable from then on, and none can be made until the next epoch; \
                 what L1 accepted before stands, and members keep serving reads";
    write(args, config, call, means, output).await
}

async fn write(
    args: GuardArgs,
    config: Config,
    call: RegistryCall,
    means: &'static str,
    output: Output,
) -> anyhow::Result<()> {
    args.replace.check(&args.safe_json)?;
    let view = config.with_l1(&args.l1)?.view(Moment::Latest).await?;
    let governance = view.governance().await?;
    // Governance may take its own proposals back, which matters where there is no guardian.
    let signer = match (governance.guardian, &call) {
        (Address::ZERO, RegistryCall::CancelFrom { .. }) => governance.governance,
        (Address::ZERO, _) => return fail(Exit::Usage, "this registry has no guardian, so no epoch can be revoked"),
        (guardian, _) => guardian,
    };
    let tried = view.dry_run(signer, &call).await;
    tried.map_err(|error| refused("the registry would refuse this", error))?;
    let name = format!("Holdfast: {} {}", call.function(), args.epoch);
    let epoch = view.epoch(args.epoch).await?;
    safe::write(&args.safe_json, &view.domain(), signer, &name, means, &call)?;
    let parameters = epoch.committee.parameters();
    let guarded = Guarded {
        epoch: args.epoch,
        function: call.function(),
        chain_id: view.domain().chain_id,
        registry: view.domain().registry.to_string(),
        signer: signer.to_string(),
        state: show::state(&epoch, view.time()),
        members: parameters.total_shards(),
        threshold: parameters.threshold(),
        original_shards: parameters.original_shards(),
        active_from: epoch.active_from,
        active_until: epoch.active_until,
        means,
        safe_json: args.safe_json,
    };
    output.print(&guarded, text)
}

fn text(guarded: &Guarded) -> String {
    let until = guarded.active_until.map_or_else(|| "-".to_owned(), human_time);
    format!(
        "call        {} of epoch {}\nregistry    {} on chain {}\nepoch       n={} t={} k={}, {}: from {} until {until}\n\
         means       {}\nsigner      {}\n\nwritten to {}: import it in the Safe's Transaction Builder",
        guarded.function,
        guarded.epoch,
        guarded.registry,
        guarded.chain_id,
        guarded.members,
        guarded.threshold,
        guarded.original_shards,
        guarded.state,
        human_time(guarded.active_from),
        guarded.means,
        guarded.signer,
        guarded.safe_json.display()
    )
}
