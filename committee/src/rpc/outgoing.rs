//! Sending a body in chunks, within a time limit.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use super::Error;

pub(super) type Chunks<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The body in chunks that share its memory, which the budget counts until the last one is sent or `limit` is over.
///
/// A reader that takes nothing more stops the transport from asking for the next chunk, so the stream by itself would
/// never see its limit: a timer beside it takes body and share away. Without it a few readers that never read would
/// keep all memory for bodies for ever.
pub(super) fn chunks<T: 'static>(
    bytes: Bytes,
    share: OwnedSemaphorePermit,
    limit: Duration,
    message: impl Fn(Bytes) -> T + Send + 'static,
) -> Chunks<T> {
    let (expected, mut got) = (bytes.len(), 0);
    let body = Arc::new(Mutex::new(Some((holdfast_transport::chunks(bytes), share))));
    let timed = Arc::clone(&body);
    let timer = AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::time::sleep(limit).await;
        timed.lock().unwrap_or_else(PoisonError::into_inner).take();
    }));
    let mut cut = false;
    Box::pin(stream::iter(std::iter::from_fn(move || {
        let _until_dropped = &timer;
        match body.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some((parts, _)) => parts.next().map(|chunk| {
                got += chunk.len();
                Ok(message(chunk))
            }),
            None if got == expected || std::mem::replace(&mut cut, true) => None,
            None => Some(Err(Error::Deadline { limit, expected, got }.into())),
        }
    })))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::StreamExt;
    use holdfast_proto::MAX_CHUNK_BYTES;
    use tokio::sync::Semaphore;
    use tonic::Code;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    async fn sending(length: usize) -> (Chunks<Bytes>, Arc<Semaphore>) {
        let budget = Arc::new(Semaphore::new(1));
        let share = Arc::clone(&budget).acquire_owned().await.expect("free");
        (chunks(Bytes::from(vec![7; length]), share, LIMIT, |chunk| chunk), budget)
    }

    async fn free_again(budget: &Semaphore) {
        let free = tokio::time::timeout(Duration::from_secs(10), budget.acquire()).await;
        drop(free.expect("the share is given back").expect("never closed"));
    }

    #[tokio::test]
    async fn a_reader_that_stops_reading_gives_its_memory_back_and_learns_why() {
        let (mut stream, budget) = sending(3 * MAX_CHUNK_BYTES).await;
        assert!(stream.next().await.expect("a chunk").is_ok());
        // Nobody asks the stream for anything meanwhile.
        free_again(&budget).await;
        let status = stream.next().await.expect("why").expect_err("cut off");
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains("expected 3145728 bytes, got 1048576"), "{status}");
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_body_that_was_taken_in_time_is_whole_however_late_its_end_is_seen() {
        let (mut stream, budget) = sending(MAX_CHUNK_BYTES + 1).await;
        assert!(stream.next().await.expect("a chunk").is_ok() && stream.next().await.expect("a chunk").is_ok());
        free_again(&budget).await;
        assert!(stream.next().await.is_none());
    }
}
