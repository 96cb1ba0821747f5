//! The registry as a person who governs or operates it looks at it: with accounts, and at one block.

use std::time::Duration;

use alloy::{eips::BlockNumberOrTag, primitives::B256, rpc::types::TransactionRequest};
use holdfast_certificate::{Address, Committee, Domain, Namespace, PublicKey};
use holdfast_contracts::{
    RegistryCall, address_in, address_out,
    bindings::CommitteeRegistry::{
        activeEpochCall, delayCall, endpointOfCall, epochCountCall, getEpochCall, governanceCall, guardianCall,
        keyAccountCall, namespaceOfCall, overlapCall, slotKeysCall, slotsOfCall,
    },
    key_id,
};
use holdfast_erasure::Digest;
use holdfast_registry::{self as registry, NamespaceRecord};

use crate::{
    error::Error,
    node::{At, BlockPoint, Node},
    reader::{
        nodes::Nodes,
        probe,
        records::{committee_of, namespace_record},
    },
};

/// The limit of one RPC call.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Which block to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// What a transaction sent now would meet.
    Latest,
    /// What members and clients act on.
    Finalized,
}

/// The registry at one block.
#[derive(Debug)]
pub struct RegistryView {
    nodes: Nodes,
    domain: Domain,
    block: BlockPoint,
}

/// Who governs a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Governance {
    /// Proposes epochs.
    pub governance: Address,
    /// Whether governance is a contract, as a Safe is.
    pub is_contract: bool,
    /// Cancels proposals and revokes epochs; zero for nobody.
    pub guardian: Address,
    /// Seconds from a proposal to its activation, at least.
    pub delay: u64,
    /// Seconds for which an epoch's certificates are good after its end.
    pub overlap: u64,
}

/// An epoch, with what its slots' accounts have said.
#[derive(Debug, Clone)]
pub struct EpochView {
    /// Keys and parameters.
    pub committee: Committee,
    /// Unix seconds from which it is active.
    pub active_from: u64,
    /// Unix seconds from which a successor is.
    pub active_until: Option<u64>,
    /// Unix seconds from which its certificates are no longer good.
    pub accepted_until: Option<u64>,
    /// Unix seconds from which it is revoked.
    pub revoked_at: Option<u64>,
    /// Whether the proposal was taken back.
    pub cancelled: bool,
    /// The slots, in order.
    pub slots: Vec<SlotView>,
}

/// One slot of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotView {
    /// Its key.
    pub key: PublicKey,
    /// The account that registered the key.
    pub account: Address,
    /// Where the member is reached; empty where its account has not said.
    pub endpoint: String,
    /// The pin of its TLS key.
    pub tls_pin: Option<[u8; 32]>,
}

impl RegistryView {
    /// Connects to one or more nodes, of which two must agree if there are several, and chooses the block. The contract
    /// must be the registry: of that code hash if one is given, else of this version.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the URLs, [`Error::WrongChain`] (in [`Error::AtNode`] if there are several),
    /// [`Error::NoEip2537`], [`Error::NoRegistry`], [`Error::NotTheRegistry`], or an L1 error.
    pub async fn connect<S: AsRef<str>>(
        urls: &[S],
        registry: Address,
        code_hash: Option<Digest>,
        moment: Moment,
    ) -> Result<Self, Error> {
        let nodes = Nodes::new(urls, None, CALL_LIMIT)?;
        let chain_id = nodes.chain_id(None).await?;
        let tag = match moment {
            Moment::Latest => BlockNumberOrTag::Latest,
            Moment::Finalized => BlockNumberOrTag::Finalized,
        };
        let block = nodes.block(chain_id, tag).await?;
        let domain = Domain { chain_id, registry };
        probe::check(&nodes, domain, block, code_hash).await?;
        Ok(Self { nodes, domain, block })
    }

    /// Chain and registry.
    #[must_use]
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// The block's number.
    #[must_use]
    pub fn block(&self) -> u64 {
        self.block.number
    }

