//! Writes to the registry: deployment, keys, epochs, namespaces, endpoints and certificates.

pub(crate) mod error;
mod job;
mod options;
mod outbox;

mod calls;
mod service;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{self, Bytes, keccak256},
    sol_types::{SolConstructor as _, SolEvent},
};
use holdfast_certificate::{Address, Domain, VerifiedCertificate, VerifiedCheckpoint};
use holdfast_contracts::{address_in, address_out, bindings::CommitteeRegistry as abi};
use holdfast_erasure::Digest;
use tokio::time::Instant;

use self::outbox::Outbox;
pub use self::{
    error::Error,
    job::{Job, JobState, JobStatus, PublishReceipt, Until},
    options::PublisherOptions,
};
use crate::{
    account::Account,
    error::Error as L1Error,
    node::{At, answers::Receipt},
};

/// Who governs a new registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// Proposes epochs; not zero.
    pub governance: Address,
    /// Cancels proposals and revokes epochs; zero for nobody.
    pub guardian: Address,
    /// Seconds from a proposal to its activation, at least.
    pub delay: u64,
    /// Seconds for which an epoch's certificates are good after its end, for what is on its way to L1 then.
    pub overlap: u64,
}

/// One account that writes to the registry.
///
/// Every call is a *job*: a dry run first, so that a refusal costs no gas and comes as a decoded error; then one nonce, one
/// transaction with it, and dearer ones in its place while it is not mined, never over
/// [`PublisherOptions::max_fee_per_gas`]. The calls below wait for a receipt, which is not yet final: see
/// [`Publisher::wait`].
///
/// # Never lost, never doubled
///
/// With [`PublisherOptions::journal`], a job is on disk before its transaction leaves, so a publisher that is killed at any
/// point goes on with it: with the same nonce, after a reorganisation with the same transaction, and with another nonce only
/// when final blocks have shown that the first is used, and none of them has a transaction of the job. A job goes on while
/// [`Publisher::run`], [`Publisher::drive`] or any waiting call runs, also one that waits for another job. What was finished
/// is known, and not done again, for the 8192 jobs that were finished last.
///
/// # One journal for an account
///
/// A journal is locked by the process that has it open. Transactions that the account sends elsewhere cost time, not jobs.
/// But two journals of one account know nothing of each other: a certificate that is given to both is published twice, and
/// so is one that is given again to a publisher without a journal after a restart.
#[derive(Debug, Clone)]
pub struct Publisher {
    outbox: Arc<Outbox>,
    registry: Address,
    receipt_limit: Duration,
}

/// A call that was mined and succeeded.
#[derive(Debug)]
struct Sent {
    receipt: PublishReceipt,
    details: Receipt,
}

impl Publisher {
    /// Connects to an existing registry with the secp256k1 secret key of the account.
    ///
    /// # Errors
    /// [`L1Error::Invalid`] for URL or key, [`L1Error::WrongChain`], [`L1Error::NoRegistry`], or an L1 error.
    pub async fn connect(rpc_url: &str, registry: Address, key: &[u8; 32]) -> Result<Self, Error> {
        Self::connect_with(rpc_url, registry, key, PublisherOptions::default()).await
    }

    /// [`Publisher::connect`] with options.
    ///
    /// # Errors
    /// As [`Publisher::connect_account`].
    pub async fn connect_with(
        rpc_url: &str,
        registry: Address,
        key: &[u8; 32],
        options: PublisherOptions,
    ) -> Result<Self, Error> {
        Self::connect_account(rpc_url, registry, Account::from_key(key)?, options).await
    }

    /// [`Publisher::connect`] with any account, and options.
    ///
    /// # Errors
    /// As [`Publisher::connect`]; with a journal also [`Error::JournalLocked`], [`Error::BadJournal`] and
    /// [`Error::Journal`].
    pub async fn connect_account(
        rpc_url: &str,
        registry: Address,
        account: Account,
        options: PublisherOptions,
    ) -> Result<Self, Error> {
        let outbox = Outbox::open(rpc_url, account, &options).await?;
        let block = outbox.node().block(BlockNumberOrTag::Latest).await?.number;
        if outbox.node().code(registry, At::Name(BlockNumberOrTag::Number(block))).await?.is_empty() {
            return Err(L1Error::NoRegistry { registry, chain_id: outbox.chain_id(), block }.into());
        }
        Ok(Self { outbox, registry, receipt_limit: options.receipt_limit })
    }

    /// Deploys a new registry and connects to it.
    ///
    /// # Errors
    /// As [`Publisher::deploy_account`].
    pub async fn deploy(
        rpc_url: &str,
        key: &[u8; 32],
        deployment: Deployment,
        options: PublisherOptions,
    ) -> Result<(Self, PublishReceipt), Error> {
        Self::deploy_account(rpc_url, Account::from_key(key)?, deployment, options).await
    }

