//! L1: the epochs, the namespace, and which block is final.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use holdfast_certificate::{Address, Committee, CommitteeParameters, Domain, Namespace, ProvenKey, PublicKey};
use holdfast_erasure::Parameters;
use holdfast_registry::{Endpoint, EpochRecord, Error, Fault, Finality, NamespaceRecord, Registry, Unavailable};

use crate::nature;

/// The chain and the contract.
pub(crate) const DOMAIN: Domain = Domain { chain_id: 9, registry: Address::ZERO };
/// How old a block is when it is final.
const FINAL_AFTER: u64 = 900;
/// A final block older than that looks as if nothing became final any more.
const STALLED: u64 = 1800;
/// Members, signatures, originals.
pub(crate) const MEMBERS: u16 = 5;
pub(crate) const THRESHOLD: u16 = 4;
pub(crate) const ORIGINAL: u16 = 2;
/// The longest payload.
const MAX_PAYLOAD: u32 = 1 << 20;

/// What everybody reads of L1.
#[derive(Debug)]
pub(crate) struct Ledger {
    epochs: Mutex<Vec<Arc<EpochRecord>>>,
    namespace: Namespace,
    disperser: Address,
    /// Nobody can ask L1 now.
    away: AtomicBool,
    /// The time of the block that was final when L1 was last asked.
    seen: AtomicU64,
    /// Seconds by which its blocks are ahead of the true time: only where that is planted.
    ahead: AtomicU64,
    threshold: u16,
}

#[derive(Debug, thiserror::Error)]
#[error("no node answers")]
struct Away;

impl Unavailable for Away {
    fn fault(&self) -> Fault {
        Fault::L1
    }

    fn is_retryable(&self) -> bool {
        true
    }
}

impl Ledger {
    /// With one epoch, of these members. A lower `threshold` than everybody else's is for one whose L1 lies.
    pub(crate) fn new(
        members: &[(u16, PublicKey)],
        namespace: Namespace,
        disperser: Address,
        threshold: u16,
    ) -> Arc<Self> {
        let ledger = Self {
            epochs: Mutex::default(),
            namespace,
            disperser,
            away: AtomicBool::new(false),
            seen: AtomicU64::new(0),
            ahead: AtomicU64::new(0),
            threshold,
        };
        ledger.propose(members, nature::unix() - 86_400);
        Arc::new(ledger)
    }

    /// Proposes the next epoch: these members, by their numbers and in slot order, from then on.
    pub(crate) fn propose(&self, members: &[(u16, PublicKey)], active_from: u64) {
        let mut epochs = self.epochs();
        let number = epochs.len() as u64 + 1;
        let parameters = CommitteeParameters::new(code(), self.threshold, MAX_PAYLOAD).expect("a committee's");
        let keys = members.iter().map(|(_, key)| ProvenKey::from_registry(*key)).collect();
        let committee = Committee::new(DOMAIN, number, parameters, keys).expect("a committee");
        if let Some(last) = epochs.last_mut() {
            let ended = EpochRecord { active_until: Some(active_from), ..EpochRecord::clone(last) };
            *last = Arc::new(ended);
        }
        epochs.push(Arc::new(EpochRecord {
            committee: Arc::new(committee),
            active_from,
            active_until: None,
            accepted_until: None,
            revoked_at: None,
            endpoints: members.iter().map(|(number, _)| Endpoint::unpinned(format!("http://m{number}:7400"))).collect(),
        }));
    }

    /// All epochs, in order.
    pub(crate) fn all(&self) -> Vec<Arc<EpochRecord>> {
        self.epochs().clone()
    }

    pub(crate) fn record(&self, epoch: u64) -> Option<Arc<EpochRecord>> {
        self.epochs().iter().find(|record| record.committee.epoch() == epoch).cloned()
    }

    pub(crate) fn set_away(&self, away: bool) {
        let _asked = self.finality();
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn run_ahead(&self, seconds: u64) {
        self.ahead.store(seconds, Ordering::SeqCst);
    }

    fn epochs(&self) -> MutexGuard<'_, Vec<Arc<EpochRecord>>> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The code of every epoch.
pub(crate) fn code() -> Parameters {
    Parameters::new(ORIGINAL, MEMBERS).expect("a code")
}

#[async_trait::async_trait]
impl Registry for Ledger {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        self.record(epoch).ok_or(Error::UnknownEpoch { epoch })
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        let active = self.epochs().iter().find(|record| record.is_active(at)).cloned();
        active.ok_or(Error::NoActiveEpoch { at })
    }

    async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        let begun = self.epochs().iter().rev().find(|record| record.active_from <= at).cloned();
        begun.ok_or(Error::NoActiveEpoch { at })
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable(Away));
        }
        if *namespace != self.namespace {
            return Err(Error::UnknownNamespace { namespace: *namespace });
        }
        Ok(NamespaceRecord {
            owner: Address::ZERO,
            dispersers: vec![self.disperser],
            min_retention: 3600,
            next_min_retention: None,
            hold_until: 0,
        })
    }

    fn domain(&self) -> Domain {
        DOMAIN
    }

    fn finality(&self) -> Option<Finality> {
        let now = nature::unix();
        let away = self.away.load(Ordering::SeqCst);
        if !away {
            let timestamp = now.saturating_sub(FINAL_AFTER) + self.ahead.load(Ordering::SeqCst);
            self.seen.store(timestamp, Ordering::SeqCst);
        }
        let timestamp = self.seen.load(Ordering::SeqCst);
        Some(Finality {
            block: timestamp / 12,
            timestamp,
            read_at: timestamp + FINAL_AFTER,
            stalled: now.saturating_sub(timestamp) > STALLED,
            expired: false,
            failure: away.then(|| Away.to_string()),
            dissenters: Vec::new(),
        })
    }
}
