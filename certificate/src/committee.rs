//! One epoch's members and parameters, and the check of their aggregate signatures.

use std::collections::HashMap;
use std::fmt;

use blst::min_sig::{self, AggregatePublicKey};
use holdfast_erasure::keccak256;

use crate::address::Address;
use crate::bitmap::SignerBitmap;
use crate::domain::Domain;
use crate::error::Error;
use crate::keys::PublicKey;
use crate::parameters::CommitteeParameters;
use crate::possession::ProvenKey;

/// First bytes of a committee's canonical form.
const CANONICAL_TAG: &[u8] = b"holdfast/v1/committee";

/// The committee of one epoch on one chain and registry. It never changes, so a certificate checked against it stays checked.
///
/// # Proven keys
///
/// Every key has a checked proof of possession, no key is in two slots, and the keys do not add up to the identity.
#[derive(Clone)]
pub struct Committee {
    domain: Domain,
    epoch: u64,
    parameters: CommitteeParameters,
    keys: Vec<PublicKey>,
    slots: HashMap<[u8; PublicKey::BYTES], u16>,
    /// The sum of all keys. More than half of them sign, so subtracting the others is less work than adding the signers.
    aggregate: AggregatePublicKey,
}

impl Committee {
    /// A committee of an epoch in the registry contract of `domain`; `keys` in slot order.
    ///
    /// # Errors
    ///
    /// [`Error::MemberCount`], [`Error::DuplicateKey`], or [`Error::IdentityAggregate`].
    pub fn new(
        domain: Domain,
        epoch: u64,
        parameters: CommitteeParameters,
        keys: Vec<ProvenKey>,
    ) -> Result<Self, Error> {
        let expected = parameters.total_shards();
        if keys.len() != usize::from(expected) {
            return Err(Error::MemberCount { expected, got: keys.len() });
        }
        let keys: Vec<PublicKey> = keys.iter().map(|key| *key.public_key()).collect();
        let mut slots = HashMap::with_capacity(keys.len());
        for (slot, key) in (0..).zip(&keys) {
            if let Some(first) = slots.insert(key.to_bytes(), slot) {
                return Err(Error::DuplicateKey { first, second: slot, public_key: Box::new(*key) });
            }
        }
        let points: Vec<&min_sig::PublicKey> = keys.iter().map(PublicKey::point).collect();
        let aggregate = AggregatePublicKey::aggregate(&points, false).map_err(|_| Error::IdentityAggregate)?;
        // The members are in the subgroup, so all that can be wrong with their sum is that it is the identity.
        aggregate.to_public_key().validate().map_err(|_| Error::IdentityAggregate)?;
        Ok(Self { domain, epoch, parameters, keys, slots, aggregate })
    }

    /// A committee without L1: chain id 0, and as registry the last 20 bytes of the keccak256 of its canonical bytes, so
    /// that a signature for one such committee is worth nothing for another.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn off_chain(epoch: u64, parameters: CommitteeParameters, keys: Vec<ProvenKey>) -> Result<Self, Error> {
        let placeholder = Domain { chain_id: 0, registry: Address::ZERO };
        let mut committee = Self::new(placeholder, epoch, parameters, keys)?;
        committee.domain.registry = Address::from_digest(&keccak256(&committee.canonical_bytes()));
        Ok(committee)
    }

    /// `"holdfast/v1/committee" | epoch u64 | k u16 | n u16 | t u16 | maxPayload u32 | key of slot 0 | key of slot 1 ...`,
    /// integers big-endian, keys compressed.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = CANONICAL_TAG.to_vec();
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.parameters.original_shards().to_be_bytes());
        bytes.extend_from_slice(&self.parameters.total_shards().to_be_bytes());
        bytes.extend_from_slice(&self.parameters.threshold().to_be_bytes());
        bytes.extend_from_slice(&self.parameters.max_payload().to_be_bytes());
        for key in &self.keys {
            bytes.extend_from_slice(&key.to_bytes());
        }
        bytes
    }

    /// The chain and registry that statements of this committee are bound to.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The epoch's number.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch's parameters.
    #[must_use]
    pub fn parameters(&self) -> &CommitteeParameters {
        &self.parameters
    }

    /// The keys, in slot order.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The key of a slot, if the committee has it.
    #[must_use]
    pub fn key(&self, slot: u16) -> Option<&PublicKey> {
        self.keys.get(usize::from(slot))
    }

    /// The slot of a key, if it is a member's.
    #[must_use]
    pub fn slot_of(&self, key: &PublicKey) -> Option<u16> {
        self.slots.get(&key.to_bytes()).copied()
    }

    /// Number of members, `n`.
    #[must_use]
    pub fn len(&self) -> u16 {
        self.parameters.total_shards()
    }

    /// Never: a committee has at least two members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The sum of all keys, as the registry contract stores it.
    #[must_use]
    pub fn aggregate(&self) -> PublicKey {
        PublicKey::from_sum(&self.aggregate)
    }

    /// The sum of the signers' keys: all keys less those of the few who did not sign, as the registry contract does it. It may
    /// be the identity; verification refuses that.
    pub(crate) fn aggregate_key(&self, signers: &SignerBitmap) -> min_sig::PublicKey {
        let absent: Vec<_> = signers.missing().filter_map(|slot| self.key(slot)).map(PublicKey::point).collect();
        let mut sum = self.aggregate;
        // An error means that there is nobody to subtract.
        if let Ok(absent) = AggregatePublicKey::aggregate(&absent, false) {
            sum.sub_aggregate(&absent);
        }
        sum.to_public_key()
    }
}

impl fmt::Debug for Committee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committee")
            .field("domain", &self.domain)
            .field("epoch", &self.epoch)
            .field("parameters", &self.parameters)
            .field("keys", &self.keys)
            .finish()
    }
}

impl PartialEq for Committee {
    fn eq(&self, other: &Self) -> bool {
        // The slots and the aggregate follow from these.
        (self.domain, self.epoch, self.parameters) == (other.domain, other.epoch, other.parameters)
            && self.keys == other.keys
    }
}

impl Eq for Committee {}
