//! The order of a bundle's blobs: as L1 has them, and what L1 does not have after that.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_erasure::BlobId;
use holdfast_registry::{Registry, Since};
use serde::Serialize;

use crate::{
    bundle::{
        Bundle, Head,
        index::{self, Published},
    },
    exit::{Exit, fail},
    export::beginning,
};

/// A bundle's blobs and events, in order.
#[derive(Debug)]
pub(super) struct Ordered {
    blobs: Vec<BlobId>,
    events: Vec<Published>,
    /// The events of each blob, in order.
    of: BTreeMap<BlobId, Vec<Published>>,
    held: BTreeSet<BlobId>,
    /// What is wrong with the list of events; those before it count.
    damage: Option<String>,
}

/// A line of what is written of the order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    blob_id: &'a BlobId,
    published: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a Published>,
}

impl Ordered {
    /// As the bundle's lists have it, which must be as long as its head says, and the events in order. Without a sound list of blobs
    /// there is nothing to look at; with one, events that are damaged keep no blob from being looked at.
    pub(super) fn read(bundle: &Bundle, head: &Head) -> anyhow::Result<Self> {
        let events = index::read(&bundle.published_file(), index::published)?;
        let held = index::read(&bundle.held_file(), index::held)?;
        let (published, through) = head.l1.map_or((0, 0), |l1| (l1.published, l1.through));
        let short = |what: &str, found: usize, whole: bool, expected: u64| {
            let damaged = !whole || (found as u64) < expected;
            damaged.then(|| format!("{what} is damaged: it has {found} sound lines, expected {expected}"))
        };
        if let Some(damage) = short("held.txt", held.lines.len(), held.whole, head.held) {
            return fail(Exit::Verification, format!("{damage}; {}", bundle.remedy("makes it anew")));
        }
        let mut damage = short("published.jsonl", events.lines.len(), events.whole, published);
        // What was being written when its keeper was stopped is not part of it yet.
        let mut events: Vec<Published> = events.lines.into_iter().filter(|event| event.block <= through).collect();
        if let Some(at) = events.windows(2).position(|two| two[0].place() >= two[1].place()) {
            let (block, index) = events[at + 1].place();
            damage.get_or_insert(format!("published.jsonl is out of order at event {index} of block {block}"));
            events.truncate(at + 1);
        }
        let damage =
            damage.map(|damage| format!("{damage}; remove it, and {}", bundle.remedy("reads it again from L1")));
        let mut of: BTreeMap<BlobId, Vec<Published>> = BTreeMap::new();
        let (held, mut blobs): (BTreeSet<BlobId>, _) = (held.lines.into_iter().collect(), Vec::new());
        for event in &events {
            let of = of.entry(event.blob_id).or_default();
            if of.is_empty() && held.contains(&event.blob_id) {
                blobs.push(event.blob_id);
            }
            of.push(event.clone());
        }
        blobs.extend(held.iter().filter(|id| !of.contains_key(id)));
        Ok(Self { blobs, events, of, held, damage })
    }

    /// What is wrong with the list of events, and what to do about it.
    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    pub(super) fn blobs(&self) -> &[BlobId] {
        &self.blobs
    }

    /// How many events there are.
    pub(super) fn events(&self) -> usize {
        self.events.len()
    }

    /// The events of one blob.
    pub(super) fn published(&self, id: &BlobId) -> &[Published] {
        self.of.get(id).map_or(&[], Vec::as_slice)
    }

    /// Blobs that were published and are not in the bundle, and until when their signers hold them.
    pub(super) fn absent(&self) -> impl Iterator<Item = (&BlobId, u64)> {
        let absent = self.of.iter().filter(|(id, _)| !self.held.contains(id));
        absent.map(|(id, events)| (id, events.iter().map(|event| event.retain_until).max().unwrap_or(0)))
    }

    /// The order as lines of JSON.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for blob_id in &self.blobs {
            let event = self.published(blob_id).first();
            text += &serde_json::to_string(&Line { blob_id, published: event.is_some(), event })?;
            text.push('\n');
        }
        Ok(text)
    }
}

/// Compares the bundle's events, all of which must be sound, with those of L1.
pub(super) async fn confirm(ordered: &Ordered, head: &Head, registry: &dyn Registry) -> anyhow::Result<()> {
    if let Some(damage) = &ordered.damage {
        return fail(Exit::Verification, damage.clone());
    }
    let Some(l1) = head.l1 else {
        return fail(Exit::Verification, "the bundle has no publish events: it was made without L1");
    };
    let mut ours = ordered.events.iter().filter(|event| event.block <= l1.through);
    let mut since = Since::Time(beginning(registry).await?);
    loop {
        let Some(page) = registry.published(&[head.namespace], since).await? else {
            return fail(Exit::Usage, "the configured registry is no L1");
        };
        for event in page.events.iter().map(Published::from).filter(|event| event.block <= l1.through) {
            let (block, index) = event.place();
            match ours.next() {
                Some(our) if *our == event => {}
                Some(our) if our.place() < event.place() => return made_up(our),
                Some(_) | None => {
                    return fail(
                        Exit::Verification,
                        format!(
                            "L1 has publish event {index} of block {block}, and the bundle has not, or says otherwise"
                        ),
                    );
                }
            }
        }
        if page.next > l1.through {
            return ours.next().map_or(Ok(()), made_up);
        }
        if page.next > page.finalized {
            return fail(
                Exit::Unreachable,
                format!("the bundle has events up to block {}, and block {} is final", l1.through, page.finalized),
            );
        }
        since = Since::Block(page.next);
    }
}

fn made_up(event: &Published) -> anyhow::Result<()> {
    let (block, index) = event.place();
    fail(Exit::Verification, format!("L1 has no such publish event as that of block {block}, index {index}"))
}
