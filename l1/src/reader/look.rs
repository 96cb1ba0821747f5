//! One look at the chain: which block is final, and whether that can be believed.

use std::time::SystemTime;

use alloy::eips::BlockNumberOrTag;

use super::{
    cache::unix,
    nodes::{Newest, Nodes},
    options::ReaderOptions,
};
use crate::{error::Error, node::BlockPoint};

/// Asks for the finalized block, that it is old only where finality stalls and not where the nodes do, and that it stands
/// on the `last` one: what was final stays so.
pub(super) async fn finalized(
    nodes: &Nodes,
    chain_id: u64,
    last: Option<BlockPoint>,
    options: &ReaderOptions,
) -> Result<BlockPoint, Error> {
    let block = nodes.block(chain_id, BlockNumberOrTag::Finalized).await?;
    let (now, bound) = (unix(SystemTime::now()), options.stall_after.as_secs());
    let age = now.saturating_sub(block.timestamp);
    if age > bound && nodes.newest(chain_id, now.saturating_sub(bound)).await? == Newest::Old {
        return Err(Error::StandStill { finalized: block.number, age });
    }
    let Some(last) = last.filter(|last| last.number <= block.number) else { return Ok(block) };
    let same = if last.number == block.number {
        block
    } else {
        let number = BlockNumberOrTag::Number(last.number);
        nodes.ask("eth_getBlockByNumber", move |node| async move { node.block(number).await }).await?
    };
    if same.hash != last.hash {
        let what = format!("block {}, which was final", last.number);
        return Err(Error::Disagreement { what, said: format!("{} before, {} now", last.hash, same.hash) });
    }
    Ok(block)
}
