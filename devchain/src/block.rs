//! One block: what is kept of it, and what is derived from that.

use std::sync::Arc;

use alloy::{
    consensus::{
        Eip658Value, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, Transaction as _, TxEnvelope, TxType,
        constants::{EMPTY_ROOT_HASH, EMPTY_WITHDRAWALS},
        proofs::{calculate_receipt_root, calculate_transaction_root},
    },
    eips::{eip1559::BaseFeeParams, eip7685::EMPTY_REQUESTS_HASH},
    primitives::{Address, B256, Log, TxHash, U256, keccak256},
};
use revm::context::BlockEnv;

use super::evm::BLOCK_GAS_LIMIT;

/// The base fee of the first block, in wei per gas; EIP-1559 moves it from there.
const FIRST_BASE_FEE: u64 = 1_000_000_000;

/// A block with at most one transaction. What a header has beyond these fields follows from them.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) timestamp: u64,
    pub(super) parent: B256,
    pub(super) base_fee: u64,
    pub(super) hash: B256,
    pub(super) mined: Option<Arc<Mined>>,
}

/// A transaction that stands in a block, with its result.
#[derive(Debug)]
pub(super) struct Mined {
    pub(super) envelope: TxEnvelope,
    pub(super) from: Address,
    pub(super) succeeded: bool,
    pub(super) gas_used: u64,
    pub(super) logs: Vec<Log>,
    pub(super) created: Option<Address>,
}

/// What is fixed of a block before its transaction is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    pub(super) number: u64,
    pub(super) timestamp: u64,
    pub(super) parent: B256,
    pub(super) base_fee: u64,
}

impl Opened {
    pub(super) fn genesis(timestamp: u64) -> Self {
        Self { number: 0, timestamp, parent: B256::ZERO, base_fee: FIRST_BASE_FEE }
    }

    pub(super) fn after(parent: &Block, timestamp: u64) -> Self {
        let base_fee = alloy::eips::calc_next_block_base_fee(
            parent.gas_used(),
            BLOCK_GAS_LIMIT,
            parent.base_fee,
            BaseFeeParams::ethereum(),
        );
        Self { number: parent.number + 1, timestamp, parent: parent.hash, base_fee }
    }

    /// What contracts see of the block.
    pub(super) fn environment(&self) -> BlockEnv {
        BlockEnv {
            number: U256::from(self.number),
            timestamp: U256::from(self.timestamp),
            gas_limit: BLOCK_GAS_LIMIT,
            basefee: self.base_fee,
            prevrandao: Some(randomness(self.parent)),
            ..BlockEnv::default()
        }
    }

    pub(super) fn close(self, mined: Option<Mined>) -> Block {
        let Self { number, timestamp, parent, base_fee } = self;
        let mined = mined.map(Arc::new);
        let mut block = Block { number, timestamp, parent, base_fee, hash: B256::ZERO, mined };
        block.hash = block.header().hash_slow();
        block
    }
}

impl Block {
    pub(super) fn gas_used(&self) -> u64 {
        self.mined.as_ref().map_or(0, |mined| mined.gas_used)
    }

    /// What contracts see of the block.
    pub(super) fn environment(&self) -> BlockEnv {
        let Self { number, timestamp, parent, base_fee, .. } = *self;
        Opened { number, timestamp, parent, base_fee }.environment()
    }

    /// The block's header. Its hash is the block's hash, as on Ethereum; the state root is zero, because no state
    /// trie is built.
    pub(super) fn header(&self) -> Header {
        let (transactions_root, receipts_root, logs_bloom) = match &self.mined {
            None => (EMPTY_ROOT_HASH, EMPTY_ROOT_HASH, Default::default()),
            Some(mined) => {
                let receipt = mined.receipt();
                (
                    calculate_transaction_root(std::slice::from_ref(&mined.envelope)),
                    calculate_receipt_root(std::slice::from_ref(&receipt)),
                    *receipt.logs_bloom(),
                )
            }
        };
        Header {
            parent_hash: self.parent,
            state_root: B256::ZERO,
            transactions_root,
            receipts_root,
            logs_bloom,
            number: self.number,
            gas_limit: BLOCK_GAS_LIMIT,
            gas_used: self.gas_used(),
            timestamp: self.timestamp,
            mix_hash: randomness(self.parent),
            base_fee_per_gas: Some(self.base_fee),
            withdrawals_root: Some(EMPTY_WITHDRAWALS),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }
}

impl Mined {
    pub(super) fn hash(&self) -> TxHash {
        *self.envelope.tx_hash()
    }

    /// Wei per gas that the sender paid.
    pub(super) fn effective_gas_price(&self, base_fee: u64) -> u128 {
        self.envelope.effective_gas_price(Some(base_fee))
    }

    /// The consensus receipt: the block's only one, so its cumulative gas is its own.
    pub(super) fn receipt(&self) -> ReceiptEnvelope {
        let receipt = Receipt {
            status: Eip658Value::Eip658(self.succeeded),
            cumulative_gas_used: self.gas_used,
            logs: self.logs.clone(),
        };
        enveloped(self.envelope.tx_type(), ReceiptWithBloom::from(receipt))
    }
}

/// A receipt under the type of its transaction. Only types 0, 1 and 2 are ever mined.
pub(super) fn enveloped<T>(kind: TxType, receipt: ReceiptWithBloom<Receipt<T>>) -> ReceiptEnvelope<T> {
    match kind {
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        _ => ReceiptEnvelope::Legacy(receipt),
    }
}

/// `PREVRANDAO`: no beacon chain here, so it is derived and predictable.
fn randomness(parent: B256) -> B256 {
    keccak256(parent)
}
