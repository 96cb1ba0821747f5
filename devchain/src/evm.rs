//! Runs transactions and calls in the interpreter, under the chain's rules.

use std::convert::Infallible;

use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::Typed2718 as _,
    primitives::{Address, TxKind, U256},
    rpc::types::TransactionRequest,
};
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext,
    context::{
        BlockEnv, CfgEnv, TxEnv,
        result::{EVMError, ExecResultAndState, ExecutionResult, InvalidTransaction},
    },
    database_interface::WrapDatabaseRef,
    primitives::hardfork::SpecId,
    state::EvmState,
};

use super::{config::Hardfork, state::View};

/// Gas of a block, and the most that one call may use.
pub(super) const BLOCK_GAS_LIMIT: u64 = 60_000_000;

/// The most gas that one transaction may ask for from Osaka on (EIP-7825).
pub(super) const TRANSACTION_GAS_CAP: u64 = 1 << 24;

/// What running something gave.
pub(super) type Outcome = ExecResultAndState<ExecutionResult, EvmState>;

/// Why nothing was run: the transaction is not valid in this block.
pub(super) type Refusal = EVMError<Infallible, InvalidTransaction>;

/// What does not change from block to block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) chain_id: u64,
    pub(super) hardfork: Hardfork,
}

impl Rules {
    /// The most gas that one transaction may ask for.
    pub(super) fn transaction_gas_cap(self) -> u64 {
        match self.hardfork {
            Hardfork::Prague => BLOCK_GAS_LIMIT,
            Hardfork::Osaka => TRANSACTION_GAS_CAP,
        }
    }

    /// Runs a signed transaction with every check of the protocol: nonce, balance, fees, gas.
    pub(super) fn transact(self, block: BlockEnv, view: View, tx: TxEnv) -> Result<Outcome, Refusal> {
        run(self.config(), block, view, tx)
    }

    /// Runs an unsigned call, as `eth_call` does: any sender, any nonce, and no fee unless one is given.
    pub(super) fn call(self, mut block: BlockEnv, view: View, tx: TxEnv) -> Result<Outcome, Refusal> {
        let mut config = self.config();
        config.disable_nonce_check = true;
        config.tx_chain_id_check = false;
        config.tx_gas_limit_cap = Some(u64::MAX);
        if tx.gas_price == 0 {
            block.basefee = 0;
        }
        run(config, block, view, tx)
    }

    fn config(self) -> CfgEnv {
        let spec = match self.hardfork {
            Hardfork::Prague => SpecId::PRAGUE,
            Hardfork::Osaka => SpecId::OSAKA,
        };
        CfgEnv::new_with_spec(spec).with_chain_id(self.chain_id)
    }
}

/// The interpreter's form of a signed transaction.
pub(super) fn signed(envelope: &TxEnvelope, from: Address) -> TxEnv {
    TxEnv {
        tx_type: envelope.ty(),
        caller: from,
        gas_limit: envelope.gas_limit(),
        gas_price: envelope.max_fee_per_gas(),
        kind: envelope.kind(),
        value: envelope.value(),
        data: envelope.input().clone(),
        nonce: envelope.nonce(),
        chain_id: envelope.chain_id(),
        access_list: envelope.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: envelope.max_priority_fee_per_gas(),
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: Vec::new(),
    }
}

/// The interpreter's form of a call request; gas over the block's limit is cut to it.
pub(super) fn unsigned(request: TransactionRequest) -> TxEnv {
    let access_list = request.access_list.unwrap_or_default();
    let priced = request.max_fee_per_gas.is_some();
    let tx_type = match (priced, access_list.0.is_empty()) {
        (true, _) => 2,
        (false, false) => 1,
        (false, true) => 0,
    };
    TxEnv {
        tx_type,
        caller: request.from.unwrap_or_default(),
        gas_limit: request.gas.unwrap_or(BLOCK_GAS_LIMIT).min(BLOCK_GAS_LIMIT),
        gas_price: request.max_fee_per_gas.or(request.gas_price).unwrap_or_default(),
        kind: request.to.unwrap_or(TxKind::Create),
        value: request.value.unwrap_or(U256::ZERO),
        data: request.input.into_input().unwrap_or_default(),
        nonce: 0,
        chain_id: None,
        access_list,
        gas_priority_fee: if priced { Some(request.max_priority_fee_per_gas.unwrap_or_default()) } else { None },
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: Vec::new(),
    }
}

fn run(config: CfgEnv, block: BlockEnv, view: View, tx: TxEnv) -> Result<Outcome, Refusal> {
    Context::mainnet().with_db(WrapDatabaseRef(view)).with_cfg(config).with_block(block).build_mainnet().transact(tx)
}
