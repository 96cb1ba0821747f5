//! `holdfast member status`: what the running member says of itself.

use holdfast_committee as committee;
use serde::Serialize;

use super::{
    ask,
    orders::{self, Orders},
};
use crate::{
    output::{Output, human_bytes, plain},
    times::now,
};

/// A certificate that ends within so many days is named.
const TLS_WARNING_DAYS: u64 = 14;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: String,
    epoch: u64,
    slot: Option<u32>,
    blobs: u64,
    stored_bytes: u64,
    clock_off_seconds: i64,
    writes_disabled: Option<String>,
    store_id: String,
    store_lost_at: Option<u64>,
    /// Absent where it has none.
    archive: Option<Archive>,
    damaged: u64,
    scrubbed_at: Option<u64>,
    repair: Repair,
    twin: Option<String>,
    l1: Option<L1View>,
    /// Bytes free where the store is.
    free_bytes: Option<u64>,
    /// Bytes of data that are held at most.
    disk_budget_bytes: u64,
    descriptors: Option<u64>,
    descriptors_limit: Option<u64>,
    /// Absent where it speaks plain text.
    tls: Option<TlsView>,
    /// What its operator has ordered; absent where this user cannot ask for that.
    orders: Option<Orders>,
}

/// What is in the member's archive.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Archive {
    objects: u64,
    bytes: u64,
    waiting: u64,
    waiting_bytes: u64,
    oldest_waiting_seconds: u64,
    trouble: Option<String>,
}

impl Archive {
    fn of(archive: &holdfast_proto::v1::Archive) -> Self {
        Self {
            objects: archive.objects,
            bytes: archive.bytes,
            waiting: archive.waiting,
            waiting_bytes: archive.waiting_bytes,
            oldest_waiting_seconds: archive.oldest_waiting_seconds,
            trouble: Some(plain(&archive.trouble)).filter(|trouble| !trouble.is_empty()),
        }
    }

    fn text(&self) -> String {
        let waiting = match self.waiting {
            0 => "none waits".to_owned(),
            waiting => format!(
                "{waiting} wait ({}), the first for {} s",
                human_bytes(self.waiting_bytes),
                self.oldest_waiting_seconds
            ),
        };
        let trouble = self.trouble.as_ref().map_or_else(String::new, |trouble| format!("; {trouble}"));
        format!("{} objects ({}), {waiting}{trouble}", self.objects, human_bytes(self.bytes))
    }
}

/// The TLS certificate that the member uses.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TlsView {
    pin: String,
    not_after: u64,
    days_left: u64,
}

/// How fresh what the member knows of L1 is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct L1View {
    /// Whether anything was ever heard of it; without that all numbers are 0 or since 1970.
    #[serde(skip)]
    heard: bool,
    block: u64,
    block_age_seconds: u64,
    confirmed_seconds_ago: u64,
    stalled: bool,
    failing: bool,
    expired: bool,
    dissenting_nodes: u32,
}

impl L1View {
    /// By the member's own clock.
    fn of(view: &holdfast_proto::v1::L1View, time: u64) -> Self {
        Self {
            heard: view.confirmed_at > 0,
            block: view.block,
            block_age_seconds: time.saturating_sub(view.block_time),
            confirmed_seconds_ago: time.saturating_sub(view.confirmed_at),
            stalled: view.stalled,
            failing: view.failing,
            expired: view.expired,
            dissenting_nodes: view.dissenting_nodes,
        }
    }

    fn text(&self) -> String {
        let notes = [
            (self.stalled && self.heard, "finality stalls"),
            (self.failing, "its nodes do not answer as they should: see its log"),
            (self.expired && self.heard, "too old to sign by"),
        ];
        let dissent = match self.dissenting_nodes {
            0 => String::new(),
            1 => ", a node contradicts the others: see its log".to_owned(),
            many => format!(", {many} nodes contradict the others: see its log"),
        };
        let notes: String = notes.iter().filter(|(holds, _)| *holds).map(|(_, note)| format!(", {note}")).collect();
        if !self.heard {
            return format!("not heard of since the start: nothing is signed{notes}{dissent}");
        }
        let Self { block, block_age_seconds, confirmed_seconds_ago, .. } = self;
        format!("block {block}, {block_age_seconds} s old, confirmed {confirmed_seconds_ago} s ago{notes}{dissent}")
    }
}

/// What the member makes whole again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Repair {
    queued: u64,
    queued_bytes: u64,
    repaired: u64,
    repaired_bytes: u64,
    set_aside: u64,
    unfillable: u64,
    eta_seconds: Option<u64>,
    lists_heard: u32,
    lists_needed: u32,
}

