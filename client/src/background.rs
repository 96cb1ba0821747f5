use std::{future::Future, sync::Arc};

use tokio::sync::Semaphore;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// The most dispersals that are still being fed to slow members after their certificate was returned. Each keeps its
/// encoded blob in memory.
const MAX_TASKS: usize = 32;

/// The most dispersals whose certificate alone is still being given to members.
const MAX_NOTES: usize = 1024;

/// Owner of the work that goes on after a dispersal has returned its certificate.
///
/// Dropping it cancels what still runs; [`Background::drained`] awaits it.
#[derive(Debug)]
pub(crate) struct Background {
    tracker: TaskTracker,
    cancel: CancellationToken,
    _cancel_on_drop: DropGuard,
    room: Arc<Semaphore>,
    notes: Arc<Semaphore>,
}

impl Background {
    pub(crate) fn new() -> Self {
        let tracker = TaskTracker::new();
        // Closed, so that waiting ends whenever no task is left; a closed tracker still takes tasks.
        tracker.close();
        let cancel = CancellationToken::new();
        Self {
            tracker,
            _cancel_on_drop: cancel.clone().drop_guard(),
            cancel,
            room: Arc::new(Semaphore::new(MAX_TASKS)),
            notes: Arc::new(Semaphore::new(MAX_NOTES)),
        }
    }

    /// Runs `task` to its end, or until the owner is dropped. Returns false, without running it, when there is no room.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        self.spawn_in(&self.room, task)
    }

    /// The same for a task that keeps no more than a certificate.
    pub(crate) fn spawn_note(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        self.spawn_in(&self.notes, task)
    }

    fn spawn_in(&self, room: &Arc<Semaphore>, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let Ok(permit) = Arc::clone(room).try_acquire_owned() else { return false };
        let cancel = self.cancel.clone();
        self.tracker.spawn(async move {
            cancel.run_until_cancelled(task).await;
            drop(permit);
        });
        true
    }

    /// Waits until no task runs.
    pub(crate) async fn drained(&self) {
        self.tracker.wait().await;
    }

    pub(crate) fn tasks(&self) -> usize {
        self.tracker.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_bounded_and_dropping_the_owner_cancels() {
        let background = Background::new();
        let (ended, mut all_ended) = tokio::sync::mpsc::channel::<()>(1);
        for _ in 0..MAX_TASKS {
            let ended = ended.clone();
            assert!(background.spawn(async move {
                let _ended = ended;
                std::future::pending::<()>().await;
            }));
        }
        drop(ended);
        assert!(!background.spawn(async {}), "there is no room for another");
        assert_eq!(background.tasks(), MAX_TASKS);
        drop(background);
        assert_eq!(all_ended.recv().await, None, "every task was dropped");
    }

    #[tokio::test]
    async fn draining_awaits_what_was_spawned() {
        let background = Background::new();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        assert!(background.spawn(async move { gone.await.expect("sent below") }));
        let mut drained = std::pin::pin!(background.drained());
        assert!(futures::poll!(drained.as_mut()).is_pending());
        go.send(()).expect("the task waits");
        drained.await;
        assert_eq!(background.tasks(), 0);
    }
}
