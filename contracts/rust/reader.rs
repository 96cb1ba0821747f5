//! The registry as it stands on L1, at a finalized block.

mod cache;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::B256,
};
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use holdfast_certificate::{
    Address, Certificate, Committee, CommitteeParameters, Domain, Namespace, ProvenKey, PublicKey,
};
use holdfast_erasure::Parameters;
use tokio::sync::Mutex;

use self::cache::{Cache, Held};
use crate::{
    EpochRecord, Error, Fault, NamespaceRecord, Registry, Status,
    bindings::CommitteeRegistry::{
        self as abi, activeEpochCall, endpointOfCall, epochCountCall, getEpochCall, namespaceOfCall, slotKeysCall,
        verifyCall,
    },
    node::{Node, address_in, address_out},
};

/// How many endpoints are asked for at once.
const PARALLEL_CALLS: usize = 16;

/// How a [`ChainRegistry`] reads.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// The chain id that the node must serve; `None` takes what it serves.
    pub chain_id: Option<u64>,
    /// The limit of one RPC call, 5 s by default.
    pub call_limit: Duration,
    /// How long what was read at a finalized block is used before the node is asked again, 2 s by default. So this
    /// is how much later than its finality a revocation can take effect.
    pub refresh: Duration,
    /// How long endpoints are used before they are read again, 10 s by default.
    pub endpoint_refresh: Duration,
    /// How long the last known record is used while the node does not answer, 10 min by default.
    pub outage_limit: Duration,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self {
            chain_id: None,
            call_limit: Duration::from_secs(5),
            refresh: Duration::from_secs(2),
            endpoint_refresh: Duration::from_secs(10),
            outage_limit: Duration::from_secs(600),
        }
    }
}

/// The [`Registry`] on L1.
///
/// # Final, not latest
///
/// Everything is read at the node's `finalized` block, so no reorganisation takes it back.
///
/// # Bounded staleness
///
/// Keys and parameters of an epoch never change and are read once. Its end and revocation are read again at the first
/// finalized block after [`ReaderOptions::refresh`]. While the node does not answer, the last known record is used, with
/// a warning in the log, for at most [`ReaderOptions::outage_limit`]; after that every answer is an error.
#[derive(Debug)]
pub struct ChainRegistry {
    node: Node,
    domain: Domain,
    options: ReaderOptions,
    cache: Mutex<Cache>,
}

impl ChainRegistry {
    /// Connects with default options.
    ///
    /// # Errors
    /// As [`ChainRegistry::connect_with`].
    pub async fn connect(rpc_url: &str, registry: Address) -> Result<Self, Error> {
        Self::connect_with(rpc_url, registry, ReaderOptions::default()).await
    }

    /// Connects, and checks the chain id and that the registry stands in the finalized state.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the URL, [`Error::WrongChain`], [`Error::NoRegistry`] (also when its deployment is not
    /// final yet), or an L1 error.
    pub async fn connect_with(rpc_url: &str, registry: Address, options: ReaderOptions) -> Result<Self, Error> {
        let node = Node::new(rpc_url, options.call_limit)?;
        let chain_id = node.chain_id().await?;
        if let Some(expected) = options.chain_id
            && expected != chain_id
        {
            return Err(Error::WrongChain { expected, got: chain_id });
        }
        let block = node.block(BlockNumberOrTag::Finalized).await?.number;
        if node.code(registry, block).await?.is_empty() {
            return Err(Error::NoRegistry { registry, chain_id, block });
        }
        let domain = Domain { chain_id, registry };
        Ok(Self { node, domain, options, cache: Mutex::new(Cache::default()) })
    }

    /// What the registry says of a certificate at unix time `at`, or at the newest block's time.
    ///
    /// # Errors
    /// An L1 error: a refusal is a [`Status`], not an error.
    pub async fn verify_on_chain(&self, certificate: &Certificate, at: Option<u64>) -> Result<Status, Error> {
        let at = match at {
            Some(at) => at,
            None => self.node.block(BlockNumberOrTag::Latest).await?.timestamp,
        };
        let call = verifyCall { certificate: certificate.encode_l1().into(), atTime: at };
        let status = self.node.call(self.domain.registry, &call, BlockId::latest()).await?;
        Status::try_from(status)
    }

