//! The archive: where what a member keeps goes when it outgrows its disk.
//!
//! # Signed first, archived later
//!
//! What is stored goes to the disk, synced, and is signed for; nothing of that waits for the archive. The [`keeper`] brings it
//! there in the background, reads it back, checks it against its commitment, and only then may the copy on the disk be let go.
//!
//! # Right bytes or none
//!
//! What is read from the archive is checked against the root that the store has recorded, like what is read from the disk. "Could
//! not ask" is never "is not there": an object counts as missing only where the archive's marker is found beside it.
//!
//! # Nobody waits for another's reads
//!
//! Reads that calls ask for have a line for each origin, as reads of the disk have ([`crate::workers`]), and no origin has more than
//! half of what is read at once, in number and in memory. How long one may take follows from its length.

mod bucket;
mod failures;
mod folder;
mod keeper;
mod letting;
mod marker;
mod object;
mod progress;
mod restore;
mod shares;
mod sweep;
#[cfg(test)]
mod tools;
mod trouble;
mod upload;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use holdfast_certificate::PublicKey;
use holdfast_erasure::BlobId;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use bucket::Bucket;
use progress::Progress;
use shares::Shares;
use trouble::Error;

use crate::{
    config,
    origin::Origin,
    store::{self, Kept, Store, held_key},
    workers::Queue,
};

pub(crate) use keeper::run;
pub(crate) use progress::View;
pub use restore::Found;
pub(crate) use restore::restore;
#[cfg(test)]
pub(crate) use tools::{forge, press};
pub(crate) use trouble::Trouble;

/// Reads from the archive at once.
const READS: usize = 8;
/// Memory for what is being read, in KiB. An object that is larger takes all of it.
const READ_MEMORY: u32 = config::ARCHIVE_READ_KIB;
/// Memory for what is brought there and read back, in KiB.
const SEND_MEMORY: u32 = config::ARCHIVE_SEND_KIB;
/// How long whoever reads waits for it all: so long,
const READ_WITHIN: Duration = Duration::from_secs(8);
/// and longer by what the bytes take at this rate, 4 MiB a second,
const READ_LEAST: u64 = 4 << 20;
/// but no longer than this, which is less than a call of the bucket may take.
pub(crate) const READ_AT_MOST: Duration = Duration::from_secs(110);
/// How long the marker that was found counts as found.
const CONFIRMED: Duration = Duration::from_secs(300);

/// A member's archive.
#[derive(Debug)]
pub(crate) struct Archive {
    settings: config::Archive,
    key: PublicKey,
    store: Arc<Store>,
    bucket: Mutex<Option<Arc<Bucket>>>,
    /// When the marker was last found to be this store's.
    confirmed: Mutex<Option<Instant>>,
    reads: Queue,
    reading: Semaphore,
    /// The share of it that each origin has.
    shares: Shares,
    sending: Semaphore,
    progress: Progress,
}

impl Archive {
    /// The archive of these settings. Nothing is asked yet.
    pub(crate) fn new(settings: config::Archive, key: PublicKey, store: Arc<Store>) -> Self {
        Self {
            settings,
            key,
            store,
            bucket: Mutex::default(),
            confirmed: Mutex::default(),
            reads: Queue::of(READS, READS / 2),
            reading: Semaphore::new(READ_MEMORY as usize),
            shares: Shares::new(READ_MEMORY / 2),
            sending: Semaphore::new(SEND_MEMORY as usize),
            progress: Progress::default(),
        }
    }

    /// How it is with it.
    pub(crate) fn view(&self, now: u64) -> View {
        self.progress.view(&self.store, now)
    }

    /// A shard, or with `None` the whole payload, whose bytes are in the archive alone.
    ///
    /// # Errors
    ///
    /// [`store::Error::Archived`] where it cannot be asked now, [`store::Error::Damaged`] where it has it no more as it should be.
    pub(crate) async fn read(&self, id: &BlobId, index: Option<u16>) -> Result<Bytes, store::Error> {
        let what = || index.map_or_else(|| "the whole payload".to_owned(), |index| format!("shard {index}"));
        let away = || store::Error::Archived { id: *id, what: what(), index };
        let (store, key) = (Arc::clone(&self.store), held_key(id, index.unwrap_or(u16::MAX)));
        let kept = tokio::task::spawn_blocking(move || store.kept(&key));
        let kept = kept.await.map_err(|e| store::Error::Read(e.to_string()))??;
        let Some(kept) = kept.filter(Kept::is_archived) else { return Err(away()) };
        let within = read_within(kept.length());
        let fetched = timeout(within, self.fetch(&kept)).await;
        match fetched.unwrap_or_else(|_| Err(Error::Away(format!("no answer within {within:?}")))) {
            Ok(bytes) => {
                self.progress.read(true);
                Ok(bytes)
            }
            Err(Error::Missing { .. } | Error::Differs(_)) => Err(store::Error::Damaged {
                id: *id,
                what: what(),
                reason: "it is not in the archive as it was stored".into(),
            }),
            Err(error) => {
                self.progress.read(false);
                tracing::warn!(blob = %id, ?index, %error, "archive.read");
                Err(away())
            }
        }
    }