    /// [`Publisher::deploy`] with any account.
    ///
    /// # Errors
    /// [`L1Error::Reverted`] when the chain lacks EIP-2537 or governance is zero; otherwise as
    /// [`Publisher::connect_account`].
    pub async fn deploy_account(
        rpc_url: &str,
        account: Account,
        deployment: Deployment,
        options: PublisherOptions,
    ) -> Result<(Self, PublishReceipt), Error> {
        let outbox = Outbox::open(rpc_url, account, &options).await?;
        let arguments = abi::constructorCall {
            governance_: address_out(deployment.governance),
            guardian_: address_out(deployment.guardian),
            delay_: deployment.delay,
            overlap_: deployment.overlap,
        };
        let code = [abi::BYTECODE.as_ref(), &arguments.abi_encode()].concat();
        let sent = carry_out(&outbox, new_id(&code), None, code.into(), options.receipt_limit).await?;
        let registry = sent.details.contract_address.map(address_in).ok_or_else(|| L1Error::BadAnswer {
            what: "eth_getTransactionReceipt",
            reason: "no contract address".to_owned(),
        })?;
        Ok((Self { outbox, registry, receipt_limit: options.receipt_limit }, sent.receipt))
    }

    /// The registry's address.
    #[must_use]
    pub fn registry(&self) -> Address {
        self.registry
    }

    /// The domain of statements under this registry.
    #[must_use]
    pub fn domain(&self) -> Domain {
        Domain { chain_id: self.outbox.chain_id(), registry: self.registry }
    }

    /// The address of the account that sends.
    #[must_use]
    pub fn account(&self) -> Address {
        self.outbox.account().address()
    }

    /// Publishes a checkpoint: the registry verifies it at the block's time, keeps when, and emits one event. Once for each
    /// checkpoint, as [`Publisher::publish`].
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn publish_checkpoint(&self, checkpoint: &VerifiedCheckpoint) -> Result<PublishReceipt, Error> {
        let status = self.submit_checkpoint(checkpoint).await?;
        self.wait(&status.id, Until::Mined, self.receipt_limit).await
    }

    /// Publishes a certificate: the registry verifies it at the block's time and emits one event. A certificate that this
    /// publisher's journal knows is not published again; its receipt is given.
    ///
    /// # Errors
    /// [`L1Error::NotAvailable`] with the rule that it breaks, mostly from the dry run and so without cost; otherwise an
    /// L1 error. After [`Error::NotMined`] and [`Error::NotSent`] the job goes on: see [`Publisher::wait`].
    pub async fn publish(&self, certificate: &VerifiedCertificate) -> Result<PublishReceipt, Error> {
        let status = self.submit_certificate(certificate).await?;
        self.wait(&status.id, Until::Mined, self.receipt_limit).await
    }

    /// Waits until a block is final, which is when members and clients see what stands in it.
    ///
    /// # Errors
    /// [`L1Error::Timeout`] after `limit`; [`L1Error::NoFinality`] at once where the node names no finalized block.
    pub async fn wait_final(&self, block: u64, limit: Duration) -> Result<(), Error> {
        const LONGEST_PAUSE: Duration = Duration::from_secs(2);
        let mut pause = Duration::from_millis(50);
        let end = Instant::now() + limit;
        loop {
            match self.outbox.node().block(BlockNumberOrTag::Finalized).await {
                Ok(final_block) if final_block.number >= block => return Ok(()),
                Ok(_) => {}
                Err(error @ L1Error::NoFinality { .. }) => return Err(error.into()),
                Err(error) => tracing::debug!(%error, "no answer about the finalized block"),
            }
            if Instant::now() + pause > end {
                return Err(L1Error::Timeout { what: "finality", limit }.into());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The id of a call that the registry takes only once, so that given again it is the same job.
    fn only_id(&self, input: &[u8]) -> Digest {
        let domain = [&self.domain().chain_id.to_be_bytes(), self.registry.to_bytes().as_slice()].concat();
        Digest::from(keccak256([domain.as_slice(), input].concat()).0)
    }

    /// Calls the registry, unless this was done as a job of that id.
    async fn call(&self, id: Digest, input: Vec<u8>) -> Result<Sent, Error> {
        let registry = Some(address_out(self.registry));
        carry_out(&self.outbox, id, registry, input.into(), self.receipt_limit).await
    }

    /// The event of that type which the registry emitted in a transaction.
    fn event<E: SolEvent>(&self, sent: &Sent, what: &'static str) -> Result<E, Error> {
        sent.details.event(address_out(self.registry)).ok_or_else(|| {
            let reason = format!("no event {} in transaction {}", E::SIGNATURE, sent.receipt.tx_hash);
            L1Error::BadAnswer { what, reason }.into()
        })
    }
}

async fn carry_out(
    outbox: &Arc<Outbox>,
    id: Digest,
    to: Option<primitives::Address>,
    input: Bytes,
    limit: Duration,
) -> Result<Sent, Error> {
    outbox.submit(id, to, input).await?;
    let receipt = outbox.wait(&id, Until::Mined, limit).await?;
    let details = outbox.receipt(&receipt.tx_hash, limit).await?;
    Ok(Sent { receipt, details })
}

/// The id of a call that may be made many times: of this one.
fn new_id(input: &[u8]) -> Digest {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_be_bytes();
    let call = CALLS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let unique = [now.as_slice(), &std::process::id().to_be_bytes(), &call, input];
    Digest::from(keccak256(unique.concat()).0)
}
