//! What the member's operator has ordered: to take nothing new, to drop nothing, to look through the store, to log more or less.

use std::{
    fmt::Debug,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::files;

/// The file, in the store's folder, with the time until which nothing is dropped.
const FILE: &str = "hold.json";
/// The longest hold, in seconds from now, as a guardian's on L1: who wants more says so again in time.
pub(crate) const LONGEST_HOLD: u64 = 90 * 86_400;

/// What a peer is told while the member takes nothing new.
pub(crate) const DRAINED: &str = "this member takes nothing new: its operator drains it";

/// Which lines are logged, to be asked for and changed while the member runs.
pub trait LogControl: Debug + Send + Sync {
    /// The filter in force.
    fn filter(&self) -> String;

    /// Takes another one.
    ///
    /// # Errors
    ///
    /// What is wrong with it; the one in force stays.
    fn set_filter(&self, filter: &str) -> Result<(), String>;

    /// Spans that no collector has taken, since the start.
    fn spans_lost(&self) -> u64 {
        0
    }
}

/// Orders, and what of them is being done.
#[derive(Debug)]
pub(crate) struct Operator {
    drained: watch::Sender<bool>,
    /// Statements that are being stored and signed.
    under_way: Arc<AtomicUsize>,
    hold: Hold,
    scrub: Asked,
    log: Option<Arc<dyn LogControl>>,
}

/// One that is being stored or signed.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<AtomicUsize>);

/// Until when nothing is dropped; it outlives the process.
#[derive(Debug)]
struct Hold {
    until: AtomicU64,
    file: PathBuf,
    writing: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Held {
    until: u64,
}

/// A pass over the store that was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    now: watch::Sender<bool>,
    passes: AtomicU64,
}

impl Operator {
    /// Of a member with its store in `folder`.
    pub(crate) fn new(folder: &Path, log: Option<Arc<dyn LogControl>>) -> Self {
        Self {
            drained: watch::Sender::new(false),
            under_way: Arc::default(),
            hold: Hold::read(folder.join(FILE)),
            scrub: Asked { now: watch::Sender::new(false), passes: AtomicU64::new(0) },
            log,
        }
    }

    /// Takes one more statement, unless it was ordered to take none.
    pub(crate) fn begin(&self) -> Option<UnderWay> {
        // Counted first: whoever sees none after an order knows that none will come.
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let counted = UnderWay(Arc::clone(&self.under_way));
        (!self.is_drained()).then_some(counted)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    pub(crate) fn is_drained(&self) -> bool {
        *self.drained.borrow()
    }

    /// Tells when that changes.
    pub(crate) fn drained(&self) -> watch::Receiver<bool> {
        self.drained.subscribe()
    }

    pub(crate) fn drain(&self, drained: bool) {
        if self.drained.send_replace(drained) != drained {
            tracing::info!(drained, "operator.drain");
        }
    }

    /// Until when nothing is dropped, unix seconds, where that is after `now`.
    pub(crate) fn held_until(&self, now: u64) -> Option<u64> {
        Some(self.hold.until.load(Ordering::SeqCst)).filter(|until| *until > now)
    }

    /// Drops nothing until then; a time that has come ends a hold.
    pub(crate) fn hold(&self, until: u64, now: u64) -> Result<(), String> {
        if until > now.saturating_add(LONGEST_HOLD) {
            return Err(format!("a hold is for at most {} days from now", LONGEST_HOLD / 86_400));
        }
        tracing::info!(until, "operator.hold");
        self.hold.set(until).map_err(|error| {
            format!(
                "it is in force, and over when this process ends: {} cannot be written: {error}",
                self.hold.file.display()
            )
        })
    }

    pub(crate) fn scrub(&self) -> &Asked {
        &self.scrub
    }

    pub(crate) fn log_filter(&self) -> Option<String> {
        self.log.as_ref().map(|log| log.filter())
    }

    pub(crate) fn spans_lost(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.spans_lost())
    }

    pub(crate) fn set_log_filter(&self, filter: &str) -> Result<(), String> {
        let log = self.log.as_ref().ok_or("this process has no log whose filter can be changed")?;
        let before = log.filter();
        log.set_filter(filter)?;
        tracing::info!(before, filter, "operator.log");
        Ok(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Asked {
    /// Asks for a pass, or that the one under way be quick.
    pub(crate) fn ask(&self) {
        tracing::info!("operator.scrub");
        self.now.send_replace(true);
    }

    pub(crate) fn is(&self) -> bool {
        *self.now.borrow()
    }

    /// Resolves once it is asked for.
    pub(crate) async fn wait(&self) {
        // The sender lives as long as this.
        let mut now = self.now.subscribe();
        let _asked = now.wait_for(|asked| *asked).await;
    }

    /// A pass has ended.
    pub(crate) fn done(&self) {
        self.now.send_replace(false);
        self.passes.fetch_add(1, Ordering::SeqCst);
    }

    /// Passes that have ended since the start.
    pub(crate) fn passes(&self) -> u64 {
        self.passes.load(Ordering::SeqCst)
    }
}

impl Hold {
    /// The hold on disk. One that cannot be read is taken for the longest there is: nothing is dropped by mistake.
    fn read(file: PathBuf) -> Self {
        let until = match fs::read(&file).map(|bytes| serde_json::from_slice::<Held>(&bytes)) {
            Ok(Ok(held)) => held.until,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Ok(Err(error)) => unreadable(&file, &error),
            Err(error) => unreadable(&file, &error),
        };
        Self { until: until.into(), file, writing: Mutex::default() }
    }

    fn set(&self, until: u64) -> std::io::Result<()> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.until.store(until, Ordering::SeqCst);
        let new = self.file.with_extension("new");
        files::replace(&self.file, &new, &serde_json::to_vec(&Held { until })?)
    }
}

fn unreadable(file: &Path, error: &dyn std::error::Error) -> u64 {
    tracing::error!(file = %file.display(), %error, "operator.hold: it cannot be read, so nothing is dropped: order another hold, or its end");
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn a_hold_outlives_the_process_and_ends_with_its_time_or_an_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let operator = Operator::new(folder.path(), None);
        assert_eq!(operator.held_until(100), None);
        operator.hold(100 + DAY, 100).expect("kept");
        operator.hold(100 + 91 * DAY, 100).expect_err("longer than a guardian's");
        let again = Operator::new(folder.path(), None);
        assert_eq!((again.held_until(100), again.held_until(100 + DAY)), (Some(100 + DAY), None));
        again.hold(0, 100).expect("ended");
        assert_eq!(Operator::new(folder.path(), None).held_until(100), None);
        // What cannot be read drops nothing.
        fs::write(folder.path().join(FILE), "{").expect("written");
        assert_eq!(Operator::new(folder.path(), None).held_until(100), Some(u64::MAX));
    }

    #[test]
    fn nothing_begins_after_the_order_and_what_has_begun_is_counted_to_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let operator = Operator::new(folder.path(), None);
        let first = operator.begin().expect("nobody has said no");
        operator.drain(true);
        assert!(operator.begin().is_none());
        assert_eq!(operator.under_way(), 1);
        drop(first);
        assert_eq!(operator.under_way(), 0);
        operator.drain(false);
        assert!(operator.begin().is_some());
        assert!(operator.set_log_filter("debug").is_err(), "there is none");
    }
}
