//! The page, from what there is to see.

use std::{
    fmt::{self, Display, Formatter},
    sync::Arc,
    time::Duration,
};

use holdfast_registry::EpochRecord;
use holdfast_transport::page::{self, Ago, Bytes, Span, Text, Took, Verdict, short, tile, utc};

use super::plot::Plot;
use crate::{
    backend::{Readiness, Seat},
    history::{Answered, Given, Way},
    metrics::How,
};

/// What there is to see.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Unix seconds.
    pub(super) now: u64,
    pub(super) namespace: Option<String>,
    pub(super) in_memory: bool,
    pub(super) can_write: bool,
    pub(super) record: Result<Arc<EpochRecord>, String>,
    pub(super) readiness: Result<Readiness, String>,
    /// How often each slot's member has failed in a request.
    pub(super) failures: Vec<u64>,
    /// The oldest first.
    pub(super) requests: Vec<Answered>,
    /// The newest first.
    pub(super) certificates: Vec<Given>,
    /// Certificates that are not final on L1, and since when the oldest of them is not, unix seconds; where any are to be.
    pub(super) unpublished: Option<(u64, u64)>,
    pub(super) cached: Cached,
    /// Dispersals.
    pub(super) under_way: usize,
}

/// The memory cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cached {
    pub(super) bytes: u64,
    pub(super) hits: u64,
    pub(super) asked: u64,
}

impl Display for View {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        page::begin(f, "Holdfast gateway", self.state())?;
        self.place(f)?;
        f.write_str("</header><main>")?;
        for error in [self.record.as_ref().err(), self.readiness.as_ref().err()].into_iter().flatten() {
            write!(f, "<p class=\"note bad\">{}</p>", Text(error))?;
        }
        self.tiles(f)?;
        self.latency(f)?;
        self.committee(f)?;
        self.certificates(f)?;
        page::end(f, self.now)
    }
}

impl View {
    /// What it is fit for, as a class and as words.
    fn state(&self) -> Verdict {
        match &self.readiness {
            Ok(ready) if ready.writes() && self.can_write => ("good", "Ready"),
            Ok(ready) if ready.reads() && !self.can_write => ("good", "Ready, reads only"),
            Ok(ready) if ready.reads() => ("poor", "Below the quorum: reads only"),
            Ok(_) => ("bad", "Below reconstruction"),
            Err(_) => ("bad", "The committee is not known"),
        }
    }

