//! `holdfast namespace show`.

use clap::Args;
use holdfast_certificate::{Address, Namespace};
use holdfast_l1::{Moment, RegistryView};
use holdfast_registry::NamespaceRecord;
use serde::Serialize;

use crate::{
    config::{Config, L1Args},
    exit::{Exit, fail},
    output::Output,
    times::human_time,
};

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The namespace; the configured one if absent.
    #[arg(long)]
    namespace: Option<Namespace>,
    #[command(flatten)]
    l1: L1Args,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    namespace: String,
    chain_id: u64,
    registry: String,
    block: u64,
    owner: String,
    min_retention_seconds: u64,
    pending: Option<Pending>,
    hold_until: Option<u64>,
    dispersers: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pending {
    min_retention_seconds: u64,
    from: u64,
}

pub(super) async fn show(args: ShowArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let config = config.with_l1(&args.l1)?;
    let namespace = config.namespace(args.namespace)?;
    // What members and clients act on.
    let view = config.view(Moment::Finalized).await?;
    let found = existing(&view, &namespace).await?;
    let shown = Shown {
        namespace: namespace.to_string(),
        chain_id: view.domain().chain_id,
        registry: view.domain().registry.to_string(),
        block: view.block(),
        owner: found.owner.to_string(),
        min_retention_seconds: found.min_retention,
        pending: found.next_min_retention.map(|(min_retention_seconds, from)| Pending { min_retention_seconds, from }),
        hold_until: (found.hold_until != 0).then_some(found.hold_until),
        dispersers: found.dispersers.iter().map(Address::to_string).collect(),
    };
    output.print(&shown, shown_text)
}

pub(super) async fn existing(view: &RegistryView, namespace: &Namespace) -> anyhow::Result<NamespaceRecord> {
    match view.namespace(namespace).await? {
        Some(found) => Ok(found),
        None => fail(
            Exit::NotFound,
            format!("no namespace {namespace} in registry {} at block {}", view.domain().registry, view.block()),
        ),
    }
}

fn shown_text(shown: &Shown) -> String {
    let span = |seconds| humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string();
    let pending = shown.pending.as_ref().map_or_else(
        || "none".to_owned(),
        |pending| format!("{} from {}", span(pending.min_retention_seconds), human_time(pending.from)),
    );
    format!(
        "namespace      {}\nregistry       {} on chain {}, block {}\nowner          {}\nmin retention  {}\npending        {pending}\nheld until     {}\ndispersers     {}\n",
        shown.namespace,
        shown.registry,
        shown.chain_id,
        shown.block,
        shown.owner,
        span(shown.min_retention_seconds),
        shown.hold_until.map_or_else(|| "-".to_owned(), human_time),
        if shown.dispersers.is_empty() { "none".to_owned() } else { shown.dispersers.join(" ") },
    )
}
