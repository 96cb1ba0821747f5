//! Keeps what is remembered up to date, so that nobody who asks has to wait for L1.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::ledger::Ledger;

/// The task that does so; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Keeper(JoinHandle<()>);

impl Keeper {
    /// Looks at the chain whenever that is due, for as long as somebody asks something now and then.
    pub(super) fn start(ledger: Arc<Ledger>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                ledger.wanted().await;
                tokio::time::sleep_until(ledger.due().into()).await;
                ledger.renew().await;
            }
        }))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}
