//! One piece of work for everybody who asks for the same thing at the same time.

use std::{
    collections::HashMap,
    fmt::{self, Debug},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::failure::Failure;

type Flight<V> = Shared<BoxFuture<'static, Result<V, Failure>>>;

/// Work under way, by what it is for.
///
/// # Once
///
/// While work for a key runs, whoever asks for that key gets its result. The work is a task of the gateway's own: it goes
/// on when those who asked have gone, so that a client that gives up and asks again finds it done.
pub(crate) struct Flights<K, V> {
    flying: Arc<Mutex<HashMap<K, Flight<V>>>>,
    tasks: TaskTracker,
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Tasks are counted in `tasks`.
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        Self { flying: Arc::default(), tasks }
    }

    /// Joins the work for `key`, or begins it. True if it was under way already.
    pub(crate) async fn join<F>(&self, key: K, work: impl FnOnce() -> F) -> (Result<V, Failure>, bool)
    where
        F: Future<Output = Result<V, Failure>> + Send + 'static,
    {
        let (flight, joined) = {
            let mut flying = lock(&self.flying);
            match flying.get(&key) {
                Some(flight) => (flight.clone(), true),
                None => {
                    let (work, all, mine) = (work(), Arc::clone(&self.flying), key.clone());
                    let task = self.tasks.spawn(
                        async move {
                            // Also when the work panics.
                            let _landing = Landing { all, key: mine };
                            work.await
                        }
                        .in_current_span(),
                    );
                    let flight = async move { task.await.unwrap_or_else(|error| Err(Failure::internal(&error))) }
                        .boxed()
                        .shared();
                    flying.insert(key, flight.clone());
                    (flight, false)
                }
            }
        };
        (flight.await, joined)
    }

    /// How much is under way.
    pub(crate) fn len(&self) -> usize {
        lock(&self.flying).len()
    }
}

/// Takes a flight out of the map when its work has ended.
struct Landing<K: Eq + Hash, V> {
    all: Arc<Mutex<HashMap<K, Flight<V>>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.key);
    }
}

impl<K, V> Debug for Flights<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn who_asks_while_it_runs_shares_and_who_asks_later_begins_anew() {
        let flights = Arc::new(Flights::<u8, usize>::new(TaskTracker::new()));
        let (ran, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (flights, ran, go) = (Arc::clone(&flights), Arc::clone(&ran), Arc::clone(&go));
            tokio::spawn(async move {
                flights
                    .join(7, || async move {
                        let number = ran.fetch_add(1, Ordering::SeqCst);
                        go.notified().await;
                        Ok(number)
                    })
                    .await
            })
        };
        let (first, second) = (ask(), ask());
        while ran.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        go.notify_one();
        let (first, second) = (first.await.expect("no panic"), second.await.expect("no panic"));
        assert_eq!((first.0.clone(), second.0.clone()), (Ok(0), Ok(0)));
        assert!(first.1 != second.1, "one of them joined");
        assert_eq!(flights.len(), 0);
        let third = ask();
        go.notify_one();
        assert_eq!(third.await.expect("no panic"), (Ok(1), false));
    }

    #[tokio::test]
    async fn the_work_goes_on_when_who_asked_has_gone_and_a_panic_lands_too() {
        let (tasks, done) = (TaskTracker::new(), Arc::new(AtomicUsize::new(0)));
        let flights = Arc::new(Flights::<u8, ()>::new(tasks.clone()));
        let (go, seen) = (Arc::new(Notify::new()), Arc::clone(&done));
        let gone = {
            let (flights, go) = (Arc::clone(&flights), Arc::clone(&go));
            tokio::spawn(async move {
                let work = || async move {
                    go.notified().await;
                    seen.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                };
                flights.join(1, work).await
            })
        };
        while flights.len() == 0 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        assert!(gone.await.is_err());
        go.notify_one();
        tasks.close();
        tasks.wait().await;
        assert_eq!((done.load(Ordering::SeqCst), flights.len()), (1, 0));

        let (broken, _) = flights.join(2, || async { panic!("on purpose") }).await;
        assert_eq!((broken, flights.len()), (Err(Failure::Internal), 0));
    }
}
