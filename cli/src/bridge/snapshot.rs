//! What is kept on disk of a registry: epochs and namespaces as they were last final, with the time.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use holdfast_certificate::{Address, Committee, CommitteeParameters, Domain, Namespace, ProvenKey, PublicKey};
use holdfast_erasure::{Parameters, keccak256};
use holdfast_registry::{Endpoint, EpochRecord, Finality, NamespaceRecord};
use serde::{Deserialize, Serialize};

use crate::{target, times::now};

/// The version of the file.
const VERSION: u32 = 1;
/// The most epochs and namespaces kept; a rollup has one namespace and a few epochs.
const MOST_KEPT: usize = 64;
/// The largest file that is read: 64 epochs of 126 members.
const MOST_BYTES: u64 = 8 << 20;
/// A confirmation that is no older is not worth a write.
const FRESH_SECONDS: u64 = 10;

/// Which registry a snapshot is of, as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Origin {
    pub(crate) registry: Address,
    /// Of the nodes' URLs, which may hold secrets.
    nodes: String,
}

impl Origin {
    pub(crate) fn new(registry: Address, urls: &[String]) -> Self {
        Self { registry, nodes: keccak256(urls.join("\n").as_bytes()).to_string() }
    }
}

/// One registry's final state, as far as it was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Snapshot {
    version: u32,
    origin: Origin,
    chain_id: u64,
    /// The finalized block, and when it was last confirmed.
    block: u64,
    read_at: u64,
    epochs: BTreeMap<u64, Epoch>,
    namespaces: BTreeMap<Namespace, Rules>,
    #[serde(skip)]
    changed: bool,
}

/// What an epoch is, as it is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Epoch {
    original_shards: u16,
    total_shards: u16,
    threshold: u16,
    max_payload: u32,
    active_from: u64,
    active_until: Option<u64>,
    accepted_until: Option<u64>,
    revoked_at: Option<u64>,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slot {
    public_key: PublicKey,
    endpoint: String,
    tls_pin: Option<[u8; 32]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    owner: Address,
    dispersers: Vec<Address>,
    min_retention: u64,
    next_min_retention: Option<(u64, u64)>,
    hold_until: u64,
}

impl Snapshot {
    pub(super) fn new(origin: Origin, chain_id: u64) -> Self {
        let (epochs, namespaces) = (BTreeMap::new(), BTreeMap::new());
        Self { version: VERSION, origin, chain_id, block: 0, read_at: 0, epochs, namespaces, changed: false }
    }

    /// The youngest snapshot of this registry; a file that is damaged or of another registry is as good as none.
    pub(super) fn find(places: &[PathBuf], origin: &Origin) -> Option<Self> {
        let found = places.iter().filter_map(|place| Self::read(place));
        found.filter(|snapshot| snapshot.origin == *origin && !snapshot.epochs.is_empty()).max_by_key(Self::read_at)
    }

    fn read(place: &Path) -> Option<Self> {
        if fs::metadata(place).ok()?.len() > MOST_BYTES {
            return None;
        }
        let snapshot: Self = serde_json::from_slice(&fs::read(place).ok()?).ok()?;
        (snapshot.version == VERSION).then_some(snapshot)
    }

    pub(super) fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// When this was last confirmed to be final, unix seconds.
    pub(super) fn read_at(&self) -> u64 {
        self.read_at
    }

    /// Writes what is new, in the first place that takes it. Without it commands run all the same.
    pub(super) fn keep(&mut self, places: &[PathBuf], finality: &Finality) {
        let read_at = if finality.read_at == 0 { now() } else { finality.read_at };
        if !self.changed && read_at <= self.read_at.saturating_add(FRESH_SECONDS) {
            return;
        }
        (self.block, self.read_at, self.changed) = (finality.block, read_at, false);
        let Ok(json) = serde_json::to_vec_pretty(self) else { return };
        let kept = places.iter().any(|place| {
            place.parent().is_some_and(|folder| folder.as_os_str().is_empty() || fs::create_dir_all(folder).is_ok())
                && target::write(place, &json).is_ok()
        });
        if !kept {
            tracing::debug!("bridge.not_kept");
        }
    }

