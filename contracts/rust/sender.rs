//! Sends one transaction at a time from one account, and waits for its receipt.

use std::time::Duration;

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559, TxEnvelope},
    eips::{BlockId, eip2718::Encodable2718 as _},
    primitives::{Bytes, TxHash, TxKind, U256},
    providers::Provider as _,
    rpc::types::{Log, TransactionInput, TransactionReceipt, TransactionRequest},
    signers::{SignerSync as _, local::PrivateKeySigner},
    sol_types::SolCall,
};
use holdfast_certificate::Address;
use holdfast_erasure::Digest;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    Error, PublishReceipt,
    node::{Node, address_in, address_out, function_name},
};

/// The most gas that a transaction may ask for since Osaka (EIP-7825).
const GAS_CAP: u64 = 1 << 24;

/// The first and the longest pause between two looks for a receipt.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How a [`Publisher`](crate::Publisher) sends.
#[derive(Debug, Clone)]
pub struct PublisherOptions {
    /// The chain id that the node must serve; `None` takes what it serves.
    pub chain_id: Option<u64>,
    /// The limit of one RPC call, 10 s by default.
    pub call_limit: Duration,
    /// How long a transaction's receipt is waited for, 120 s by default: ten blocks of Ethereum.
    pub receipt_limit: Duration,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self { chain_id: None, call_limit: Duration::from_secs(10), receipt_limit: Duration::from_secs(120) }
    }
}

/// A transaction that was mined and succeeded.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) receipt: PublishReceipt,
    pub(crate) logs: Vec<Log>,
    pub(crate) created: Option<Address>,
}

/// One account on one chain.
#[derive(Debug)]
pub(crate) struct Sender {
    node: Node,
    chain_id: u64,
    signer: PrivateKeySigner,
    receipt_limit: Duration,
    /// Held from the choice of a nonce to the receipt, so that no two transactions take the same one.
    turn: Mutex<()>,
}

impl Sender {
    pub(crate) async fn connect(url: &str, key: &[u8; 32], options: PublisherOptions) -> Result<Self, Error> {
        let signer = PrivateKeySigner::from_slice(key).map_err(|_| Error::Invalid {
            what: "account key",
            reason: "expected a secp256k1 secret key, 1 to the group order".to_owned(),
        })?;
        let node = Node::new(url, options.call_limit)?;
        let chain_id = node.chain_id().await?;
        if let Some(expected) = options.chain_id
            && expected != chain_id
        {
            return Err(Error::WrongChain { expected, got: chain_id });
        }
        Ok(Self { node, chain_id, signer, receipt_limit: options.receipt_limit, turn: Mutex::new(()) })
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn chain_id(&self) -> u64 {
        self.chain_id
    }

    pub(crate) fn account(&self) -> Address {
        address_in(self.signer.address())
    }

    /// Calls a contract function in a transaction. A dry run comes first, so that what would be reverted costs nothing
    /// and says why.
    pub(crate) async fn transact<C: SolCall>(&self, to: Address, call: &C) -> Result<Sent, Error> {
        let what = function_name(C::SIGNATURE);
        let request = self.request(TxKind::Call(address_out(to)), call.abi_encode().into());
        let _turn = self.turn.lock().await;
        self.node.call_request::<C>(request.clone(), BlockId::pending()).await?;
        let receipt = self.send(what, &request).await?;
        if receipt.status() {
            return Ok(sent(&receipt));
        }
        // The state has changed between dry run and block: the reason is asked for at that block.
        let at = BlockId::number(receipt.block_number.unwrap_or_default());
        match self.node.call_request::<C>(request, at).await {
            Err(error @ (Error::Reverted { .. } | Error::NotAvailable { .. } | Error::UnknownEpoch { .. })) => {
                Err(error)
            }
            _ => Err(failed(what, &receipt)),
        }
    }

    /// Creates a contract from its creation code and constructor arguments.
    pub(crate) async fn create(&self, what: &'static str, code: Bytes) -> Result<Sent, Error> {
        let request = self.request(TxKind::Create, code);
        let _turn = self.turn.lock().await;
        let receipt = self.send(what, &request).await?;
        if receipt.status() { Ok(sent(&receipt)) } else { Err(failed(what, &receipt)) }
    }

    fn request(&self, to: TxKind, input: Bytes) -> TransactionRequest {
        TransactionRequest {
            from: Some(self.signer.address()),
            to: Some(to),
            input: TransactionInput::new(input),
            ..TransactionRequest::default()
        }
    }

    async fn send(&self, what: &'static str, request: &TransactionRequest) -> Result<TransactionReceipt, Error> {
        let provider = self.node.provider();
        let gas = self.node.limited(what, async { provider.estimate_gas(request.clone()).await }).await?;
        let fees = async { provider.estimate_eip1559_fees().await };
        let fees = self.node.limited("eth_feeHistory", fees).await?;
        let from = self.signer.address();
        let nonce = async { provider.get_transaction_count(from).pending().await };
        let nonce = self.node.limited("eth_getTransactionCount", nonce).await?;
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            // The block's time and other senders' transactions can make it dearer than the estimate.
            gas_limit: gas.saturating_add(gas / 8).min(GAS_CAP.max(gas)),
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            to: request.to.unwrap_or(TxKind::Create),
            value: U256::ZERO,
            access_list: Default::default(),
            input: request.input.input().cloned().unwrap_or_default(),
        };
        let signature = self
            .signer
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|error| Error::Invalid { what: "account key", reason: error.to_string() })?;
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        let raw = envelope.encoded_2718();
        let sending = async { provider.send_raw_transaction(&raw).await.map(|pending| *pending.tx_hash()) };
        let hash = self.node.limited("eth_sendRawTransaction", sending).await?;
        self.receipt(hash).await
    }

    /// Polls for a receipt. A failed look is no failed transaction, so only the time limit ends it.
    async fn receipt(&self, hash: TxHash) -> Result<TransactionReceipt, Error> {
        let provider = self.node.provider();
        let end = Instant::now() + self.receipt_limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let look = async { provider.get_transaction_receipt(hash).await };
            match self.node.limited("eth_getTransactionReceipt", look).await {
                Ok(Some(receipt)) => return Ok(receipt),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, %hash, "no answer about a transaction's receipt"),
            }
            if Instant::now() + pause > end {
                return Err(Error::NotMined { tx_hash: Digest::from(hash.0), limit: self.receipt_limit });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn sent(receipt: &TransactionReceipt) -> Sent {
    Sent {
        receipt: PublishReceipt {
            tx_hash: Digest::from(receipt.transaction_hash.0),
            gas_used: receipt.gas_used,
            block: receipt.block_number.unwrap_or_default(),
        },
        logs: receipt.logs().to_vec(),
        created: receipt.contract_address.map(address_in),
    }
}

fn failed(what: &'static str, receipt: &TransactionReceipt) -> Error {
    Error::Reverted { what, reason: format!("transaction {} failed", receipt.transaction_hash) }
}
