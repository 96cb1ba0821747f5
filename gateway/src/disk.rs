//! Payloads on disk: a bounded cache that may be removed, fill up or be damaged at any time.
//!
//! ```text
//! file: "holdfast cache 1" | blob as JSON, its length 4 big-endian before it | keccak256 of the payload 32 | payload
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use holdfast_erasure::{Blob, keccak256};
use moka::{notification::RemovalCause, policy::EvictionPolicy, sync::Cache};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::{
    config::MIB,
    cpu::off_thread,
    metrics::Metrics,
    payload::{Payload, Place},
};

const MAGIC: &[u8; 16] = b"holdfast cache 1";
/// Writes under way at once; what comes on top is not kept.
const MAX_WRITES: usize = 4;
/// How long nothing is written after a write has failed.
const PAUSE: Duration = Duration::from_secs(30);
/// The largest description of a blob.
const MAX_BLOB_BYTES: u32 = 4096;
/// File systems give out space in blocks.
const BLOCK_BYTES: u64 = 4096;

/// The cache.
///
/// # Right bytes or none
///
/// Every payload is hashed when it is read back. A damaged file is removed and counts as absent.
///
/// # Never in the way
///
/// A write that fails, or would have to wait, is a payload that is not kept; nothing else changes.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    folder: Arc<Path>,
    /// Bytes of each file; what falls out is removed from the folder.
    index: Cache<Place, u32>,
    writes: Arc<Semaphore>,
    paused: Arc<Mutex<Option<Instant>>>,
    tasks: TaskTracker,
    number: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
}

impl Disk {
    /// Opens the folder, takes what an earlier gateway left in it, and removes what is no payload of it.
    pub(crate) fn open(folder: &Path, mib: u64, tasks: TaskTracker, metrics: Arc<Metrics>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder: Arc<Path> = folder.into();
        let of = Arc::clone(&folder);
        let index = Cache::builder()
            .max_capacity(mib.saturating_mul(MIB))
            .weigher(|_, bytes: &u32| *bytes)
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |place: Arc<Place>, _, cause| {
                if cause != RemovalCause::Replaced {
                    remove(&of.join(place.name()));
                }
            })
            .build();
        let disk = Self {
            folder,
            index,
            writes: Arc::new(Semaphore::new(MAX_WRITES)),
            paused: Arc::default(),
            tasks,
            number: Arc::default(),
            metrics,
        };
        disk.scan()?;
        Ok(disk)
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.index.weighted_size()
    }

    /// The payload, if it lies there intact.
    pub(crate) async fn read(&self, place: Place) -> Option<Payload> {
        self.index.get(&place)?;
        let path = self.folder.join(place.name());
        let read = off_thread(move || load(&path, place)).await;
        match read {
            Ok(Ok(payload)) => Some(payload),
            Ok(Err(error)) => {
                tracing::warn!(?place, %error, "a cached payload cannot be used and is removed");
                self.metrics.cache_failed();
                self.index.invalidate(&place);
                None
            }
            Err(_) => None,
        }
    }

    /// Keeps a payload, some time later, unless the disk is busy or failing.
    pub(crate) fn write(&self, payload: Payload) {
        let place = Place::of(&payload.blob);
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else { return };
        if self.index.contains_key(&place) || self.is_paused() {
            return;
        }
        let this = self.clone();
        self.tasks.spawn_blocking(move || {
            let _permit = permit;
            match this.store(place, &payload) {
                Ok(bytes) => this.index.insert(place, bytes),
                Err(error) => {
                    tracing::warn!(%error, folder = %this.folder.display(), "the disk cache cannot be written; pausing");
                    this.metrics.cache_failed();
                    *this.paused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
            }
            this.index.run_pending_tasks();
        });
    }

    fn is_paused(&self) -> bool {
        let paused = *self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.is_some_and(|since| since.elapsed() < PAUSE)
    }

    fn store(&self, place: Place, payload: &Payload) -> io::Result<u32> {
        let path = self.folder.join(place.name());
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let unfinished = path.with_extension(format!("{}-{number}.new", std::process::id()));
        let blob = serde_json::to_vec(&payload.blob)?;
        let length = u32::try_from(blob.len()).map_err(io::Error::other)?;
        let digest = keccak256(&payload.bytes);
        let parts: [&[u8]; 5] = [MAGIC, &length.to_be_bytes(), &blob, digest.as_bytes(), &payload.bytes];
        let written = fs::File::create_new(&unfinished).and_then(|mut file| {
            parts.iter().try_for_each(|part| io::Write::write_all(&mut file, part))?;
            // Whole or not there: a file that a crash cut short must not stand under its name.
            fs::rename(&unfinished, &path)
        });
        if let Err(error) = written {
            remove(&unfinished);
            return Err(error);
        }
        Ok(weight(parts.iter().map(|part| part.len() as u64).sum()))
    }

    fn scan(&self) -> io::Result<()> {
        let mut kept: Vec<(SystemTime, Place, u32)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (name, metadata) = (entry.file_name(), entry.metadata()?);
            if !metadata.is_file() {
                continue;
            }
            match name.to_str().and_then(Place::parse) {
                Some(place) => kept.push((metadata.modified()?, place, weight(metadata.len()))),
                // Only what a gateway that was killed had begun: the folder may hold somebody else's files.
                None if name.to_str().is_some_and(|name| name.ends_with(".new")) => remove(&entry.path()),
                None => {}
            }
        }
        kept.sort_by_key(|(modified, ..)| *modified);
        for (_, place, bytes) in kept {
            self.index.insert(place, bytes);
        }
        self.index.run_pending_tasks();
        Ok(())
    }
}

fn load(path: &Path, place: Place) -> io::Result<Payload> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut rest = Bytes::from(fs::read(path)?);
    let mut take = |count: usize| {
        if rest.len() < count { Err(damaged("it is cut short")) } else { Ok(rest.split_to(count)) }
    };
    if take(MAGIC.len())? != MAGIC.as_slice() {
        return Err(damaged("it is of another version"));
    }
    let length = u32::from_be_bytes(take(4)?.as_ref().try_into().map_err(|_| damaged("it is cut short"))?);
    if length > MAX_BLOB_BYTES {
        return Err(damaged("its blob is too long"));
    }
    let blob: Blob = serde_json::from_slice(&take(length as usize)?)?;
    let digest = take(32)?;
    if Place::of(&blob) != place || u64::from(blob.payload_length) != rest.len() as u64 {
        return Err(damaged("it is another blob"));
    }
    let got = keccak256(&rest);
    if got.as_bytes() != digest.as_ref() || (blob.is_by_payload() && got != blob.payload_digest) {
        return Err(damaged("its payload is damaged"));
    }
    Ok(Payload { blob, bytes: rest })
}

fn weight(bytes: u64) -> u32 {
    u32::try_from(bytes.next_multiple_of(BLOCK_BYTES)).unwrap_or(u32::MAX)
}

fn remove(path: &PathBuf) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, file = %path.display(), "a cached payload cannot be removed");
    }
}

#[cfg(test)]
mod tests;
