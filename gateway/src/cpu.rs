//! Work that burns the processor.

use crate::failure::Failure;

/// Work that burns the processor, off the async threads.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(&error))
}
