//! Committees and statements for the tests.

use holdfast_certificate::{
    Address, Attestation, Committee, CommitteeParameters, Domain, HOUR, Namespace, ProvenKey, Registration, SecretKey,
    Statement, StatementDigest,
};
use holdfast_erasure::{Blob, Digest, Parameters};

pub(crate) const RETAIN_UNTIL: u64 = 480_000 * HOUR;

/// The secret of a member, the same in every run.
pub(crate) fn secret(slot: u16) -> SecretKey {
    let mut seed = [0x5a; 32];
    seed[..2].copy_from_slice(&slot.to_be_bytes());
    SecretKey::derive_master(&seed).expect("32 bytes of seed")
}

pub(crate) fn proven(secret: &SecretKey) -> ProvenKey {
    let proof = secret.prove_possession(&Registration::WITHOUT_L1);
    ProvenKey::check(secret.public_key(), proof, &Registration::WITHOUT_L1).expect("a proof of its own key")
}

pub(crate) fn parameters(k: u16, n: u16, t: u16) -> CommitteeParameters {
    let code = Parameters::new(k, n).expect("possible numbers of shards");
    CommitteeParameters::new(code, t, 1 << 20).expect("possible threshold")
}

pub(crate) fn domain() -> Domain {
    Domain { chain_id: 31337, registry: Address::from([0xab; 20]) }
}

/// A committee and its members' secrets, in slot order.
pub(crate) struct World {
    pub(crate) committee: Committee,
    pub(crate) secrets: Vec<SecretKey>,
}

impl World {
    pub(crate) fn new(k: u16, n: u16, t: u16) -> Self {
        let secrets: Vec<_> = (0..n).map(secret).collect();
        let keys = secrets.iter().map(proven).collect();
        let committee = Committee::new(domain(), 1, parameters(k, n, t), keys).expect("a sound committee");
        Self { committee, secrets }
    }

    /// A statement by shard of this committee.
    pub(crate) fn statement(&self) -> Statement {
        let code = self.committee.parameters().code();
        Statement {
            namespace: Namespace::from([7; 32]),
            epoch: 1,
            blob: Blob {
                payload_length: 1000,
                payload_digest: Digest::ZERO,
                original_shards: code.original_shards(),
                total_shards: code.total_shards(),
                shards_root: Digest::from([1; 32]),
                fingerprints_hash: Digest::from([2; 32]),
            },
            whole_until: 0,
            retain_until: RETAIN_UNTIL,
        }
    }

    pub(crate) fn digest(&self, statement: &Statement) -> StatementDigest {
        statement.digest(self.committee.domain())
    }

    pub(crate) fn attest(&self, slot: u16, statement: &Statement) -> Attestation {
        Attestation::sign(slot, &self.secrets[usize::from(slot)], &self.digest(statement))
    }

    pub(crate) fn attest_all(&self, slots: impl IntoIterator<Item = u16>, statement: &Statement) -> Vec<Attestation> {
        slots.into_iter().map(|slot| self.attest(slot, statement)).collect()
    }
}
