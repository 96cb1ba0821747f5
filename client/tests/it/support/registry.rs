use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use holdfast_certificate::{Address, Domain, Namespace};
use holdfast_registry::{EpochRecord, Error, NamespaceRecord, Registry};

/// Epochs in memory; the highest number is the active one.
#[derive(Debug, Default)]
pub(crate) struct TestRegistry {
    epochs: Mutex<BTreeMap<u64, Arc<EpochRecord>>>,
    /// Epochs that cannot be read now.
    pub(crate) unreadable: Mutex<BTreeSet<u64>>,
}

impl TestRegistry {
    pub(super) fn add(&self, record: EpochRecord) {
        self.epochs.lock().unwrap().insert(record.committee.epoch(), Arc::new(record));
    }
}

#[async_trait]
impl Registry for TestRegistry {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        if self.unreadable.lock().unwrap().contains(&epoch) {
            return Err(Error::Timeout { what: "reading an epoch", limit: Duration::from_secs(1) });
        }
        self.epochs.lock().unwrap().get(&epoch).cloned().ok_or(Error::UnknownEpoch { epoch })
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.epochs.lock().unwrap().values().next_back().cloned().ok_or(Error::NoActiveEpoch { at })
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        Err(Error::UnknownNamespace { namespace: *namespace })
    }

    fn domain(&self) -> Domain {
        domain()
    }
}

pub(super) fn domain() -> Domain {
    Domain { chain_id: 31337, registry: Address::from([0x11; 20]) }
}
