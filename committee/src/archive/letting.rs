//! Which copies on the disk are let go: those that are in the archive, the oldest first, when their time on the disk is over or
//! when the disk fills.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};

use super::{Archive, closed, failures::Failures, object, trouble::Error};
use crate::store::{Change, Kept};

/// When so many percent of the disk's budget are used, copies are let go,
const PRESSED: u64 = 80;
/// until no more than so many are.
pub(super) const EASED: u64 = 70;
/// Promises that are looked at at once.
const CHUNK: usize = 256;
/// Objects that are looked for at once.
const LOOKS: usize = 8;
/// When so many bytes, or copies, have been let go the disk is asked for their room.
const COMPACTED: u64 = 256 << 20;
const MOST_COMPACTED: usize = 16_384;

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Letting {
    /// Of all up to this place of the signing order nothing is on the disk that could be let go.
    place: u64,
    /// Since the disk was last asked for its room.
    gone: Vec<Kept>,
    bytes: u64,
    pressed: bool,
    /// The same, since somebody has taken note of it.
    freed: u64,
}

impl Letting {
    /// Lets go what is to be, where so much of the budget is used; tells whether there may be more of it.
    pub(super) async fn step(
        &mut self,
        archive: &Archive,
        failed: &mut Failures,
        (budget, used): (u64, u64),
        now: u64,
    ) -> Result<bool, Error> {
        let percent = |part: u64| budget / 100 * part;
        self.pressed = used > percent(if self.pressed { EASED } else { PRESSED });
        let need = if self.pressed { used.saturating_sub(percent(EASED)) } else { 0 };
        let keep_local = archive.settings.keep_local;
        if need == 0 && keep_local.is_none() {
            self.compact(archive).await?;
            return Ok(false);
        }
        // Behind that place are those that are yet to be archived.
        let (store, place, end) = (Arc::clone(&archive.store), self.place, archive.progress.place());
        let most = usize::try_from(end.saturating_sub(place)).unwrap_or(CHUNK).min(CHUNK);
        if most == 0 {
            self.compact(archive).await?;
            return Ok(false);
        }
        let looked = tokio::task::spawn_blocking(move || store.promised_after(place, most)).await.map_err(closed)??;
        let (items, last) = looked;
        let both = items.iter().filter(|item| !item.dropped && item.in_both_since().is_some()).count();
        let (mut ready, mut bytes) = (Vec::new(), 0u64);
        for item in items.iter().filter(|item| !item.dropped && item.in_both_since().is_some()) {
            if bytes < need || is_over(item, keep_local, now) {
                bytes += u64::from(item.length());
                ready.push(*item);
            }
        }
        let more = last > self.place && ready.len() == both;
        if more {
            self.place = last;
        }
        self.let_go(archive, failed, ready).await?;
        if !more || self.bytes >= COMPACTED || self.gone.len() >= MOST_COMPACTED {
            self.compact(archive).await?;
        }
        Ok(more)
    }

    /// Begins with the oldest once more: what was passed over may be archived by now.
    pub(super) fn again(&mut self) {
        self.place = 0;
    }

    /// Lets go of these, as far as the archive still has them.
    pub(super) async fn let_go(
        &mut self,
        archive: &Archive,
        failed: &mut Failures,
        items: Vec<Kept>,
    ) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        let bucket = archive.bucket()?;
        let mut looks = stream::iter(items)
            .map(|item| {
                let bucket = Arc::clone(&bucket);
                async move { (item, bucket.length(&object::name_of(&item)).await) }
            })
            .buffer_unordered(LOOKS)
            .boxed();
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        while let Some((item, length)) = looks.next().await {
            match length {
                Ok(length) if length > u64::from(item.length()) => there.push(item),
                Ok(_) | Err(Error::Missing { .. }) => gone.push(item),
                Err(error) => failed.add(archive, error).await?,
            }
        }
        if there.is_empty() && gone.is_empty() {
            return Ok(());
        }
        // By what was found in this archive, and not in what is in its place meanwhile.
        archive.confirm().await?;
        if !gone.is_empty() {
            tracing::error!(items = gone.len(), "archive.gone: they are on the disk, and are archived again");
            archive.store.change(Change::Gone(gone)).await?;
        }
        let bytes = there.iter().map(|item| u64::from(item.length())).sum::<u64>();
        self.gone.extend(&there);
        archive.store.change(Change::LetGo(there)).await?;
        self.bytes += bytes;
        self.freed += bytes;
        Ok(())
    }

    /// Asks the disk for the room of what was let go.
    pub(super) async fn compact(&mut self, archive: &Archive) -> Result<(), Error> {
        if self.gone.is_empty() {
            return Ok(());
        }
        let (store, gone) = (Arc::clone(&archive.store), std::mem::take(&mut self.gone));
        tracing::info!(items = gone.len(), bytes = std::mem::take(&mut self.bytes), "archive.let_go");
        tokio::task::spawn_blocking(move || store.compact(&gone)).await.map_err(closed)??;
        Ok(())
    }

    /// Bytes that were let go since this was asked last.
    pub(super) fn freed(&mut self) -> u64 {
        std::mem::take(&mut self.freed)
    }
}

/// Whether its time on the disk is over.
pub(super) fn is_over(item: &Kept, keep_local: Option<Duration>, now: u64) -> bool {
    match (item.in_both_since(), keep_local) {
        (Some(since), Some(span)) => since.saturating_add(span.as_secs()) <= now,
        _ => false,
    }
}