impl Repair {
    pub(super) fn of(repair: &holdfast_proto::v1::Repair) -> Self {
        Self {
            queued: repair.queued,
            queued_bytes: repair.queued_bytes,
            repaired: repair.repaired,
            repaired_bytes: repair.repaired_bytes,
            set_aside: repair.set_aside,
            unfillable: repair.unfillable,
            eta_seconds: repair.eta_seconds,
            lists_heard: repair.lists_heard,
            lists_needed: repair.lists_needed,
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { queued, repaired, set_aside, unfillable, .. } = self;
        let eta = self.eta_seconds.map_or_else(String::new, |eta| format!(", done in about {eta} s"));
        let unfillable = if *unfillable > 0 { format!(", {unfillable} unfillable") } else { String::new() };
        format!(
            "{repaired} repaired, {queued} queued ({}){eta}, {set_aside} set aside{unfillable}",
            human_bytes(self.queued_bytes)
        )
    }

    /// Of a lost store.
    pub(super) fn lists(&self) -> String {
        format!("{} of {} lists heard", self.lists_heard, self.lists_needed)
    }
}

impl TlsView {
    fn text(&self) -> String {
        let warning = if self.days_left < TLS_WARNING_DAYS { ": make another (holdfast member new-tls)" } else { "" };
        format!("pin {}, {} days left{warning}", self.pin, self.days_left)
    }
}

pub(super) async fn run(config: &committee::Config, output: Output) -> anyhow::Result<()> {
    let info = ask(config).await?;
    let status = Status {
        version: info.version,
        epoch: info.epoch,
        slot: info.slot,
        blobs: info.blobs,
        stored_bytes: info.stored_bytes,
        clock_off_seconds: info.time.cast_signed().wrapping_sub(now().cast_signed()),
        writes_disabled: Some(info.writes_disabled).filter(|reason| !reason.is_empty()),
        store_id: hex::encode(&info.store_id),
        store_lost_at: Some(info.store_lost_at).filter(|at| *at > 0),
        archive: info.archive.as_ref().map(Archive::of),
        damaged: info.damaged,
        scrubbed_at: Some(info.scrubbed_at).filter(|at| *at > 0),
        repair: Repair::of(&info.repair.unwrap_or_default()),
        twin: Some(plain(&info.twin)).filter(|twin| !twin.is_empty()),
        l1: info.l1.map(|view| L1View::of(&view, info.time)),
        free_bytes: info.free_bytes,
        disk_budget_bytes: info.disk_budget,
        descriptors: info.descriptors,
        descriptors_limit: info.descriptors_limit,
        tls: info.tls.map(|tls| TlsView {
            pin: format!("0x{}", hex::encode(&tls.pin)),
            not_after: tls.not_after,
            days_left: tls.not_after.saturating_sub(info.time) / 86_400,
        }),
        orders: orders::of(config).await,
    };
    output.print(&status, |status| {
        let mut text = format!(
            "version   {}\nepoch     {}\nslot      {}\nblobs     {}\nstored    {}\nclock     {:+} s\nL1        {}\nwrites    {}\nstore     {}\ndamaged   {}\nrepair    {}\n",
            status.version,
            if status.epoch == 0 { "none known".to_owned() } else { status.epoch.to_string() },
            status.slot.map_or_else(|| "none".to_owned(), |slot| slot.to_string()),
            status.blobs,
            human_bytes(status.stored_bytes),
            status.clock_off_seconds,
            status.l1.as_ref().map_or_else(|| "not read from a chain".to_owned(), L1View::text),
            status.writes_disabled.as_deref().unwrap_or("enabled"),
            status.store_id,
            status.damaged,
            status.repair.text(),
        );
        let number = |number: Option<u64>| number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
        text += &format!(
            "disk      {} free, {} of data at most\nfiles     {} open, of {} at most\nTLS       {}\n",
            status.free_bytes.map_or_else(|| "unknown".to_owned(), human_bytes),
            human_bytes(status.disk_budget_bytes),
            number(status.descriptors),
            number(status.descriptors_limit),
            status.tls.as_ref().map_or_else(|| "none: plain text".to_owned(), TlsView::text),
        );
        if let Some(archive) = &status.archive {
            text += &format!("archive   {}\n", archive.text());
        }
        if let Some(orders) = &status.orders {
            text += &format!("orders    {}\n", orders.text());
        }
        if let Some(twin) = &status.twin {
            text += &format!("twin      another process answers with this member's key at {twin}\n");
        }
        if let Some(at) = status.store_lost_at {
            let heard = status.repair.lists();
            text += &format!("lost      before unix second {at}; being got back from the others, {heard}\n");
        }
        if let Some(at) = status.scrubbed_at {
            text += &format!("scrubbed  {} h ago\n", now().saturating_sub(at) / 3600);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_l1_that_was_never_heard_of_is_said_in_words_and_not_in_numbers() {
        let view = |confirmed_at| holdfast_proto::v1::L1View {
            block: confirmed_at,
            block_time: confirmed_at,
            confirmed_at,
            stalled: true,
            failing: true,
            expired: true,
            dissenting_nodes: 0,
        };
        let text = L1View::of(&view(0), 1_795_815_434).text();
        assert!(text.starts_with("not heard of since the start") && text.contains("see its log"), "{text}");
        assert!(!text.contains(|c: char| c.is_ascii_digit() && c != '1') && !text.contains("stalls"), "{text}");
        let text = L1View::of(&view(1_795_815_400), 1_795_815_434).text();
        assert!(text.contains("34 s old, confirmed 34 s ago, finality stalls"), "{text}");
        let json = serde_json::to_value(L1View::of(&view(0), 7)).expect("JSON");
        assert_eq!((&json["block"], &json["confirmedSecondsAgo"]), (&0.into(), &7.into()));
    }
}
