//! A registry without L1: one epoch, read from a committee file.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use holdfast_certificate::{Address, CommitteeFile, Domain, Namespace};

use crate::{
    error::Error,
    records::{Endpoint, EpochRecord, NamespaceRecord},
    registry::Registry,
};

/// The registry of a committee that is agreed on by file.
///
/// Its one epoch is always active: without a chain nothing can close or revoke it.
#[derive(Debug, Clone)]
pub struct FileRegistry {
    record: Arc<EpochRecord>,
    namespaces: BTreeMap<Namespace, NamespaceRecord>,
}

impl FileRegistry {
    /// Checks the file (slot order, duplicate keys, every proof of possession) and serves it.
    ///
    /// # Errors
    /// [`Error::BadCommittee`] says what is wrong with the file.
    pub fn from_file(file: CommitteeFile) -> Result<Self, Error> {
        let bad = |reason: String| Error::BadCommittee { epoch: file.epoch, reason };
        let committee = file.committee().map_err(|error| bad(error.to_string()))?;
        let mut namespaces = BTreeMap::new();
        for entry in &file.namespaces {
            // Without a chain there is nobody who owns it, changes it or holds it.
            let record = NamespaceRecord {
                owner: Address::ZERO,
                dispersers: entry.dispersers.clone(),
                min_retention: entry.min_retention,
                next_min_retention: None,
                hold_until: 0,
            };
            if namespaces.insert(entry.id, record).is_some() {
                return Err(bad(format!("namespace {} stands twice", entry.id)));
            }
        }
        let record = EpochRecord {
            committee: Arc::new(committee),
            active_from: 0,
            active_until: None,
            accepted_until: None,
            revoked_at: None,
            endpoints: file
                .members
                .iter()
                .map(|member| Endpoint { url: member.endpoint.clone(), tls_pin: member.tls_pin })
                .collect(),
        };
        Ok(Self { record: Arc::new(record), namespaces })
    }
}

#[async_trait]
impl Registry for FileRegistry {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        if epoch != self.record.committee.epoch() {
            return Err(Error::UnknownEpoch { epoch });
        }
        Ok(Arc::clone(&self.record))
    }

    async fn active_epoch(&self, _at: u64) -> Result<Arc<EpochRecord>, Error> {
        Ok(Arc::clone(&self.record))
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.namespaces.get(namespace).cloned().ok_or(Error::UnknownNamespace { namespace: *namespace })
    }

    fn domain(&self) -> Domain {
        *self.record.committee.domain()
    }
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::{FileMember, FileNamespace, Registration, SecretKey};

    use super::*;

    fn file() -> CommitteeFile {
        let master = SecretKey::derive_master(&[5; 32]).expect("a seed of 32 bytes");
        let member = |slot: u16| {
            let secret = master.derive_child(u32::from(slot));
            FileMember {
                slot,
                public_key: secret.public_key(),
                proof_of_possession: secret.prove_possession(&Registration::WITHOUT_L1),
                account: None,
                endpoint: format!("http://127.0.0.1:{}", 4100 + slot),
                tls_pin: None,
            }
        };
        CommitteeFile {
            chain_id: 0,
            registry: None,
            epoch: 3,
            original_shards: 2,
            total_shards: 4,
            threshold: 3,
            max_payload: 1 << 20,
            members: (0..4).map(member).collect(),
            namespaces: vec![FileNamespace {
                id: Namespace::from([1; 32]),
                dispersers: vec![Address::from([2; 20])],
                min_retention: 3600,
            }],
        }
    }

    #[tokio::test]
    async fn serves_its_one_epoch_at_any_time() {
        let registry = FileRegistry::from_file(file()).expect("a valid file");
        let record = registry.epoch(3).await.expect("the file's epoch");
        assert_eq!(registry.domain(), *record.committee.domain());
        assert_eq!(registry.domain().chain_id, 0);
        assert_eq!(record.endpoints[3], Endpoint::unpinned("http://127.0.0.1:4103"));
        for at in [0, u64::MAX] {
            let active = registry.active_epoch(at).await.expect("always active");
            assert!(active.is_active(at) && active.committee == record.committee);
        }
        let unknown = registry.epoch(4).await.expect_err("another epoch");
        assert!(matches!(unknown, Error::UnknownEpoch { epoch: 4 }), "{unknown}");

        let rules = registry.namespace(&Namespace::from([1; 32])).await.expect("the file's namespace");
        assert_eq!((rules.dispersers, rules.min_retention, rules.hold_until), (vec![Address::from([2; 20])], 3600, 0));
        let unknown = registry.namespace(&Namespace::from([2; 32])).await.expect_err("another namespace");
        assert!(matches!(unknown, Error::UnknownNamespace { .. }), "{unknown}");
    }

    #[test]
    fn a_bad_file_is_refused() {
        let mut duplicate_key = file();
        duplicate_key.members[1].public_key = duplicate_key.members[0].public_key;
        duplicate_key.members[1].proof_of_possession = duplicate_key.members[0].proof_of_possession;
        let mut bad_proof = file();
        bad_proof.members[1].proof_of_possession = bad_proof.members[0].proof_of_possession;
        let mut out_of_order = file();
        out_of_order.members.swap(0, 1);
        let mut namespace_twice = file();
        namespace_twice.namespaces.extend(file().namespaces);
        for bad in [duplicate_key, bad_proof, out_of_order, namespace_twice] {
            let error = FileRegistry::from_file(bad).expect_err("a bad file");
            assert!(matches!(error, Error::BadCommittee { epoch: 3, .. }), "{error}");
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn an_epoch_is_active_from_its_begin_to_its_end_or_revocation() {
        let registry = FileRegistry::from_file(file()).expect("a valid file");
        let record = |active_until: Option<u64>, revoked_at| EpochRecord {
            active_from: 10,
            active_until,
            accepted_until: active_until.map(|until| until + 5),
            revoked_at,
            ..EpochRecord::clone(&registry.record)
        };
        for (record, last) in
            [(record(Some(20), None), 19), (record(None, Some(15)), 14), (record(Some(20), Some(15)), 14)]
        {
            assert!(!record.is_active(9) && record.is_active(10));
            assert!(record.is_active(last) && !record.is_active(last + 1));
        }
        // What was signed before the end is good for a while after it; what is revoked is not.
        assert!(record(Some(20), None).is_accepted(24) && !record(Some(20), None).is_accepted(25));
        assert!(record(Some(20), Some(22)).is_accepted(21) && !record(Some(20), Some(22)).is_accepted(22));
        assert!(!record(Some(20), None).is_accepted(9));
        assert!(record(None, None).is_active(u64::MAX));
    }
}
