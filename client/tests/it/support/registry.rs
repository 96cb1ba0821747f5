use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use holdfast_certificate::{Address, Domain, Namespace};
use holdfast_registry::{EpochRecord, Error, NamespaceRecord, Registry};

/// Epochs in memory; the highest number is the active one.
#[derive(Debug, Default)]
pub(crate) struct TestRegistry {
    epochs: Mutex<BTreeMap<u64, Arc<EpochRecord>>>,
    namespaces: Mutex<BTreeMap<Namespace, NamespaceRecord>>,
    /// Epochs that cannot be read now.
    pub(crate) unreadable: Mutex<BTreeSet<u64>>,
    /// Whether namespaces cannot be read now.
    pub(crate) rules_unreadable: AtomicBool,
    /// Whether the newest epoch is revoked.
    pub(crate) revoked: AtomicBool,
}

impl TestRegistry {
    pub(super) fn add(&self, record: EpochRecord) {
        self.epochs.lock().unwrap().insert(record.committee.epoch(), Arc::new(record));
    }

    /// Lets an account disperse for a namespace.
    pub(super) fn allow(&self, namespace: Namespace, disperser: Address) {
        self.change(namespace, |rules| rules.dispersers.push(disperser));
    }

    /// Changes a namespace's rules; makes it where there is none.
    pub(crate) fn change(&self, namespace: Namespace, change: impl FnOnce(&mut NamespaceRecord)) {
        let mut namespaces = self.namespaces.lock().unwrap();
        change(namespaces.entry(namespace).or_insert(NamespaceRecord {
            owner: Address::from([1; 20]),
            dispersers: Vec::new(),
            min_retention: 0,
            next_min_retention: None,
            hold_until: 0,
        }));
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
        if self.revoked.load(Ordering::SeqCst) { Err(Error::NoActiveEpoch { at }) } else { self.newest_epoch(at).await }
    }

    async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.epochs.lock().unwrap().values().next_back().cloned().ok_or(Error::NoActiveEpoch { at })
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        if self.rules_unreadable.load(Ordering::SeqCst) {
            return Err(Error::Timeout { what: "reading a namespace", limit: Duration::from_secs(1) });
        }
        let known = self.namespaces.lock().unwrap().get(namespace).cloned();
        known.ok_or(Error::UnknownNamespace { namespace: *namespace })
    }

    fn domain(&self) -> Domain {
        domain()
    }
}

pub(super) fn domain() -> Domain {
    Domain { chain_id: 31337, registry: Address::from([0x11; 20]) }
}