    pub(super) fn note_epoch(&mut self, record: &Arc<EpochRecord>) {
        let (number, epoch) = (record.committee.epoch(), Epoch::of(record));
        if self.epochs.get(&number) == Some(&epoch) {
            return;
        }
        // Keys of an epoch never change: other ones are of another chain with the same address.
        if self.epochs.get(&number).is_some_and(|known| known.keys() != epoch.keys()) {
            self.epochs.clear();
            self.namespaces.clear();
        }
        self.epochs.insert(number, epoch);
        while self.epochs.len() > MOST_KEPT {
            self.epochs.pop_first();
        }
        self.changed = true;
    }

    pub(super) fn note_namespace(&mut self, namespace: &Namespace, record: &NamespaceRecord) {
        let rules = Rules {
            owner: record.owner,
            dispersers: record.dispersers.clone(),
            min_retention: record.min_retention,
            next_min_retention: record.next_min_retention,
            hold_until: record.hold_until,
        };
        if self.namespaces.get(namespace) != Some(&rules) {
            while self.namespaces.len() >= MOST_KEPT {
                self.namespaces.pop_first();
            }
            self.namespaces.insert(*namespace, rules);
            self.changed = true;
        }
    }

    pub(super) fn epoch(&self, epoch: u64, domain: Domain) -> Option<Arc<EpochRecord>> {
        self.epochs.get(&epoch)?.record(epoch, domain).map(Arc::new)
    }

    pub(super) fn active_epoch(&self, at: u64, domain: Domain) -> Option<Arc<EpochRecord>> {
        let mut records = self.epochs.iter().rev().filter_map(|(number, epoch)| epoch.record(*number, domain));
        records.find(|record| record.is_active(at)).map(Arc::new)
    }

    pub(super) fn newest_epoch(&self, at: u64, domain: Domain) -> Option<Arc<EpochRecord>> {
        self.active_epoch(at, domain).or_else(|| {
            let mut records = self.epochs.iter().rev().filter_map(|(number, epoch)| epoch.record(*number, domain));
            records.find(|record| record.active_from <= at).map(Arc::new)
        })
    }

    pub(super) fn namespace(&self, namespace: &Namespace) -> Option<NamespaceRecord> {
        self.namespaces.get(namespace).map(|rules| NamespaceRecord {
            owner: rules.owner,
            dispersers: rules.dispersers.clone(),
            min_retention: rules.min_retention,
            next_min_retention: rules.next_min_retention,
            hold_until: rules.hold_until,
        })
    }
}

impl Epoch {
    pub(crate) fn of(record: &EpochRecord) -> Self {
        let parameters = record.committee.parameters();
        let slots = record.committee.keys().iter().zip(&record.endpoints).map(|(key, endpoint)| Slot {
            public_key: *key,
            endpoint: endpoint.url.clone(),
            tls_pin: endpoint.tls_pin,
        });
        Self {
            original_shards: parameters.original_shards(),
            total_shards: parameters.total_shards(),
            threshold: parameters.threshold(),
            max_payload: parameters.max_payload(),
            active_from: record.active_from,
            active_until: record.active_until,
            accepted_until: record.accepted_until,
            revoked_at: record.revoked_at,
            slots: slots.collect(),
        }
    }

    fn keys(&self) -> Vec<PublicKey> {
        self.slots.iter().map(|slot| slot.public_key).collect()
    }

