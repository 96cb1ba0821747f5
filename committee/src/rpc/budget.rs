//! A bound on the bytes that all calls together hold in memory.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;

/// How long a call waits for its share before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(1);
const UNIT: usize = 1024;

/// Bytes to share out, in units of 1 KiB.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    units: u32,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits)), units }
    }

    /// Takes `bytes` until the share is dropped. What is larger than the whole budget goes alone.
    pub(crate) async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.units);
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.free).acquire_many_owned(units)).await {
            Ok(Ok(share)) => Ok(share),
            Ok(Err(_)) | Err(_) => Err(Error::Busy { wanted: bytes, of: self.units as usize * UNIT }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_over_the_budget_waits_and_is_then_refused() {
        let budget = Budget::new(10 * UNIT);
        let share = budget.take(8 * UNIT).await.expect("free");
        assert!(
            matches!(budget.take(3 * UNIT).await, Err(Error::Busy { wanted, of }) if wanted == 3 * UNIT && of == 10 * UNIT)
        );
        drop(share);
        let whole = budget.take(1000 * UNIT).await.expect("larger than all goes alone");
        assert!(budget.take(1).await.is_err());
        drop(whole);
        assert!(budget.take(1).await.is_ok());
    }
}
