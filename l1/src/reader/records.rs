//! How each kind of record is read: everything by `eth_call` at one block, nothing from logs, so that a node needs neither
//! old state nor wide log ranges.

use std::{fmt::Debug, future::Future, sync::Arc};

use alloy::primitives::B256;
use holdfast_certificate::{Address, Committee, CommitteeParameters, Domain, Namespace, ProvenKey, PublicKey};
use holdfast_contracts::{
    address_in, address_out,
    bindings::CommitteeRegistry::{Epoch, NamespaceInfo, getEpochCall, namespaceOfCall, slotKeysCall, slotsOfCall},
};
use holdfast_erasure::Parameters;
use holdfast_registry::{self as registry, Endpoint, EpochRecord, NamespaceRecord};

use super::{
    cache::{Cache, Shelf},
    flights::Flights,
    source::{Read, Source},
};
use crate::{error::Error, node::BlockPoint};

/// A kind of record, by its key.
pub(super) trait Record: Copy + Ord + Debug + Send + Sync + 'static {
    type Value: Clone + Send + Sync + 'static;

    /// Where records of this kind are remembered.
    fn shelf(cache: &mut Cache) -> &mut Shelf<Self, Self::Value>;

    /// Those that are being read.
    fn flights(source: &Source) -> &Flights<Self, Read<Self::Value>>;

    /// The error when there is none.
    fn unknown(&self) -> Error;

    /// Reads it at a finalized block, reusing what never changes of the record that is `held`. `None` if there is none.
    fn read(
        self,
        source: &Arc<Source>,
        block: BlockPoint,
        held: Option<Self::Value>,
    ) -> impl Future<Output = Read<Self::Value>> + Send;
}

impl Record for u64 {
    type Value = Arc<EpochRecord>;

    fn shelf(cache: &mut Cache) -> &mut Shelf<Self, Self::Value> {
        &mut cache.epochs
    }

    fn flights(source: &Source) -> &Flights<Self, Read<Self::Value>> {
        &source.epochs
    }

    fn unknown(&self) -> Error {
        registry::Error::UnknownEpoch { epoch: *self }.into()
    }

    async fn read(self, source: &Arc<Source>, block: BlockPoint, held: Option<Self::Value>) -> Read<Self::Value> {
        let epoch = self;
        if epoch == 0 || epoch > source.epoch_count(block).await? {
            return Ok(None);
        }
        let found = source.call(getEpochCall { epoch }, block).await?;
        if found.cancelled {
            return Ok(None);
        }
        let committee = match held {
            Some(held) => Arc::clone(&held.committee),
            None => Arc::new(committee(source, epoch, &found, block).await?),
        };
        let slots = source.call(slotsOfCall { epoch }, block).await?;
        if slots.len() != committee.keys().len() {
            let reason = format!("expected {} slots, got {}", committee.keys().len(), slots.len());
            return Err(registry::Error::BadCommittee { epoch, reason }.into());
        }
        let endpoint = |url: String, pin: B256| Endpoint { url, tls_pin: (!pin.is_zero()).then_some(pin.0) };
        Ok(Some(Arc::new(EpochRecord {
            committee,
            active_from: found.activeFrom,
            active_until: (found.activeUntil != 0).then_some(found.activeUntil),
            accepted_until: (found.acceptedUntil != 0).then_some(found.acceptedUntil),
            revoked_at: (found.revokedAt != 0).then_some(found.revokedAt),
            endpoints: slots.into_iter().map(|slot| endpoint(slot.endpoint, slot.tlsPin)).collect(),
        })))
    }
}

impl Record for Namespace {
    type Value = NamespaceRecord;

    fn shelf(cache: &mut Cache) -> &mut Shelf<Self, Self::Value> {
        &mut cache.namespaces
    }

    fn flights(source: &Source) -> &Flights<Self, Read<Self::Value>> {
        &source.namespaces
    }

    fn unknown(&self) -> Error {
        registry::Error::UnknownNamespace { namespace: *self }.into()
    }

    async fn read(self, source: &Arc<Source>, block: BlockPoint, _held: Option<Self::Value>) -> Read<Self::Value> {
        let found = source.call(namespaceOfCall { namespace: B256::from(self.to_bytes()) }, block).await?;
        Ok(namespace_record(found))
    }
}

/// A namespace as the contract gives it; without an owner there is none.
pub(crate) fn namespace_record(found: NamespaceInfo) -> Option<NamespaceRecord> {
    (found.owner != address_out(Address::ZERO)).then(|| NamespaceRecord {
        owner: address_in(found.owner),
        dispersers: found.dispersers.into_iter().map(address_in).collect(),
        min_retention: found.minRetention,
        next_min_retention: (found.nextFrom != 0).then_some((found.nextMinRetention, found.nextFrom)),
        hold_until: found.holdUntil,
    })
}

/// The immutable part, read.
async fn committee(source: &Source, epoch: u64, found: &Epoch, block: BlockPoint) -> Result<Committee, Error> {
    let keys = source.call(slotKeysCall { epoch }, block).await?;
    committee_of(source.domain(), epoch, found, &keys)
}

/// The immutable part of an epoch, from what the contract gives. Proofs of possession are not checked again: the registry
/// does not register a key without.
pub(crate) fn committee_of(domain: Domain, epoch: u64, found: &Epoch, keys: &[u8]) -> Result<Committee, Error> {
    let bad = |reason: String| Error::from(registry::Error::BadCommittee { epoch, reason });
    let code = Parameters::new(found.originalShards, found.totalShards).map_err(|error| bad(error.to_string()))?;
    let parameters =
        CommitteeParameters::new(code, found.threshold, found.maxPayload).map_err(|error| bad(error.to_string()))?;
    let expected = usize::from(found.totalShards) * PublicKey::EIP2537_BYTES;
    if keys.len() != expected {
        return Err(bad(format!("expected {expected} bytes of keys, got {}", keys.len())));
    }
    let keys = keys
        .chunks_exact(PublicKey::EIP2537_BYTES)
        .map(|key| PublicKey::from_eip2537(key).map(ProvenKey::from_registry))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(error.to_string()))?;
    Committee::new(domain, epoch, parameters, keys).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests;