    /// `None` for what makes no committee: the file was changed by somebody else.
    pub(crate) fn record(&self, epoch: u64, domain: Domain) -> Option<EpochRecord> {
        let code = Parameters::new(self.original_shards, self.total_shards).ok()?;
        let parameters = CommitteeParameters::new(code, self.threshold, self.max_payload).ok()?;
        let keys = self.slots.iter().map(|slot| ProvenKey::from_registry(slot.public_key)).collect();
        let endpoints = self.slots.iter().map(|slot| Endpoint { url: slot.endpoint.clone(), tls_pin: slot.tls_pin });
        Some(EpochRecord {
            committee: Arc::new(Committee::new(domain, epoch, parameters, keys).ok()?),
            active_from: self.active_from,
            active_until: self.active_until,
            accepted_until: self.accepted_until,
            revoked_at: self.revoked_at,
            endpoints: endpoints.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::SecretKey;

    use super::*;

    fn record(epoch: u64, seed: u8) -> Arc<EpochRecord> {
        let master = SecretKey::derive_master(&[seed; 32]).expect("a seed of 32 bytes");
        let keys = (0..4).map(|slot| ProvenKey::from_registry(master.derive_child(slot).public_key())).collect();
        let code = Parameters::new(2, 4).expect("parameters");
        let parameters = CommitteeParameters::new(code, 3, 1 << 20).expect("parameters");
        Arc::new(EpochRecord {
            committee: Arc::new(Committee::new(domain(), epoch, parameters, keys).expect("a committee")),
            active_from: 10,
            active_until: (epoch == 1).then_some(20),
            accepted_until: (epoch == 1).then_some(25),
            revoked_at: None,
            endpoints: (0..4)
                .map(|slot| Endpoint { url: format!("http://m{slot}"), tls_pin: Some([slot; 32]) })
                .collect(),
        })
    }

    fn domain() -> Domain {
        Domain { chain_id: 7, registry: Address::from([9; 20]) }
    }

    fn finality() -> Finality {
        Finality {
            block: 5,
            timestamp: 90,
            read_at: 100,
            stalled: false,
            expired: false,
            failure: None,
            dissenters: Vec::new(),
        }
    }

    #[test]
    fn what_was_final_comes_back_from_disk_with_its_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = [folder.path().join("absent/folder/\0"), folder.path().join("sub/kept.json")];
        let origin = Origin::new(domain().registry, &["http://l1".to_owned()]);
        let mut snapshot = Snapshot::new(origin.clone(), 7);
        for epoch in [1, 2] {
            snapshot.note_epoch(&record(epoch, 1));
        }
        let rules = NamespaceRecord {
            owner: Address::from([1; 20]),
            dispersers: vec![Address::from([2; 20])],
            min_retention: 3600,
            next_min_retention: Some((60, 500)),
            hold_until: 3,
        };
        let namespace = Namespace::from([3; 32]);
        snapshot.note_namespace(&namespace, &rules);
        snapshot.keep(&places, &finality());

        let found = Snapshot::find(&places, &origin).expect("kept in the second place");
        assert_eq!((found.chain_id(), found.read_at()), (7, 100));
        assert_eq!(found.namespace(&namespace), Some(rules));
        let epoch = found.epoch(1, domain()).expect("epoch 1");
        assert_eq!(
            (epoch.committee.as_ref(), &epoch.endpoints),
            (record(1, 1).committee.as_ref(), &record(1, 1).endpoints)
        );
        let active = |at| found.active_epoch(at, domain()).map(|record| record.committee.epoch());
        assert_eq!((active(9), active(19), active(20)), (None, Some(2), Some(2)));

        let other = Origin::new(domain().registry, &["http://another".to_owned()]);
        assert!(Snapshot::find(&places, &other).is_none());
        fs::write(&places[1], b"{").expect("written");
        assert!(Snapshot::find(&places, &origin).is_none());
    }

    #[test]
    fn another_chain_with_the_same_address_forgets_the_first() {
        let mut snapshot = Snapshot::new(Origin::new(domain().registry, &[]), 7);
        snapshot.note_epoch(&record(1, 1));
        snapshot.note_epoch(&record(2, 1));
        snapshot.note_epoch(&record(1, 8));
        assert!(snapshot.epoch(2, domain()).is_none() && snapshot.epoch(1, domain()).is_some());
    }
}
