//! Five members, a disperser, and the statements that they sign.

use holdfast_certificate::{
    Address, Attestation, Certificate, CommitteeParameters, DisperserKey, HOUR, Namespace, PublicKey, SecretKey,
    Statement, VerifiedCertificate,
};
use holdfast_devchain::DEV_KEYS;
use holdfast_erasure::{Blob, Digest, Parameters};
use holdfast_l1::{PublishReceipt, Publisher};
use holdfast_registry::EpochRecord;

/// The most payload of the fixture's epoch, in bytes.
pub(crate) const MAX_PAYLOAD: u32 = 32 << 20;

/// Seconds for which the fixture's namespace wants data still kept.
pub(crate) const MIN_RETENTION: u64 = 24 * HOUR;

/// Members whose registry account is the first development account.
pub(crate) struct Members {
    pub(crate) secrets: Vec<SecretKey>,
    pub(crate) parameters: CommitteeParameters,
    pub(crate) disperser: DisperserKey,
}

impl Members {
    /// n = 5, t = 4, k = 2.
    pub(crate) fn five() -> Self {
        let master = SecretKey::derive_master(&[42; 32]).unwrap();
        Self {
            secrets: (0..5).map(|index| master.derive_child(index)).collect(),
            parameters: CommitteeParameters::new(Parameters::new(2, 5).unwrap(), 4, MAX_PAYLOAD).unwrap(),
            disperser: DisperserKey::from_bytes(&DEV_KEYS[9]).unwrap(),
        }
    }

    pub(crate) fn keys(&self) -> Vec<PublicKey> {
        self.secrets.iter().map(SecretKey::public_key).collect()
    }

    /// Each key with the account that registered it.
    pub(crate) fn members(&self, publisher: &Publisher) -> Vec<(PublicKey, Address)> {
        self.keys().into_iter().map(|key| (key, publisher.account())).collect()
    }

    pub(crate) fn endpoint(slot: usize) -> String {
        format!("http://127.0.0.1:{}", 4100 + slot)
    }

    /// Registers every key with its endpoint, proposes the epoch and creates the namespace.
    pub(crate) async fn enter(&self, publisher: &Publisher) -> (u64, Namespace, PublishReceipt) {
        for (slot, secret) in self.secrets.iter().enumerate() {
            let key = secret.public_key();
            let proof = secret.prove_possession(&publisher.registration());
            publisher.register_key(&key, &proof).await.unwrap();
            publisher.set_endpoint(&key, &Self::endpoint(slot), None).await.unwrap();
        }
        let (epoch, _) = publisher.propose_epoch(&self.members(publisher), &self.parameters, None).await.unwrap();
        let dispersers = [self.disperser.address()];
        let (namespace, receipt) = publisher.create_namespace([1; 32], MIN_RETENTION, &dispersers).await.unwrap();
        (epoch, namespace, receipt)
    }

    /// A certificate of a made-up blob, signed by the first four members.
    pub(crate) fn certificate(
        &self,
        record: &EpochRecord,
        namespace: Namespace,
        retain_until: u64,
    ) -> VerifiedCertificate {
        let statement = Statement {
            namespace,
            epoch: record.committee.epoch(),
            blob: Blob {
                payload_length: 100_000,
                payload_digest: Digest::ZERO,
                original_shards: 2,
                total_shards: 5,
                shards_root: Digest::from([3; 32]),
                fingerprints_hash: Digest::from([4; 32]),
            },
            whole_until: 0,
            retain_until,
        };
        let digest = statement.digest(record.committee.domain());
        let signed = (0..4).zip(&self.secrets).map(|(slot, secret)| Attestation::sign(slot, secret, &digest));
        Certificate::aggregate(&record.committee, statement, &signed.collect::<Vec<_>>()).unwrap()
    }
}

/// A time on the hourly grid, so many hours after `now`.
pub(crate) fn hours_after(now: u64, hours: u64) -> u64 {
    (now / HOUR + hours) * HOUR
}

/// The address of a development account.
pub(crate) fn account(index: usize) -> Address {
    DisperserKey::from_bytes(&DEV_KEYS[index]).unwrap().address()
}
