//! A proposal for people to read: those who make it, and those who sign it.

use super::{Change, Numbers, Proposed, SlotChange};
use crate::{
    committee::plan,
    output::{human_bytes, table},
    times::human_time,
};

/// What the signers of the Safe see above the call.
pub(super) fn headline(proposed: &Proposed) -> String {
    let count = |change| proposed.slots.iter().filter(|slot| slot.change == change).count();
    // It may be long until they have signed.
    let begins = match proposed.send_before {
        None => format!("active {} after it is sent", delay(proposed)),
        Some(before) => {
            format!("active from {}, sent by {}", human_time(proposed.active_from), human_time(before))
        }
    };
    format!(
        "epoch {}: n={} t={} k={}; {} slots stay, {} change key, {} change operator, {} new, {} leave; {begins}",
        proposed.epoch,
        proposed.after.members,
        proposed.after.threshold,
        proposed.after.original_shards,
        count(Change::Stays),
        count(Change::ChangesKey),
        count(Change::ChangesOperator),
        count(Change::New),
        count(Change::Leaves),
    )
}

fn delay(proposed: &Proposed) -> humantime::FormattedDuration {
    humantime::format_duration(std::time::Duration::from_secs(proposed.delay_seconds))
}

/// The proposal with its diff, for people.
pub(super) fn text(proposed: &Proposed) -> String {
    let succeeds = proposed.succeeds.map_or_else(|| "the first".to_owned(), |epoch| format!("succeeds epoch {epoch}"));
    let mut text = format!(
        "proposal    epoch {}, {succeeds}\nregistry    {} on chain {}\ngovernance  {}\n",
        proposed.epoch, proposed.registry, proposed.chain_id, proposed.governance
    );
    text += &match proposed.send_before {
        None => {
            let (delay, now) = (delay(proposed), human_time(proposed.active_from));
            format!("active      {delay} after it is sent, and after the epoch before: {now} if sent now\n")
        }
        Some(before) => format!(
            "active      from {}; to be sent by {} at the latest\n",
            human_time(proposed.active_from),
            human_time(before)
        ),
    };
    text += &format!("gas         about {}\n", proposed.gas);
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
    let mut rows =
        vec![["slot", "change", "key id", "account", "endpoint", "operator", "TLS pin"].map(str::to_owned).to_vec()];
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
            or_none(&slot.tls_pin.map(String::from)),
        ]);
        if slot.previous_key_id.is_some() {
            let (key, account) = (or_none(&slot.previous_key_id), or_none(&slot.previous_account));
            rows.push(vec![String::new(), "  was".to_owned(), key, account]);
        }
    }
    table(&rows)
}
