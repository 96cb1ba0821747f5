//! The status page, from what there is to see.

use std::fmt::{self, Display, Formatter};

use holdfast_registry::Finality;
use holdfast_transport::page::{self, Ago, Bytes, Span, Text, Verdict, short, tile, utc};

use crate::{
    repair::{Ended, How},
    report::Status,
};

/// Days of obligations that have a line of their own; what ends later is one line.
const MOST_DAYS: usize = 31;
const DAY: u64 = 86_400;
/// A certificate that ends within so many days is no longer well.
const TLS_DAYS: u64 = 14;

/// What there is to see, as HTML.
#[derive(Clone, Debug)]
pub(super) struct View(pub(super) Status);

impl Display for View {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        page::begin(f, "Holdfast member", self.verdict())?;
        self.place(f)?;
        f.write_str("</header><main>")?;
        for (class, note) in self.notes() {
            write!(f, "<p class=\"note {class}\">{}</p>", Text(&note))?;
        }
        self.tiles(f)?;
        self.services(f)?;
        self.obligations(f)?;
        self.repairs(f)?;
        page::end(f, self.0.now)
    }
}

impl View {
    fn verdict(&self) -> Verdict {
        let status = &self.0;
        let serves = |name: &str| status.serving.iter().any(|(service, serving)| service.ends_with(name) && *serving);
        if !serves("Retrieval") {
            return ("bad", "Stopping");
        }
        match (status.drained, serves("Dispersal") && status.why.is_none()) {
            (true, _) => ("poor", "Drained: reads only"),
            (false, false) => ("bad", "Signs nothing: reads only"),
            (false, true) if status.damaged > 0 || status.lost_at.is_some() || status.twin.is_some() => {
                ("poor", "Signs, with trouble")
            }
            (false, true) => ("good", "Stores and signs"),
        }
    }

    fn place(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Status { epoch, slot, chain_id, key, .. } = &self.0;
        f.write_str("<p class=\"where\">")?;
        match (epoch, slot) {
            (0, _) => f.write_str("no epoch is active")?,
            (epoch, Some(slot)) => write!(f, "slot {slot} of epoch {epoch}")?,
            (epoch, None) => write!(f, "no slot in epoch {epoch}")?,
        }
        match chain_id {
            0 => f.write_str(" of a committee file")?,
            chain => write!(f, " on chain {chain}")?,
        }
        f.write_str(" · key ")?;
        short(f, key)?;
        f.write_str("</p>")
    }

    /// What is not as it should be.
    fn notes(&self) -> Vec<(&'static str, String)> {
        let status = &self.0;
        let mut notes = Vec::new();
        if let Some(why) = &status.why {
            notes.push(("bad", format!("It signs nothing: {why}")));
        }
        if status.drained {
            let under_way = status.under_way;
            notes.push((
                "poor",
                format!("Its operator drains it: it takes nothing new, {under_way} statements are under way"),
            ));
        }
        if let Some(until) = status.held_until {
            let until = if until == u64::MAX { "its operator says otherwise".to_owned() } else { utc(until) };
            notes.push(("poor", format!("By its operator's order nothing is dropped until {until}")));
        }
        if let Some(at) = status.lost_at {
            notes.push(("bad", format!("What it signed before {} may be lost, and is being got back", utc(at))));
        }
        if status.damaged > 0 {
            notes.push(("bad", format!("{} items were found damaged and are not whole again", status.damaged)));
        }
        if let Some(trouble) = status.archive.and_then(|archive| archive.trouble) {
            notes.push(("poor", format!("The archive: {trouble}")));
        }
        if let Some(twin) = &status.twin {
            notes.push(("bad", format!("Another process answers with this member's key at {twin}")));
        }
        if let Some(Finality { dissenters, failure, stalled, .. }) = &status.finality {
            notes.extend(dissenters.iter().map(|node| ("poor", format!("The L1 node {node} contradicts the others"))));
            notes.extend(failure.iter().map(|failure| ("poor", format!("L1: {failure}"))));
            if *stalled {
                notes.push(("poor", "L1 finalizes nothing".to_owned()));
            }
        }
        match status.tls_ends.map(|end| end.saturating_sub(status.now) / DAY) {
            Some(days) if days < TLS_DAYS => notes.push(("poor", format!("The TLS certificate ends in {days} days"))),
            _ => {}
        }
        notes
    }

