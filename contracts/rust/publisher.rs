//! Writes to the registry: deployment, keys, epochs, namespaces, endpoints and certificates.

use std::time::Duration;

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{B256, Bytes},
    sol_types::{SolConstructor as _, SolEvent},
};
use holdfast_certificate::{
    Address, CommitteeParameters, Domain, Namespace, ProofOfPossession, PublicKey, VerifiedCertificate,
};
use holdfast_erasure::Digest;
use tokio::time::Instant;

use crate::{
    Error, PublisherOptions,
    bindings::CommitteeRegistry::{
        self as abi, EpochProposed, NamespaceCreated, createNamespaceCall, proposeEpochCall, publishCall,
        registerKeyCall, revokeEpochCall, setDisperserCall, setEndpointCall,
    },
    node::address_out,
    sender::{Sender, Sent},
};

/// A transaction that was mined and succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishReceipt {
    /// The transaction's hash.
    pub tx_hash: Digest,
    /// Gas that the whole transaction used, with its 21,000 and its calldata.
    pub gas_used: u64,
    /// The number of the block it stands in; not final yet.
    pub block: u64,
}

/// Who governs a new registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// Proposes epochs; not zero.
    pub governance: Address,
    /// Cancels proposals and revokes epochs; zero for nobody.
    pub guardian: Address,
    /// Seconds from a proposal to its activation, at least.
    pub delay: u64,
}

/// One account that writes to the registry.
///
/// Every call makes a dry run first, so that a refusal costs no gas and comes as a decoded error; then it sends one
/// transaction and waits for its receipt. Calls of one publisher take turns. A receipt is not yet final: see
/// [`Publisher::wait_final`].
#[derive(Debug)]
pub struct Publisher {
    sender: Sender,
    registry: Address,
}

impl Publisher {
    /// Connects to an existing registry with the secp256k1 secret key of the account.
    ///
    /// # Errors
    /// [`Error::Invalid`] for URL or key, [`Error::WrongChain`], [`Error::NoRegistry`], or an L1 error.
    pub async fn connect(rpc_url: &str, registry: Address, key: &[u8; 32]) -> Result<Self, Error> {
        Self::connect_with(rpc_url, registry, key, PublisherOptions::default()).await
    }

    /// [`Publisher::connect`] with options.
    ///
    /// # Errors
    /// As [`Publisher::connect`].
    pub async fn connect_with(
        rpc_url: &str,
        registry: Address,
        key: &[u8; 32],
        options: PublisherOptions,
    ) -> Result<Self, Error> {
        let sender = Sender::connect(rpc_url, key, options).await?;
        let block = sender.node().block(BlockNumberOrTag::Latest).await?.number;
        if sender.node().code(registry, block).await?.is_empty() {
            return Err(Error::NoRegistry { registry, chain_id: sender.chain_id(), block });
        }
        Ok(Self { sender, registry })
    }

    /// Deploys a new registry and connects to it.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the chain lacks EIP-2537 or governance is zero; otherwise as [`Publisher::connect`].
    pub async fn deploy(
        rpc_url: &str,
        key: &[u8; 32],
        deployment: Deployment,
        options: PublisherOptions,
    ) -> Result<(Self, PublishReceipt), Error> {
        let sender = Sender::connect(rpc_url, key, options).await?;
        let arguments = abi::constructorCall {
            governance_: address_out(deployment.governance),
            guardian_: address_out(deployment.guardian),
            delay_: deployment.delay,
        };
        let code = [abi::BYTECODE.as_ref(), &arguments.abi_encode()].concat();
        let sent = sender.create("deployment of the registry", code.into()).await?;
        let registry = sent.created.ok_or_else(|| Error::BadAnswer {
            what: "eth_getTransactionReceipt",
            reason: "no contract address".to_owned(),
        })?;
        Ok((Self { sender, registry }, sent.receipt))
    }

    /// The registry's address.
    #[must_use]
    pub fn registry(&self) -> Address {
        self.registry
    }

    /// The domain of statements under this registry.
    #[must_use]
    pub fn domain(&self) -> Domain {
        Domain { chain_id: self.sender.chain_id(), registry: self.registry }
    }

    /// The address of the account that sends.
    #[must_use]
    pub fn account(&self) -> Address {
        self.sender.account()
    }

    /// Registers a key for this account, with its proof of possession, which the registry checks.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the proof is wrong or the key is registered; otherwise an L1 error.
    pub async fn register_key(&self, key: &PublicKey, proof: &ProofOfPossession) -> Result<PublishReceipt, Error> {
        let call = registerKeyCall {
            pk: Bytes::from(key.to_eip2537().to_vec()),
            pop: Bytes::from(proof.to_eip2537().to_vec()),
        };
        Ok(self.sender.transact(self.registry, &call).await?.receipt)
    }

    /// Says where the key's member is reached: a URL of at most 255 bytes. Only by the account that registered the key.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the key is not this account's or the URL too long; otherwise an L1 error.
    pub async fn set_endpoint(&self, key: &PublicKey, endpoint: &str) -> Result<PublishReceipt, Error> {
        let call = setEndpointCall { keyId: key_id(key), endpoint: endpoint.to_owned(), tlsPin: B256::ZERO };
        Ok(self.sender.transact(self.registry, &call).await?.receipt)
    }

