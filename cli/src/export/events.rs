//! Reading on in the publish events of L1.

use std::collections::BTreeSet;

use holdfast_certificate::{Domain, Namespace};
use holdfast_erasure::BlobId;
use holdfast_registry::{self as registry, Registry, Since};

use super::follow::{Chain, Follow};
use crate::{
    bundle::{
        Bundle, Read,
        index::{self, Published},
    },
    target,
};

/// Of so many epochs, counted from the first, one tells when the registry began.
const FIRST_EPOCHS: u64 = 64;

/// What is left of a page that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    More,
    Nothing,
    /// There is no L1.
    NoChain,
}

/// Makes list and place fit each other. What was appended and not noted is taken back, to be read again; where the place is
/// lost, or the list shorter than it was, the place follows from the list: it has everything up to its last line.
pub(super) fn restore(
    bundle: &Bundle,
    domain: &Domain,
    (follow, held, now): (&mut Follow, &BTreeSet<BlobId>, u64),
) -> anyhow::Result<()> {
    let file = bundle.published_file();
    let length = std::fs::metadata(&file).map_or(0, |found| found.len());
    match follow.l1 {
        Some(Chain { bytes, .. }) if length == bytes => return Ok(()),
        Some(Chain { bytes, .. }) if length > bytes => {
            index::append(&file, bytes, "")?;
            return Ok(());
        }
        None if length == 0 => return Ok(()),
        Some(_) | None => {}
    }
    let mut lines = index::read(&file, index::published)?.lines;
    let sound = 1 + lines.windows(2).take_while(|two| two[0].place() < two[1].place()).count();
    lines.truncate(sound);
    let last = lines.last().map(|line| line.block);
    // Of its last block there may be more.
    lines.retain(|line| Some(line.block) != last);
    let text = text(&lines)?;
    target::write(&file, text.as_bytes())?;
    follow.l1 = last.map(|next| Chain { next, published: lines.len() as u64, bytes: text.len() as u64 });
    for line in lines {
        if !held.contains(&line.blob_id) || !bundle.proves(domain, &line) {
            follow.publish(line, now);
        }
    }
    Ok(())
}

/// Reads one page more into the list, and takes down what is not in the folder.
pub(super) async fn page(
    registry: &dyn Registry,
    namespace: Namespace,
    bundle: &Bundle,
    (follow, held, now): (&mut Follow, &BTreeSet<BlobId>, u64),
    epochs: &mut BTreeSet<u64>,
) -> anyhow::Result<Left> {
    let since = match follow.l1 {
        Some(chain) => Since::Block(chain.next),
        None => Since::Time(beginning(registry).await?),
    };
    let Some(page) = registry.published(&[namespace], since).await? else { return Ok(Left::NoChain) };
    let Chain { published, bytes, .. } = follow.l1.unwrap_or(Chain { next: 0, published: 0, bytes: 0 });
    let lines: Vec<Published> = page.events.iter().map(Published::from).collect();
    let bytes = match lines.is_empty() {
        true => bytes,
        false => index::append(&bundle.published_file(), bytes, &text(&lines)?)?,
    };
    follow.l1 = Some(Chain { next: page.next, published: published + lines.len() as u64, bytes });
    for line in lines {
        epochs.insert(line.epoch);
        // What is there and has its certificate is in place, now that the list has the event.
        if !held.contains(&line.blob_id) || !bundle.proves(&registry.domain(), &line) {
            follow.publish(line, now);
        }
    }
    Ok(if page.next <= page.finalized { Left::More } else { Left::Nothing })
}

/// What a bundle's head says of it.
pub(super) fn read(follow: &Follow) -> Option<Read> {
    follow.l1.map(|chain| Read { through: chain.next.saturating_sub(1), published: chain.published })
}

/// No certificate is good, so none was published, before the first epoch.
pub(crate) async fn beginning(registry: &dyn Registry) -> Result<u64, registry::Error> {
    for epoch in 1..=FIRST_EPOCHS {
        match registry.epoch(epoch).await {
            Ok(record) => return Ok(record.active_from),
            // One that was cancelled.
            Err(registry::Error::UnknownEpoch { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(0)
}

fn text(lines: &[Published]) -> anyhow::Result<String> {
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line)?;
        text.push('\n');
    }
    Ok(text)
}
