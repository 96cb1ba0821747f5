//! `holdfast member recover`: get back what a lost disk held.

use holdfast_committee as committee;
use serde::Serialize;

use super::{refused, status::Repair};
use crate::{
    exit::{Exit, fail},
    output::{Output, progress},
    shutdown::Shutdown,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recovery {
    complete: bool,
    blobs: u64,
    repair: Repair,
}

pub(super) async fn run(config: committee::Config, output: Output) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen(false)?;
    let asked = async move { shutdown.requested().await };
    let tell = |repair: &holdfast_proto::v1::Repair| {
        let repair = Repair::of(repair);
        progress(format!("{}, {}", repair.lists(), repair.text()));
    };
    let recovered = match committee::recover(config, asked, tell).await {
        Ok(recovered) => recovered,
        Err(error) => return refused(error),
    };
    let (complete, blobs) = (recovered.complete, recovered.blobs);
    let result = Recovery { complete, blobs, repair: Repair::of(&recovered.progress) };
    output.print(&result, |result| {
        let what = if result.complete { "recovered" } else { "stopped before all was there" };
        format!("{what}: {} blobs held; {}\n", result.blobs, result.repair.text())
    })?;
    if complete { Ok(()) } else { fail(Exit::Unreachable, "stopped before all was there; the next start goes on") }
}