    /// The block's timestamp.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.block.timestamp
    }

    /// Who governs the registry.
    ///
    /// # Errors
    /// An L1 error.
    pub async fn governance(&self) -> Result<Governance, Error> {
        let registry = self.domain.registry;
        let governance = address_in(self.nodes.call(registry, governanceCall {}, self.at()).await?);
        Ok(Governance {
            governance,
            is_contract: self.is_contract(governance).await?,
            guardian: address_in(self.nodes.call(registry, guardianCall {}, self.at()).await?),
            delay: self.nodes.call(registry, delayCall {}, self.at()).await?,
            overlap: self.nodes.call(registry, overlapCall {}, self.at()).await?,
        })
    }

    /// The account that registered a key; `None` when nobody has.
    ///
    /// # Errors
    /// An L1 error.
    pub async fn key_account(&self, key: &PublicKey) -> Result<Option<Address>, Error> {
        let call = keyAccountCall { keyId: key_id(key) };
        let account = address_in(self.nodes.call(self.domain.registry, call, self.at()).await?);
        Ok((account != Address::ZERO).then_some(account))
    }

    /// Epochs proposed so far, which is also the number of the last one.
    ///
    /// # Errors
    /// An L1 error.
    pub async fn epoch_count(&self) -> Result<u64, Error> {
        self.nodes.call(self.domain.registry, epochCountCall {}, self.at()).await
    }

    /// The epoch that the next proposal would succeed: the last one that is not cancelled.
    ///
    /// # Errors
    /// An L1 error.
    pub async fn last_epoch(&self) -> Result<Option<EpochView>, Error> {
        for epoch in (1..=self.epoch_count().await?).rev() {
            let found = self.nodes.call(self.domain.registry, getEpochCall { epoch }, self.at()).await?;
            if !found.cancelled {
                return self.epoch(epoch).await.map(Some);
            }
        }
        Ok(None)
    }

    /// One epoch, also one that was cancelled.
    ///
    /// # Errors
    /// [`Error::Registry`] for an epoch that there is not, or that is no committee; or an L1 error.
    pub async fn epoch(&self, epoch: u64) -> Result<EpochView, Error> {
        let registry = self.domain.registry;
        let found = self.nodes.call(registry, getEpochCall { epoch }, self.at()).await?;
        let keys = self.nodes.call(registry, slotKeysCall { epoch }, self.at()).await?;
        let committee = committee_of(self.domain, epoch, &found, &keys)?;
        let keys = committee.keys();
        let said = self.nodes.call(registry, slotsOfCall { epoch }, self.at()).await?;
        if said.len() != keys.len() {
            let reason = format!("expected {} slots, got {}", keys.len(), said.len());
            return Err(registry::Error::BadCommittee { epoch, reason }.into());
        }
        let slots = keys
            .iter()
            .zip(said)
            .map(|(key, slot)| SlotView {
                key: *key,
                account: address_in(slot.account),
                endpoint: slot.endpoint,
                tls_pin: pin(slot.tlsPin),
            })
            .collect();
        Ok(EpochView {
            committee,
            active_from: found.activeFrom,
            active_until: (found.activeUntil != 0).then_some(found.activeUntil),
            accepted_until: (found.acceptedUntil != 0).then_some(found.acceptedUntil),
            revoked_at: (found.revokedAt != 0).then_some(found.revokedAt),
            cancelled: found.cancelled,
            slots,
        })
    }

    /// The epoch that is active at unix time `at`, as far as the block knows.
    ///
    /// # Errors
    /// An L1 error.
    pub async fn active_epoch(&self, at: u64) -> Result<Option<u64>, Error> {
        let epoch = self.nodes.call(self.domain.registry, activeEpochCall { atTime: at }, self.at()).await?;
        Ok((epoch != 0).then_some(epoch))
    }

    /// Runs a call as `from` would send it, and changes nothing.
    ///
    /// # Errors
    /// [`Error::Reverted`] with what the contract says, or an L1 error.
    pub async fn dry_run(&self, from: Address, call: &RegistryCall) -> Result<(), Error> {
        let request = TransactionRequest::default()
            .from(address_out(from))
            .to(address_out(self.domain.registry))
            .input(call.data().into());
        let (what, block) = (call.function(), self.at());
        let run = move |node: Node| {
            let request = request.clone();
            async move { node.run(what, &request, block).await }
        };
        self.nodes.run(what, run).await.map(drop)
    }

    /// A key as its account has registered it; the zero account where nobody has.
    ///
    /// # Errors
    /// An L1 error.
    pub async fn slot(&self, key: &PublicKey) -> Result<SlotView, Error> {
        let call = endpointOfCall { keyId: key_id(key) };
        let said = self.nodes.call(self.domain.registry, call, self.at()).await?;
        let account = self.key_account(key).await?.unwrap_or(Address::ZERO);
        Ok(SlotView { key: *key, account, endpoint: said.endpoint, tls_pin: pin(said.tlsPin) })
    }

    /// The rules of a namespace; `None` where there is none of that id.
    ///
    /// # Errors
    /// An L1 error.
    pub async fn namespace(&self, namespace: &Namespace) -> Result<Option<NamespaceRecord>, Error> {
        let call = namespaceOfCall { namespace: B256::from(namespace.to_bytes()) };
        Ok(namespace_record(self.nodes.call(self.domain.registry, call, self.at()).await?))
    }

    async fn is_contract(&self, address: Address) -> Result<bool, Error> {
        let block = self.at();
        let code = self.nodes.ask("eth_getCode", move |node| async move { node.code(address, block).await });
        Ok(!code.await?.is_empty())
    }

    fn at(&self) -> At {
        self.block.id()
    }
}

/// A pin, unless it is the zero that stands for none.
fn pin(said: B256) -> Option<[u8; 32]> {
    (said != B256::ZERO).then_some(said.0)
}
