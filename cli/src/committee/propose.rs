//! `holdfast committee propose`: the next epoch, as a transaction for governance to sign.

use std::path::PathBuf;

use clap::Args;
use holdfast_certificate::{Address, CommitteeParameters, PublicKey};
use holdfast_contracts::{EpochView, Governance, Moment, RegistryCall, RegistryView};
use serde::Serialize;

use super::{
    assemble::ParameterArgs,
    card::Card,
    diff::{self, Change, Numbers, Slot, SlotChange},
    plan,
};
use crate::{
    config::{Config, L1Args, read_committee_file},
    exit::{Exit, fail},
    output::{Output, human_bytes, table},
    safe,
    times::{human_time, parse_time},
};

/// Who the next epoch's members are, and where the proposal goes.
#[derive(Debug, Args)]
pub(crate) struct ProposeArgs {
    /// Write the transaction here, for the Safe{Wallet} Transaction Builder to import.
    #[arg(long, value_name = "OUT")]
    safe_json: PathBuf,
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
    notes: Vec<String>,
    safe_json: PathBuf,
}

pub(crate) async fn run(args: ProposeArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let (candidates, from_file) = candidates(&args)?;
    let parameters = args.parameters.resolve(candidates.len(), from_file.as_ref())?;
    let config = config.with_l1(&args.l1)?;
    let view = config.view(Moment::Latest).await?;
    let governance = view.governance().await?;
    let before = view.last_epoch().await?;
    let (slots, mut notes) = registered(&view, &candidates).await?;

    let call = RegistryCall::ProposeEpoch {
        keys: candidates.iter().map(|candidate| candidate.key).collect(),
        parameters,
        active_from: args.active_from,
    };
    if let Err(error) = view.dry_run(governance.governance, &call).await {
        let exit = crate::exit::of_dry_run(&error);
        return fail(exit, format!("the registry would refuse this proposal: {error}"));
    }
    let proposed = describe(&args, &view, governance, before.as_ref(), &slots, parameters, &mut notes).await?;
    let name = format!("Holdfast: propose epoch {}", proposed.epoch);
    safe::write(&args.safe_json, &view.domain(), governance.governance, &name, &headline(&proposed), &call)?;
    output.print(&proposed, text)
}

fn candidates(args: &ProposeArgs) -> anyhow::Result<(Vec<Candidate>, Option<CommitteeParameters>)> {
    let Some(path) = &args.committee else {
        let cards = Card::read_all(&args.cards)?.into_iter().map(|card| Candidate {
            key: card.public_key,
            operator: Some(card.operator),
            account: card.account,
            endpoint: card.endpoint,
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
        account: None,
        endpoint: member.endpoint,
    });
    Ok((members.collect(), Some(*committee.parameters())))
}

/// The candidates as L1 knows them. Refused, all at once, are keys that nobody has registered or that another account has
/// than the card names: whoever registered a key sets its endpoint.
async fn registered(view: &RegistryView, candidates: &[Candidate]) -> anyhow::Result<(Vec<Slot>, Vec<String>)> {
    let (mut slots, mut notes, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (slot, candidate) in candidates.iter().enumerate() {
        let who = match &candidate.operator {
            Some(operator) => format!("m{slot} ({operator})"),
            None => format!("m{slot}"),
        };
        let key_id = candidate.key.id();
        let found = view.slot(&candidate.key).await?;
        match (found.account, candidate.account) {
            (Address::ZERO, _) => problems.push(format!(
                "{who}: key {key_id} is not registered; its operator calls registerKey of {} with what \
                 `holdfast keys pop` prints",
                view.domain().registry
            )),
            (got, Some(expected)) if got != expected => problems.push(format!(
                "{who}: key {key_id} is registered by {got}, the card names {expected}; whoever registered a key sets its \
                 endpoint, so its operator makes a new key"
            )),
            (_, None) => notes.push(format!("{who}: nobody names the key's account; ask whether it is {}", found.account)),
            _ => {}
        }
        if !found.endpoint.is_empty() && found.endpoint != candidate.endpoint {
            notes.push(format!("{who}: the endpoint on L1 is {}, given is {}", found.endpoint, candidate.endpoint));
        }
        slots.push(Slot {
            key: candidate.key,
            account: found.account,
            endpoint: found.endpoint,
            operator: candidate.operator.clone(),
        });
    }
    if problems.is_empty() { Ok((slots, notes)) } else { fail(Exit::Unsafe, problems.join("\n")) }
}

async fn describe(
    args: &ProposeArgs,
    view: &RegistryView,
    governance: Governance,
    before: Option<&EpochView>,
    slots: &[Slot],
    parameters: CommitteeParameters,
    notes: &mut Vec<String>,
) -> anyhow::Result<Proposed> {
    let old_slots: Vec<Slot> = before.iter().flat_map(|before| &before.slots).map(old_slot).collect();
    let changes = diff::slots(&old_slots, slots);
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
    // As the contract counts it: never in the current second, and after the epoch before.
    let earliest = view.time() + governance.delay.max(1);
    let earliest = before.map_or(earliest, |before| earliest.max(before.active_from + 1));
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
        active_from: args.active_from.unwrap_or(earliest),
        delay_seconds: governance.delay,
        send_before: args.active_from.map(|at| at - governance.delay.max(1)),
        notes: std::mem::take(notes),
        safe_json: args.safe_json.clone(),
    })
}