    /// What is kept, read from the archive and checked. What is not there, or is something else, twice and in an archive that is
    /// this store's, is noted as damaged, so that it is repaired.
    async fn fetch(&self, kept: &Kept) -> Result<Bytes, Error> {
        let bucket = self.bucket()?;
        let _turn = self.reads.turn().await.map_err(closed)?;
        let bytes = object::most(kept.length());
        let _share = self.shares.take(Origin::current(), kib(READ_MEMORY, bytes)).await?;
        let _memory = memory(&self.reading, READ_MEMORY, bytes).await?;
        let reason = match self.fetch_once(&bucket, kept).await {
            Err(reason @ (Error::Missing { .. } | Error::Differs(_))) => reason,
            other => return other,
        };
        self.confirm().await?;
        tracing::warn!(blob = %kept.id(), error = %reason, "archive.read: once more");
        match self.fetch_once(&bucket, kept).await {
            Err(reason @ (Error::Missing { .. } | Error::Differs(_))) => {
                // Stored anew meanwhile, perhaps.
                let (store, key) = (Arc::clone(&self.store), *kept.key());
                let now = tokio::task::spawn_blocking(move || store.kept(&key)).await.map_err(closed)??;
                if now == Some(*kept) && !kept.is_here() {
                    self.store.note_archive_damage(kept, &reason.to_string());
                }
                Err(reason)
            }
            other => other,
        }
    }

    async fn fetch_once(&self, bucket: &Bucket, kept: &Kept) -> Result<Bytes, Error> {
        let object = bucket.get(&object::name_of(kept), object::most(kept.length())).await?;
        let kept = *kept;
        let checked = tokio::task::spawn_blocking(move || object::data(&object.bytes, &kept)).await.map_err(closed)?;
        let data = checked.map_err(Error::Differs)?;
        self.store.forget_archive_damage(&kept);
        Ok(data)
    }

    /// Memory for what is sent, and for what comes back.
    async fn sending(&self, length: u32) -> Result<SemaphorePermit<'_>, Error> {
        memory(&self.sending, SEND_MEMORY, object::most(length).saturating_mul(2)).await
    }

    /// Makes sure that the archive is this store's, by the marker that is in it.
    async fn confirm(&self) -> Result<(), Error> {
        let confirmed = self.look().await;
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = confirmed.is_ok().then(Instant::now);
        confirmed
    }

    /// A folder that was unmounted, and is mounted again, is opened anew; what is in its place is not, without the marker.
    async fn look(&self) -> Result<(), Error> {
        let bucket = self.bucket()?;
        if bucket.is_there().await? {
            return marker::confirm(&bucket, &self.key, &self.store).await;
        }
        let found = Arc::new(Bucket::open(&self.settings)?);
        marker::confirm(&found, &self.key, &self.store).await?;
        *self.bucket.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(())
    }

    /// What was just found may be true no more.
    fn doubt(&self) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The same, unless it was looked at a moment ago.
    async fn confirm_sometimes(&self) -> Result<(), Error> {
        let last = *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < CONFIRMED) { Ok(()) } else { self.confirm().await }
    }

    fn bucket(&self) -> Result<Arc<Bucket>, Error> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = &*bucket {
            return Ok(Arc::clone(bucket));
        }
        let opened = Arc::new(Bucket::open(&self.settings)?);
        *bucket = Some(Arc::clone(&opened));
        Ok(opened)
    }

    #[cfg(test)]
    pub(crate) fn set_bucket(&self, store: Arc<dyn object_store::ObjectStore>) {
        *self.bucket.lock().expect("no panic") = Some(Arc::new(Bucket::over(store)));
    }
}

async fn memory(of: &Semaphore, all: u32, bytes: u64) -> Result<SemaphorePermit<'_>, Error> {
    of.acquire_many(kib(all, bytes)).await.map_err(closed)
}

fn kib(all: u32, bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(all).min(all)
}

/// How long a read of so many bytes may take.
fn read_within(length: u32) -> Duration {
    let bytes = Duration::from_millis(u64::from(length).saturating_mul(1000) / READ_LEAST);
    (READ_WITHIN + bytes).min(READ_AT_MOST)
}

fn closed(error: impl std::fmt::Display) -> Error {
    Error::Away(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_object_may_take_longer_and_none_longer_than_a_call_of_the_bucket() {
        assert_eq!(read_within(0), READ_WITHIN);
        assert_eq!(read_within(64 << 20), READ_WITHIN + Duration::from_secs(16));
        assert_eq!(read_within(u32::MAX), READ_AT_MOST);
    }
}
