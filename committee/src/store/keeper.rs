//! What has the database, in a thread of its own: it lets the writer work, and opens the database anew after a failed write.
//!
//! # Only what is written anew and synced counts
//!
//! After a sync that failed, the system may call pages clean that never came to the disk, and a second sync of the same file
//! says that all is well. So nothing is synced again that a failed sync was to cover. What the logs say is read, checked, and
//! written into new tables; the manifest is written anew, and the mark once more; each is synced before a log is let go of.
//! RocksDB does so whenever it opens a database to write it. What it reads from the system's memory is the right bytes, by the
//! checksum of each record, whether or not the disk has them; so no copy is thrown away in order to look at the disk.
//!
//! # Nothing is closed that cannot be opened
//!
//! As long as the disk cannot be written, the database that is open stays open, and is read. It is closed when a file could be
//! written, synced and read back beside it, a start would find all that was signed, and there is room for that start. Where it
//! cannot be written all the same, it is opened to be read.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    Error, Identity,
    database::{Access, Legacy, Opened},
    disabled::Disabled,
    ground::Ground,
    read,
    writer::{End, Job, Shared, Writer},
};

/// How long those who are reading may take to end before it is given up to close the database under them.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(2);

/// What it takes to open the database anew.
pub(super) struct Keeper {
    pub(super) ground: Ground,
    pub(super) identity: Option<Identity>,
    pub(super) legacy: Legacy,
    pub(super) shared: Arc<Shared>,
}

impl Keeper {
    /// Finishes what a crash cut off, and makes the database that of readers and of a writer.
    pub(super) fn begin(&self, opened: Opened) -> Result<Writer, Error> {
        let Opened { database, closed, mark, read_only, .. } = opened;
        let database = Arc::new(database);
        let dropped = database.dropped()?;
        if self.identity.is_some() && read_only.is_none() {
            // A crash can have come between the record of a drop and the drop.
            for bucket in database.buckets().into_iter().filter(|bucket| dropped.has(*bucket)) {
                database.drop_bucket(bucket).map_err(|e| Error::opening(self.ground.dir(), &e))?;
            }
        }
        let seal = self.ground.seal(mark.filter(|_| read_only.is_none()))?;
        let writer = Writer {
            next_sequence: read::last_sequence(&database)? + 1,
            database: Arc::clone(&database),
            shared: Arc::clone(&self.shared),
            seal,
            room: self.ground.room(),
            dropped,
        };
        let disabled = read_only.map_or_else(Disabled::counting, |reason| Disabled::by(&reason));
        *self.shared.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(closed);
        self.shared.counted.store(false, Ordering::SeqCst);
        self.shared.current.set(database);
        self.shared.disabled.send_replace(Some(disabled));
        Ok(writer)
    }

    /// Runs until the store is closed, or nobody has it any more.
    pub(super) async fn run(mut self, writer: Writer, mut jobs: mpsc::Receiver<Job>) {
        let mut writer = Some(writer);
        loop {
            let end = match &mut writer {
                Some(writer) => writer.run(&mut jobs).await,
                None => self.refuse(&mut jobs).await,
            };
            match end {
                End::Reopen(reply) => {
                    let _gone = reply.send(self.reopen(&mut writer).await);
                }
                End::Stop(reply) => {
                    drop(writer);
                    let _gone = reply.send(());
                    return;
                }
                End::Abandoned => return,
            }
        }
    }

    /// Where no database is open nothing is done.
    async fn refuse(&self, jobs: &mut mpsc::Receiver<Job>) -> End {
        loop {
            match jobs.recv().await {
                None => return End::Abandoned,
                Some(Job::Reopen(reply)) => return End::Reopen(reply),
                Some(Job::Stop(reply)) => return End::Stop(reply),
                Some(job) => job.refuse(self.shared.writable().err().unwrap_or(Error::Reopening)),
            }
        }
    }

    /// Closes the database and opens it anew, if that is worth a try. On an error nothing is written, and it is read as before
    /// where it can be.
    async fn reopen(&mut self, writer: &mut Option<Writer>) -> Result<(), Error> {
        if writer.is_some() && self.shared.disabled.borrow().as_ref().is_none_or(Disabled::is_counting) {
            return Ok(());
        }
        // Looked at while it is open: only where this shows nothing missing is it closed.
        self.ground.look(self.legacy.id())?;
        if let Some(open) = writer.take() {
            self.release(open).await.map_err(|kept| {
                let (kept, error) = *kept;
                *writer = Some(kept);
                error
            })?;
        }
        self.shared.openings.fetch_add(1, Ordering::SeqCst);
        let started = Instant::now();
        let opened = self.shared.faults.open().map_err(Error::Read).and_then(|()| self.open(Access::Write));
        match opened {
            Ok(begun) => {
                *writer = Some(begun);
                tracing::warn!(seconds = started.elapsed().as_secs_f64(), "store.reopened");
                match &*self.shared.disabled.borrow() {
                    Some(disabled) if !disabled.is_counting() => Err(disabled.error()),
                    _ => Ok(()),
                }
            }
            Err(error) => {
                tracing::error!(%error, "store.reopen: it is opened to be read");
                *writer = self.open(Access::Read(error.to_string())).map(Some).inspect_err(|error| {
                    tracing::error!(%error, "store.reopen: nothing can be read until it is opened");
                    self.shared.disabled.send_replace(Some(Disabled::by(&error.to_string())));
                })?;
                Err(error)
            }
        }
    }

    fn open(&mut self, access: Access) -> Result<Writer, Error> {
        if self.shared.closing.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        let opened = self.ground.open_anew(self.identity.as_ref(), access, &self.legacy)?;
        self.legacy = Legacy::of(&opened.database, self.legacy.id());
        self.begin(opened)
    }

    /// Closes the database once nobody reads it; gives it back where somebody goes on reading.
    async fn release(&self, writer: Writer) -> Result<(), Box<(Writer, Error)>> {
        self.shared.current.take();
        writer.database.halt(true);
        let deadline = Instant::now() + PATIENCE;
        while Arc::strong_count(&writer.database) > 1 {
            let error = if self.shared.closing.load(Ordering::SeqCst) {
                Error::Closed
            } else if Instant::now() > deadline {
                Error::Read(format!("it is still being read after {PATIENCE:?}"))
            } else {
                std::thread::sleep(LOOK);
                continue;
            };
            writer.database.halt(false);
            self.shared.current.set(Arc::clone(&writer.database));
            return Err(Box::new((writer, error)));
        }
        drop(writer);
        let closed = self.shared.closed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(closed) = closed {
            // An error is what says so: nothing is ever sent.
            let _closed = closed.await;
        }
        Ok(())
    }
}
