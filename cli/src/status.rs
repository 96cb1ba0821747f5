//! `holdfast status`: what every member of the active epoch says of itself.

use std::path::Path;

use holdfast_client::{Client, MemberPolicy, MemberStatus};
use serde::Serialize;

use crate::{
    config::Config,
    output::{Output, human_bytes, table},
};

/// Every member.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    epoch: Option<u64>,
    members: Vec<Row>,
}

/// One member, as it answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    epoch: u64,
    slot: u16,
    endpoint: String,
    public_key: String,
    state: String,
    version: Option<String>,
    blobs: Option<u64>,
    stored_bytes: Option<u64>,
    clock_off_seconds: Option<i64>,
    answered_in_milliseconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
}

/// What it promises at most.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    max_retention_seconds: u64,
    max_whole_seconds: u64,
    /// Bytes times seconds for each namespace; a text, for it is beyond what JSON readers keep exact.
    namespace_quota: String,
    /// Empty where all are served.
    namespaces: Vec<String>,
}

impl Policy {
    fn of(policy: &MemberPolicy) -> Self {
        Self {
            max_retention_seconds: policy.max_retention.as_secs(),
            max_whole_seconds: policy.max_whole.as_secs(),
            namespace_quota: policy.namespace_quota.to_string(),
            namespaces: policy.namespaces.iter().map(ToString::to_string).collect(),
        }
    }
}

pub(crate) async fn run(config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    print(&Config::load(config)?.reader().await?, output).await
}

/// Asks every member and prints what it says.
pub(crate) async fn print(client: &Client, output: Output) -> anyhow::Result<()> {
    let members: Vec<Row> = client.status().await?.into_iter().map(row).collect();
    let status = Status { epoch: members.first().map(|row| row.epoch), members };
    output.print(&status, |status| {
        let mut cells =
            vec![["member", "endpoint", "state", "blobs", "stored", "clock", "ms"].map(str::to_owned).to_vec()];
        for row in &status.members {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            cells.push(vec![
                format!("m{}", row.slot),
                row.endpoint.clone(),
                row.state.clone(),
                or_dash(row.blobs.map(|blobs| blobs.to_string())),
                or_dash(row.stored_bytes.map(human_bytes)),
                or_dash(row.clock_off_seconds.map(|off| format!("{off:+} s"))),
                or_dash(row.answered_in_milliseconds.map(|ms| format!("{ms:.1}"))),
            ]);
        }
        table(&cells)
    })
}

fn row(status: MemberStatus) -> Row {
    let mut row = Row {
        epoch: status.epoch,
        slot: status.slot,
        endpoint: status.endpoint,
        public_key: status.public_key.to_string(),
        state: String::new(),
        version: None,
        blobs: None,
        stored_bytes: None,
        clock_off_seconds: None,
        answered_in_milliseconds: None,
        policy: None,
    };
    match status.info {
        Err(failure) => row.state = failure.reason.to_string(),
        Ok(info) => {
            row.state = match &info.writes_disabled {
                None => "serving".to_owned(),
                Some(reason) => format!("reads only: {reason}"),
            };
            row.clock_off_seconds = Some(info.clock_off);
            row.version = Some(info.version);
            row.blobs = Some(info.blobs);
            row.stored_bytes = Some(info.stored_bytes);
            row.policy = info.policy.as_ref().map(Policy::of);
            row.answered_in_milliseconds = Some(info.answered_in.as_secs_f64() * 1e3);
        }
    }
    row
}
