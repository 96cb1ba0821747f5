//! `holdfast committee`: plan one, put it together, propose it, look at it.

mod assemble;
pub(crate) mod card;
pub(crate) mod check;
mod diff;
mod gas;
mod guard;
pub(crate) mod plan;
mod propose;
mod show;

use std::path::Path;

use clap::Subcommand;

use crate::{config::Config, output::Output};

/// Plan a committee, put it together, propose it to governance, and look at it.
#[derive(Debug, Subcommand)]
pub(crate) enum Committee {
    /// What threshold and number of original shards mean for a committee of n members.
    ///
    /// Example: holdfast committee plan --members 7
    Plan(plan::PlanArgs),
    #[allow(rustdoc::bare_urls, reason = "this text is the command's help, where a link has no brackets")]
    /// Make a member's card: its public key, proof of possession, endpoint and operator; nothing secret.
    ///
    /// Example: holdfast committee card --keystore m0.json --password-file m0.password --endpoint https://m0.example:7400
    /// --operator "Example Ltd" -o m0.card.json
    Card(card::CardArgs),
    /// Check the members' cards and put them into a committee file.
    ///
    /// Example: holdfast committee assemble m0.card.json m1.card.json m2.card.json m3.card.json -t 3 -k 2 -o committee.json
    Assemble(assemble::AssembleArgs),
    /// Write the next epoch as a Safe transaction, and print what it changes; asks for no key.
    ///
    /// Example: holdfast committee propose --safe-json epoch.json --cards m0.card.json m1.card.json m2.card.json m3.card.json
    Propose(propose::ProposeArgs),
    /// Write the taking back of a proposal, and of all that were made after it, as a Safe transaction of the guardian.
    ///
    /// Example: holdfast committee cancel --epoch 4 --safe-json cancel.json
    Cancel(guard::GuardArgs),
    /// Write the revocation of an epoch as a Safe transaction of the guardian.
    ///
    /// Example: holdfast committee revoke --epoch 3 --safe-json revoke.json
    Revoke(guard::GuardArgs),
    /// Show an epoch: parameters, times, and every slot with its key, account, endpoint and TLS pin.
    ///
    /// Example: holdfast committee show --epoch 3
    Show(show::ShowArgs),
    /// Ask every member of the active epoch whether it is the one that the registry names, and sound.
    ///
    /// Example: holdfast committee check
    Check(check::CheckArgs),
}

pub(crate) async fn run(command: Committee, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    match command {
        Committee::Plan(args) => plan::run(&args, output),
        Committee::Card(args) => card::run(args),
        Committee::Assemble(args) => assemble::run(args, output),
        Committee::Propose(args) => propose::run(args, Config::load(config)?, output).await,
        Committee::Cancel(args) => guard::cancel(args, Config::load(config)?, output).await,
        Committee::Revoke(args) => guard::revoke(args, Config::load(config)?, output).await,
        Committee::Show(args) => show::run(args, Config::load(config)?, output).await,
        Committee::Check(args) => check::run(args, Config::load(config)?, output).await,
    }
}
