//! The chain: takes transactions, makes blocks, answers for them.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy::{
    consensus::{Transaction as _, TxEnvelope, TxType},
    eips::{BlockId, BlockNumberOrTag, eip2718::Decodable2718 as _},
    primitives::{Address, Bytes, TxHash},
};
use revm::context::{
    BlockEnv,
    result::{EVMError, ExecutionResult, InvalidTransaction},
};

use super::{
    accounts::{dev_addresses, dev_balance},
    block::{Block, Mined, Opened},
    error::Error,
    error::RpcError,
    evm::{self, Outcome, Rules},
    log::{Head, Log, Logged, Record},
    state::{State, View},
};

/// How many of the newest blocks can be called; older state is dropped.
const KEPT_STATES: usize = 4096;

/// How many block hashes `BLOCKHASH` may reach.
const RECENT_HASHES: usize = 256;

/// The most seconds that the chain's clock can be moved ahead of the wall clock.
const MAX_AHEAD: u64 = 100 * 365 * 24 * 3600;

const LOG_VERSION: u32 = 1;

/// All blocks and the newest states.
#[derive(Debug)]
pub(super) struct Chain {
    rules: Rules,
    finality_lag: u64,
    blocks: Vec<Block>,
    /// The states after the newest blocks, the head's last.
    states: VecDeque<State>,
    block_of: HashMap<TxHash, u64>,
    ahead: u64,
    log: Option<Log>,
}

/// One block and what is known at it: enough to run calls without holding the chain.
#[derive(Debug)]
pub(super) struct At {
    pub(super) rules: Rules,
    pub(super) environment: BlockEnv,
    pub(super) view: View,
}

impl Chain {
    /// A chain from its log if there is one, else from a new first block.
    pub(super) fn open(rules: Rules, finality_lag: u64, log: Option<&Path>) -> Result<Self, Error> {
        let wanted = Head {
            version: LOG_VERSION,
            chain_id: rules.chain_id,
            hardfork: rules.hardfork.name().to_owned(),
            genesis_timestamp: wall_clock(),
        };
        let Some(path) = log else {
            return Ok(Self::new(rules, finality_lag, wanted.genesis_timestamp));
        };
        let bad = |line, reason| Error::BadStateFile { path: path.to_owned(), line, reason };
        let (log, head, records) = Log::open(path, wanted.clone())?;
        let wanted = Head { genesis_timestamp: head.genesis_timestamp, ..wanted };
        if head != wanted {
            return Err(bad(1, format!("expected the head {wanted:?}, got {head:?}")));
        }
        let mut chain = Self::new(rules, finality_lag, head.genesis_timestamp);
        for (index, record) in records.iter().enumerate() {
            chain.replay(record).map_err(|reason| bad(index + 2, reason))?;
        }
        chain.log = Some(log);
        Ok(chain)
    }

    fn new(rules: Rules, finality_lag: u64, genesis_timestamp: u64) -> Self {
        Self {
            rules,
            finality_lag,
            blocks: vec![Opened::genesis(genesis_timestamp).close(None)],
            states: VecDeque::from([State::genesis(dev_addresses(), dev_balance())]),
            block_of: HashMap::new(),
            ahead: 0,
            log: None,
        }
    }

    pub(super) fn rules(&self) -> Rules {
        self.rules
    }

    pub(super) fn head(&self) -> &Block {
        self.blocks.last().expect("the first block is never removed")
    }

    /// The block that `number` would be followed by, as far as it is known: for the base fee.
    pub(super) fn base_fee_after(&self, block: &Block) -> u64 {
        Opened::after(block, block.timestamp + 1).base_fee
    }

    /// Moves the chain's clock ahead; gives the seconds that it is ahead of the wall clock.
    pub(super) fn increase_time(&mut self, seconds: u64) -> Result<u64, RpcError> {
        let ahead = self.ahead.saturating_add(seconds);
        if ahead > MAX_AHEAD {
            return Err(RpcError::params(format!("expected at most {MAX_AHEAD} s ahead, got {ahead}")));
        }
        self.ahead = ahead;
        Ok(ahead)
    }

    /// Adds a block without a transaction.
    pub(super) fn mine_empty(&mut self) -> Result<(), RpcError> {
        let opened = self.open_block();
        self.record(opened, None)?;
        let state = self.state().clone();
        self.append(opened.close(None), state);
        Ok(())
    }

    /// Checks a signed transaction and adds a block with it.
    pub(super) fn submit(&mut self, raw: &Bytes) -> Result<TxHash, RpcError> {
        let (envelope, from) = self.check(raw)?;
        let hash = *envelope.tx_hash();
        let opened = self.open_block();
        let (mined, state) = self.run(&opened, envelope, from)?;
        let block = opened.close(Some(mined));
        self.record(opened, Some(Logged { transaction: raw.clone(), hash: block.hash }))?;
        self.append(block, state);
        Ok(hash)
    }

