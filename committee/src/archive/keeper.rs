//! What brings what is stored to the archive, for as long as the member runs.
//!
//! One task does all that writes to the archive, so that no object is removed while it is put there anew.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Archive, closed,
    failures::Failures,
    letting::Letting,
    sweep::{self, PERIOD},
    trouble::Error,
    upload::upload,
};
use crate::{
    attestor::Attestor,
    store::{Change, Kept},
};

/// Objects that are brought there at once.
const UPLOADS: usize = 4;
/// Promises that are looked at at once.
const CHUNK: usize = 64;
/// How long nothing is looked for when there was nothing.
const IDLE: Duration = Duration::from_secs(1);
/// The first pause after the archive failed, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How soon the next pass begins when something was left out: at first after [`FIRST_PAUSE`], each time after twice as long, and after
/// this at the latest.
const SOON: Duration = Duration::from_secs(600);

/// Keeps the archive, until `stop`.
pub(crate) async fn run(archive: Arc<Archive>, attestor: Arc<Attestor>, stop: CancellationToken) {
    let kept = async {
        let mut keeper = Keeper {
            archive,
            attestor,
            letting: Letting::default(),
            pass: None,
            next_pass: Instant::now(),
            begun: false,
            failed: Failures::default(),
            marred: false,
            left_out: 0,
        };
        let mut failures = 0u32;
        loop {
            let pause = match keeper.round().await {
                Ok(true) => {
                    failures = 0;
                    continue;
                }
                Ok(false) => {
                    failures = 0;
                    IDLE
                }
                Err(error) => {
                    keeper.archive.progress.fails(&error);
                    let pause = doubled(failures).min(LONGEST_PAUSE);
                    failures = failures.saturating_add(1);
                    pause
                }
            };
            sleep(pause).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = kept => {}
    }
}

struct Keeper {
    archive: Arc<Archive>,
    attestor: Arc<Attestor>,
    letting: Letting,
    /// The pass under way, and where it goes on.
    pass: Option<Option<[u8; 34]>>,
    /// When the next one begins.
    next_pass: Instant,
    /// It is known what was here at the start.
    begun: bool,
    /// What failed of single objects in this round.
    failed: Failures,
    /// Something was left out in the pass under way.
    marred: bool,
    /// In so many passes, one after the other, something was left out.
    left_out: u32,
}

impl Keeper {
    /// Does a little of everything; tells whether there is more to do.
    async fn round(&mut self) -> Result<bool, Error> {
        let now = self.attestor.clock.now();
        let last = {
            let store = Arc::clone(&self.archive.store);
            tokio::task::spawn_blocking(move || store.last_place()).await.map_err(closed)??
        };
        if !std::mem::replace(&mut self.begun, true) {
            // What was here before is found by the first pass.
            self.archive.progress.reached(last);
            self.archive.progress.behind(Some(now));
        }
        self.archive.progress.moment(last, now);
        // What cannot be recorded is not done.
        if self.archive.store.writable().is_err() {
            return Ok(false);
        }
        self.archive.confirm_sometimes().await?;
        let new = self.follow(now).await?;
        let swept = self.sweep(now).await?;
        let disk = &self.attestor.disk;
        let room = (disk.budget(), disk.used());
        let let_go = self.letting.step(&self.archive, &mut self.failed, room, now).await?;
        disk.let_go(self.letting.freed());
        match self.failed.take() {
            Some(error) => self.leave_out(&error),
            None if self.left_out == 0 => self.archive.progress.works(),
            None => {}
        }
        Ok(new || swept || let_go)
    }

    /// Archives what was promised since, once its disperser had the time to bring its certificate.
    async fn follow(&mut self, now: u64) -> Result<bool, Error> {
        let progress = &self.archive.progress;
        let (place, settled) = (progress.place(), progress.settled(now, self.attestor.policy.repair_delay.as_secs()));
        if settled <= place {
            return Ok(false);
        }
        let most = usize::try_from(settled - place).unwrap_or(CHUNK).min(CHUNK);
        let store = Arc::clone(&self.archive.store);
        let looked = tokio::task::spawn_blocking(move || store.promised_after(place, most)).await.map_err(closed)??;
        let (items, last) = looked;
        self.upload(items, now).await?;
        // A place in the order that is not there any more is passed over.
        self.archive.progress.reached(if last > place { last } else { settled });
        Ok(true)
    }

    /// A step of the pass over all that is kept.
    async fn sweep(&mut self, now: u64) -> Result<bool, Error> {
        if self.pass.is_none() && Instant::now() < self.next_pass {
            return Ok(false);
        }
        let after = *self.pass.get_or_insert_with(|| {
            self.next_pass = Instant::now() + PERIOD;
            self.marred = false;
            None
        });
        let period = self.attestor.policy.scrub_period;
        let step = sweep::step(&self.archive, &mut self.failed, after, period, now).await?;
        for chunk in step.upload.chunks(CHUNK) {
            self.upload(chunk.to_vec(), now).await?;
        }
        self.letting.let_go(&self.archive, &mut self.failed, step.let_go).await?;
        self.pass = step.next.map(Some);
        if self.pass.is_none() {
            if !self.marred && self.failed.is_none() {
                self.left_out = 0;
            }
            self.archive.progress.behind(None);
            self.letting.again();
            self.letting.compact(&self.archive).await?;
        }
        Ok(self.pass.is_some())
    }

    /// Something was left out, and is looked for again soon.
    fn leave_out(&mut self, error: &Error) {
        self.archive.progress.fails(error);
        self.marred = true;
        self.next_pass = self.next_pass.min(Instant::now() + doubled(self.left_out).min(SOON));
        self.left_out = self.left_out.saturating_add(1);
    }

    /// Archives these.
    async fn upload(&mut self, items: Vec<Kept>, now: u64) -> Result<(), Error> {
        let items = items.into_iter().filter(|item| !item.dropped && !item.is_archived());
        let (archive, attestor) = (&*self.archive, &*self.attestor);
        let mut uploads =
            stream::iter(items).map(|item| upload(archive, attestor, item)).buffer_unordered(UPLOADS).boxed();
        let mut stored = Vec::new();
        while let Some(uploaded) = uploads.next().await {
            match uploaded {
                Ok(item) => stored.extend(item),
                Err(error) => self.failed.add(archive, error).await?,
            }
        }
        drop(uploads);
        if stored.is_empty() {
            return Ok(());
        }
        // What was read back was read back from this archive, and not from what is in its place meanwhile.
        archive.confirm().await?;
        let bytes: u64 = stored.iter().map(|(item, _)| u64::from(item.length())).sum();
        tracing::debug!(objects = stored.len(), bytes, "archive.stored");
        archive.store.change(Change::Stored(stored, now)).await?;
        Ok(())
    }
}

/// The first pause, doubled so often.
fn doubled(times: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2u32.saturating_pow(times))
}
