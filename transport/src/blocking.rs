//! Work that blocks or takes long: off the async threads, but where all of a committee runs in one thread.

use std::cell::Cell;

use tokio::task::{JoinError, spawn_blocking, yield_now};

thread_local! {
    static IN_PLACE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on one of the runtime's threads for such work. What has begun runs to its end, whether or not anybody waits for it.
///
/// # Errors
/// Where it panicked, or the runtime is going down.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    if IN_PLACE.get() {
        // Others get their turn before it, as they would beside it.
        yield_now().await;
        return Ok(work());
    }
    spawn_blocking(work).await
}

/// From now on what the tasks of this thread call [`blocking`] with runs right there: for simulations, in which nothing may run
/// beside another.
pub fn block_in_place() {
    IN_PLACE.set(true);
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn work_runs_beside_the_tasks_and_in_their_thread_only_where_that_was_asked_for() {
        let here = thread::current().id();
        let there = || blocking(|| thread::current().id());
        assert_ne!(there().await.expect("done"), here);
        block_in_place();
        assert_eq!(there().await.expect("done"), here);
        let other = thread::spawn(|| IN_PLACE.get()).join().expect("joined");
        assert!(!other, "another thread's tasks are as before");
    }
}
