//! JSON-RPC: one request in, one answer out.

use std::sync::{Arc, Mutex, MutexGuard};

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::{Address, B256, Bytes, TxHash, U64, U256},
    rpc::types::{Filter, FilterBlockOption, Log, TransactionRequest},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{answers, calls, chain::Chain, error::RpcError};

/// The most requests in one batch.
const MAX_BATCH: usize = 256;

/// The most blocks that one `eth_getLogs` may cover.
const MAX_LOG_BLOCKS: u64 = 10_000;

/// The most logs that one `eth_getLogs` gives.
const MAX_LOGS: usize = 10_000;

/// The most blocks that one `eth_feeHistory` or `evm_mine` may name.
const MAX_BLOCKS: u64 = 1024;

/// Wei per gas that a sender is told to tip.
const TIP: u64 = 1_000_000_000;

/// Answers requests from a chain.
#[derive(Clone, Debug)]
pub(super) struct Rpc {
    chain: Arc<Mutex<Chain>>,
}

#[derive(Deserialize)]
struct Request {
    jsonrpc: String,
    id: Value,
    method: String,
    #[serde(default)]
    params: Value,
}

impl Rpc {
    pub(super) fn new(chain: Arc<Mutex<Chain>>) -> Self {
        Self { chain }
    }

    /// Answers one request or a batch. Whatever the bytes are, the answer is JSON-RPC.
    pub(super) fn answer(&self, body: &[u8]) -> Value {
        match serde_json::from_slice(body) {
            Err(error) => failure(&Value::Null, &RpcError::parse(error)),
            Ok(Value::Array(batch)) if batch.is_empty() => failure(&Value::Null, &RpcError::request("empty batch")),
            Ok(Value::Array(batch)) if batch.len() > MAX_BATCH => {
                let reason = format!("expected at most {MAX_BATCH} requests in a batch, got {}", batch.len());
                failure(&Value::Null, &RpcError::request(reason))
            }
            Ok(Value::Array(batch)) => batch.into_iter().map(|request| self.one(request)).collect(),
            Ok(request) => self.one(request),
        }
    }

    fn one(&self, request: Value) -> Value {
        let given_id = request.get("id").cloned().unwrap_or_default();
        let request: Request = match serde_json::from_value(request) {
            Ok(request) => request,
            Err(error) => return failure(&given_id, &RpcError::request(error)),
        };
        if request.jsonrpc != "2.0" {
            let reason = format!("expected jsonrpc 2.0, got {}", request.jsonrpc);
            return failure(&request.id, &RpcError::request(reason));
        }
        match self.dispatch(&request.method, &Params(request.params)) {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": request.id, "result": result }),
            Err(error) => failure(&request.id, &error),
        }
    }

    fn dispatch(&self, method: &str, params: &Params) -> Result<Value, RpcError> {
        match method {
            "eth_chainId" => Ok(json!(U64::from(self.chain().rules().chain_id))),
            "net_version" => Ok(json!(self.chain().rules().chain_id.to_string())),
            "net_listening" => Ok(json!(true)),
            "web3_clientVersion" => Ok(json!(concat!("holdfast-devchain/", env!("CARGO_PKG_VERSION")))),
            "eth_syncing" => Ok(json!(false)),
            "eth_accounts" => Ok(json!([])),
            "eth_blockNumber" => Ok(json!(U64::from(self.chain().head().number))),
            "eth_getBlockByNumber" => {
                let tag: BlockNumberOrTag = params.get(0)?;
                self.block(tag.into(), params)
            }
            "eth_getBlockByHash" => {
                let hash: B256 = params.get(0)?;
                self.block(hash.into(), params)
            }
            "eth_getTransactionByHash" => {
                let hash: TxHash = params.get(0)?;
                let chain = self.chain();
                Ok(json!(chain.transaction(hash).map(|(block, mined)| answers::transaction(block, mined))))
            }
            "eth_getTransactionReceipt" => {
                let hash: TxHash = params.get(0)?;
                let chain = self.chain();
                Ok(json!(chain.transaction(hash).map(|(block, mined)| answers::receipt(block, mined))))
            }
            "eth_getBalance" => {
                let address: Address = params.get(0)?;
                Ok(json!(self.chain().state_at(params.block(1)?)?.balance(address)))
            }
            "eth_getTransactionCount" => {
                let address: Address = params.get(0)?;
                Ok(json!(U64::from(self.chain().state_at(params.block(1)?)?.nonce(address))))
            }
            "eth_getCode" => {
                let address: Address = params.get(0)?;
                let state = self.chain().state_at(params.block(1)?)?;
                Ok(json!(state.code(address).map(|code| code.original_bytes()).unwrap_or_default()))
            }
            "eth_getStorageAt" => {
                let (address, slot): (Address, U256) = (params.get(0)?, params.get(1)?);
                let state = self.chain().state_at(params.block(2)?)?;
                Ok(json!(B256::from(state.storage(address, slot))))
            }
            "eth_call" => {
                params.no_overrides(2)?;
                let request: TransactionRequest = params.get(0)?;
                let at = self.chain().at(params.block(1)?)?;
                Ok(json!(calls::call(at, request)?))
            }
            "eth_estimateGas" => {
                params.no_overrides(2)?;
                let request: TransactionRequest = params.get(0)?;
                let id = params.optional(1)?.unwrap_or(BlockId::pending());
                let at = self.chain().at(id)?;
                Ok(json!(U64::from(calls::estimate(&at, request)?)))
            }
            "eth_sendRawTransaction" => {
                let raw: Bytes = params.get(0)?;
                Ok(json!(self.chain().submit(&raw)?))
            }
            "eth_gasPrice" => {
                let chain = self.chain();
                Ok(json!(U64::from(chain.base_fee_after(chain.head()).saturating_add(TIP))))
            }
            "eth_maxPriorityFeePerGas" => Ok(json!(U64::from(TIP))),
            "eth_feeHistory" => self.fee_history(params),
            "eth_getLogs" => Ok(json!(self.logs(&params.get(0)?)?)),
            "evm_mine" => self.mine(params),
            "evm_increaseTime" => {
                let seconds = params.number(0)?;
                Ok(json!(self.chain().increase_time(seconds)?))
            }
            other => Err(RpcError::method(other)),
        }
    }

