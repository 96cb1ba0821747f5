//! `holdfast committee propose`: the next epoch, as a transaction for governance to sign.

mod text;

use std::path::PathBuf;

use clap::Args;
use holdfast_certificate::{Address, CommitteeParameters, PublicKey};
use holdfast_contracts::RegistryCall;
use holdfast_l1::{EpochView, Governance, Moment, RegistryView};
use serde::Serialize;

use super::{
    assemble::ParameterArgs,
    card::{Card, Pin},
    diff::{self, Change, Numbers, Slot, SlotChange},
    gas, plan,
};
use crate::{
    config::{Config, L1Args, read_committee_file},
    exit::{Exit, fail, refused},
    output::{Output, plain},
    safe, target,
    times::{human_time, now, parse_time},
};

/// Who the next epoch's members are, and where the proposal goes.
#[derive(Debug, Args)]
pub(crate) struct ProposeArgs {
    /// Write the transaction here, for the Safe{Wallet} Transaction Builder to import.
    #[arg(long, value_name = "OUT")]
    safe_json: PathBuf,
    #[command(flatten)]
    replace: target::Replace,
    /// The members' cards, in the order of their slots.
    #[arg(long, num_args = 1.., value_name = "CARD", required_unless_present = "committee")]
    cards: Vec<PathBuf>,
    /// A committee file with the members and parameters, in place of cards.
    #[arg(long, value_name = "FILE", conflicts_with = "cards")]
    committee: Option<PathBuf>,
    #[command(flatten)]
    parameters: ParameterArgs,
    /// When the epoch begins (unix seconds or RFC 3339); as soon as the delay allows if absent.
    #[arg(long, value_parser = parse_time)]
    active_from: Option<u64>,
    #[command(flatten)]
    l1: L1Args,
}

