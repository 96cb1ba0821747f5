use std::{panic::resume_unwind, sync::Arc};

use holdfast_transport::blocking;
use tokio::sync::Semaphore;

/// To encode so many bytes takes no longer than to have another thread do it.
const BRIEF_BYTES: usize = 4 << 10;

/// Runs CPU work off the async threads, as many pieces at once as there are cores.
#[derive(Clone, Debug)]
pub(crate) struct Cpu {
    permits: Arc<Semaphore>,
    cores: usize,
}

impl Cpu {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { permits: Arc::new(Semaphore::new(cores)), cores }
    }

    /// How many threads one piece of work may take for itself: all cores when nothing else is at work, and else one.
    pub(crate) fn cores(&self) -> usize {
        if self.permits.available_permits() == self.cores { self.cores } else { 1 }
    }

    /// Encoding of so many bytes: right here where that takes less than to hand it over.
    pub(crate) async fn encode<T: Send + 'static>(&self, bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
        if bytes <= BRIEF_BYTES { work() } else { self.run(work).await }
    }

    /// Runs `work` on a blocking thread. Dropping the future before the work has begun cancels it; after that the work
    /// runs to its end and its result is dropped.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let task = blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        match task.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime is shutting down and drops this future too.
            Err(_) => std::future::pending().await,
        }
    }
}
