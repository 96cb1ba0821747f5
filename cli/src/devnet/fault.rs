//! Faults: crashes, lies and flipped bits, made to one member of a devnet.

use std::path::Path;

use clap::ValueEnum;
use holdfast_committee::fault;
use holdfast_erasure::BlobId;

use super::{
    state::{Layout, State},
    up,
};
use crate::exit::{Exit, fail};

/// What can happen to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// SIGKILL; its data stays (start it again with: holdfast devnet heal).
    Crash,
    /// It lies: it serves other bytes than the shard it was given, and believes in them.
    WrongShard,
    /// Its disk flips one bit of a stored shard.
    Bitflip,
}

/// Breaks a member; returns in words what was done.
pub(crate) async fn break_member(
    layout: &Layout,
    state: &mut State,
    name: &str,
    fault: Fault,
    blob: Option<&str>,
) -> anyhow::Result<String> {
    let member = state.member_mut(name)?;
    if fault == Fault::Crash {
        let Some(process) = member.process.take().filter(|process| process.is_running()) else {
            return Ok(format!("{name} is not running already"));
        };
        process.kill().await;
        state.save(layout)?;
        return Ok(format!("{name} killed"));
    }
    let blob = match blob.map(str::parse::<BlobId>).transpose() {
        Ok(blob) => blob,
        Err(error) => return fail(Exit::Usage, format!("--blob: {error}")),
    };
    // The data is changed behind the member's back, so it must not run meanwhile.
    let was_tied = member.tied;
    let process = member.process.take().filter(|process| process.is_running());
    if let Some(process) = &process {
        process.stop().await;
    }
    let data = layout.member_data(member.slot);
    let changed = change(&data, fault, blob).await;
    let said = match &changed {
        Ok(count) => format!("{name}: {} in {count} stored shards", fault.in_words()),
        Err(_) => String::new(),
    };
    if changed.is_ok() {
        member.faults.push(said.clone());
    }
    state.save(layout)?;
    if process.is_some() {
        up::start_member(layout, state, name, was_tied).await?;
    }
    changed.map(|_| said)
}

async fn change(data: &Path, kind: Fault, blob: Option<BlobId>) -> anyhow::Result<usize> {
    let blobs = match blob {
        Some(blob) => vec![blob],
        None => fault::blobs(data).await?,
    };
    for blob in &blobs {
        match kind {
            Fault::Crash => {}
            Fault::WrongShard => drop(fault::replace_shard(data, blob).await?),
            Fault::Bitflip => drop(fault::flip_bit(data, blob).await?),
        }
    }
    if blobs.is_empty() {
        return fail(Exit::NotFound, "the member stores no shard to change");
    }
    Ok(blobs.len())
}

impl Fault {
    fn in_words(self) -> &'static str {
        match self {
            Self::Crash => "killed",
            Self::WrongShard => "other bytes",
            Self::Bitflip => "one bit flipped",
        }
    }
}
