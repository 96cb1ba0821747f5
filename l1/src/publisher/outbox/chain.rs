//! What the outbox asks its node, every question with a time limit.

use std::time::Duration;

use alloy::{
    consensus::{TxEip1559, TxEnvelope},
    eips::{BlockNumberOrTag, eip2718::Encodable2718 as _},
    primitives::{Address, B256, Bytes, TxKind},
    providers::Provider as _,
    rpc::types::{TransactionInput, TransactionRequest},
    transports::RpcError,
};
use serde::de::IgnoredAny;

use super::record::{BlockRef, Bound, Found, Record, Refusal};
use crate::{
    account::Account,
    error::Error,
    node::{
        At, Node,
        answers::{Header, Receipt},
    },
    publisher::error::Error as PublishError,
};

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

    pub(super) async fn view(&self) -> Result<View, Error> {
        // A node, or what chooses among nodes, can be set to another chain at any time; its nonces must not be taken.
        let got = self.node.chain_id().await?;
        if got != self.chain_id {
            return Err(Error::WrongChain { expected: self.chain_id, got });
        }
        // The older one first, so that it is never ahead of the newer.
        let finalized = self.finalized().await?;
        let head = self.header(BlockNumberOrTag::Latest).await?;
        let number = head.number.to();
        let nonce = self.nonce(BlockNumberOrTag::Number(number)).await?;
        Ok(View { head: number, head_hash: head.hash, finalized, nonce })
    }

    /// The finalized block.
    pub(super) async fn finalized(&self) -> Result<BlockRef, Error> {
        let header = self.header(BlockNumberOrTag::Finalized).await?;
        Ok(BlockRef { number: header.number.to(), hash: header.hash })
    }

    /// A block's header.
    pub(super) async fn header(&self, name: BlockNumberOrTag) -> Result<Header, Error> {
        self.node.header(name).await
    }

    /// The account's next nonce after a block.
    pub(super) async fn nonce(&self, name: BlockNumberOrTag) -> Result<u64, Error> {
        let account = self.account.signer_address();
        let count = async { self.node.provider().get_transaction_count(account).block_id(name.into()).await };
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
            let block = block.to();
            if self.has_block(block, block_hash).await? {
                let status = receipt.status.ok_or_else(|| Error::Unsupported {
                    what: "eth_getTransactionReceipt",
                    reason: "its receipts have no status (EIP-658)".to_owned(),
                })?;
                let (gas_used, succeeded) = (receipt.gas_used.to(), !status.is_zero());
                return Ok(Some(Found { hash: attempt.hash, block, block_hash, gas_used, succeeded }));
            }
        }
        Ok(None)
    }

    /// Whether the chain's block of that number is the one of that hash.
    pub(super) async fn has_block(&self, number: u64, hash: B256) -> Result<bool, Error> {
        Ok(self.header(BlockNumberOrTag::Number(number)).await?.hash == hash)
    }

    /// Whether the chain has a block of that hash.
    pub(super) async fn has_hash(&self, hash: B256) -> Result<bool, Error> {
        Ok(self.node.ask::<_, Option<IgnoredAny>>("eth_getBlockByHash", (hash, false)).await?.is_some())
    }

    /// Which of the attempts stands in a block, by the block's list of transactions.
    pub(super) async fn attempt_in(&self, number: u64, bound: &Bound) -> Result<Option<B256>, Error> {
        let block = self.header(BlockNumberOrTag::Number(number)).await?;
        Ok(block.hashes().find(|hash| bound.attempts.iter().any(|attempt| attempt.hash == *hash)))
    }

    /// Whether the node has a transaction, in a block or waiting for one.
    pub(super) async fn has_transaction(&self, hash: B256) -> Result<bool, Error> {
        Ok(self.node.ask::<_, Option<IgnoredAny>>("eth_getTransactionByHash", (hash,)).await?.is_some())
    }

    pub(super) async fn receipt(&self, hash: B256) -> Result<Option<Receipt>, Error> {
        self.node.ask("eth_getTransactionReceipt", (hash,)).await
    }

    /// Runs a job's call without sending it; `Some` is the contract's refusal.
    pub(super) async fn dry_run(&self, record: &Record, name: BlockNumberOrTag) -> Result<Option<Refusal>, Error> {
        let request = self.request(record.to, record.input.clone());
        refusal(self.node.run(record.what(), &request, At::Name(name)).await).map(Result::err)
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

    pub(super) fn request(&self, to: Option<Address>, input: Bytes) -> TransactionRequest {
        TransactionRequest {
            from: Some(self.account.signer_address()),
            to: Some(to.map_or(TxKind::Create, TxKind::Call)),
            input: TransactionInput::new(input),
            ..TransactionRequest::default()
        }
    }
}

/// Takes the contract's refusals out of the errors.
pub(super) fn refusal<T>(answer: Result<T, Error>) -> Result<Result<T, Refusal>, Error> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(error) => Refusal::of(&error).map(Err).ok_or(error),
    }
}
