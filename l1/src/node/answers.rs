//! What nodes answer, as far as it is used here, and no more: whatever else stands there, or is missing, or is of a type
//! that came later, is no reason to refuse an answer.

use alloy::{
    primitives::{Address, B256, Bytes, Log as RawLog, U64, U256},
    sol_types::SolEvent,
};
use serde::Deserialize;

/// A block without its transactions, or with their hashes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Header {
    pub(crate) number: U64,
    pub(crate) hash: B256,
    pub(crate) timestamp: U64,
    #[serde(default)]
    pub(crate) base_fee_per_gas: Option<U64>,
    #[serde(default)]
    pub(crate) gas_used: Option<U64>,
    #[serde(default)]
    pub(crate) gas_limit: Option<U64>,
    #[serde(default)]
    transactions: Vec<Listed>,
}

/// A transaction in a block's list.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Listed {
    Hash(B256),
    Whole { hash: B256 },
}

impl Header {
    /// The hashes of the block's transactions.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = B256> {
        self.transactions.iter().map(|listed| match listed {
            Listed::Hash(hash) | Listed::Whole { hash } => *hash,
        })
    }
}

/// What became of a transaction of any type.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    #[serde(default)]
    pub(crate) block_number: Option<U64>,
    #[serde(default)]
    pub(crate) block_hash: Option<B256>,
    pub(crate) gas_used: U64,
    /// 1 for success, 0 for failure (EIP-658).
    #[serde(default)]
    pub(crate) status: Option<U64>,
    #[serde(default)]
    pub(crate) contract_address: Option<Address>,
    #[serde(default)]
    logs: Vec<Log>,
}

#[derive(Debug, Clone, Deserialize)]
struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

impl Receipt {
    /// The first event of that type which a contract emitted in the transaction.
    pub(crate) fn event<E: SolEvent>(&self, contract: Address) -> Option<E> {
        self.logs.iter().filter(|log| log.address == contract).find_map(|log| {
            let raw = RawLog::new(log.address, log.topics.clone(), log.data.clone())?;
            E::decode_log(&raw).ok().map(|log| log.data)
        })
    }
}

/// An event as it is found on the chain.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundLog {
    #[serde(flatten)]
    log: Log,
    pub(crate) block_number: U64,
    pub(crate) block_hash: B256,
    pub(crate) transaction_hash: B256,
    pub(crate) log_index: U64,
    /// A reorganisation has taken it back.
    #[serde(default)]
    pub(crate) removed: bool,
}

impl FoundLog {
    /// The event, if it is one of that type and of that contract.
    pub(crate) fn event<E: SolEvent>(&self, contract: Address) -> Option<E> {
        let Log { address, topics, data } = &self.log;
        let raw = RawLog::new(*address, topics.clone(), data.clone()).filter(|raw| raw.address == contract)?;
        E::decode_log(&raw).ok().map(|log| log.data)
    }
}

/// What was sent in a transaction of any type.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Sent {
    #[serde(alias = "data")]
    pub(crate) input: Bytes,
}

/// What gas has cost in the last blocks.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FeeHistory {
    #[serde(default)]
    pub(crate) base_fee_per_gas: Vec<U256>,
    #[serde(default)]
    pub(crate) base_fee_per_blob_gas: Vec<U256>,
    #[serde(default)]
    pub(crate) reward: Option<Vec<Vec<U256>>>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_receipt_of_an_unknown_type_and_without_a_bloom_is_read() {
        let contract = Address::repeat_byte(7);
        let receipt = json!({
            "type": "0x7e", "status": "0x1", "gasUsed": "0x5208", "blockNumber": "0x10",
            "blockHash": B256::repeat_byte(1), "depositNonce": "0x1",
            "logs": [{ "address": contract, "topics": [], "data": "0x", "somethingNew": null }],
        });
        let receipt: Receipt = serde_json::from_value(receipt).expect("a receipt");
        assert_eq!((receipt.gas_used.to::<u64>(), receipt.status), (21_000, Some(U64::from(1))));
        assert_eq!(receipt.contract_address, None);
    }

    #[test]
    fn a_header_needs_number_hash_and_time_alone() {
        let hash = B256::repeat_byte(1);
        let header =
            json!({ "number": "0x1", "hash": hash, "timestamp": "0x2", "transactions": [hash, { "hash": hash }] });
        let header: Header = serde_json::from_value(header).expect("a header");
        assert_eq!(header.hashes().collect::<Vec<_>>(), [hash, hash]);
        assert!(serde_json::from_value::<Header>(json!({ "number": null, "hash": hash, "timestamp": "0x2" })).is_err());
    }
}
