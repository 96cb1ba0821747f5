//! A chain with a registry, a committee and a namespace, on which a publisher is tried; and what stands on it after.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Bytes, keccak256},
    sol,
    sol_types::SolCall as _,
};
use holdfast_certificate::{Address, Attestation, Certificate, Namespace, Statement, VerifiedCertificate};
use holdfast_devchain::{DEV_KEYS, DevChain};
use holdfast_erasure::{Blob, Digest};
use holdfast_l1::{Job, JobState, JobStatus, Publisher, PublisherOptions, publisher::Error};
use holdfast_registry::EpochRecord;
use serde_json::{Value, json};

use crate::{
    anvil::{self, Anvil},
    chain::{deploy, reader, still},
    fixture::{Members, account, hours_after},
    node::{RawNode, quantity},
};

sol!(
    function publish(bytes certificate);
);

/// One gwei in wei.
pub(crate) const GWEI: u64 = 1_000_000_000;

/// The development account whose publisher is tried; it has sent nothing before.
pub(crate) const PAYER: usize = 2;

/// A chain, kept running for as long as this lives.
pub(crate) struct Stage {
    pub(crate) url: String,
    pub(crate) node: RawNode,
    pub(crate) registry: Address,
    members: Members,
    record: Arc<EpochRecord>,
    namespace: Namespace,
    _chain: Chain,
}

