//! Other bytes in a member's files. The data is changed behind the member's back, so it does not run meanwhile.

use std::path::Path;

use holdfast_committee::fault::{self, Flip};
use holdfast_erasure::BlobId;

use super::{Changed, Fault};
use crate::{
    devnet::{
        state::{Layout, Place, State},
        up,
    },
    exit::{Exit, fail},
};

/// Changes the shards of one blob, or of all that the member holds; it runs afterwards if it ran before.
pub(super) async fn change(
    layout: &Layout,
    state: &mut State,
    name: &str,
    kind: Fault,
    blob: Option<BlobId>,
) -> anyhow::Result<Changed> {
    let member = state.member_mut(name)?;
    let (data, tied) = (layout.member_data(member.slot), member.tied);
    let process = member.process.take().filter(|process| process.is_running());
    if let Some(process) = &process {
        process.stop().await;
    }
    let changed = change_files(&data, kind, blob).await;
    state.save(layout)?;
    if process.is_some() {
        up::start_member(layout, state, name, tied).await?;
    }
    changed
}

async fn change_files(data: &Path, kind: Fault, blob: Option<BlobId>) -> anyhow::Result<Changed> {
    let blobs = match blob {
        Some(blob) => vec![blob],
        None => fault::blobs(data).await?,
    };
    let mut changed = Changed { shards: blobs.len(), replaced: Vec::new(), flipped: Vec::new() };
    for blob in &blobs {
        if kind == Fault::WrongShard {
            fault::replace_shard(data, blob).await?;
            changed.replaced.push(blob.to_string());
        } else {
            changed.flipped.extend(fault::flip_bit(data, blob).await?.into_iter().map(place));
        }
    }
    if blobs.is_empty() {
        return fail(Exit::NotFound, "the member stores no shard to change");
    }
    Ok(changed)
}

/// Puts back what was changed, where it is still there: what was stored anew since is left alone.
pub(super) async fn restore(data: &Path, replaced: &[String], flipped: &[Place]) -> anyhow::Result<()> {
    for blob in replaced {
        fault::restore_shard(data, &blob.parse()?).await?;
    }
    if !flipped.is_empty() {
        let flips: Vec<Flip> =
            flipped.iter().map(|place| Flip { file: place.file.clone(), at: place.at, was: place.was }).collect();
        fault::flip_back(data, &flips).await?;
    }
    Ok(())
}

fn place(Flip { file, at, was }: Flip) -> Place {
    Place { file, at, was }
}
