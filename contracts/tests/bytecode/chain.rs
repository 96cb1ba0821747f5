//! An EVM with a clock that tests set.

use std::collections::{BTreeMap, BTreeSet};

use alloy::{
    primitives::{Address, Bytes, Log, TxKind, U256},
    sol_types::{SolCall, SolError, SolEvent},
};
use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    context::{BlockEnv, CfgEnv, TxEnv, result::ExecutionResult},
    database::InMemoryDB,
    database_interface::WrapDatabaseRef,
    primitives::hardfork::SpecId,
};

pub(crate) const CHAIN_ID: u64 = 31_337;

/// The most gas of a transaction since Osaka (EIP-7825).
pub(crate) const TRANSACTION_GAS_CAP: u64 = 1 << 24;

/// When the chain starts: unix seconds, on the hourly grid.
pub(crate) const START: u64 = 1_800_000_000;

#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// Timestamp of the block that everything runs in.
    pub(crate) time: u64,
    pub(crate) chain_id: u64,
    /// The most bytes of a contract's code; `None` for what the hard fork says.
    pub(crate) code_limit: Option<usize>,
    spec: SpecId,
    db: InMemoryDB,
    deployed: u64,
}

/// What a transaction or call did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) gas_used: u64,
    /// What was returned, or the reason of the revert; empty when it ran out of gas.
    pub(crate) output: Bytes,
    pub(crate) logs: Vec<Log>,
}

impl Chain {
    pub(crate) fn new(spec: SpecId) -> Self {
        Self { time: START, chain_id: CHAIN_ID, code_limit: None, spec, db: InMemoryDB::default(), deployed: 0 }
    }

    /// Deploys an artifact of `contracts/artifacts` with ABI-encoded constructor arguments.
    pub(crate) fn try_deploy(&mut self, artifact: &str, arguments: &[u8]) -> Result<Address, Outcome> {
        self.create(initcode(artifact, arguments))
    }

    /// As the first contract of this account.
    pub(crate) fn deploy_from(&mut self, from: Address, artifact: &str, arguments: &[u8]) -> Address {
        let outcome = self.transact(from, TxKind::Create, initcode(artifact, arguments).into(), TRANSACTION_GAS_CAP);
        assert!(outcome.success, "deployment: {}", outcome.output);
        from.create(0)
    }

    fn create(&mut self, initcode: Vec<u8>) -> Result<Address, Outcome> {
        // Every contract has its own deployer, whose nonce is zero.
        self.deployed += 1;
        let mut from = Address::with_last_byte(0xdd);
        from.0[..8].copy_from_slice(&self.deployed.to_be_bytes());
        let outcome = self.transact(from, TxKind::Create, initcode.into(), TRANSACTION_GAS_CAP);
        if outcome.success { Ok(from.create(0)) } else { Err(outcome) }
    }

    pub(crate) fn deploy(&mut self, artifact: &str, arguments: &[u8]) -> Address {
        self.try_deploy(artifact, arguments).expect("deployment")
    }

    pub(crate) fn send<C: SolCall>(&mut self, from: Address, to: Address, call: &C) -> Outcome {
        self.send_with_gas(from, to, call, TRANSACTION_GAS_CAP)
    }

    /// Sends a transaction that must succeed, and gives what it returned.
    pub(crate) fn must<C: SolCall>(&mut self, from: Address, to: Address, call: &C) -> C::Return {
        let outcome = self.send(from, to, call);
        assert!(outcome.success, "{} reverted: {}", C::SIGNATURE, outcome.output);
        C::abi_decode_returns(&outcome.output).expect("returned as the interface says")
    }

    pub(crate) fn send_bytes(&mut self, from: Address, to: Address, data: Bytes) -> Outcome {
        self.transact(from, TxKind::Call(to), data, TRANSACTION_GAS_CAP)
    }

    pub(crate) fn send_with_gas<C: SolCall>(&mut self, from: Address, to: Address, call: &C, gas: u64) -> Outcome {
        self.transact(from, TxKind::Call(to), call.abi_encode().into(), gas)
    }

    /// `eth_call`: changes nothing.
    pub(crate) fn call<C: SolCall>(&self, to: Address, call: &C) -> C::Return {
        let outcome = self.call_with_gas(to, call, TRANSACTION_GAS_CAP);
        assert!(outcome.success, "{} reverted: {}", C::SIGNATURE, outcome.output);
        C::abi_decode_returns(&outcome.output).expect("returned as the interface says")
    }

    pub(crate) fn call_with_gas<C: SolCall>(&self, to: Address, call: &C, gas: u64) -> Outcome {
        self.run(to, call.abi_encode().into(), gas)
    }

    /// As [`Self::call`], in a block of this time if that is later.
    pub(crate) fn call_at<C: SolCall>(&self, to: Address, call: &C, time: u64) -> C::Return {
        let block = BlockEnv { timestamp: U256::from(time.max(self.time)), ..self.block() };
        let outcome = self.run_in(block, to, call.abi_encode().into(), TRANSACTION_GAS_CAP);
        assert!(outcome.success, "{} reverted: {}", C::SIGNATURE, outcome.output);
        C::abi_decode_returns(&outcome.output).expect("returned as the interface says")
    }