    /// The finalized block, at most [`ReaderOptions::refresh`] old, and the number of epochs at it.
    async fn look(&self, cache: &mut Cache) -> Result<u64, Error> {
        let now = Instant::now();
        if let Some((block, looked)) = cache.finalized
            && now.duration_since(looked) < self.options.refresh
        {
            return Ok(block);
        }
        let block = self.node.block(BlockNumberOrTag::Finalized).await?.number;
        // A node behind the one asked before (a pool behind one URL) must not take anything back.
        let block = cache.finalized.map_or(block, |(known, _)| known.max(block));
        if cache.finalized.map(|(known, _)| known) != Some(block) {
            cache.epoch_count = self.node.call(self.domain.registry, &epochCountCall {}, block.into()).await?;
        }
        cache.finalized = Some((block, now));
        Ok(block)
    }

    /// Reads an epoch at the finalized block, reusing what is held of it.
    async fn read_epoch(&self, cache: &mut Cache, epoch: u64) -> Result<Held, Error> {
        let block = self.look(cache).await?;
        if epoch == 0 || epoch > cache.epoch_count {
            return Err(Error::UnknownEpoch { epoch });
        }
        let now = Instant::now();
        let held = cache.epochs.get(&epoch).cloned();
        let endpoints_due = |held: &Held| now.duration_since(held.endpoints_read) >= self.options.endpoint_refresh;
        if let Some(held) = &held
            && held.block == block
            && !endpoints_due(held)
        {
            return Ok(Held { read: now, ..held.clone() });
        }
        let found = self.node.call(self.domain.registry, &getEpochCall { epoch }, block.into()).await?;
        if found.cancelled {
            return Err(Error::UnknownEpoch { epoch });
        }
        let committee = match &held {
            Some(held) => Arc::clone(&held.record.committee),
            None => Arc::new(self.read_committee(epoch, &found, block).await?),
        };
        let (endpoints, endpoints_read) = match &held {
            Some(held) if !endpoints_due(held) => (held.record.endpoints.clone(), held.endpoints_read),
            _ => (self.read_endpoints(&committee, block).await?, now),
        };
        let record = EpochRecord {
            committee,
            active_from: found.activeFrom,
            active_until: (found.activeUntil != 0).then_some(found.activeUntil),
            revoked_at: (found.revokedAt != 0).then_some(found.revokedAt),
            endpoints,
        };
        Ok(Held { record: Arc::new(record), block, read: now, endpoints_read })
    }

