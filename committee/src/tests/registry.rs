//! A registry that says what a test wants.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize},
    time::Duration,
};

use holdfast_certificate::{Address, Committee, Domain, ProvenKey};
use holdfast_registry::{EpochRecord, Error, Finality, NamespaceRecord};

use super::*;

/// The registry of a [`World`], with more epochs of the same members, more namespaces, holds, and outages.
#[derive(Debug)]
pub(crate) struct Scripted {
    near: Arc<dyn Registry>,
    /// The epoch that is active; zero for none.
    pub(crate) active: AtomicU64,
    /// While set, it answers as when L1 does not.
    pub(crate) down: AtomicBool,
    /// While set, nothing newer has become final for long.
    pub(crate) stalled: AtomicBool,
    /// The time of the block that is final; that of the member's clock until a test sets it.
    pub(crate) time: AtomicU64,
    clock: MemberClock,
    /// While set, it could not be read for too long.
    pub(crate) expired: AtomicBool,
    /// Namespaces that were looked up.
    pub(crate) asked: AtomicUsize,
    namespaces: Mutex<BTreeMap<Namespace, NamespaceRecord>>,
}

impl Scripted {
    /// Takes the place of the world's registry.
    pub(crate) fn of(world: &mut World) -> Arc<Self> {
        let near = Arc::clone(&world.registry);
        let own = futures::executor::block_on(near.namespace(&world.namespace)).expect("the world's own");
        let scripted = Arc::new(Self {
            near,
            active: AtomicU64::new(EPOCH),
            stalled: AtomicBool::new(false),
            expired: AtomicBool::new(false),
            down: AtomicBool::new(false),
            time: AtomicU64::new(u64::MAX),
            clock: Arc::clone(&world.clock),
            asked: AtomicUsize::new(0),
            namespaces: Mutex::new(BTreeMap::from([(world.namespace, own)])),
        });
        world.registry = Arc::clone(&scripted) as Arc<dyn Registry>;
        scripted
    }

    /// Adds a namespace, or changes one.
    pub(crate) fn put(&self, namespace: Namespace, dispersers: &[&DisperserKey], hold_until: u64) {
        let dispersers = dispersers.iter().map(|key| key.address()).collect();
        let record = NamespaceRecord {
            owner: Address::ZERO,
            dispersers,
            min_retention: 2 * HOUR,
            next_min_retention: None,
            hold_until,
        };
        self.namespaces.lock().expect("no panic").insert(namespace, record);
    }

    /// Holds a namespace that is there, as the guardian does.
    pub(crate) fn hold(&self, namespace: Namespace, until: u64) {
        let mut namespaces = self.namespaces.lock().expect("no panic");
        namespaces.get_mut(&namespace).expect("there").hold_until = until;
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn up(&self) -> Result<(), Error> {
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::Timeout { what: "eth_call", limit: Duration::from_secs(1) });
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Registry for Scripted {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        self.up()?;
        let first = self.near.epoch(EPOCH).await?;
        let committee = &first.committee;
        let keys = committee.keys().iter().map(|key| ProvenKey::from_registry(*key)).collect();
        let committee = Committee::new(*committee.domain(), epoch, *committee.parameters(), keys).expect("as before");
        Ok(Arc::new(EpochRecord { committee: Arc::new(committee), ..EpochRecord::clone(&first) }))
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.up()?;
        match self.active.load(Ordering::SeqCst) {
            0 => Err(Error::NoActiveEpoch { at }),
            epoch => self.epoch(epoch).await,
        }
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.up()?;
        let namespaces = self.namespaces.lock().expect("no panic");
        namespaces.get(namespace).cloned().ok_or(Error::UnknownNamespace { namespace: *namespace })
    }

    fn domain(&self) -> Domain {
        self.near.domain()
    }

    fn finality(&self) -> Option<Finality> {
        let stalled = self.stalled.load(Ordering::SeqCst);
        let expired = self.expired.load(Ordering::SeqCst);
        let clock = || self.clock.lock().expect("no panic").as_ref().map_or(0, |clock| clock.now());
        let timestamp = Some(self.time.load(Ordering::SeqCst)).filter(|time| *time != u64::MAX).unwrap_or_else(clock);
        Some(Finality { block: 1, timestamp, read_at: 1, stalled, expired, failure: None, dissenters: Vec::new() })
    }
}
