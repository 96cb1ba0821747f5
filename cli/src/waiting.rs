//! Lines on stderr for whoever waits longer than a moment.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use holdfast_client::{Observer, Progress};
use tokio::task::JoinHandle;

use crate::output::progress;

/// Between two lines, and before the first.
const PAUSE: Duration = Duration::from_secs(2);

/// Says every two seconds how far a call has come, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    latest: Arc<Latest>,
    telling: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Latest(Mutex<Option<Progress>>);

impl Waiting {
    pub(crate) fn begin() -> Self {
        let latest = Arc::new(Latest::default());
        let (said, started) = (Arc::clone(&latest), Instant::now());
        let telling = tokio::spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let latest = *said.0.lock().unwrap_or_else(PoisonError::into_inner);
                progress(format!("{} ({} s)", text(latest.as_ref()), started.elapsed().as_secs()));
            }
        });
        Self { latest, telling }
    }

    /// What the client tells.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.latest) as Arc<dyn Observer>
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.telling.abort();
    }
}

impl Observer for Latest {
    fn observe(&self, progress: &Progress) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*progress);
    }
}

fn text(latest: Option<&Progress>) -> String {
    match latest {
        Some(Progress::Asked { members }) => format!("{members} members asked, none has attested yet"),
        Some(Progress::Attested { attested, needed }) => {
            format!("{attested} members have attested, {needed} are needed")
        }
        Some(Progress::Accepted { accepted, needed }) => format!("{accepted} shards accepted, {needed} are needed"),
        _ => "the committee is being asked".to_owned(),
    }
}