    /// Proposes the next epoch with the keys in slot order, active from unix time `active_from`, or as soon as the
    /// delay allows. Only by governance. Gives the epoch's number.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the number of keys is not the parameters'; [`Error::Reverted`] for an unknown or
    /// duplicate key, a time that is too early or an account that is not governance; otherwise an L1 error.
    pub async fn propose_epoch(
        &self,
        keys: &[PublicKey],
        parameters: &CommitteeParameters,
        active_from: Option<u64>,
    ) -> Result<(u64, PublishReceipt), Error> {
        let expected = usize::from(parameters.total_shards());
        if keys.len() != expected {
            let reason = format!("expected {expected} keys, got {}", keys.len());
            return Err(Error::Invalid { what: "epoch", reason });
        }
        let call = proposeEpochCall {
            keyIds: keys.iter().map(key_id).collect(),
            originalShards: parameters.original_shards(),
            threshold: parameters.threshold(),
            maxPayload: parameters.max_payload(),
            activeFrom: active_from.unwrap_or(0),
        };
        let sent = self.sender.transact(self.registry, &call).await?;
        let event: EpochProposed = self.event(&sent, "proposeEpoch")?;
        Ok((event.epoch, sent.receipt))
    }

    /// Revokes an epoch from now on and for ever. Only by the guardian.
    ///
    /// # Errors
    /// [`Error::UnknownEpoch`]; [`Error::Reverted`] when it is not active yet, revoked already, or the account is not
    /// the guardian; otherwise an L1 error.
    pub async fn revoke_epoch(&self, epoch: u64) -> Result<PublishReceipt, Error> {
        Ok(self.sender.transact(self.registry, &revokeEpochCall { epoch }).await?.receipt)
    }

    /// Creates this account's namespace of that salt: its id is `keccak256(abi.encode(account, salt))`.
    /// `min_retention` is in seconds.
    ///
    /// # Errors
    /// [`Error::Reverted`] when it exists or an argument is out of bounds; otherwise an L1 error.
    pub async fn create_namespace(
        &self,
        salt: [u8; 32],
        min_retention: u64,
        dispersers: &[Address],
    ) -> Result<(Namespace, PublishReceipt), Error> {
        let call = createNamespaceCall {
            salt: B256::from(salt),
            minRetention: min_retention,
            dispersers: dispersers.iter().copied().map(address_out).collect(),
        };
        let sent = self.sender.transact(self.registry, &call).await?;
        let event: NamespaceCreated = self.event(&sent, "createNamespace")?;
        Ok((Namespace::from(event.namespace.0), sent.receipt))
    }

    /// Allows a disperser in this account's namespace, or takes that back.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the namespace is not this account's; otherwise an L1 error.
    pub async fn set_disperser(
        &self,
        namespace: &Namespace,
        disperser: Address,
        allowed: bool,
    ) -> Result<PublishReceipt, Error> {
        let call = setDisperserCall {
            namespace: B256::from(namespace.to_bytes()),
            disperser: address_out(disperser),
            allowed,
        };
        Ok(self.sender.transact(self.registry, &call).await?.receipt)
    }

    /// Publishes a certificate: the registry verifies it at the block's time and emits one event.
    ///
    /// # Errors
    /// [`Error::NotAvailable`] with the rule that it breaks, mostly from the dry run and so without cost; otherwise an
    /// L1 error. After [`Error::NotMined`] the transaction may still be mined.
    pub async fn publish(&self, certificate: &VerifiedCertificate) -> Result<PublishReceipt, Error> {
        let call = publishCall { certificate: certificate.encode_l1().into() };
        Ok(self.sender.transact(self.registry, &call).await?.receipt)
    }

    /// Waits until a block is final, which is when members and clients see what stands in it.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `limit`.
    pub async fn wait_final(&self, block: u64, limit: Duration) -> Result<(), Error> {
        const PAUSE: Duration = Duration::from_millis(100);
        let end = Instant::now() + limit;
        loop {
            match self.sender.node().block(BlockNumberOrTag::Finalized).await {
                Ok(final_block) if final_block.number >= block => return Ok(()),
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "no answer about the finalized block"),
            }
            if Instant::now() + PAUSE > end {
                return Err(Error::Timeout { what: "finality", limit });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The event of that type which the registry emitted in a transaction.
    fn event<E: SolEvent>(&self, sent: &Sent, what: &'static str) -> Result<E, Error> {
        let registry = address_out(self.registry);
        let mut ours = sent.logs.iter().filter(|log| log.address() == registry);
        ours.find_map(|log| E::decode_log(&log.inner).ok().map(|log| log.data)).ok_or_else(|| Error::BadAnswer {
            what,
            reason: format!("no event {} in transaction {}", E::SIGNATURE, sent.receipt.tx_hash),
        })
    }
}

/// How the registry names a key: keccak256 of its compressed form.
fn key_id(key: &PublicKey) -> B256 {
    B256::from(*key.id().as_bytes())
}