/// A member that is proposed.
struct Candidate {
    key: PublicKey,
    operator: Option<String>,
    account: Option<Address>,
    endpoint: String,
    /// The pin on its card; a committee file has none.
    tls_pin: Option<Pin>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proposed {
    epoch: u64,
    succeeds: Option<u64>,
    chain_id: u64,
    registry: String,
    governance: String,
    governance_is_contract: bool,
    before: Option<Numbers>,
    after: Numbers,
    slots: Vec<SlotChange>,
    /// Unix seconds at which the epoch would begin if governance sent the transaction now.
    active_from: u64,
    delay_seconds: u64,
    /// The last second in which the transaction can still be sent for that beginning, where one was asked for.
    send_before: Option<u64>,
    /// What the call costs, estimated.
    gas: u64,
    notes: Vec<String>,
    safe_json: PathBuf,
}

pub(crate) async fn run(args: ProposeArgs, config: Config, output: Output) -> anyhow::Result<()> {
    args.replace.check(&args.safe_json)?;
    let (candidates, from_file) = candidates(&args)?;
    let parameters = args.parameters.resolve(candidates.len(), from_file.as_ref())?;
    if parameters.total_shards() > plan::MAX_MEMBERS_ON_L1 {
        let (got, most) = (parameters.total_shards(), plan::MAX_MEMBERS_ON_L1);
        return fail(Exit::Usage, format!("{got} members, a registry takes at most {most}"));
    }
    let config = config.with_l1(&args.l1)?;
    let view = config.view(Moment::Latest).await?;
    let governance = view.governance().await?;
    let before = view.last_epoch().await?;
    let old_slots: Vec<Slot> = before.iter().flat_map(|before| &before.slots).map(old_slot).collect();
    let (slots, notes) = registered(&view, &candidates, &old_slots).await?;
    let earliest = earliest(&view, &governance, before.as_ref());
    if let Some(at) = args.active_from.filter(|at| *at < earliest) {
        let (at, earliest) = (human_time(at), human_time(earliest));
        return fail(
            Exit::Unsafe,
            format!(
                "the epoch is to begin at {at}; sent now, {earliest} is the earliest, and a Safe takes time to sign"
            ),
        );
    }

    let call = RegistryCall::ProposeEpoch {
        members: slots.iter().map(|slot| (slot.key, slot.account)).collect(),
        parameters,
        active_from: args.active_from,
    };
    let tried = view.dry_run(governance.governance, &call).await;
    tried.map_err(|error| refused("the registry would refuse this proposal", error))?;
    let changes = diff::slots(&old_slots, &slots);
    let proposed = describe(&args, &view, governance, before.as_ref(), changes, parameters, notes).await?;
    let name = format!("Holdfast: propose epoch {}", proposed.epoch);
    safe::write(&args.safe_json, &view.domain(), governance.governance, &name, &text::headline(&proposed), &call)?;
    output.print(&proposed, text::text)
}

fn candidates(args: &ProposeArgs) -> anyhow::Result<(Vec<Candidate>, Option<CommitteeParameters>)> {
    let Some(path) = &args.committee else {
        let cards = Card::read_all(&args.cards)?.into_iter().map(|card| Candidate {
            key: card.public_key,
            operator: Some(card.operator),
            account: card.registration.map(|at| at.account),
            endpoint: card.endpoint,
            tls_pin: card.tls_pin,
        });
        return Ok((cards.collect(), None));
    };
    let file = read_committee_file(path)?;
    let committee = match file.committee() {
        Ok(committee) => committee,
        Err(error) => return fail(Exit::Usage, format!("committee file {}: {error}", path.display())),
    };
    let members = file.members.into_iter().map(|member| Candidate {
        key: member.public_key,
        operator: None,
        account: member.account,
        endpoint: member.endpoint,
        tls_pin: None,
    });
    Ok((members.collect(), Some(*committee.parameters())))
}

/// The candidates as L1 knows them. Refused, all at once, are keys that nobody has registered or that another account has
/// than the card names: whoever registered a key sets its endpoint.
async fn registered(
    view: &RegistryView,
    candidates: &[Candidate],
    before: &[Slot],
) -> anyhow::Result<(Vec<Slot>, Vec<String>)> {
    let (mut slots, mut notes, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (slot, candidate) in candidates.iter().enumerate() {
        let who = match &candidate.operator {
            Some(operator) => format!("m{slot} ({})", plain(operator)),
            None => format!("m{slot}"),
        };
        let key_id = candidate.key.id();
        let found = view.slot(&candidate.key).await?;
        match (found.account, candidate.account) {
            (Address::ZERO, _) => problems.push(format!(
                "{who}: key {key_id} is not registered; its operator runs `holdfast l1 register-key \
                 --keystore FILE --password-file FILE --key-file ACCOUNT_KEY --rpc URL --registry {}`",
                view.domain().registry
            )),
            (got, Some(expected)) if got != expected => problems.push(format!(
                "{who}: key {key_id} is registered by {got}, the card names {expected}; whoever registered a key sets its \
                 endpoint, so its operator makes a new key"
            )),
            // Those of the epoch before have been asked.
            (_, None) if before.iter().any(|old| old.key == candidate.key) => {}
            (_, None) => notes.push(format!("{who}: nobody names the key's account; ask whether it is {}", found.account)),
            _ => {}
        }
        if !found.endpoint.is_empty() && found.endpoint != candidate.endpoint {
            let said = plain(&found.endpoint);
            notes.push(format!("{who}: the endpoint on L1 is {said}, given is {}", candidate.endpoint));
        }
        let tls_pin = found.tls_pin.map(Pin);
        match (tls_pin, candidate.tls_pin) {
            (Some(got), Some(given)) if got != given => {
                notes.push(format!("{who}: the TLS pin on L1 is {got}, given is {given}"));
            }
            (None, Some(given)) => notes.push(format!(
                "{who}: the TLS pin {given} is not on L1: its account runs `holdfast l1 endpoint set` with it, and until then nobody checks it"
            )),
            (Some(got), None) if candidate.operator.is_some() => {
                notes.push(format!("{who}: the TLS pin on L1 is {got}, and the card has none"));
            }
            _ => {}
        }
        slots.push(Slot {
            key: candidate.key,
            account: found.account,
            endpoint: found.endpoint,
            tls_pin,
            operator: candidate.operator.clone(),
        });
    }
    if problems.is_empty() { Ok((slots, notes)) } else { fail(Exit::Unsafe, problems.join("\n")) }
}

/// When the epoch can begin if it is proposed now, as the contract counts it: never in the current second, and after the
/// epoch before. The next block is no older than now, whatever the view's is.
fn earliest(view: &RegistryView, governance: &Governance, before: Option<&EpochView>) -> u64 {
    let earliest = view.time().max(now()).saturating_add(governance.delay.max(1));
    before.map_or(earliest, |before| earliest.max(before.active_from + 1))
}

async fn describe(
    args: &ProposeArgs,
    view: &RegistryView,
    governance: Governance,
    before: Option<&EpochView>,
    changes: Vec<SlotChange>,
    parameters: CommitteeParameters,
    mut notes: Vec<String>,
) -> anyhow::Result<Proposed> {
    let before_numbers = before.map(|before| numbers(before.committee.parameters()));
    let after = numbers(&parameters);
    notes.extend(diff::notes(before_numbers, after, &changes));
    if !governance.is_contract {
        notes.push(
            "governance is no contract: a Safe cannot sign for it, but the call's data is in the file".to_owned(),
        );
    }
    if before.is_some_and(|before| before.active_from > view.time()) {
        notes.push(
            "the epoch before is itself still a proposal: if it is cancelled, this one succeeds an older one"
                .to_owned(),
        );
    }
    let delay_seconds = governance.delay.max(1);
    Ok(Proposed {
        epoch: view.epoch_count().await? + 1,
        succeeds: before.map(|before| before.committee.epoch()),
        chain_id: view.domain().chain_id,
        registry: view.domain().registry.to_string(),
        governance: governance.governance.to_string(),
        governance_is_contract: governance.is_contract,
        before: before_numbers,
        after,
        slots: changes,
        active_from: args.active_from.unwrap_or_else(|| earliest(view, &governance, before)),
        delay_seconds,
        send_before: args.active_from.map(|at| at.saturating_sub(delay_seconds)),
        gas: gas::of_proposal(parameters.total_shards()),
        notes,
        safe_json: args.safe_json.clone(),
    })
}

fn old_slot(slot: &holdfast_l1::SlotView) -> Slot {
    Slot {
        key: slot.key,
        account: slot.account,
        endpoint: slot.endpoint.clone(),
        tls_pin: slot.tls_pin.map(Pin),
        operator: None,
    }
}

fn numbers(parameters: &CommitteeParameters) -> Numbers {
    Numbers {
        members: parameters.total_shards(),
        threshold: parameters.threshold(),
        original_shards: parameters.original_shards(),
        max_payload: parameters.max_payload(),
    }
}
