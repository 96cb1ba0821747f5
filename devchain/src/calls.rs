//! Calls that change nothing: `eth_call` and `eth_estimateGas`.

use alloy::{primitives::Bytes, rpc::types::TransactionRequest};
use revm::context::result::ExecutionResult;

use super::{
    chain::{At, refusal},
    error::RpcError,
    evm::{self, BLOCK_GAS_LIMIT},
    state::View,
};

/// How far an estimate may lie over the smallest gas limit that works: one part in this many.
const ESTIMATE_SLACK: u64 = 64;

/// What a call returns.
pub(super) fn call(at: At, request: TransactionRequest) -> Result<Bytes, RpcError> {
    let outcome = at
        .rules
        .call(at.environment, at.view, evm::unsigned(request))
        .map_err(|error| RpcError::refused(refusal(error)))?;
    match outcome.result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(RpcError::reverted(output)),
        ExecutionResult::Halt { reason, .. } => Err(RpcError::refused(format!("execution halted: {reason:?}"))),
    }
}

/// A gas limit with which the transaction succeeds.
///
/// Gas used is not enough: a contract that looks at the gas it has left, and every inner call, which gets at most
/// 63/64 of it, need more than they use. So the smallest limit that works is searched for, as geth does.
pub(super) fn estimate(at: &At, request: TransactionRequest) -> Result<u64, RpcError> {
    let cap = at.rules.transaction_gas_cap().min(BLOCK_GAS_LIMIT);
    let highest = request.gas.unwrap_or(cap).min(cap);
    let tx = evm::unsigned(request);
    let run = |gas_limit: u64| {
        let view = View { state: at.view.state.clone(), recent_hashes: at.view.recent_hashes.clone() };
        let tx = revm::context::TxEnv { gas_limit, ..tx.clone() };
        at.rules.call(at.environment.clone(), view, tx)
    };
    let first = run(highest).map_err(|error| RpcError::refused(refusal(error)))?;
    let used = match first.result {
        ExecutionResult::Success { gas, .. } => gas.tx_gas_used(),
        ExecutionResult::Revert { output, .. } => return Err(RpcError::reverted(output)),
        ExecutionResult::Halt { reason, .. } => {
            return Err(RpcError::refused(format!("gas required exceeds allowance ({highest}): {reason:?}")));
        }
    };
    // A refusal of a lower limit (intrinsic gas) is a limit that does not work.
    let works = |gas_limit| run(gas_limit).is_ok_and(|outcome| outcome.result.is_success());
    let (mut fails, mut succeeds) = (used.saturating_sub(1), highest);
    while succeeds - fails > 1 + succeeds / ESTIMATE_SLACK {
        // Low first: most transactions need little more than they use.
        let middle = (fails + (succeeds - fails) / 2).min(fails.saturating_mul(2).max(1));
        if works(middle) {
            succeeds = middle;
        } else {
            fails = middle;
        }
    }
    Ok(succeeds)
}
