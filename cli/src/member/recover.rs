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
    /// Objects of the archive that were recorded; absent where it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<u64>,
    /// Objects of the archive from which nothing could be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_over: Option<u64>,
}

pub(super) async fn run(config: committee::Config, from_archive: bool, output: Output) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen(false)?;
    let asked = async move { shutdown.requested().await };
    let tell = |repair: &holdfast_proto::v1::Repair| {
        let repair = Repair::of(repair);
        progress(format!("{}, {}", repair.lists(), repair.text()));
    };
    let recovered = match committee::recover(config, from_archive, asked, tell).await {
        Ok(recovered) => recovered,
        Err(error) => return refused(error),
    };
    let (complete, blobs) = (recovered.complete, recovered.blobs);
    let found = recovered.found;
    let result = Recovery {
        complete,
        blobs,
        repair: Repair::of(&recovered.progress),
        archived: found.map(|found| found.objects),
        passed_over: found.map(|found| found.passed_over),
    };
    output.print(&result, |result| {
        let what = if result.complete { "recovered" } else { "stopped before all was there" };
        let archived = result.archived.map_or_else(String::new, |archived| {
            format!("{archived} objects found in the archive, {} passed over; ", result.passed_over.unwrap_or_default())
        });
        format!("{what}: {} blobs held; {archived}{}\n", result.blobs, result.repair.text())
    })?;
    if complete { Ok(()) } else { fail(Exit::Unreachable, "stopped before all was there; the next start goes on") }
}
