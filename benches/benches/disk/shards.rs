//! Shards to be stored, with promises as a member makes them.

use holdfast_benches::payload;
use holdfast_certificate::{
    Address, DisperserKey, Domain, HOUR, Namespace, SecretKey, Statement, StatementDigest, hour_at_or_after,
};
use holdfast_committee::store::{Holding, Identity, Promise};
use holdfast_erasure::{BlobId, Dispersal, Parameters, encode};

/// The time at which promises are made, unix seconds.
pub(crate) const NOW: u64 = 500_000 * HOUR;

/// What is handed to a store.
#[derive(Debug)]
pub(crate) struct Item {
    /// The promise.
    pub(crate) promise: Promise,
    /// Its statement's digest.
    pub(crate) digest: StatementDigest,
    /// The shard.
    pub(crate) holding: Holding,
    /// The blob.
    pub(crate) id: BlobId,
    /// The shard's index.
    pub(crate) index: u16,
    /// The shard's length.
    pub(crate) bytes: u64,
}

/// Makes shards of one member of five, two of which make the payload.
#[derive(Debug)]
pub(crate) struct Shards {
    disperser: DisperserKey,
    domain: Domain,
    number: u64,
}

/// The member's key.
pub(crate) fn key() -> SecretKey {
    SecretKey::derive_master(&[7; 32]).expect("32 bytes are enough")
}

/// Whose store it is.
pub(crate) fn identity() -> Identity {
    let domain = Domain { chain_id: 0, registry: Address::from([0; 20]) };
    Identity { public_key: key().public_key(), domain }
}

impl Shards {
    /// Of a committee with this domain.
    pub(crate) fn new(domain: Domain) -> Self {
        let disperser = DisperserKey::from_bytes(&[9; 32]).expect("in range");
        Self { disperser, domain, number: 0 }
    }

    /// Leaves out so many.
    pub(crate) fn skip(&mut self, count: u64) {
        self.number += count;
    }

    /// Another shard of about so many bytes, promised for so many days.
    pub(crate) fn next(&mut self, bytes: usize, days: u64) -> Item {
        let payload = payload(bytes * 2, &mut self.number);
        let encoded = encode(Parameters::new(2, 5).expect("good"), payload, Dispersal::ByShard).expect("encodes");
        let blob = *encoded.blob();
        let retain_until = hour_at_or_after(NOW + days * 24 * HOUR);
        let statement = Statement { namespace: Namespace::from([3; 32]), epoch: 1, blob, whole_until: 0, retain_until };
        let digest = statement.digest(&self.domain);
        let index = encoded.commitment().parameters().shard_of_slot(0, &blob.shards_root);
        let accepted = encoded.accepted(index);
        Item {
            promise: Promise { statement, disperser_signature: self.disperser.sign(&digest), slot: 0 },
            digest,
            bytes: encoded.commitment().parameters().shard_length(blob.payload_length) as u64,
            holding: Holding::by_shard(encoded.commitment().clone(), accepted),
            id: encoded.id(),
            index: index.get(),
        }
    }
}
