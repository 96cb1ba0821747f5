//! `holdfast namespace renew`: have the committee of now hold on what is held.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use futures::{StreamExt as _, stream};
use holdfast_certificate::{Namespace, hour_at_or_after};
use holdfast_client::{Client, Listing, RenewOptions};
use holdfast_erasure::BlobId;
use serde::Serialize;

use crate::{
    config::Config,
    exit::{Exit, fail, of_failed},
    feeding::feed,
    output::{Output, plain, progress},
    times::{human_time, now, parse_span},
};

/// How long members may take to list what they hold.
const LIST_LIMIT: Duration = Duration::from_secs(300);
/// A line of progress after so many blobs.
const TELL_EVERY: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct RenewArgs {
    /// Only these blobs; those of the namespace that end soon if absent.
    #[arg(value_name = "BLOB_ID")]
    blobs: Vec<BlobId>,
    /// The namespace; the configured one if absent.
    #[arg(long)]
    namespace: Option<Namespace>,
    /// How long from now members keep them, rounded up to the hour.
    #[arg(long, default_value = "28d", value_parser = parse_span)]
    retain: Duration,
    /// Blobs that nobody has promised for longer than this are renewed. Half of --retain if absent.
    #[arg(long, value_parser = parse_span, conflicts_with = "blobs")]
    within: Option<Duration>,
    /// Count only what the active epoch's members have promised: what a former epoch holds is handed over to them.
    #[arg(long, conflicts_with = "blobs")]
    hand_over: bool,
    /// How many at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    concurrency: u8,
    /// How long the committee may take for one blob.
    #[arg(long, default_value = "60s", value_parser = parse_span)]
    deadline: Duration,
    /// Say what would be renewed, and renew nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    namespace: String,
    retain_until: u64,
    /// Whether no certified blob can have been missed.
    complete: bool,
    /// Blobs that too few members list to be believed; renewed only where they are named.
    doubtful: usize,
    dry_run: bool,
    renewed: Vec<Renewed>,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    blob_id: String,
    /// Until when it was held before, as far as is known.
    held_until: Option<u64>,
    /// Until when it is held now; absent where nothing was tried.
    retain_until: Option<u64>,
    certificate: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    blob_id: String,
    error: String,
}

pub(super) async fn renew(args: RenewArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let namespace = config.namespace(args.namespace)?;
    let key = config.disperser_key()?;
    let registry = config.bridged_registry().await?;
    let active = registry.active_epoch(now()).await?.committee.epoch();
    let client = Client::builder().registry(registry).namespace(namespace).disperser(key).build()?;
    let retain_until = hour_at_or_after(now().saturating_add(args.retain.as_secs()));
    let mut outcome = Outcome {
        namespace: namespace.to_string(),
        retain_until,
        complete: true,
        doubtful: 0,
        dry_run: args.dry_run,
        renewed: Vec::new(),
        failed: Vec::new(),
    };
    let due: Vec<(BlobId, Option<u64>)> = if args.blobs.is_empty() {
        let listing = client.list(None, LIST_LIMIT).await?;
        listing.failures.iter().for_each(|failure| progress(format!("without {}", plain(&failure.to_string()))));
        outcome.complete = listing.complete;
        let soon = now().saturating_add(args.within.unwrap_or(args.retain / 2).as_secs());
        let (due, doubtful) = ending(&listing, args.hand_over.then_some(active), soon.min(retain_until - 1), now());
        outcome.doubtful = doubtful;
        due.into_iter().map(|(id, until)| (id, Some(until))).collect()
    } else {
        args.blobs.iter().map(|id| (*id, None)).collect()
    };
    if args.dry_run {
        let untried = |(id, held_until): (BlobId, Option<u64>)| Renewed {
            blob_id: id.to_string(),
            held_until,
            retain_until: None,
            certificate: None,
        };
        outcome.renewed = due.into_iter().map(untried).collect();
        return output.print(&outcome, text);
    }
    let options = RenewOptions::default().retain_until(retain_until).deadline(args.deadline);
    let (all, mut errors) = (due.len(), Vec::new());
    let mut answers = stream::iter(due)
        .map(|(id, held_until)| {
            let client = &client;
            async move { (id, held_until, client.renew(id, options).await) }
        })
        .buffer_unordered(args.concurrency.into());
    while let Some((id, held_until, answer)) = answers.next().await {
        match answer {
            Ok(renewed) => outcome.renewed.push(Renewed {
                blob_id: id.to_string(),
                held_until,
                retain_until: Some(renewed.certificate.statement.retain_until),
                certificate: Some(format!("0x{}", hex::encode(renewed.certificate.encode()))),
            }),
            Err(error) => {
                progress(format!("{id} is not renewed: {}", plain(&error.to_string())));
                outcome.failed.push(Failed { blob_id: id.to_string(), error: error.to_string() });
                errors.push(error);
            }
        }
        let done = outcome.renewed.len() + outcome.failed.len();
        if done.is_multiple_of(TELL_EVERY) {
            progress(format!("{done} of {all} blobs"));
        }
    }
    drop(answers);
    output.print(&outcome, text)?;
    feed(&client).await;
    match (outcome.failed.len(), outcome.complete) {
        (0, true) => Ok(()),
        (0, false) => fail(Exit::Unreachable, "too few members gave their lists: blobs may have been missed"),
        (failed, _) => fail(of_failed(&errors), format!("{failed} of {all} blobs are not renewed")),
    }
}

/// The blobs that are held at `now` and not past `soon`, those that end first first; and how many are doubtful. With an epoch
/// only what its members promise counts.
fn ending(listing: &Listing, epoch: Option<u64>, soon: u64, now: u64) -> (Vec<(BlobId, u64)>, usize) {
    let mut latest: BTreeMap<BlobId, (u64, u64, bool)> = BTreeMap::new();
    for listed in &listing.listed {
        let statement = &listed.statement;
        let (until, counted, witnessed) = latest.entry(statement.blob.id()).or_default();
        // What one member alone says keeps no blob from being renewed.
        if listed.witnessed {
            *until = statement.retain_until.max(*until);
            if epoch.is_none_or(|epoch| epoch == statement.epoch) {
                *counted = statement.retain_until.max(*counted);
            }
        }
        *witnessed |= listed.witnessed;
    }
    let doubtful = latest.values().filter(|(.., witnessed)| !witnessed).count();
    let due = latest.into_iter().filter(|(_, (until, counted, _))| *until > now && *counted <= soon);
    let mut due: Vec<(BlobId, u64)> = due.map(|(id, (until, ..))| (id, until)).collect();
    due.sort_by_key(|(_, until)| *until);
    (due, doubtful)
}

fn text(outcome: &Outcome) -> String {
    let what = if outcome.dry_run { "would be renewed" } else { "renewed" };
    let mut text = format!("{} blobs {what}, until {}\n", outcome.renewed.len(), human_time(outcome.retain_until));
    for renewed in &outcome.renewed {
        let before = renewed.held_until.map_or(String::new(), |until| format!(", held until {}", human_time(until)));
        text += &format!("{}{before}\n", renewed.blob_id);
    }
    if !outcome.failed.is_empty() {
        text += &format!("{} blobs failed\n", outcome.failed.len());
    }
    if outcome.doubtful > 0 {
        text += &format!("{} blobs that too few members list were passed over: name them\n", outcome.doubtful);
    }
    text
}
