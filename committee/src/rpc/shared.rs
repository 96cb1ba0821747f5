//! What the services share.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use holdfast_transport::tls::ServerTls;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{
    budget::Budget, certificates::Certificates, places::Places, rates::Rates, shed::Shed, shelf::Shelf, status::Error,
};
use crate::{
    archive::READ_AT_MOST,
    attestor::Attestor,
    config::{Limits, Memory},
    known::Known,
    metrics::Metrics,
    operator::{Operator, UnderWay},
    pace::Pace,
    repair::Desk,
};

/// What the services share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) attestor: Arc<Attestor>,
    pub(crate) limits: Limits,
    /// Bytes of bodies that have come.
    pub(crate) receiving: Budget,
    /// Bytes of what is computed or read back for a dispersal.
    pub(crate) working: Budget,
    /// Bytes of answers on their way.
    pub(crate) sending: Budget,
    pub(crate) shelf: Arc<Shelf>,
    /// Calls under way.
    pub(crate) places: Places,
    /// What of the process's memory is for what.
    pub(crate) memory: Memory,
    /// Set while the process has nearly all the memory that it may have.
    pub(crate) full: AtomicBool,
    /// What is yet to be verified.
    pub(crate) certificates: Certificates,
    /// What is to be made whole.
    pub(crate) repair: Arc<Desk>,
    pub(crate) rates: Rates,
    pub(crate) shed: Shed,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) known: Known,
    pub(crate) operator: Arc<Operator>,
    pub(crate) host: Host,
    /// Why nothing is signed yet, while L1 has not answered since the start.
    pub(crate) waits: watch::Receiver<Option<Arc<str>>>,
    /// Set once the member stops: nothing new is taken.
    pub(crate) draining: AtomicBool,
    /// Work that goes on when the call that asked for it is cut off.
    pub(crate) tasks: TaskTracker,
}

/// What the process has of its machine.
#[derive(Debug)]
pub(crate) struct Host {
    /// The folder of the store.
    pub(crate) data_dir: PathBuf,
    pub(crate) tls: Option<ServerTls>,
}

impl Shared {
    /// Whether the process has nearly all the memory that it may have.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// How slow a peer may be.
    pub(super) fn pace(&self) -> Pace {
        Pace { grace: self.limits.stall_deadline, least: u64::from(self.limits.least_kib_per_second) * 1024 }
    }

    /// How long a body may take to begin: what is in an archive alone is read whole before, within a time of its own.
    pub(super) fn before_first_byte(&self) -> Duration {
        let archive = self.attestor.archive.as_ref().map_or(Duration::ZERO, |_| READ_AT_MOST);
        self.limits.call_deadline + archive
    }

    /// Takes one more statement to store or sign, for as long as what is given lives.
    pub(super) fn begin(&self) -> Result<UnderWay, Error> {
        self.accepting()?;
        self.operator.begin().ok_or(Error::Drained)
    }

    pub(super) fn accepting(&self) -> Result<(), Error> {
        if self.draining.load(Ordering::SeqCst) {
            return Err(Error::Draining);
        }
        Ok(self.attestor.store.writable()?)
    }
}
