//! What gas and blobs cost on L1 now, for who compares ways of posting: `holdfast cert cost`.

use std::time::Duration;

use alloy::{eips::BlockNumberOrTag, primitives::U64};

use crate::{
    error::Error,
    node::{Node, answers::FeeHistory},
};

/// The limit of the call: people wait for it.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// The blocks that are looked at, and which of each block's tips.
const BLOCKS: u64 = 10;
const TIP_PERCENTILE: f64 = 50.0;

/// What gas and blobs cost, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// The next block's base fee, for a unit of gas.
    pub base_fee: u64,
    /// The median of what was tipped in the last blocks; zero where nobody tipped.
    pub tip: u64,
    /// The next block's blob base fee, for a unit of blob gas; `None` where the chain has no blobs.
    pub blob_fee: Option<u64>,
}

/// What a node says that gas and blobs cost now. The first node that answers is believed: it is for people to compare.
///
/// # Errors
/// [`Error::Invalid`] for what is no URL; otherwise what the last node said.
pub async fn prices<S: AsRef<str> + Sync>(urls: &[S]) -> Result<Prices, Error> {
    let mut last = Error::BadAnswer { what: "eth_feeHistory", reason: "no node was named".to_owned() };
    for url in urls {
        match of_node(&Node::new(url.as_ref(), CALL_LIMIT)?).await {
            Ok(prices) => return Ok(prices),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn of_node(node: &Node) -> Result<Prices, Error> {
    const WHAT: &str = "eth_feeHistory";
    let question = (U64::from(BLOCKS), BlockNumberOrTag::Latest, [TIP_PERCENTILE]);
    let history: FeeHistory = node.ask(WHAT, question).await?;
    let newest = history.base_fee_per_gas.last();
    let base_fee = newest.ok_or_else(|| Error::BadAnswer { what: WHAT, reason: "no base fee".to_owned() })?;
    let mut tips: Vec<u64> = history.reward.iter().flatten().flatten().map(|tip| tip.saturating_to()).collect();
    tips.retain(|tip| *tip > 0);
    tips.sort_unstable();
    Ok(Prices {
        base_fee: base_fee.saturating_to(),
        tip: tips.get(tips.len() / 2).copied().unwrap_or_default(),
        // A chain without blobs says nothing or zeros: the least that a blob can cost is one.
        blob_fee: history.base_fee_per_blob_gas.last().map(|fee| fee.saturating_to()).filter(|fee: &u64| *fee > 0),
    })
}
