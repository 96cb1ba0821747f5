//! The gRPC services.

mod body;
mod budget;
mod dispersal;
mod node;
mod outgoing;
mod retrieval;
mod status;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::{attestor::Attestor, config::Limits};

pub(crate) use budget::Budget;
pub(crate) use dispersal::DispersalService;
pub(crate) use node::NodeService;
pub(crate) use retrieval::RetrievalService;
pub(crate) use status::Error;

/// What the services share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) attestor: Arc<Attestor>,
    pub(crate) limits: Limits,
    /// Bytes of bodies being received.
    pub(crate) receiving: Budget,
    /// Bytes of bodies being sent.
    pub(crate) sending: Budget,
    /// Why nothing is signed yet, while L1 has not answered since the start.
    pub(crate) waits: watch::Receiver<Option<Arc<str>>>,
    /// Set once the member stops: nothing new is taken.
    pub(crate) draining: AtomicBool,
    /// Work that goes on when the call that asked for it is cut off.
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether the member is stopping.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn accepting(&self) -> Result<(), Error> {
        if self.draining.load(Ordering::SeqCst) {
            return Err(Error::Draining);
        }
        match &*self.attestor.store.writes_disabled().borrow() {
            None => Ok(()),
            Some(reason) => Err(crate::store::Error::WritesDisabled { reason: reason.to_string() }.into()),
        }
    }
}
