//! How ready the members are, asked now and then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    backend::{Backend, Readiness},
    failure::Failure,
};

/// For how long an answer of the members is good: probes must not become load on them.
const FRESH: Duration = Duration::from_secs(2);

/// What is known of the members' readiness.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    stop: CancellationToken,
    known: Arc<Mutex<Option<Known>>>,
}

/// When the members were asked, and what was learnt.
type Known = (Instant, Result<Readiness, Failure>);

impl Health {
    /// Not ready any more once `stop` is cancelled.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { stop, known: Arc::default() }
    }

    /// What is known, or what the members say now.
    pub(crate) async fn readiness(&self, backend: &dyn Backend) -> Result<Readiness, Failure> {
        if self.stop.is_cancelled() {
            return Err(Failure::Stopping);
        }
        // Whoever comes meanwhile waits for the same answer.
        let mut known = self.known.lock().await;
        if let Some((at, readiness)) = known.as_ref()
            && at.elapsed() < FRESH
        {
            return readiness.clone();
        }
        let readiness = backend.readiness().await;
        *known = Some((Instant::now(), readiness.clone()));
        readiness
    }
}
