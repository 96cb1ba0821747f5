//! What a transaction costs: its gas and the price of gas, asked for in the way that the node has.

use alloy::{
    eips::{BlockNumberOrTag, eip1559::BaseFeeParams},
    primitives::{Address, Bytes, U64, U256},
    rpc::types::TransactionRequest,
};

use super::{
    chain::{Chain, refusal},
    record::Refusal,
};
use crate::{
    error::Error,
    node::{At, answers::FeeHistory},
};

/// The most gas that a transaction may ask for since Osaka (EIP-7825).
const GAS_CAP: u64 = 1 << 24;

/// The least gas that is tried where the node makes no estimates; each further try is twice as much, up to the cap.
const LEAST_TRIED: u64 = 1 << 17;

/// The blocks whose tips are looked at, and which of each block's.
const TIP_BLOCKS: u64 = 10;
const TIP_PERCENTILE: f64 = 50.0;

/// What gas costs now, in wei.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prices {
    /// The greater of the newest block's base fee and the next one's.
    pub(super) base_fee: u64,
    /// The median of what is tipped, or what the node says is usual.
    pub(super) tip: u64,
}

/// Whether a node's error may mean that it has no pending block.
pub(super) fn lacks_pending(error: &Error) -> bool {
    match error {
        Error::Unsupported { .. } | Error::NoState { .. } | Error::BadAnswer { .. } => true,
        Error::Rpc { reason, .. } => reason.to_ascii_lowercase().contains("pending"),
        _ => false,
    }
}

impl Chain {
    /// The gas limit for a call, with some room; or the contract's refusal.
    pub(super) async fn gas(
        &self,
        what: &'static str,
        to: Option<Address>,
        input: &Bytes,
    ) -> Result<Result<u64, Refusal>, Error> {
        let request = self.request(to, input.clone());
        let pending = self.node().ask::<_, U64>("eth_estimateGas", (&request, BlockNumberOrTag::Pending)).await;
        let estimate = match refusal(pending) {
            // Without a block it is for the newest one.
            Err(error) if lacks_pending(&error) => refusal(self.node().ask("eth_estimateGas", (&request,)).await),
            estimate => estimate,
        };
        match estimate {
            // The block's time and other senders' transactions can make it dearer than the estimate.
            Ok(estimate) => Ok(estimate.map(|gas| {
                let gas: u64 = gas.to();
                gas.saturating_add(gas / 8).min(GAS_CAP.max(gas))
            })),
            Err(Error::Unsupported { .. }) => self.tried_gas(what, request).await,
            Err(error) => Err(error),
        }
    }

    /// The gas limit by calls with more and more gas. What is not used is not paid.
    async fn tried_gas(&self, what: &'static str, request: TransactionRequest) -> Result<Result<u64, Refusal>, Error> {
        let run = async |gas: u64| {
            let request = TransactionRequest { gas: Some(gas), ..request.clone() };
            self.node().run(what, &request, At::Name(BlockNumberOrTag::Latest)).await
        };
        if let Err(refused) = refusal(run(GAS_CAP).await)? {
            return Ok(Err(refused));
        }
        let mut gas = LEAST_TRIED;
        while gas < GAS_CAP {
            match run(gas).await {
                Ok(_) => return Ok(Ok((gas + gas / 2).min(GAS_CAP))),
                Err(error @ Error::Timeout { .. }) => return Err(error),
                // Whatever it is called, with so much gas it does not run.
                Err(_) => gas *= 2,
            }
        }
        Ok(Ok(GAS_CAP))
    }

    /// What gas costs now: of the last blocks, or, where the node has no `eth_feeHistory`, of the newest one.
    pub(super) async fn prices(&self) -> Result<Prices, Error> {
        let prices = match self.history().await {
            Err(Error::Unsupported { .. } | Error::BadAnswer { .. }) => self.newest_prices().await?,
            history => history?,
        };
        // In empty blocks nobody tips.
        let tip = if prices.tip == 0 { self.usual_tip().await.unwrap_or_default() } else { prices.tip };
        Ok(Prices { tip, ..prices })
    }

    /// What the node says is usually tipped, if it does.
    pub(super) async fn usual_tip(&self) -> Option<u64> {
        let tip = self.node().ask::<_, U256>("eth_maxPriorityFeePerGas", [(); 0]).await;
        tip.ok().map(|tip| tip.saturating_to())
    }

    async fn history(&self) -> Result<Prices, Error> {
        const WHAT: &str = "eth_feeHistory";
        let blocks = U64::from(TIP_BLOCKS);
        let history: FeeHistory = self.node().ask(WHAT, (blocks, BlockNumberOrTag::Latest, [TIP_PERCENTILE])).await?;
        let newest = history.base_fee_per_gas.iter().rev().take(2).max();
        let base_fee = newest.ok_or_else(|| Error::BadAnswer { what: WHAT, reason: "no base fee".to_owned() })?;
        let tips = history.reward.iter().flatten().flatten();
        let mut tips: Vec<U256> = tips.copied().filter(|tip| !tip.is_zero()).collect();
        tips.sort_unstable();
        let tip = tips.get(tips.len() / 2).copied().unwrap_or_default();
        Ok(Prices { base_fee: base_fee.saturating_to(), tip: tip.saturating_to() })
    }

    /// The base fee of the newest block or of the one that follows it, whichever is greater (EIP-1559).
    async fn newest_prices(&self) -> Result<Prices, Error> {
        let newest = self.header(BlockNumberOrTag::Latest).await?;
        let Some(base_fee) = newest.base_fee_per_gas else {
            let reason = "neither eth_feeHistory nor a block says what gas costs".to_owned();
            return Err(Error::Unsupported { what: "base fees (EIP-1559)", reason });
        };
        let base_fee: u64 = base_fee.to();
        let next = match (newest.gas_used, newest.gas_limit) {
            (Some(used), Some(limit)) if !limit.is_zero() => {
                BaseFeeParams::ethereum().next_block_base_fee(used.to(), limit.to(), base_fee)
            }
            // By at most an eighth it rises.
            _ => base_fee.saturating_add(base_fee / 8),
        };
        Ok(Prices { base_fee: base_fee.max(next), tip: 0 })
    }
}
