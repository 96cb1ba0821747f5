//! `holdfast committee check`: is every member where L1 says, and the one that L1 says?

use std::collections::BTreeSet;

use clap::Args;
use holdfast_certificate::Domain;
use holdfast_client::{Client, FailureReason, MemberInfo, MemberStatus};
use serde::Serialize;

use crate::{
    config::{Config, L1Args},
    exit::{Exit, fail},
    output::{Output, table},
    times::now,
};

/// How far a member's clock may be from ours before it is worth a word, in seconds.
pub(crate) const CLOCK_TOLERANCE: u64 = 5;

/// Where the committee is.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    l1: L1Args,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    epoch: u64,
    threshold: u16,
    /// Members that answer and with which nothing is wrong.
    sound: usize,
    members: Vec<Row>,
    notes: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    slot: u16,
    endpoint: String,
    reachable: bool,
    version: Option<String>,
    clock_off_seconds: Option<i64>,
    problems: Vec<String>,
}

pub(crate) async fn run(args: CheckArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let config = config.with_l1(&args.l1)?;
    let registry = config.bridged_registry().await?;
    let record = registry.newest_epoch(now()).await?;
    let committee = &record.committee;
    let domain = registry.domain();
    let statuses = Client::builder().registry(registry).build()?.status().await?;
    // Where no epoch is active, as after a revocation, the members of the last one are asked, and say so.
    let is_active = record.is_active(now());
    let expected = if is_active { committee.epoch() } else { 0 };
    let members: Vec<Row> = statuses.into_iter().map(|status| row(status, &domain, expected)).collect();
    let versions: BTreeSet<&str> = members.iter().filter_map(|row| row.version.as_deref()).collect();
    let mut notes = Vec::new();
    if !is_active {
        notes.push(format!("no epoch is active; these are the members of epoch {}, the last one", committee.epoch()));
    }
    if versions.len() > 1 {
        notes.push(format!("members run different versions: {}", versions.into_iter().collect::<Vec<_>>().join(", ")));
    }
    let checked = Checked {
        epoch: committee.epoch(),
        threshold: committee.parameters().threshold(),
        sound: members.iter().filter(|row| row.problems.is_empty()).count(),
        members,
        notes,
    };
    output.print(&checked, text)?;
    verdict(&checked)
}

fn row(status: MemberStatus, domain: &Domain, expected: u64) -> Row {
    let mut row = Row {
        slot: status.slot,
        endpoint: status.endpoint,
        reachable: false,
        version: None,
        clock_off_seconds: None,
        problems: Vec::new(),
    };
    match status.info {
        Err(failure) => {
            // Anything else it said is an answer, if a wrong one.
            row.reachable = matches!(failure.reason, FailureReason::Fault(_));
            row.problems.push(failure.reason.to_string());
        }
        Ok(info) => {
            row.reachable = true;
            row.problems = problems(&info, expected, status.slot, domain);
            row.clock_off_seconds = Some(info.clock_off);
            row.version = Some(info.version);
        }
    }
    row
}

/// What is wrong with a member whose key is the slot's.
fn problems(info: &MemberInfo, epoch: u64, slot: u16, domain: &Domain) -> Vec<String> {
    let mut problems = Vec::new();
    if info.chain_id != domain.chain_id || info.registry.is_some_and(|registry| registry != domain.registry) {
        let registry = info.registry.map_or_else(|| "none".to_owned(), |registry| registry.to_string());
        problems.push(format!(
            "follows registry {registry} on chain {}, expected {} on chain {}",
            info.chain_id, domain.registry, domain.chain_id
        ));
    }
    if info.epoch != epoch {
        problems.push(format!("its active epoch is {}, expected {epoch}", info.epoch));
    } else if epoch != 0 && info.slot != Some(slot) {
        let got = info.slot.map_or_else(|| "none".to_owned(), |slot| format!("m{slot}"));
        problems.push(format!("its slot is {got}, expected m{slot}"));
    }
    if info.clock_off.unsigned_abs() > CLOCK_TOLERANCE {
        problems.push(format!("its clock is off by {:+} s", info.clock_off));
    }
    if let Some(reason) = &info.writes_disabled {
        problems.push(format!("it stores nothing: {reason}"));
    }
    problems
}

fn verdict(checked: &Checked) -> anyhow::Result<()> {
    let bad = checked.members.len() - checked.sound;
    if bad == 0 {
        return Ok(());
    }
    let mut message = format!("problems with {bad} of {} members:", checked.members.len());
    for row in checked.members.iter().filter(|row| !row.problems.is_empty()) {
        message += &format!("\n  m{}: {}", row.slot, row.problems.join("; "));
    }
    // One that answers wrongly is the worse news.
    if checked.members.iter().any(|row| row.reachable && !row.problems.is_empty()) {
        fail(Exit::Verification, message)
    } else {
        fail(Exit::Unreachable, message)
    }
}

fn text(checked: &Checked) -> String {
    let mut rows = vec![["member", "endpoint", "version", "clock", "problems"].map(str::to_owned).to_vec()];
    for row in &checked.members {
        rows.push(vec![
            format!("m{}", row.slot),
            row.endpoint.clone(),
            row.version.clone().unwrap_or_else(|| "-".to_owned()),
            row.clock_off_seconds.map_or_else(|| "-".to_owned(), |off| format!("{off:+} s")),
            if row.problems.is_empty() { "none".to_owned() } else { row.problems.join("; ") },
        ]);
    }
    let mut text = format!(
        "epoch {}: {} of {} members sound, {} needed to store\n\n{}",
        checked.epoch,
        checked.sound,
        checked.members.len(),
        checked.threshold,
        table(&rows)
    );
    for note in &checked.notes {
        text += &format!("note: {note}\n");
    }
    text
}