    /// What a precompile answers, if it takes the input.
    pub(crate) fn precompile(&self, number: u8, input: &[u8]) -> Option<Bytes> {
        let outcome = self.run(Address::with_last_byte(number), input.to_vec().into(), TRANSACTION_GAS_CAP);
        outcome.success.then_some(outcome.output)
    }

    /// `eth_call` of any bytes.
    pub(crate) fn call_bytes(&self, to: Address, data: Bytes) -> Outcome {
        self.run(to, data, TRANSACTION_GAS_CAP)
    }

    /// Creates a contract with this code.
    pub(crate) fn place(&mut self, code: &[u8]) -> Address {
        // PUSH1 size, DUP1, PUSH1 9, PUSH0, CODECOPY, PUSH0, RETURN: nine bytes that return what follows them.
        let mut initcode =
            vec![0x60, code.len().try_into().expect("short code"), 0x80, 0x60, 9, 0x5f, 0x39, 0x5f, 0xf3];
        initcode.extend_from_slice(code);
        self.create(initcode).expect("deployment")
    }

    /// The storage of all accounts, without what is zero.
    pub(crate) fn storage(&self) -> BTreeMap<(Address, U256), U256> {
        let accounts = self.db.cache.accounts.iter();
        let all = accounts
            .flat_map(|(address, account)| account.storage.iter().map(|(slot, word)| ((*address, *slot), *word)));
        all.filter(|(_, word)| !word.is_zero()).collect()
    }

    /// The accounts that have code.
    pub(crate) fn contracts(&self) -> BTreeSet<Address> {
        let accounts = self.db.cache.accounts.iter();
        accounts.filter(|(_, account)| !account.info.is_empty_code_hash()).map(|(address, _)| *address).collect()
    }

    fn run(&self, to: Address, data: Bytes, gas: u64) -> Outcome {
        self.run_in(self.block(), to, data, gas)
    }

    fn run_in(&self, block: BlockEnv, to: Address, data: Bytes, gas: u64) -> Outcome {
        let result = Context::mainnet()
            .with_db(WrapDatabaseRef(&self.db))
            .with_cfg(self.config())
            .with_block(block)
            .build_mainnet()
            .transact(transaction(Address::ZERO, TxKind::Call(to), data, gas));
        match result {
            Ok(outcome) => outcome.result.into(),
            Err(error) => panic!("call refused: {error:?}"),
        }
    }

    fn transact(&mut self, from: Address, to: TxKind, data: Bytes, gas: u64) -> Outcome {
        let (config, block) = (self.config(), self.block());
        Context::mainnet()
            .with_db(&mut self.db)
            .with_cfg(config)
            .with_block(block)
            .build_mainnet()
            .transact_commit(transaction(from, to, data, gas))
            .expect("a transaction that the chain takes")
            .into()
    }

    fn config(&self) -> CfgEnv {
        let mut config = CfgEnv::new_with_spec(self.spec).with_chain_id(self.chain_id);
        config.limit_contract_code_size = self.code_limit;
        config.limit_contract_initcode_size = self.code_limit.map(|limit| 2 * limit);
        config.disable_nonce_check = true;
        config.tx_chain_id_check = false;
        config
    }

    fn block(&self) -> BlockEnv {
        BlockEnv {
            number: U256::from(1),
            timestamp: U256::from(self.time),
            gas_limit: 60_000_000,
            basefee: 0,
            ..BlockEnv::default()
        }
    }
}

impl Outcome {
    /// Asserts that this was a revert with exactly this error.
    #[track_caller]
    pub(crate) fn reverted_with<E: SolError>(&self, error: &E) {
        assert!(!self.success, "expected {}, but it succeeded", E::SIGNATURE);
        assert_eq!(self.output, Bytes::from(error.abi_encode()), "expected {}", E::SIGNATURE);
    }

    /// The only event of this kind.
    #[track_caller]
    pub(crate) fn event<E: SolEvent>(&self) -> E {
        let events: Vec<E> = self.logs.iter().filter_map(|log| E::decode_log_data(&log.data).ok()).collect();
        assert_eq!(events.len(), 1, "expected one {}", E::SIGNATURE);
        events.into_iter().next().expect("one")
    }
}

impl From<ExecutionResult> for Outcome {
    fn from(result: ExecutionResult) -> Self {
        Self {
            success: result.is_success(),
            gas_used: result.tx_gas_used(),
            logs: result.logs().to_vec(),
            output: result.into_output().unwrap_or_default(),
        }
    }
}

fn transaction(from: Address, to: TxKind, data: Bytes, gas: u64) -> TxEnv {
    TxEnv { caller: from, kind: to, data, gas_limit: gas, gas_price: 0, chain_id: None, ..TxEnv::default() }
}

/// What creates a contract: its artifact's bytecode and the constructor's arguments.
fn initcode(artifact: &str, arguments: &[u8]) -> Vec<u8> {
    // Mutants (scripts/mutants.js) have artifacts of their own.
    let artifacts = std::env::var("HOLDFAST_ARTIFACTS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/artifacts").to_owned());
    let path = format!("{artifacts}/{artifact}.json");
    let text = std::fs::read_to_string(&path).expect(&path);
    let json: serde_json::Value = serde_json::from_str(&text).expect("an artifact is JSON");
    let mut code = hex::decode(&json["bytecode"].as_str().expect("bytecode")[2..]).expect("hex");
    code.extend_from_slice(arguments);
    code
}
