//! Questions under way: who asks the same waits for the same answer, and none is broken off because its caller goes away.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};

/// The answer to come; `None` if the work panicked or its runtime is shutting down.
type Coming<V> = Shared<BoxFuture<'static, Option<V>>>;

/// The questions of one kind that are under way, by what is asked.
#[derive(Debug)]
pub(super) struct Flights<K, V>(Arc<Mutex<BTreeMap<K, Coming<V>>>>);

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Clone + Send + 'static, V: Clone + Send + Sync + 'static> Flights<K, V> {
    /// The answer to a question: of the one that is under way, or of `work`, which begins now and goes on by itself.
    pub(super) fn join<F>(&self, key: K, work: impl FnOnce() -> F) -> Coming<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut under_way = self.lock();
        if let Some(coming) = under_way.get(&key) {
            return coming.clone();
        }
        let landing = Landing { flights: Self(Arc::clone(&self.0)), key: key.clone() };
        let work = work();
        // It cannot land before it is entered: that takes the lock.
        let task = tokio::spawn(async move {
            let _landing = landing;
            work.await
        });
        let coming = task.map(Result::ok).boxed().shared();
        under_way.insert(key, coming.clone());
        coming
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, Coming<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a question off the list however it ends.
struct Landing<K: Ord, V> {
    flights: Flights<K, V>,
    key: K,
}

impl<K: Ord, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn many_callers_share_one_answer_and_the_next_asks_anew() {
        let (flights, asked) = (Flights::<u8, usize>::default(), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new(Semaphore::new(0));
        let ask = || {
            let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
            flights.join(1, || async move {
                gate.acquire().await.expect("open").forget();
                asked.fetch_add(1, Ordering::Relaxed) + 1
            })
        };
        let callers: Vec<_> = (0..20).map(|_| ask()).collect();
        gate.add_permits(1);
        assert_eq!(futures::future::join_all(callers).await, vec![Some(1); 20]);
        gate.add_permits(1);
        assert_eq!(ask().await, Some(2));
    }

    #[tokio::test]
    async fn an_answer_comes_though_its_caller_goes_and_a_panic_leaves_nothing_behind() {
        let flights = Flights::<u8, u8>::default();
        let (done, ended) = tokio::sync::oneshot::channel();
        drop(flights.join(1, || async move {
            let _ = done.send(());
            7
        }));
        ended.await.expect("it went on");
        assert_eq!(flights.join(2, || async { panic!("by intent") }).await, None);
        assert_eq!(flights.join(2, || async { 9 }).await, Some(9));
    }
}