    /// The block of an id, if there is one. `pending` is the head: nothing ever waits.
    pub(super) fn block(&self, id: BlockId) -> Option<&Block> {
        match id {
            BlockId::Number(tag) => self.blocks.get(usize::try_from(self.number(tag)).ok()?),
            // From the newest, because that is what is asked for.
            BlockId::Hash(hash) => self.blocks.iter().rev().find(|block| block.hash == hash.block_hash),
        }
    }

    /// The number that a tag stands for now.
    pub(super) fn number(&self, tag: BlockNumberOrTag) -> u64 {
        let head = self.head().number;
        match tag {
            BlockNumberOrTag::Number(number) => number,
            BlockNumberOrTag::Earliest => 0,
            BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => head,
            BlockNumberOrTag::Finalized | BlockNumberOrTag::Safe => head.saturating_sub(self.finality_lag),
        }
    }

    pub(super) fn transaction(&self, hash: TxHash) -> Option<(&Block, &Arc<Mined>)> {
        let number = usize::try_from(*self.block_of.get(&hash)?).ok()?;
        let block = self.blocks.get(number)?;
        Some((block, block.mined.as_ref()?))
    }

    /// The blocks from `first` to `last`, both included, as far as they exist.
    pub(super) fn range(&self, first: u64, last: u64) -> &[Block] {
        let length = self.blocks.len();
        let end = usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1).min(length);
        let start = usize::try_from(first).unwrap_or(usize::MAX).min(end);
        &self.blocks[start..end]
    }

    /// The state after a block.
    pub(super) fn state_at(&self, id: BlockId) -> Result<State, RpcError> {
        let block = self.block(id).ok_or_else(|| RpcError::refused("header not found"))?;
        let age = usize::try_from(self.head().number - block.number).unwrap_or(usize::MAX);
        let index = self.states.len().checked_sub(age.saturating_add(1));
        index.and_then(|index| self.states.get(index)).cloned().ok_or_else(|| {
            RpcError::refused(format!(
                "missing trie node: the state of block {} is not kept, only the newest {KEPT_STATES} blocks' is",
                block.number
            ))
        })
    }

    /// Everything that a call at a block needs. At `pending` it sees the block that would come next.
    pub(super) fn at(&self, id: BlockId) -> Result<At, RpcError> {
        let state = self.state_at(id)?;
        let block = self.block(id).ok_or_else(|| RpcError::refused("header not found"))?;
        let (environment, number) = if id == BlockId::pending() {
            let next = self.open_block();
            (next.environment(), next.number)
        } else {
            (block.environment(), block.number)
        };
        Ok(At { rules: self.rules, environment, view: self.view(state, number) })
    }

    /// The time of a block that is made now.
    fn now(&self) -> u64 {
        wall_clock().saturating_add(self.ahead)
    }

    fn open_block(&self) -> Opened {
        let head = self.head();
        Opened::after(head, self.now().max(head.timestamp))
    }

    fn state(&self) -> &State {
        self.states.back().expect("the head's state is never removed")
    }

    fn view(&self, state: State, number: u64) -> View {
        let end = usize::try_from(number).unwrap_or(usize::MAX).min(self.blocks.len());
        let start = end.saturating_sub(RECENT_HASHES);
        let recent_hashes = self.blocks[start..end].iter().map(|block| (block.number, block.hash)).collect();
        View { state, recent_hashes }
    }

    /// What a node's pool checks before it runs anything, in geth's words.
    fn check(&self, raw: &Bytes) -> Result<(TxEnvelope, Address), RpcError> {
        let mut rest = raw.as_ref();
        let envelope = TxEnvelope::decode_2718(&mut rest)
            .map_err(|error| RpcError::params(format!("cannot decode the transaction: {error}")))?;
        if !rest.is_empty() {
            return Err(RpcError::params(format!("{} bytes after the transaction", rest.len())));
        }
        if !matches!(envelope.tx_type(), TxType::Legacy | TxType::Eip2930 | TxType::Eip1559) {
            return Err(RpcError::refused(format!(
                "transaction type not supported: expected 0, 1 or 2, got {}",
                envelope.tx_type() as u8
            )));
        }
        match envelope.chain_id() {
            None => {
                return Err(RpcError::refused("only replay-protected (EIP-155) transactions allowed over RPC"));
            }
            Some(got) if got != self.rules.chain_id => {
                let expected = self.rules.chain_id;
                return Err(RpcError::refused(format!("invalid chain id for signer: have {got} want {expected}")));
            }
            Some(_) => {}
        }
        if self.block_of.contains_key(envelope.tx_hash()) {
            return Err(RpcError::refused("already known"));
        }
        let from = sender(&envelope)?;
        Ok((envelope, from))
    }

    fn run(&self, opened: &Opened, envelope: TxEnvelope, from: Address) -> Result<(Mined, State), RpcError> {
        let before = self.state();
        let view = self.view(before.clone(), opened.number);
        let outcome: Outcome = self
            .rules
            .transact(opened.environment(), view, evm::signed(&envelope, from))
            .map_err(|error| RpcError::refused(refusal(error)))?;
        let (succeeded, created) = match &outcome.result {
            ExecutionResult::Success { output, .. } => (true, output.address().copied()),
            ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => (false, None),
        };
        let mined = Mined {
            envelope,
            from,
            succeeded,
            gas_used: outcome.result.tx_gas_used(),
            logs: if succeeded { outcome.result.into_logs() } else { Vec::new() },
            created,
        };
        Ok((mined, before.with_changes(outcome.state)))
    }

    /// Writes a block to the log before it is part of the chain.
    fn record(&mut self, opened: Opened, mined: Option<Logged>) -> Result<(), RpcError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let Opened { number, timestamp, .. } = opened;
        let record = Record { number, timestamp, ahead: self.ahead, mined };
        log.append(&record).map_err(|error| RpcError::refused(format!("state file {}: {error}", log.path().display())))
    }

    fn append(&mut self, block: Block, state: State) {
        if let Some(mined) = &block.mined {
            self.block_of.insert(mined.hash(), block.number);
        }
        self.blocks.push(block);
        self.states.push_back(state);
        if self.states.len() > KEPT_STATES {
            self.states.pop_front();
        }
    }

    fn replay(&mut self, record: &Record) -> Result<(), String> {
        self.ahead = record.ahead;
        let head = self.head();
        if record.number != head.number + 1 {
            return Err(format!("expected block {}, got {}", head.number + 1, record.number));
        }
        if record.timestamp < head.timestamp {
            return Err(format!("expected a time of at least {}, got {}", head.timestamp, record.timestamp));
        }
        let opened = Opened::after(head, record.timestamp);
        let (block, state) = match &record.mined {
            None => (opened.close(None), self.state().clone()),
            Some(logged) => {
                let text = |error: RpcError| error.message;
                let (envelope, from) = self.check(&logged.transaction).map_err(text)?;
                let (mined, state) = self.run(&opened, envelope, from).map_err(text)?;
                let block = opened.close(Some(mined));
                if block.hash != logged.hash {
                    return Err(format!("expected the block hash {}, got {}", logged.hash, block.hash));
                }
                (block, state)
            }
        };
        self.append(block, state);
        Ok(())
    }
}