fn old_slot(slot: &holdfast_contracts::SlotView) -> Slot {
    Slot { key: slot.key, account: slot.account, endpoint: slot.endpoint.clone(), operator: None }
}

fn numbers(parameters: &CommitteeParameters) -> Numbers {
    Numbers {
        members: parameters.total_shards(),
        threshold: parameters.threshold(),
        original_shards: parameters.original_shards(),
        max_payload: parameters.max_payload(),
    }
}

/// What the signers of the Safe see above the call.
fn headline(proposed: &Proposed) -> String {
    let count = |change| proposed.slots.iter().filter(|slot| slot.change == change).count();
    format!(
        "epoch {}: n={} t={} k={}; {} slots stay, {} change key, {} change operator, {} new, {} leave; active from {}",
        proposed.epoch,
        proposed.after.members,
        proposed.after.threshold,
        proposed.after.original_shards,
        count(Change::Stays),
        count(Change::ChangesKey),
        count(Change::ChangesOperator),
        count(Change::New),
        count(Change::Leaves),
        human_time(proposed.active_from),
    )
}

fn text(proposed: &Proposed) -> String {
    let succeeds = proposed.succeeds.map_or_else(|| "the first".to_owned(), |epoch| format!("succeeds epoch {epoch}"));
    let mut text = format!(
        "proposal    epoch {}, {succeeds}\nregistry    {} on chain {}\ngovernance  {}\n",
        proposed.epoch, proposed.registry, proposed.chain_id, proposed.governance
    );
    let delay = humantime::format_duration(std::time::Duration::from_secs(proposed.delay_seconds));
    text += &match proposed.send_before {
        None => format!("active      {delay} after it is sent: {} if sent now\n", human_time(proposed.active_from)),
        Some(before) => format!(
            "active      from {}; to be sent by {} at the latest\n",
            human_time(proposed.active_from),
            human_time(before)
        ),
    };
    text += &format!("\n{}\n{}", numbers_text(proposed), slots_text(&proposed.slots));
    for note in &proposed.notes {
        text += &format!("note: {note}\n");
    }
    text + &format!("\nwritten to {}: import it in the Safe's Transaction Builder", proposed.safe_json.display())
}

fn numbers_text(proposed: &Proposed) -> String {
    let choice = |numbers: Numbers| plan::choice(numbers.members, numbers.threshold, numbers.original_shards);
    let (before, after) = (proposed.before.map(|numbers| (numbers, choice(numbers))), choice(proposed.after));
    let mut rows = vec![["", "before", "after"].map(str::to_owned).to_vec()];
    let mut row = |name: &str, old: Option<String>, new: String| {
        rows.push(vec![name.to_owned(), old.unwrap_or_else(|| "-".to_owned()), new]);
    };
    let new = proposed.after;
    row("members n", before.as_ref().map(|(old, _)| old.members.to_string()), new.members.to_string());
    row("signatures needed t", before.as_ref().map(|(old, _)| old.threshold.to_string()), new.threshold.to_string());
    let old = before.as_ref().map(|(old, _)| old.original_shards.to_string());
    row("original shards k", old, new.original_shards.to_string());
    let old = before.as_ref().map(|(old, _)| human_bytes(old.max_payload.into()));
    row("largest payload", old, human_bytes(new.max_payload.into()));
    let old = before.as_ref().map(|(_, old)| format!("{:.2}", old.storage_factor));
    row("stored per byte", old, format!("{:.2}", after.storage_factor));
    let old = before.as_ref().map(|(_, old)| old.writes_survive.to_string());
    row("may be down for writes", old, after.writes_survive.to_string());
    let old = before.as_ref().map(|(_, old)| old.colluders_to_withhold.to_string());
    row("colluders to withhold", old, after.colluders_to_withhold.to_string());
    let old = before.as_ref().map(|(_, old)| old.honest_needed.to_string());
    row("honest members needed", old, after.honest_needed.to_string());
    table(&rows)
}

fn slots_text(slots: &[SlotChange]) -> String {
    let mut rows = vec![["slot", "change", "key id", "account", "endpoint", "operator"].map(str::to_owned).to_vec()];
    for slot in slots {
        let change = match slot.change {
            Change::Stays => "stays",
            Change::ChangesKey => "CHANGES KEY",
            Change::ChangesOperator => "CHANGES OPERATOR",
            Change::New => "NEW",
            Change::Leaves => "LEAVES",
        };
        let or_none = |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).unwrap_or("-".to_owned());
        rows.push(vec![
            format!("m{}", slot.slot),
            change.to_owned(),
            or_none(&slot.key_id),
            or_none(&slot.account),
            or_none(&slot.endpoint),
            or_none(&slot.operator),
        ]);
        if slot.previous_key_id.is_some() {
            let (key, account) = (or_none(&slot.previous_key_id), or_none(&slot.previous_account));
            rows.push(vec![String::new(), "  was".to_owned(), key, account, String::new(), String::new()]);
        }
    }
    table(&rows)
}
