//! What the outbox asks its node, every question with a time limit.

use std::time::Duration;

use alloy::{
    consensus::{TxEip1559, TxEnvelope},
    eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718 as _},
    primitives::{Address, B256, Bytes, TxKind},
    providers::Provider as _,
    rpc::types::{Block, TransactionInput, TransactionReceipt, TransactionRequest},
    transports::RpcError,
};

use super::record::{BlockRef, Bound, Found, Record, Refusal};
use crate::{account::Account, error::Error, node::Node, publisher::error::Error as PublishError};

/// The most gas that a transaction may ask for since Osaka (EIP-7825).
const GAS_CAP: u64 = 1 << 24;

/// The blocks whose tips are looked at, and which of each block's.
const TIP_BLOCKS: u64 = 10;
const TIP_PERCENTILE: f64 = 50.0;

/// One account on one chain, through one node.
#[derive(Debug)]
pub(super) struct Chain {
    node: Node,
    account: Account,
    chain_id: u64,
    limit: Duration,
}

/// The chain at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) head: u64,
    pub(super) head_hash: B256,
    pub(super) finalized: BlockRef,
    /// The account's next nonce at the head.
    pub(super) nonce: u64,
}

/// What gas costs now, in wei.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prices {
    /// The greater of the newest block's base fee and the next one's.
    pub(super) base_fee: u64,
    /// The median of what is tipped.
    pub(super) tip: u64,
}

/// What a node said to a transaction.
#[derive(Debug)]
pub(super) enum Given {
    Taken,
    Refused(String),
    /// It may have it or not.
    Unanswered(String),
}