/// The account that signed a transaction. A high `s` is refused (EIP-2): it would give the transaction a second hash.
fn sender(envelope: &TxEnvelope) -> Result<Address, RpcError> {
    let signature = envelope.signature();
    if signature.normalize_s().is_some() {
        return Err(RpcError::refused("invalid sender: the signature's s is over half the curve's order"));
    }
    signature
        .recover_address_from_prehash(&envelope.signature_hash())
        .map_err(|error| RpcError::refused(format!("invalid sender: {error}")))
}

/// A refused transaction in geth's words, which tools and libraries look for.
pub(super) fn refusal(error: evm::Refusal) -> String {
    let EVMError::Transaction(invalid) = error else { return error.to_string() };
    match invalid {
        InvalidTransaction::NonceTooLow { tx, state } => {
            format!("nonce too low: next nonce {state}, tx nonce {tx}")
        }
        InvalidTransaction::NonceTooHigh { tx, state } => {
            format!("nonce too high: next nonce {state}, tx nonce {tx}; this chain queues nothing")
        }
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            format!("insufficient funds for gas * price + value: balance {balance}, tx cost {fee}")
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            format!("intrinsic gas too low: gas {gas_limit}, minimum needed {initial_gas}")
        }
        InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
            format!("intrinsic gas too low: gas {gas_limit}, minimum needed {gas_floor}")
        }
        InvalidTransaction::GasPriceLessThanBasefee => "max fee per gas less than block base fee".to_owned(),
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => {
            "max priority fee per gas higher than max fee per gas".to_owned()
        }
        InvalidTransaction::CallerGasLimitMoreThanBlock => "exceeds block gas limit".to_owned(),
        InvalidTransaction::TxGasLimitGreaterThanCap { gas_limit, cap } => {
            format!("transaction gas limit too high (cap: {cap}, tx: {gas_limit})")
        }
        other => other.to_string(),
    }
}

/// Unix seconds.
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