    fn place(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<p class=\"where\">")?;
        if self.in_memory {
            f.write_str("in memory only, for tests · ")?;
        }
        if let Ok(record) = &self.record {
            let committee = &record.committee;
            write!(f, "epoch {}", committee.epoch())?;
            if record.revoked_at.is_some_and(|at| at <= self.now) {
                f.write_str(" (revoked)")?;
            }
            match committee.domain().chain_id {
                0 => f.write_str(" of a committee file")?,
                chain => write!(f, " on chain {chain}")?,
            }
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " · namespace <code>{}</code>", Text(namespace))?;
        }
        f.write_str("</p>")
    }

    fn tiles(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<dl class=\"tiles\">")?;
        if let Ok(ready) = &self.readiness {
            let (storing, members) = (ready.storing, ready.members());
            tile(
                f,
                "Members that store",
                &format!("{storing} of {members}"),
                &format!("{} must sign", ready.threshold),
            )?;
        }
        match self.certificates.first() {
            Some(last) => {
                let signers = last.certificate.signer_slots().len();
                tile(
                    f,
                    "Last certificate",
                    &Ago { at: last.at, now: self.now }.to_string(),
                    &format!("{signers} signers"),
                )?;
            }
            None => tile(f, "Last certificate", "none", "since the start")?,
        }
        for (name, way) in [("PUT", Way::Put), ("GET", Way::Get)] {
            let mut took: Vec<Duration> =
                self.requests.iter().filter(|it| it.way == way && it.status < 400).map(|it| it.took).collect();
            took.sort_unstable();
            match took.get(took.len() / 2) {
                Some(median) => {
                    let slow = took[took.len() * 19 / 20];
                    tile(f, &format!("{name}, median"), &Took(*median).to_string(), &format!("95th {}", Took(slow)))?;
                }
                None => tile(f, name, "none", "answered lately")?,
            }
        }
        tile(f, "Dispersals", &self.under_way.to_string(), "under way")?;
        let Cached { bytes, hits, asked } = self.cached;
        let rate = (hits * 100).checked_div(asked).map_or("not asked yet".to_owned(), |rate| format!("{rate} % hits"));
        tile(f, "Memory cache", &Bytes(bytes).to_string(), &rate)?;
        if let Some((count, since)) = self.unpublished {
            let age = if count == 0 {
                "all final".to_owned()
            } else {
                format!("oldest {}", Span(self.now.saturating_sub(since)))
            };
            tile(f, "Not final on L1", &count.to_string(), &age)?;
        }
        f.write_str("</dl>")
    }

    fn latency(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(
            "<section class=\"plot\"><p class=\"legend\">\
             <svg viewBox=\"0 0 10 10\"><circle class=\"put\" cx=\"5\" cy=\"5\" r=\"4\"/></svg>PUT\
             <svg viewBox=\"0 0 10 10\"><rect class=\"get\" x=\"1\" y=\"1\" width=\"8\" height=\"8\"/></svg>GET\
             <svg viewBox=\"0 0 10 10\"><path class=\"failed\" d=\"M1 1l8 8m0 -8l-8 8\"/></svg>failed</p><h2>Latency</h2>",
        )?;
        write!(f, "<div class=\"scroll\">{}</div></section>", Plot { requests: &self.requests, now: self.now })
    }

    fn committee(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Ok(record) = &self.record else { return Ok(()) };
        f.write_str(
            "<section><h2>Committee</h2><div class=\"scroll\"><table id=\"committee\"><thead><tr><th>Slot<th>Member<th>State\
             <th class=\"number\">Answers in<th class=\"number\">Failures<th>Key</thead><tbody>",
        )?;
        for (slot, key) in record.committee.keys().iter().enumerate() {
            let endpoint = record.endpoints.get(slot).map_or("", |endpoint| endpoint.url.as_str());
            write!(f, "<tr><td>{slot}<td class=\"endpoint\"><code>{}</code><td>", Text(endpoint))?;
            let seat = self.readiness.as_ref().ok().and_then(|ready| ready.seats.get(slot));
            state(f, seat)?;
            match seat.and_then(|seat| seat.answered_in()) {
                Some(took) => write!(f, "<td class=\"number\">{}", Took(took))?,
                None => f.write_str("<td class=\"number\">")?,
            }
            let failures = self.failures.get(slot).copied().unwrap_or_default();
            write!(f, "<td class=\"number\">{failures}<td>")?;
            short(f, &key.to_string())?;
        }
        f.write_str("</tbody></table></div></section>")
    }

    fn certificates(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<section><h2>Last certificates</h2>")?;
        if self.certificates.is_empty() {
            return f.write_str("<p class=\"empty\">No payload has been certified here since the start.</p></section>");
        }
        f.write_str(
            "<div class=\"scroll\"><table id=\"certificates\"><thead><tr><th>When<th>Blob<th class=\"number\">Payload\
             <th>Dispersed<th class=\"number\">Signers<th class=\"number\">Took<th>Kept until</thead><tbody>",
        )?;
        for given in &self.certificates {
            let statement = &given.certificate.statement;
            write!(f, "<tr><td>{}<td>", Ago { at: given.at, now: self.now })?;
            short(f, &statement.blob.id().to_string())?;
            write!(
                f,
                "<td class=\"number\">{}<td class=\"short\">{}{}<td class=\"number\">{} of {}<td class=\"number\">{}<td class=\"short\">{}",
                Bytes(statement.blob.payload_length.into()),
                if statement.blob.is_by_payload() { "by payload" } else { "by shard" },
                match given.how {
                    How::Made => "",
                    How::Reused => ", before",
                    How::Joined => ", with another",
                },
                given.certificate.signer_slots().len(),
                statement.blob.total_shards,
                Took(given.took),
                utc(statement.retain_until).get(..10).unwrap_or_default(),
            )?;
        }
        f.write_str("</tbody></table></div></section>")
    }
}

/// How a member is, and why where it is not well: its own words among them.
fn state(f: &mut Formatter<'_>, seat: Option<&Seat>) -> fmt::Result {
    let (class, word, why) = match seat {
        Some(Seat::Storing { .. }) => ("good", "stores", None),
        Some(Seat::Reading { why, .. }) => ("poor", "only reads", Some(why)),
        Some(Seat::Away { why }) => ("bad", "away", Some(why)),
        None => ("bad", "not known", None),
    };
    write!(f, "<span class=\"state {class}\">{word}</span>")?;
    match why {
        Some(why) => write!(f, "<span class=\"why\">{}</span>", Text(why)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
