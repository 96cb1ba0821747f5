//! `holdfast committee show`: an epoch as L1 has it.

use clap::Args;
use holdfast_certificate::{Address, CommitteeParameters};
use holdfast_l1::{EpochView, Error, Moment};
use holdfast_registry::Error as NoRecord;
use serde::Serialize;

use super::card::Pin;
use crate::{
    config::{Config, L1Args},
    exit::{Exit, fail},
    output::{Output, human_bytes, table},
    times::{human_time, now},
};

/// Which epoch.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The epoch; the active one if absent.
    #[arg(long)]
    epoch: Option<u64>,
    #[command(flatten)]
    l1: L1Args,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    epoch: u64,
    chain_id: u64,
    registry: String,
    state: &'static str,
    members: u16,
    threshold: u16,
    original_shards: u16,
    max_payload: u32,
    active_from: Option<u64>,
    active_until: Option<u64>,
    revoked_at: Option<u64>,
    aggregate_key: String,
    slots: Vec<ShownSlot>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSlot {
    slot: usize,
    key_id: String,
    public_key: String,
    account: Option<String>,
    endpoint: String,
    tls_pin: Option<String>,
}

pub(crate) async fn run(args: ShowArgs, config: Config, output: Output) -> anyhow::Result<()> {
    let config = config.with_l1(&args.l1)?;
    let shown = if config.has_l1() { on_l1(&args, &config).await? } else { in_file(&args, &config).await? };
    output.print(&shown, text)
}

/// Read at the finalized block, as members and clients do.
async fn on_l1(args: &ShowArgs, config: &Config) -> anyhow::Result<Shown> {
    let view = config.view(Moment::Finalized).await?;
    let epoch = match args.epoch {
        Some(epoch) => epoch,
        None => match view.active_epoch(now()).await? {
            Some(epoch) => epoch,
            None => return fail(Exit::NotFound, "no epoch is active; give --epoch N to see another"),
        },
    };
    let found = match view.epoch(epoch).await {
        Err(Error::Registry(NoRecord::UnknownEpoch { .. })) => {
            let (block, count) = (view.block(), view.epoch_count().await?);
            return fail(
                Exit::NotFound,
                format!("no epoch {epoch} in finalized block {block}, {count} proposed so far"),
            );
        }
        found => found?,
    };
    let slots = found.slots.iter().enumerate().map(|(slot, found)| ShownSlot {
        slot,
        key_id: found.key.id().to_string(),
        public_key: found.key.to_string(),
        account: Some(found.account).filter(|account| *account != Address::ZERO).map(|account| account.to_string()),
        endpoint: found.endpoint.clone(),
        tls_pin: found.tls_pin.map(|pin| Pin(pin).to_string()),
    });
    let domain = view.domain();
    let committee = &found.committee;
    Ok(Shown {
        active_from: Some(found.active_from),
        active_until: found.active_until,
        revoked_at: found.revoked_at,
        slots: slots.collect(),
        ..shown(
            epoch,
            (domain.chain_id, domain.registry),
            state(&found, now()),
            committee.parameters(),
            committee.aggregate().to_string(),
        )
    })
}

/// A committee without L1: its epoch is always active, and its slots have no accounts.
async fn in_file(args: &ShowArgs, config: &Config) -> anyhow::Result<Shown> {
    let registry = config.registry().await?;
    let record = match args.epoch {
        Some(epoch) => match registry.epoch(epoch).await {
            Err(NoRecord::UnknownEpoch { .. }) => {
                return fail(Exit::NotFound, format!("no epoch {epoch} in the committee file"));
            }
            found => found?,
        },
        None => registry.active_epoch(now()).await?,
    };
    let committee = &record.committee;
    let slots = committee.keys().iter().zip(&record.endpoints).enumerate().map(|(slot, (key, endpoint))| ShownSlot {
        slot,
        key_id: key.id().to_string(),
        public_key: key.to_string(),
        account: None,
        endpoint: endpoint.url.clone(),
        tls_pin: endpoint.tls_pin.map(|pin| Pin(pin).into()),
    });
    let domain = committee.domain();
    Ok(Shown {
        slots: slots.collect(),
        ..shown(
            committee.epoch(),
            (domain.chain_id, domain.registry),
            "active",
            committee.parameters(),
            committee.aggregate().to_string(),
        )
    })
}

fn shown(
    epoch: u64,
    domain: (u64, Address),
    state: &'static str,
    parameters: &CommitteeParameters,
    aggregate_key: String,
) -> Shown {
    Shown {
        epoch,
        chain_id: domain.0,
        registry: domain.1.to_string(),
        state,
        members: parameters.total_shards(),
        threshold: parameters.threshold(),
        original_shards: parameters.original_shards(),
        max_payload: parameters.max_payload(),
        active_from: None,
        active_until: None,
        revoked_at: None,
        aggregate_key,
        slots: Vec::new(),
    }
}

pub(super) fn state(epoch: &EpochView, now: u64) -> &'static str {
    if epoch.cancelled {
        "cancelled"
    } else if now < epoch.active_from {
        "proposed"
    } else if epoch.revoked_at.is_some_and(|at| at <= now) {
        "revoked"
    } else if epoch.active_until.is_some_and(|until| until <= now) {
        "closed"
    } else {
        "active"
    }
}

fn text(shown: &Shown) -> String {
    let time = |time: Option<u64>| time.map_or_else(|| "-".to_owned(), human_time);
    let mut text = format!(
        "epoch         {} ({})\nregistry      {} on chain {}\nparameters    n={} t={} k={}, payloads up to {}\n",
        shown.epoch,
        shown.state,
        shown.registry,
        shown.chain_id,
        shown.members,
        shown.threshold,
        shown.original_shards,
        human_bytes(shown.max_payload.into()),
    );
    if shown.state == "cancelled" {
        text += &format!("active        never; it would have been from {}\n", time(shown.active_from));
    } else if shown.active_from.is_some() {
        text += &format!(
            "active        from {} until {}\nrevoked       {}\n",
            time(shown.active_from),
            time(shown.active_until),
            time(shown.revoked_at)
        );
    }
    text += &format!("aggregate key {}\n\n", shown.aggregate_key);
    let mut rows = vec![["slot", "key id", "account", "endpoint", "TLS pin"].map(str::to_owned).to_vec()];
    for slot in &shown.slots {
        let or_dash =
            |text: Option<&String>| text.filter(|text| !text.is_empty()).map_or("-".to_owned(), String::clone);
        rows.push(vec![
            format!("m{}", slot.slot),
            slot.key_id.clone(),
            or_dash(slot.account.as_ref()),
            or_dash(Some(&slot.endpoint)),
            or_dash(slot.tls_pin.as_ref()),
        ]);
    }
    text + &table(&rows)
}
