//! Writing again by itself: a store that was opened is written once what it holds is counted; one whose disk has failed is
//! opened anew when the disk can be written again, so often and no oftener.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use holdfast_transport::blocking;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    attestor::Attestor,
    store::{self, Disabled, Resume},
};

/// How long after a failure it is first looked whether the disk can be written.
const FIRST: Duration = Duration::from_secs(1);
/// From one look to the next, at most. A look writes a megabyte beside the database and touches nothing else.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// From one opening to the next, at most.
const LONGEST: Duration = Duration::from_secs(600);
/// Within this time it is opened anew no more than [`MOST`] times.
const WINDOW: Duration = Duration::from_secs(86_400);
/// A disk that fails so often within [`WINDOW`] is to be looked at by somebody.
const MOST: usize = 12;
/// How long after what is held could not be counted it is counted again.
const COUNT_AGAIN: Duration = Duration::from_secs(10);

/// Keeps the store written, until `stop`.
pub(crate) async fn run(attestor: Arc<Attestor>, stop: CancellationToken) {
    let kept = async {
        let mut disabled = attestor.store.writes_disabled();
        let mut tries = Tries::default();
        while disabled.wait_for(Option::is_some).await.is_ok() {
            let counting = disabled.borrow().as_ref().is_some_and(Disabled::is_counting);
            // One that cannot be written is counted as well: that is what is told of it.
            let counted = !attestor.store.is_counted() && count(&attestor).await;
            if !counted && !counting && !again(&attestor, &mut tries).await {
                return;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = kept => {}
    }
}

/// Counts what is held; from then on it is written, unless something else is in the way. False if it could not be counted.
async fn count(attestor: &Arc<Attestor>) -> bool {
    let started = Instant::now();
    let counting = Arc::clone(attestor);
    let counted = blocking(move || {
        counting.quota.count(&counting.store)?;
        counting.store.count()
    });
    match counted.await.unwrap_or_else(|e| Err(store::Error::Read(e.to_string()))) {
        Ok(()) => {
            attestor.store.enable();
            let usage = attestor.store.usage();
            let seconds = started.elapsed().as_secs_f64();
            tracing::info!(items = usage.items, bytes = usage.bytes, seconds, "store.counted");
            true
        }
        Err(error) => {
            tracing::error!(%error, "store.count: nothing new is taken until it is counted");
            // The error may name paths of the host, and is in the log.
            let again = COUNT_AGAIN.as_secs();
            attestor.store.set_outlook(&format!("its records cannot be read; it is tried again every {again} s"));
            sleep(COUNT_AGAIN).await;
            false
        }
    }
}

/// Waits, and tries to have the store written again; false when it has been tried too often.
async fn again(attestor: &Attestor, tries: &mut Tries) -> bool {
    let store = &attestor.store;
    let Some(pause) = tries.pause(Instant::now()) else {
        let outlook = format!("opened anew {MOST} times within a day, and not again until a restart: look at the disk");
        tracing::error!(outlook, "store.resume");
        store.set_outlook(&outlook);
        return false;
    };
    store.set_outlook(&format!(
        "the disk is tried every {} s, and the store opened anew when it can be written ({} of {MOST} times within a day)",
        pause.as_secs(),
        tries.opened(Instant::now())
    ));
    sleep(pause).await;
    let reason = store.writes_disabled().borrow().as_ref().map(|disabled| Arc::clone(&disabled.reason));
    // Whatever was in the way may be over.
    let Some(reason) = reason else { return true };
    match store.resume().await {
        Ok(()) => {
            tries.open(Instant::now());
            tracing::warn!(%reason, "store.resume: opened anew and checked; what it holds is counted, then it is written");
        }
        Err(Resume::NotYet(error)) => {
            if tries.not_yet(&error.to_string()) {
                tracing::warn!(%reason, %error, "store.resume: not yet");
            }
        }
        Err(Resume::Failed(error)) => {
            tries.open(Instant::now());
            tracing::error!(%reason, %error, "store.resume: it cannot be written");
        }
    }
    true
}

/// When it is tried again.
#[derive(Debug, Default)]
struct Tries {
    /// When it was opened anew, within the window.
    opened: VecDeque<Instant>,
    /// Looks since, at which nothing could be written.
    looks: u32,
    told: String,
}

impl Tries {
    /// How long to wait before the next; `None` when there were too many.
    fn pause(&mut self, now: Instant) -> Option<Duration> {
        let opened = u32::try_from(self.opened(now)).unwrap_or(u32::MAX);
        let doubled = |times: u32, most: Duration| FIRST.saturating_mul(2u32.saturating_pow(times)).min(most);
        ((opened as usize) < MOST).then(|| doubled(opened, LONGEST).max(doubled(self.looks, LONGEST_LOOK)))
    }

    /// How often it was opened anew within the window.
    fn opened(&mut self, now: Instant) -> usize {
        while self.opened.front().is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW) {
            self.opened.pop_front();
        }
        self.opened.len()
    }

    /// It is opened anew, whatever came of it.
    fn open(&mut self, now: Instant) {
        self.opened.push_back(now);
        self.looks = 0;
        self.told.clear();
    }

    /// Nothing could be done yet; whether that is for another reason than the last time.
    fn not_yet(&mut self, reason: &str) -> bool {
        self.looks = self.looks.saturating_add(1);
        // Numbers change from one look to the next.
        let reason: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        let news = self.told != reason;
        self.told = reason;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_stays_full_is_looked_at_for_ever_and_never_oftener_than_at_first() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        let mut pauses = Vec::new();
        for look in 0..10_000 {
            pauses.push(tries.pause(now + WINDOW * look).expect("looks are not bounded").as_secs());
            let news = tries.not_yet(&format!("the disk is full: {look} bytes are free"));
            assert_eq!(news, look == 0, "the same is told once");
        }
        assert_eq!(pauses[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(pauses[8..].iter().all(|pause| *pause == 60));
        assert!(tries.not_yet("the file system is read-only"));
    }

    #[test]
    fn a_disk_that_fails_again_and_again_is_opened_ever_more_rarely_and_twelve_times_a_day_at_most() {
        let (mut tries, start) = (Tries::default(), Instant::now());
        let (mut now, mut pauses) = (start, Vec::new());
        while let Some(pause) = tries.pause(now) {
            now += pause;
            tries.open(now);
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(tries.pause(start + WINDOW / 2), None);
        // What was a day ago does not count: a disk that fills up once a week is never given up.
        let mut weekly = Tries::default();
        for week in 0..1000 {
            let at = start + WINDOW * 7 * week;
            assert_eq!(weekly.pause(at), Some(FIRST));
            weekly.open(at);
        }
    }
}