    /// The immutable part. Proofs of possession are not checked again: the registry does not register a key without.
    async fn read_committee(&self, epoch: u64, found: &abi::Epoch, block: u64) -> Result<Committee, Error> {
        let bad = |reason: String| Error::BadCommittee { epoch, reason };
        let code = Parameters::new(found.originalShards, found.totalShards).map_err(|error| bad(error.to_string()))?;
        let parameters = CommitteeParameters::new(code, found.threshold, found.maxPayload)
            .map_err(|error| bad(error.to_string()))?;
        let bytes = self.node.call(self.domain.registry, &slotKeysCall { epoch }, block.into()).await?;
        let expected = usize::from(found.totalShards) * PublicKey::EIP2537_BYTES;
        if bytes.len() != expected {
            return Err(bad(format!("expected {expected} bytes of keys, got {}", bytes.len())));
        }
        let keys = bytes
            .chunks_exact(PublicKey::EIP2537_BYTES)
            .map(|key| PublicKey::from_eip2537(key).map(ProvenKey::from_registry))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| bad(error.to_string()))?;
        Committee::new(self.domain, epoch, parameters, keys).map_err(|error| bad(error.to_string()))
    }

    async fn read_endpoints(&self, committee: &Committee, block: u64) -> Result<Vec<String>, Error> {
        let calls = committee.keys().iter().map(|key| {
            let call = endpointOfCall { keyId: B256::from(*key.id().as_bytes()) };
            async move { Ok(self.node.call(self.domain.registry, &call, block.into()).await?.endpoint) }
        });
        stream::iter(calls.collect::<Vec<_>>()).buffered(PARALLEL_CALLS).try_collect().await
    }

    async fn read_namespace(&self, cache: &mut Cache, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        let block = self.look(cache).await?;
        let id = B256::from(namespace.to_bytes());
        let registry = self.domain.registry;
        let rules = self.node.call(registry, &namespaceOfCall { namespace: id }, block.into()).await?;
        if rules.owner == address_out(Address::ZERO) {
            return Err(Error::UnknownNamespace { namespace: *namespace });
        }
        Ok(NamespaceRecord {
            dispersers: rules.dispersers.into_iter().map(address_in).collect(),
            min_retention: rules.minRetention,
            hold_until: rules.holdUntil,
        })
    }

    /// What to do with a failed read: use what is held, if the fault is L1's and it is not too old.
    fn bridge<T>(&self, cache: &mut Cache, error: Error, held: Option<(T, Instant)>) -> Result<T, Error> {
        if error.fault() != Fault::L1 {
            return Err(error);
        }
        let now = Instant::now();
        let first = !cache.in_outage(now, self.options.refresh);
        match held {
            Some((value, read)) if now.duration_since(read) <= self.options.outage_limit => {
                if first {
                    let age = now.duration_since(read).as_secs();
                    tracing::warn!(%error, age_seconds = age, "L1 node does not answer; using the last known registry");
                }
                cache.failed = Some(now);
                Ok(value)
            }
            _ => Err(error),
        }
    }
}

#[async_trait]
impl Registry for ChainRegistry {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        let mut cache = self.cache.lock().await;
        let now = Instant::now();
        let held = cache.epochs.get(&epoch).map(|held| (Arc::clone(&held.record), held.read));
        if let Some((record, read)) = &held
            && cache.is_usable(*read, now, &self.options)
        {
            return Ok(Arc::clone(record));
        }
        match self.read_epoch(&mut cache, epoch).await {
            Ok(read) => {
                let record = Arc::clone(&read.record);
                cache.keep_epoch(epoch, read);
                Ok(record)
            }
            Err(error) => {
                if matches!(error, Error::UnknownEpoch { .. }) {
                    cache.epochs.remove(&epoch);
                }
                self.bridge(&mut cache, error, held)
            }
        }
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        let (number, held) = {
            let mut cache = self.cache.lock().await;
            // At any time at most one epoch is active, so a record that says it is settles it.
            let held = cache.active_at(at);
            if let Some((record, read)) = &held
                && cache.is_usable(*read, Instant::now(), &self.options)
            {
                return Ok(Arc::clone(record));
            }
            let asked = async {
                let block = self.look(&mut cache).await?;
                self.node.call(self.domain.registry, &activeEpochCall { atTime: at }, block.into()).await
            };
            match asked.await {
                Ok(number) => (number, held),
                Err(error) => return self.bridge(&mut cache, error, held),
            }
        };
        drop(held);
        if number == 0 {
            return Err(Error::NoActiveEpoch { at });
        }
        self.epoch(number).await
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        let mut cache = self.cache.lock().await;
        let now = Instant::now();
        let held = cache.namespaces.get(namespace).cloned();
        if let Some((record, read)) = &held
            && cache.is_usable(*read, now, &self.options)
        {
            return Ok(record.clone());
        }
        match self.read_namespace(&mut cache, namespace).await {
            Ok(record) => {
                cache.keep_namespace(*namespace, record.clone(), now);
                Ok(record)
            }
            Err(error) => self.bridge(&mut cache, error, held),
        }
    }

    fn domain(&self) -> Domain {
        self.domain
    }
}