impl Chain {
    pub(super) fn new(node: Node, account: Account, chain_id: u64, limit: Duration) -> Self {
        Self { node, account, chain_id, limit }
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    pub(super) fn chain_id(&self) -> u64 {
        self.chain_id
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The limit of one call.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// The hash of the first block.
    pub(super) async fn genesis(&self) -> Result<B256, Error> {
        Ok(self.block(BlockNumberOrTag::Earliest).await?.header.hash)
    }

    pub(super) async fn view(&self) -> Result<View, Error> {
        // A node, or what chooses among nodes, can be set to another chain at any time; its nonces must not be taken.
        let got = self.node.chain_id().await?;
        if got != self.chain_id {
            return Err(Error::WrongChain { expected: self.chain_id, got });
        }
        // The older one first, so that it is never ahead of the newer.
        let finalized = self.block(BlockNumberOrTag::Finalized).await?.header;
        let finalized = BlockRef { number: finalized.number, hash: finalized.hash };
        let head = self.block(BlockNumberOrTag::Latest).await?.header;
        let nonce = self.nonce(BlockId::number(head.number)).await?;
        Ok(View { head: head.number, head_hash: head.hash, finalized, nonce })
    }

    /// The account's next nonce after a block.
    pub(super) async fn nonce(&self, block: BlockId) -> Result<u64, Error> {
        let account = self.account.signer_address();
        let count = async { self.node.provider().get_transaction_count(account).block_id(block).await };
        self.node.limited("eth_getTransactionCount", count).await
    }

    /// What the account has, in wei.
    pub(super) async fn balance(&self) -> Result<u128, Error> {
        let account = self.account.signer_address();
        let balance = async { self.node.provider().get_balance(account).await };
        Ok(self.node.limited("eth_getBalance", balance).await?.saturating_to())
    }

    /// The attempt that stands in a block: at most one of them can. Some nodes serve receipts of blocks that are gone.
    pub(super) async fn found(&self, bound: &Bound) -> Result<Option<Found>, Error> {
        for attempt in bound.attempts.iter().rev() {
            let Some(receipt) = self.receipt(attempt.hash).await? else { continue };
            let (Some(block), Some(block_hash)) = (receipt.block_number, receipt.block_hash) else { continue };
            if self.has_block(block, block_hash).await? {
                let (gas_used, succeeded) = (receipt.gas_used, receipt.status());
                return Ok(Some(Found { hash: attempt.hash, block, block_hash, gas_used, succeeded }));
            }
        }
        Ok(None)
    }

    /// Whether the chain's block of that number is the one of that hash.
    pub(super) async fn has_block(&self, number: u64, hash: B256) -> Result<bool, Error> {
        Ok(self.block(BlockNumberOrTag::Number(number)).await?.header.hash == hash)
    }

    /// Which of the attempts stands in a block, by the block's list of transactions.
    pub(super) async fn attempt_in(&self, number: u64, bound: &Bound) -> Result<Option<B256>, Error> {
        let block = self.block(BlockNumberOrTag::Number(number)).await?;
        let found = block.transactions.hashes().find(|hash| bound.attempts.iter().any(|attempt| attempt.hash == *hash));
        Ok(found)
    }

    /// Whether the node has a transaction, in a block or waiting for one.
    pub(super) async fn has_transaction(&self, hash: B256) -> Result<bool, Error> {
        let look = async { self.node.provider().get_transaction_by_hash(hash).await };
        Ok(self.node.limited("eth_getTransactionByHash", look).await?.is_some())
    }

    pub(super) async fn receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, Error> {
        let look = async { self.node.provider().get_transaction_receipt(hash).await };
        self.node.limited("eth_getTransactionReceipt", look).await
    }

    /// Runs a job's call without sending it; `Some` is the contract's refusal.
    pub(super) async fn dry_run(&self, record: &Record, block: BlockId) -> Result<Option<Refusal>, Error> {
        let request = self.request(record.to, record.input.clone());
        let call = async { self.node.provider().call(request).block(block).await };
        refusal(self.node.limited(record.what(), call).await).map(Result::err)
    }

    /// The gas limit for a call, with some room; or the contract's refusal.
    pub(super) async fn gas(
        &self,
        what: &'static str,
        to: Option<Address>,
        input: &Bytes,
    ) -> Result<Result<u64, Refusal>, Error> {
        let request = self.request(to, input.clone());
        let estimate = async { self.node.provider().estimate_gas(request).block(BlockId::pending()).await };
        let gas = refusal(self.node.limited(what, estimate).await)?;
        // The block's time and other senders' transactions can make it dearer than the estimate.
        Ok(gas.map(|gas| gas.saturating_add(gas / 8).min(GAS_CAP.max(gas))))
    }

    pub(super) async fn prices(&self) -> Result<Prices, Error> {
        const WHAT: &str = "eth_feeHistory";
        let history = async {
            self.node.provider().get_fee_history(TIP_BLOCKS, BlockNumberOrTag::Latest, &[TIP_PERCENTILE]).await
        };
        let history = self.node.limited(WHAT, history).await?;
        let newest = history.base_fee_per_gas.iter().rev().take(2).max();
        let base_fee =
            newest.ok_or_else(|| Error::BadAnswer { what: WHAT, reason: "no base fee (EIP-1559)".to_owned() })?;
        let tips = history.reward.iter().flatten().flatten();
        let mut tips: Vec<u128> = tips.copied().filter(|tip| *tip > 0).collect();
        tips.sort_unstable();
        let tip = tips.get(tips.len() / 2).copied().unwrap_or_default();
        let word = |wei: u128| u64::try_from(wei).unwrap_or(u64::MAX);
        Ok(Prices { base_fee: word(*base_fee), tip: word(tip) })
    }

    /// Gives the node a signed transaction.
    pub(super) async fn give(&self, raw: &Bytes) -> Given {
        let sending = async { self.node.provider().send_raw_transaction(raw).await };
        match tokio::time::timeout(self.limit, sending).await {
            Ok(Ok(_)) => Given::Taken,
            Ok(Err(RpcError::ErrorResp(answer))) => Given::Refused(answer.message.into_owned()),
            // The transport's text may hold the URL, and that an API key.
            Ok(Err(_)) => Given::Unanswered("no answer to eth_sendRawTransaction".to_owned()),
            Err(_) => Given::Unanswered(format!("no answer to eth_sendRawTransaction in {:?}", self.limit)),
        }
    }

    /// Signs a transaction; gives its encoding and its hash.
    pub(super) async fn sign(&self, transaction: TxEip1559) -> Result<(Bytes, B256), PublishError> {
        let signing = tokio::time::timeout(self.limit, self.account.sign(transaction)).await;
        let envelope: TxEnvelope =
            signing.map_err(|_| Error::Timeout { what: "signing of a transaction", limit: self.limit })??;
        Ok((envelope.encoded_2718().into(), *envelope.tx_hash()))
    }

    fn request(&self, to: Option<Address>, input: Bytes) -> TransactionRequest {
        TransactionRequest {
            from: Some(self.account.signer_address()),
            to: Some(to.map_or(TxKind::Create, TxKind::Call)),
            input: TransactionInput::new(input),
            ..TransactionRequest::default()
        }
    }

    async fn block(&self, tag: BlockNumberOrTag) -> Result<Block, Error> {
        const WHAT: &str = "eth_getBlockByNumber";
        let block = self.node.limited(WHAT, async { self.node.provider().get_block_by_number(tag).await }).await?;
        block.ok_or_else(|| Error::BadAnswer { what: WHAT, reason: format!("no {tag} block") })
    }
}

/// Takes the contract's refusals out of the errors.
fn refusal<T>(answer: Result<T, Error>) -> Result<Result<T, Refusal>, Error> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(error) => Refusal::of(&error).map(Err).ok_or(error),
    }
}