    fn tiles(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let status = &self.0;
        let now = status.now;
        f.write_str("<dl class=\"tiles\">")?;
        tile(f, "Held", &Bytes(status.stored).to_string(), &format!("{} blobs", status.blobs))?;
        let used = (status.stored.saturating_mul(100)).checked_div(status.disk_budget).unwrap_or(0);
        tile(f, "Disk budget", &Bytes(status.disk_budget).to_string(), &format!("{used} % used"))?;
        let free = status.disk_free.map_or_else(|| "unknown".to_owned(), |free| Bytes(free).to_string());
        tile(f, "Disk", &free, "free")?;
        if let Some(archive) = &status.archive {
            let waiting = format!("archived, {} wait", Bytes(archive.waiting_bytes));
            tile(f, "Archive", &Bytes(archive.bytes).to_string(), &waiting)?;
        }
        match status.tls_ends {
            Some(end) => tile(f, "TLS certificate", &Span(end.saturating_sub(now)).to_string(), "left")?,
            None => tile(f, "TLS certificate", "none", "plain text")?,
        }
        match &status.finality {
            Some(finality) => {
                let age = Span(now.saturating_sub(finality.timestamp)).to_string();
                tile(f, "Finalized L1 block", &age, &format!("old, number {}", finality.block))?;
                let dissenting = finality.dissenters.len();
                tile(f, "L1 nodes", &dissenting.to_string(), "contradict the others")?;
            }
            None => tile(f, "L1", "none", "a committee file")?,
        }
        tile(f, "Connections", &status.connections.to_string(), &format!("{} stores under way", status.under_way))?;
        match status.scrubbed_at {
            0 => tile(f, "Last scrub", "none", "has ended")?,
            at => tile(f, "Last scrub", &Ago { at, now }.to_string(), "all read and checked")?,
        }
        tile(f, "Runs for", &Span(now.saturating_sub(status.started)).to_string(), "since the start")?;
        f.write_str("</dl>")
    }

    fn services(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<section><h2>Health</h2><table id=\"health\"><thead><tr><th>Service<th>State</thead><tbody>")?;
        for (name, serving) in &self.0.serving {
            let name = if name.is_empty() { "the member as a whole" } else { name };
            let (class, word) = if *serving { ("good", "serving") } else { ("bad", "not serving") };
            write!(f, "<tr><td><code>{name}</code><td><span class=\"state {class}\">{word}</span>")?;
        }
        f.write_str("</tbody></table></section>")
    }

    fn obligations(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<section><h2>Obligations</h2>")?;
        let days = &self.0.days;
        if days.is_empty() {
            return f.write_str("<p class=\"empty\">Nothing is promised.</p></section>");
        }
        let most = days.iter().map(|(_, bytes)| *bytes).max().unwrap_or(1).max(1);
        f.write_str(
            "<div class=\"scroll\"><table id=\"obligations\"><thead><tr><th>Ends on<th class=\"number\">Bytes<th></thead><tbody>",
        )?;
        for (day, bytes) in days.iter().take(MOST_DAYS) {
            let width = bytes.saturating_mul(100) / most;
            write!(
                f,
                "<tr><td class=\"short\">{}<td class=\"number\">{}<td><svg class=\"bar\" viewBox=\"0 0 100 8\" \
                 preserveAspectRatio=\"none\"><rect class=\"put\" width=\"{width}\" height=\"8\"/></svg>",
                utc(*day).get(..10).unwrap_or_default(),
                Bytes(*bytes)
            )?;
        }
        let later: u64 = days.iter().skip(MOST_DAYS).map(|(_, bytes)| *bytes).sum();
        if later > 0 {
            write!(f, "<tr><td>later<td class=\"number\">{}<td>", Bytes(later))?;
        }
        f.write_str("</tbody></table></div></section>")
    }

    fn repairs(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (progress, repairs) = (&self.0.repair, &self.0.repairs);
        write!(
            f,
            "<section><h2>Repairs</h2><p class=\"empty\">{} queued ({}), {} set aside, {} made whole since the start</p>",
            progress.count.queued,
            Bytes(progress.count.queued_bytes),
            progress.count.aside,
            progress.repaired
        )?;
        if !repairs.is_empty() {
            f.write_str(
                "<div class=\"scroll\"><table id=\"repairs\"><thead><tr><th>When<th>Blob<th>Outcome</thead><tbody>",
            )?;
        }
        for Ended { at, blob, how } in repairs {
            write!(f, "<tr><td>{}<td>", Ago { at: *at, now: self.0.now })?;
            short(f, &blob.to_string())?;
            match how {
                How::Whole { bytes } => {
                    write!(f, "<td><span class=\"state good\">whole</span><span class=\"why\">{} fetched</span>", Bytes(*bytes))?;
                }
                How::Unfillable => f.write_str(
                    "<td><span class=\"state bad\">unfillable</span><span class=\"why\">its disperser lied about this position</span>",
                )?,
                How::Nowhere(why) => {
                    write!(f, "<td><span class=\"state bad\">set aside</span><span class=\"why\">{}</span>", Text(why))?;
                }
            }
        }
        if !repairs.is_empty() {
            f.write_str("</tbody></table></div>")?;
        }
        f.write_str("</section>")
    }
}

#[cfg(test)]
mod tests;
