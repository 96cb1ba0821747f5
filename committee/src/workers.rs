//! Where blocking work runs: off the async threads, bounded by what the machine can do at once.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Reads of the store that run at once; more would only queue at the disk.
const DISK: usize = 16;

/// The blocking work did not finish: it panicked, or the process is going down.
#[derive(Clone, Debug, thiserror::Error)]
#[error("blocking work did not finish: {0}")]
pub(crate) struct Unfinished(String);

/// Two bounded pools of blocking work.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    cpu: Arc<Semaphore>,
    disk: Arc<Semaphore>,
}

impl Workers {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cpu: Arc::new(Semaphore::new(cores)), disk: Arc::new(Semaphore::new(DISK)) }
    }

    /// Coding, hashing and curve arithmetic: as much at once as there are cores.
    pub(crate) async fn cpu<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        run(&self.cpu, work).await
    }

    /// Reads of the store.
    pub(crate) async fn disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        run(&self.disk, work).await
    }
}

async fn run<T: Send + 'static>(
    pool: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unfinished> {
    let permit = Arc::clone(pool).acquire_owned().await.map_err(|e| Unfinished(e.to_string()))?;
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    })
    .await
    .map_err(|e| Unfinished(e.to_string()))
}

impl From<tokio::task::JoinError> for Unfinished {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(error.to_string())
    }
}
