//! Blocks, transactions and logs in the form that JSON-RPC has them.

use alloy::{
    consensus::{Transaction as _, transaction::Recovered},
    primitives::U256,
    rpc::types::{Block as RpcBlock, BlockTransactions, FeeHistory, Header, Log, Transaction, TransactionReceipt},
};

use super::{
    block::{Block, Mined, enveloped},
    chain::Chain,
    evm::BLOCK_GAS_LIMIT,
};

/// A block, with whole transactions or only their hashes.
pub(super) fn block(block: &Block, whole: bool) -> RpcBlock {
    let header = block.header();
    let body = alloy::consensus::BlockBody {
        transactions: block.mined.iter().map(|mined| mined.envelope.clone()).collect(),
        ommers: Vec::new(),
        withdrawals: Some(Default::default()),
    };
    let size = alloy::rlp::Encodable::length(&alloy::consensus::Block { header: header.clone(), body });
    let transactions = match (&block.mined, whole) {
        (None, true) => BlockTransactions::Full(Vec::new()),
        (None, false) => BlockTransactions::Hashes(Vec::new()),
        (Some(mined), true) => BlockTransactions::Full(vec![transaction(block, mined)]),
        (Some(mined), false) => BlockTransactions::Hashes(vec![mined.hash()]),
    };
    RpcBlock {
        header: Header { hash: block.hash, inner: header, total_difficulty: None, size: Some(U256::from(size)) },
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(Default::default()),
    }
}

/// A transaction in its block.
pub(super) fn transaction(block: &Block, mined: &Mined) -> Transaction {
    Transaction {
        inner: Recovered::new_unchecked(mined.envelope.clone(), mined.from),
        block_hash: Some(block.hash),
        block_number: Some(block.number),
        transaction_index: Some(0),
        effective_gas_price: Some(mined.effective_gas_price(block.base_fee)),
        block_timestamp: Some(block.timestamp),
    }
}

/// A transaction's receipt.
pub(super) fn receipt(block: &Block, mined: &Mined) -> TransactionReceipt {
    let consensus = mined.receipt();
    let logs_bloom = *consensus.logs_bloom();
    let receipt = alloy::consensus::Receipt {
        status: alloy::consensus::Eip658Value::Eip658(mined.succeeded),
        cumulative_gas_used: mined.gas_used,
        logs: logs(block),
    };
    TransactionReceipt {
        inner: enveloped(mined.envelope.tx_type(), alloy::consensus::ReceiptWithBloom { receipt, logs_bloom }),
        transaction_hash: mined.hash(),
        transaction_index: Some(0),
        block_hash: Some(block.hash),
        block_number: Some(block.number),
        gas_used: mined.gas_used,
        effective_gas_price: mined.effective_gas_price(block.base_fee),
        blob_gas_used: None,
        blob_gas_price: None,
        from: mined.from,
        to: mined.envelope.to(),
        contract_address: mined.created,
    }
}

/// Every log of a block.
pub(super) fn logs(block: &Block) -> Vec<Log> {
    let Some(mined) = &block.mined else { return Vec::new() };
    let numbered = (0u64..).zip(&mined.logs);
    numbered
        .map(|(index, log)| Log {
            inner: log.clone(),
            block_hash: Some(block.hash),
            block_number: Some(block.number),
            block_timestamp: Some(block.timestamp),
            transaction_hash: Some(mined.hash()),
            transaction_index: Some(0),
            log_index: Some(index),
            removed: false,
        })
        .collect()
}

/// Base fees, use and tips of `count` blocks up to `last`. A block has at most one transaction, so all percentiles
/// of its tips are the same.
pub(super) fn fee_history(chain: &Chain, last: u64, count: u64, percentiles: usize) -> FeeHistory {
    let oldest = last.saturating_sub(count.saturating_sub(1));
    let blocks = chain.range(oldest, last);
    let mut base_fees: Vec<u128> = blocks.iter().map(|block| u128::from(block.base_fee)).collect();
    base_fees.extend(blocks.last().map(|block| u128::from(chain.base_fee_after(block))));
    let tip = |block: &Block| {
        let mined = block.mined.as_ref();
        mined.map_or(0, |mined| mined.effective_gas_price(block.base_fee).saturating_sub(u128::from(block.base_fee)))
    };
    // Both are far below 2^52, so the division is exact enough.
    let ratio = |block: &Block| block.gas_used() as f64 / BLOCK_GAS_LIMIT as f64;
    FeeHistory {
        base_fee_per_gas: base_fees,
        gas_used_ratio: blocks.iter().map(ratio).collect(),
        base_fee_per_blob_gas: vec![1; blocks.len() + 1],
        blob_gas_used_ratio: vec![0.0; blocks.len()],
        oldest_block: oldest,
        reward: (percentiles > 0).then(|| blocks.iter().map(|block| vec![tip(block); percentiles]).collect()),
    }
}
