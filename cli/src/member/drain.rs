//! `holdfast member drain` and `undrain`: to take nothing new before a stop, unless the committee needs this member.

use std::{sync::Arc, time::Duration};

use clap::Args;
use futures::future::join_all;
use holdfast_certificate::PublicKey;
use holdfast_committee::{self as committee, admin::Order};
use holdfast_proto::v1::{GetInfoRequest, dispersal_server, node_client::NodeClient};
use holdfast_registry::{self as registry, EpochRecord, Registry};
use holdfast_transport::{Fair, MemberKey};
use serde::Serialize;
use tokio::time::timeout;

use super::{
    orders::{Orders, give, until},
    public_key, registry_of,
};
use crate::{
    exit::{Exit, fail},
    output::{Output, plain, progress},
    peers,
    times::{now, parse_span},
};

/// How long another member may take to say how it is.
const LIMIT: Duration = Duration::from_secs(5);

/// What it may say of itself.
const ANSWER_BYTES: usize = 128 << 10;

/// How to drain.
#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// Wait until what was under way is done.
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this.
    #[arg(long, value_parser = parse_span, default_value = "5m", requires = "wait")]
    within: Duration,
    /// Also where the others are too few to make a certificate without this member, or cannot be asked.
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Drained {
    #[serde(flatten)]
    orders: Orders,
    /// Absent where this member has no slot, or nobody asked.
    others: Option<Others>,
}

/// What the other members of the active epoch say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Others {
    epoch: u64,
    /// How many must sign.
    threshold: u16,
    storing: Vec<u16>,
    not_storing: Vec<Absent>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Absent {
    slot: u16,
    endpoint: String,
    why: String,
}

impl Others {
    fn suffice(&self) -> bool {
        self.storing.len() >= usize::from(self.threshold)
    }

    /// Why not, in words.
    fn too_few(&self) -> String {
        let (storing, threshold) = (self.storing.len(), self.threshold);
        let mut text = format!(
            "{threshold} members must sign, and of the others {storing} would: without this one nobody can store"
        );
        for absent in &self.not_storing {
            text += &format!("\n  slot {} ({}): {}", absent.slot, plain(&absent.endpoint), plain(&absent.why));
        }
        text
    }
}

pub(super) async fn drain(args: &DrainArgs, config: &committee::Config, output: Output) -> anyhow::Result<()> {
    // Whether it takes orders at all comes first.
    let drained_before = give(config, &Order::Status).await?.drained;
    let place = if args.force { None } else { Some(Place::of(config).await?) };
    if let Some(place) = place.as_ref().filter(|_| !drained_before) {
        place.spared().await?;
    }
    let mut state = give(config, &Order::Drain).await?;
    let mut others = None;
    if let Some(place) = place {
        // Another operator may have drained at the same moment.
        others = match place.spared().await {
            Ok(others) => others,
            Err(error) if drained_before => return Err(error),
            Err(error) => {
                give(config, &Order::Undrain).await?;
                return Err(error.context("taken back"));
            }
        };
    }
    let mut ended = true;
    if args.wait {
        if state.under_way > 0 {
            progress(format!("{} statements are under way", state.under_way));
        }
        (state, ended) = until(config, args.within, |state| state.under_way == 0).await?;
    }
    let drained = Drained { orders: state.into(), others };
    output.print(&drained, |drained| {
        let mut text = format!("orders    {}\n", drained.orders.text());
        if let Some(others) = &drained.others {
            let (storing, all) = (others.storing.len(), others.storing.len() + others.not_storing.len());
            text += &format!("others    {storing} of {all} store, {} must sign\n", others.threshold);
        }
        text
    })?;
    if ended {
        return Ok(());
    }
    fail(Exit::Unreachable, format!("{} statements are still under way; it stays drained", drained.orders.under_way))
}

pub(super) async fn undrain(config: &committee::Config, output: Output) -> anyhow::Result<()> {
    super::orders::done(give(config, &Order::Undrain).await?, output)
}

/// Where this member stands.
struct Place {
    key: PublicKey,
    registry: Arc<dyn Registry>,
}

impl Place {
    async fn of(config: &committee::Config) -> anyhow::Result<Self> {
        let key = public_key(config)?;
        Ok(Self { key, registry: registry_of(config).await? })
    }

    /// Whether the committee does without this member: what the others say; `None` where it has no slot.
    async fn spared(&self) -> anyhow::Result<Option<Others>> {
        const FORCE: &str = "--force drains all the same";
        let record = match self.registry.active_epoch(now()).await {
            Ok(record) => record,
            Err(registry::Error::NoActiveEpoch { .. }) => return Ok(None),
            Err(error) => return fail(Exit::Unsafe, format!("it cannot be told who the others are: {error}; {FORCE}")),
        };
        let Some(own) = record.committee.slot_of(&self.key) else { return Ok(None) };
        let others = ask_others(&record, own).await;
        if others.suffice() { Ok(Some(others)) } else { fail(Exit::Unsafe, format!("{}\n{FORCE}", others.too_few())) }
    }
}

async fn ask_others(record: &Arc<EpochRecord>, own: u16) -> Others {
    let slots = (0..record.committee.len()).filter(|slot| *slot != own);
    let answers = join_all(slots.map(|slot| async move {
        let answer = timeout(LIMIT, stores(record, slot)).await;
        (slot, answer.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}"))))
    }));
    let (mut storing, mut not_storing) = (Vec::new(), Vec::new());
    for (slot, answer) in answers.await {
        match answer {
            Ok(()) => storing.push(slot),
            Err(why) => {
                let endpoint = record.endpoints.get(usize::from(slot)).map_or_else(String::new, |it| it.url.clone());
                not_storing.push(Absent { slot, endpoint, why });
            }
        }
    }
    let (epoch, threshold) = (record.committee.epoch(), record.committee.parameters().threshold());
    Others { epoch, threshold, storing, not_storing }
}

/// Whether the member of a slot says, with its own key, that it would store and sign.
async fn stores(record: &EpochRecord, slot: u16) -> Result<(), String> {
    let endpoint = record.endpoints.get(usize::from(slot)).ok_or("it has no endpoint")?;
    let channel = peers::connect(endpoint, MemberKey::of(&record.committee, slot)).await?;
    let refused = |status: tonic::Status| format!("it does not answer as a member: {}", status.message());
    let mut node = NodeClient::new(Fair::new(channel.clone())).max_decoding_message_size(ANSWER_BYTES);
    let info = node.get_info(GetInfoRequest {}).await.map_err(refused)?.into_inner();
    if record.committee.key(slot).is_none_or(|key| info.public_key != key.to_bytes().as_slice()) {
        return Err("whoever answers there has another key".to_owned());
    }
    // The service whose health says whether a member would store and sign.
    if peers::serves(channel, dispersal_server::SERVICE_NAME).await.map_err(refused)? {
        return Ok(());
    }
    Err(match info.writes_disabled.as_str() {
        "" => "it says that it would sign nothing now".to_owned(),
        why => why.to_owned(),
    })
}
