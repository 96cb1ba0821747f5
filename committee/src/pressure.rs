//! What the process really has of memory and disk, against what it may have: the bounds of memory's parts are added up
//! beforehand ([`crate::config::Memory`]), and this is for what nobody has thought of.
//!
//! # Bounded by what is there, not only by what is counted
//!
//! Above seven eighths of `limits.memory_mib` nothing new is taken from strangers until there is room again. Whoever has
//! brought data, health and `GetInfo` are served.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{allocator, process, rpc::Shared};

/// How often it is looked: at 1 Gbit/s 32 MiB come in that time.
const LOOK: Duration = Duration::from_millis(250);
/// How often the allocator is asked to give back what it keeps.
const TRIM: Duration = Duration::from_secs(10);

/// How often the store's files are measured.
const MEASURE: Duration = Duration::from_secs(10);

/// Measures what the store's files take of the disk, until the member stops.
pub(crate) async fn measure_disk(shared: Arc<Shared>, stop: CancellationToken) {
    while tokio::time::timeout(MEASURE, stop.cancelled()).await.is_err() {
        let shared = Arc::clone(&shared);
        let measured = tokio::task::spawn_blocking(move || shared.attestor.disk.measure(&shared.host.data_dir)).await;
        if measured.is_err() {
            return;
        }
    }
}

/// Looks at the memory until the member stops.
pub(crate) async fn watch(shared: Arc<Shared>, stop: CancellationToken) {
    let most = shared.memory.process as u64;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trimmed: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        let Some(resident) = process::resident() else { return };
        // From half on, what was freed and is still kept is given back before anybody is refused for it.
        if resident > most / 2 && trimmed.is_none_or(|at| at.elapsed() >= TRIM) {
            trimmed = Some(Instant::now());
            let _trimmed = tokio::task::spawn_blocking(allocator::trim).await;
        }
        let full = resident > most / 8 * 7;
        if full != shared.full.swap(full, Ordering::Relaxed) {
            if full {
                tracing::warn!(resident, most, "memory.full: nothing new is taken from strangers");
            } else {
                tracing::info!(resident, most, "memory.room");
            }
        }
    }
}