enum Chain {
    Anvil(#[allow(dead_code, reason = "stops when it is dropped")] Anvil),
    Dev(#[allow(dead_code, reason = "stops when it is dropped")] DevChain),
}

impl Stage {
    /// On anvil, which makes no block by itself any more; `None` where it is not installed.
    pub(crate) async fn on_anvil() -> Option<Self> {
        let anvil = Anvil::start(&anvil::installed()?, "osaka");
        let stage = Self::set(anvil.url.clone(), Chain::Anvil(anvil)).await;
        stage.node.call("evm_setAutomine", json!([false])).await;
        Some(stage)
    }

    /// On the embedded development chain, which makes a block for every transaction.
    pub(crate) async fn on_devchain() -> Self {
        let chain = DevChain::start(still()).await.unwrap();
        Self::set(chain.url(), Chain::Dev(chain)).await
    }

    async fn set(url: String, chain: Chain) -> Self {
        let node = RawNode::new(&url);
        let members = Members::five();
        let publisher = deploy(&url).await;
        let (epoch, namespace, _) = members.enter(&publisher).await;
        node.pass(10).await;
        node.finalize().await;
        let record = reader(&url, &publisher).await.unwrap().epoch(epoch).await.unwrap();
        Self { registry: publisher.registry(), url, node, members, record, namespace, _chain: chain }
    }

    /// A publisher that is quick to raise and to look, through `url`.
    pub(crate) async fn publisher(&self, url: &str, journal: &Path) -> Publisher {
        self.publisher_with(url, quick(journal)).await.unwrap()
    }

    pub(crate) async fn publisher_with(&self, url: &str, options: PublisherOptions) -> Result<Publisher, Error> {
        Publisher::connect_with(url, self.registry, &DEV_KEYS[PAYER], options).await
    }

    /// A certificate over a blob of that number, kept for two days from now.
    pub(crate) async fn certificate(&self, number: u8) -> VerifiedCertificate {
        self.certificate_until(number, hours_after(self.node.time().await, 48))
    }

    pub(crate) fn certificate_until(&self, number: u8, retain_until: u64) -> VerifiedCertificate {
        let blob = Blob {
            payload_length: 100_000,
            payload_digest: Digest::ZERO,
            original_shards: 2,
            total_shards: 5,
            shards_root: Digest::from([number; 32]),
            fingerprints_hash: Digest::from([4; 32]),
        };
        let epoch = self.record.committee.epoch();
        let statement = Statement { namespace: self.namespace, epoch, blob, whole_until: 0, retain_until };
        self.signed_from(0, statement)
    }

    /// A certificate of the same statement, by other members.
    pub(crate) fn certificate_of_others(&self, certificate: &VerifiedCertificate) -> VerifiedCertificate {
        self.signed_from(1, certificate.statement)
    }

    /// Signed by the four members from slot `first` on.
    fn signed_from(&self, first: usize, statement: Statement) -> VerifiedCertificate {
        let digest = statement.digest(self.record.committee.domain());
        let slots = (0..).zip(&self.members.secrets).skip(first).take(4);
        let signed = slots.map(|(slot, secret)| Attestation::sign(slot, secret, &digest));
        Certificate::aggregate(&self.record.committee, statement, &signed.collect::<Vec<_>>()).unwrap()
    }

    /// The publication of a certificate, as `Publisher::publish` submits it.
    pub(crate) fn job(&self, certificate: &VerifiedCertificate) -> Job {
        let id = Digest::from(*certificate.digest(self.record.committee.domain()).as_bytes());
        let call = publishCall { certificate: certificate.encode_l1().into() };
        Job { id, call: call.abi_encode() }
    }

    /// How many `Published` events of the certificate's blob are on the chain.
    pub(crate) async fn published(&self, certificate: &VerifiedCertificate) -> usize {
        let topic = keccak256("Published(bytes32,bytes32,bytes32,address,bytes32,uint64,uint64)");
        let topics = json!([topic, certificate.statement.blob.id().to_string()]);
        let filter = json!([{ "fromBlock": "0x0", "toBlock": "latest", "address": self.registry, "topics": topics }]);
        self.node.call("eth_getLogs", filter).await.as_array().unwrap().len()
    }

    /// How many of the payer's transactions are on the chain.
    pub(crate) async fn nonce(&self) -> u64 {
        quantity(&self.node.call("eth_getTransactionCount", json!([account(PAYER), "latest"])).await)
    }

    /// Adds a block, of what waits.
    pub(crate) async fn mine(&self) {
        self.node.call("evm_mine", json!([])).await;
    }

    /// Adds a block of that base fee, in wei. Only on anvil.
    pub(crate) async fn mine_at(&self, base_fee: u64) {
        self.node.call("anvil_setNextBlockBaseFeePerGas", json!([format!("{base_fee:#x}")])).await;
        self.mine().await;
    }

    /// Replaces the newest `depth` blocks by others with these transactions, each with the offset of its block. Only on
    /// anvil.
    pub(crate) async fn reorganise(&self, depth: u64, transactions: &[(Bytes, u64)]) {
        let pairs: Vec<Value> = transactions.iter().map(|(raw, block)| json!([raw, block])).collect();
        self.node.call("anvil_reorg", json!([depth, pairs])).await;
    }

    /// Drops all that waits for a block. Only on anvil.
    pub(crate) async fn drop_all(&self) {
        self.node.call("anvil_dropAllTransactions", json!([])).await;
    }

    /// Has the payer's key send something else, outside the publisher. Only on anvil.
    pub(crate) async fn stranger(&self, nonce: u64) -> String {
        let transaction = json!({
            "from": account(PAYER), "to": account(5), "value": "0x1", "gas": "0x5208", "nonce": format!("{nonce:#x}"),
            "maxFeePerGas": format!("{:#x}", 200 * GWEI), "maxPriorityFeePerGas": format!("{:#x}", 50 * GWEI),
        });
        self.node.call("eth_sendTransaction", json!([transaction])).await.as_str().unwrap().to_owned()
    }

    /// Drives and adds blocks in turn until a job has come so far.
    pub(crate) async fn drive_to(&self, publisher: &Publisher, id: &Digest, state: JobState) -> JobStatus {
        for _ in 0..30 {
            // What fails once is tried again: the state tells.
            let _ = publisher.drive().await;
            let status = publisher.status(id).unwrap();
            if status.state == state {
                return status;
            }
            self.mine().await;
        }
        panic!("30 blocks do not make it {state:?}: {:?}", publisher.status(id));
    }

    /// Drives a job to its end and checks that it is on the chain once, by the payer's only transaction.
    pub(crate) async fn ends_as_one(&self, publisher: &Publisher, certificate: &VerifiedCertificate, nonce: u64) {
        let id = self.job(certificate).id;
        self.drive_to(publisher, &id, JobState::Finalized).await;
        assert_eq!(self.published(certificate).await, 1);
        assert_eq!(self.nonce().await, nonce);
        assert_eq!(publisher.drive().await.unwrap(), 0, "nothing is left");
    }
}

/// Raised after every block, looked at without pause.
pub(crate) fn quick(journal: &Path) -> PublisherOptions {
    PublisherOptions {
        journal: Some(journal.to_owned()),
        call_limit: Duration::from_secs(5),
        receipt_limit: Duration::from_secs(20),
        bump_blocks: 1,
        bump_after: Duration::ZERO,
        poll: Duration::from_millis(20),
        ..PublisherOptions::default()
    }
}

/// Fails if something took longer than it may.
pub(crate) fn within(limit: Duration, since: Instant) {
    assert!(since.elapsed() < limit, "took {:?}, at most {limit:?} was allowed", since.elapsed());
}
