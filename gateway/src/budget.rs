//! What the gateway takes on at once.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::timeout,
};

use crate::{
    config::{Limits, MIB},
    failure::Failure,
};

/// Bytes of one share of memory.
const SHARE_BYTES: usize = 64 << 10;

/// Permits for PUTs, their memory, and fetches from members.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    puts: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    /// How long a PUT waits for its place, and how long a fetch.
    wait: Duration,
    read_wait: Duration,
}

/// The memory of one payload on its way, and its place among the PUTs; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _place: OwnedSemaphorePermit,
    memory: Vec<OwnedSemaphorePermit>,
    shares: usize,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bytes = limits.receiving_mib.saturating_mul(MIB);
        let shares = usize::try_from(bytes / SHARE_BYTES as u64).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            puts: Arc::new(Semaphore::new(limits.puts)),
            memory: Arc::new(Semaphore::new(shares.min(Semaphore::MAX_PERMITS))),
            reads: Arc::new(Semaphore::new(limits.reads)),
            wait: limits.queue_deadline,
            read_wait: limits.read_deadline,
        }
    }

    /// A place for one PUT.
    pub(crate) async fn put(&self) -> Result<Held, Failure> {
        let place = take(&self.puts, 1, self.wait, "too many PUTs at once").await?;
        Ok(Held { _place: place, memory: Vec::new(), shares: 0 })
    }

    /// Makes sure that `held` covers `bytes`. Only what has come is paid for: a client that sends slowly, or says that it
    /// will send much, holds nothing that others could use.
    pub(crate) async fn cover(&self, held: &mut Held, bytes: usize) -> Result<(), Failure> {
        let needed = bytes.div_ceil(SHARE_BYTES).saturating_sub(held.shares);
        if needed > 0 {
            held.memory.push(take(&self.memory, needed, self.wait, "too many payloads in memory").await?);
            held.shares += needed;
        }
        Ok(())
    }

    /// A place for one fetch from members. A prover asks for a thousand payloads at once: that they wait costs nothing but
    /// their connections, so they wait for as long as a read may take.
    pub(crate) async fn read(&self) -> Result<OwnedSemaphorePermit, Failure> {
        take(&self.reads, 1, self.read_wait, "too many reads at once").await
    }

    /// Bytes of payloads on their way.
    pub(crate) fn receiving_bytes(&self, limits: &Limits) -> u64 {
        let free = self.memory.available_permits().saturating_mul(SHARE_BYTES) as u64;
        limits.receiving_mib.saturating_mul(MIB).saturating_sub(free)
    }
}

async fn take(
    of: &Arc<Semaphore>,
    count: usize,
    wait: Duration,
    why: &'static str,
) -> Result<OwnedSemaphorePermit, Failure> {
    let count = u32::try_from(count).map_err(|_| Failure::Busy(why))?;
    match Arc::clone(of).try_acquire_many_owned(count) {
        Ok(permit) => return Ok(permit),
        Err(TryAcquireError::Closed) => return Err(Failure::Stopping),
        Err(TryAcquireError::NoPermits) => {}
    }
    match timeout(wait, Arc::clone(of).acquire_many_owned(count)).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(Failure::Stopping),
        Err(_) => Err(Failure::Busy(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(puts: usize) -> Budget {
        let wait = Duration::from_millis(20);
        Budget::new(&Limits { puts, receiving_mib: 1, reads: 1, queue_deadline: wait, ..Limits::default() })
    }

    #[tokio::test]
    async fn a_put_too_many_is_busy_and_a_finished_one_makes_room() {
        let budget = budget(1);
        let first = budget.put().await.expect("room");
        assert!(matches!(budget.put().await, Err(Failure::Busy(_))));
        drop(first);
        assert!(budget.put().await.is_ok());
    }

    #[tokio::test]
    async fn memory_is_paid_for_as_it_comes_and_given_back() {
        let budget = budget(3);
        let (mut a, mut b) = (budget.put().await.expect("room"), budget.put().await.expect("room"));
        budget.cover(&mut a, 1).await.expect("a share");
        budget.cover(&mut a, SHARE_BYTES).await.expect("the same share");
        budget.cover(&mut b, 15 * SHARE_BYTES).await.expect("all the rest");
        assert!(matches!(budget.cover(&mut a, SHARE_BYTES + 1).await, Err(Failure::Busy(_))));
        drop(b);
        budget.cover(&mut a, 16 * SHARE_BYTES).await.expect("all of it");
        assert_eq!(budget.receiving_bytes(&Limits { receiving_mib: 1, ..Limits::default() }), 1 << 20);
    }
}
