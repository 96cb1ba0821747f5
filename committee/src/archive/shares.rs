//! What one origin may have of the memory for reads.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{closed, trouble::Error};
use crate::origin::Origin;

/// A share for each origin, and one for this member's own work, of so many KiB. What is larger takes all of a share.
#[derive(Debug)]
pub(super) struct Shares {
    each: u32,
    of: Mutex<HashMap<Option<Origin>, Weak<Semaphore>>>,
}

impl Shares {
    pub(super) fn new(each: u32) -> Self {
        Self { each, of: Mutex::default() }
    }

    /// So many KiB of the share of `origin`, once it has them.
    pub(super) async fn take(&self, origin: Option<Origin>, kib: u32) -> Result<OwnedSemaphorePermit, Error> {
        let share = {
            let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
            // So there are no more than reads wait.
            of.retain(|_, share| share.strong_count() > 0);
            let known = of.get(&origin).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let share = Arc::new(Semaphore::new(self.each as usize));
                of.insert(origin, Arc::downgrade(&share));
                share
            })
        };
        share.acquire_many_owned(kib.min(self.each)).await.map_err(closed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn an_origin_waits_for_its_own_reads_and_for_no_others() {
        let of = |last: u8| Some(Origin::of([192, 0, 2, last].into()));
        let shares = Shares::new(100);
        let first = shares.take(of(1), 60).await.expect("free");
        let waits = timeout(Duration::from_millis(50), shares.take(of(1), 60));
        assert!(waits.await.is_err(), "one hundred each");
        let _other = shares.take(of(2), 1000).await.expect("another's share, all of it");
        let _own = shares.take(None, 100).await.expect("this member's");
        drop(first);
        let _again = shares.take(of(1), 60).await.expect("given back");
        assert_eq!(shares.of.lock().expect("no panic").len(), 3);
    }
}
