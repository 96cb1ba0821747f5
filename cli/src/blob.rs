//! `holdfast blob check`: who can still serve a blob, and how many may fail before it is lost.

use std::{path::Path, time::Duration};

use clap::{Args, Subcommand};
use holdfast_client::{Client, Error, MemberFailure, Reference, RetrieveOptions, folded};
use serde::Serialize;

use crate::{
    config::Config,
    exit::{Exit, fail},
    failures::{FailureRecord, records},
    get::reference,
    output::{Output, human_bytes},
    times::{human_time, now, parse_span},
};

/// Look after one blob.
#[derive(Debug, Subcommand)]
pub(crate) enum BlobCommand {
    /// Fetch and check every member's shard: who can still serve the blob, and how many of them may fail.
    ///
    /// Example: holdfast blob check batch.cert
    Check(CheckArgs),
}

/// Which blob.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A blob id, or a certificate: a file, its bytes in hex, or - for standard input.
    #[arg(value_name = "BLOB_ID|CERT")]
    what: String,
    /// How long it may take; all shards are fetched.
    #[arg(long, default_value = "60s", value_parser = parse_span)]
    deadline: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    blob_id: String,
    payload_bytes: u32,
    epoch: u64,
    /// By its certificate, where one was given.
    retain_until: Option<u64>,
    /// Shards that suffice to read.
    needed: u16,
    /// Members that gave a shard that was accepted.
    serving: Vec<u16>,
    /// How many of those may fail before the blob cannot be read.
    may_fail: usize,
    failures: Vec<FailureRecord>,
    #[serde(skip)]
    without: Vec<String>,
}

pub(crate) async fn run(command: BlobCommand, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let BlobCommand::Check(args) = command;
    let reference = reference(&args.what)?;
    let registry = Config::load(config)?.bridged_registry().await?;
    let record = match &reference {
        Reference::Certificate(certificate) => registry.epoch(certificate.statement.epoch).await?,
        Reference::BlobId(_) => registry.newest_epoch(now()).await?,
    };
    let retain_until = match &reference {
        Reference::Certificate(certificate) => Some(certificate.statement.retain_until),
        Reference::BlobId(_) => None,
    };
    let members = record.committee.parameters().total_shards();
    let epoch = record.committee.epoch();
    let client = Client::builder().registry(registry).build()?;
    // Slots are those of one epoch.
    let options = RetrieveOptions::default().deadline(args.deadline).audit().epoch(epoch);
    let retrieved = match client.retrieve(reference, options).await {
        Err(error @ Error::NotFound { .. }) if retain_until.is_none() => {
            return Err(anyhow::Error::from(error)
                .context(format!("members of epoch {epoch} were asked; one of another epoch needs its certificate")));
        }
        retrieved => retrieved?,
    };
    let failed = |slot: &u16| retrieved.failures.iter().any(|failure: &MemberFailure| failure.slot == *slot);
    let serving: Vec<u16> = (0..members).filter(|slot| !failed(slot)).collect();
    let needed = retrieved.blob.original_shards;
    let checked = Checked {
        blob_id: retrieved.blob.id().to_string(),
        payload_bytes: retrieved.blob.payload_length,
        epoch,
        retain_until,
        needed,
        may_fail: serving.len().saturating_sub(needed.into()),
        serving,
        failures: records(&retrieved.failures),
        without: folded(&retrieved.failures),
    };
    output.print(&checked, |checked| text(checked, members))?;
    if checked.failures.iter().any(FailureRecord::is_fault) {
        return fail(Exit::Verification, "a member's shard is damaged or wrong: storing the payload again repairs it");
    }
    Ok(())
}

fn text(checked: &Checked, members: u16) -> String {
    let slots: Vec<String> = checked.serving.iter().map(|slot| format!("m{slot}")).collect();
    let mut text = format!(
        "blob id       {}\npayload       {} ({} bytes), epoch {}\nserved by     {} of {members} members: {}\n\
         may fail      {} of them: any {} suffice\n",
        checked.blob_id,
        human_bytes(checked.payload_bytes.into()),
        checked.payload_bytes,
        checked.epoch,
        checked.serving.len(),
        slots.join(" "),
        checked.may_fail,
        checked.needed,
    );
    if let Some(until) = checked.retain_until {
        text += &format!("retain until  {}\n", human_time(until));
    }
    for line in &checked.without {
        text += &format!("without       {line}\n");
    }
    text
}