    fn block(&self, id: BlockId, params: &Params) -> Result<Value, RpcError> {
        let whole = params.optional(1)?.unwrap_or(false);
        Ok(json!(self.chain().block(id).map(|block| answers::block(block, whole))))
    }

    fn fee_history(&self, params: &Params) -> Result<Value, RpcError> {
        let count = params.number(0)?.min(MAX_BLOCKS);
        let newest: BlockNumberOrTag = params.get(1)?;
        let percentiles: Vec<f64> = params.optional(2)?.unwrap_or_default();
        if percentiles.len() > 100 || percentiles.iter().any(|wanted| !(0.0..=100.0).contains(wanted)) {
            return Err(RpcError::params("expected at most 100 percentiles of 0 to 100"));
        }
        let chain = self.chain();
        let last = chain.number(newest);
        if last > chain.head().number {
            let head = chain.head().number;
            return Err(RpcError::refused(format!("request beyond head block: requested {last}, head {head}")));
        }
        Ok(json!(answers::fee_history(&chain, last, count, percentiles.len())))
    }

    fn logs(&self, filter: &Filter) -> Result<Vec<Log>, RpcError> {
        let chain = self.chain();
        let (first, last) = match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let block = chain.block(hash.into()).ok_or_else(|| RpcError::refused("unknown block"))?;
                (block.number, block.number)
            }
            FilterBlockOption::Range { from_block, to_block } => {
                let number = |tag: Option<BlockNumberOrTag>| chain.number(tag.unwrap_or_default());
                (number(from_block), number(to_block))
            }
        };
        if first > last {
            return Err(RpcError::params(format!("invalid block range: {first} to {last}")));
        }
        if last - first >= MAX_LOG_BLOCKS {
            return Err(RpcError::refused(format!(
                "block range too large: expected at most {MAX_LOG_BLOCKS} blocks, got {}",
                (last - first).saturating_add(1)
            )));
        }
        let blocks = chain.range(first, last).iter();
        let all = blocks.flat_map(answers::logs);
        let found: Vec<Log> = all.filter(|log| filter.matches(&log.inner)).take(MAX_LOGS + 1).collect();
        if found.len() > MAX_LOGS {
            return Err(RpcError::refused(format!("query returned more than {MAX_LOGS} results")));
        }
        Ok(found)
    }

    /// Adds blocks: none given means one. Given as a number or, as anvil has it, as `{"blocks": n}`.
    fn mine(&self, params: &Params) -> Result<Value, RpcError> {
        let count = match params.value(0) {
            None => 1,
            Some(Value::Object(options)) => match options.get("blocks") {
                None => 1,
                Some(blocks) => number(blocks)?,
            },
            Some(_) => params.number(0)?,
        };
        if count > MAX_BLOCKS {
            return Err(RpcError::params(format!("expected at most {MAX_BLOCKS} blocks, got {count}")));
        }
        let mut chain = self.chain();
        for _ in 0..count {
            chain.mine_empty()?;
        }
        Ok(json!("0x0"))
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().expect("no code panics while it holds the chain")
    }
}

/// A request's positional parameters.
struct Params(Value);

impl Params {
    /// A parameter, `None` if it is absent or null.
    fn value(&self, index: usize) -> Option<&Value> {
        self.0.get(index).filter(|value| !value.is_null())
    }

    fn optional<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, RpcError> {
        let parse = |value: &Value| {
            serde_json::from_value(value.clone())
                .map_err(|error| RpcError::params(format!("parameter {index}: {error}")))
        };
        self.value(index).map(parse).transpose()
    }

    fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        self.optional(index)?.ok_or_else(|| RpcError::params(format!("parameter {index} is missing")))
    }

    /// A block parameter; the head if it is absent.
    fn block(&self, index: usize) -> Result<BlockId, RpcError> {
        Ok(self.optional(index)?.unwrap_or(BlockId::latest()))
    }

    /// A quantity, as hex text or as a JSON number.
    fn number(&self, index: usize) -> Result<u64, RpcError> {
        let value = self.value(index);
        number(value.ok_or_else(|| RpcError::params(format!("parameter {index} is missing")))?)
    }

    /// State overrides are not supported, so a call that depends on them must not run without.
    fn no_overrides(&self, index: usize) -> Result<(), RpcError> {
        match self.value(index) {
            None => Ok(()),
            Some(Value::Object(overrides)) if overrides.is_empty() => Ok(()),
            Some(_) => Err(RpcError::params("state overrides are not supported")),
        }
    }
}

fn number(value: &Value) -> Result<u64, RpcError> {
    match value {
        Value::Number(number) => {
            number.as_u64().ok_or_else(|| RpcError::params(format!("expected a 64-bit quantity, got {number}")))
        }
        other => serde_json::from_value::<U64>(other.clone()).map(|number| number.to()).map_err(RpcError::params),
    }
}

fn failure(id: &Value, error: &RpcError) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": error.to_json() })
}
