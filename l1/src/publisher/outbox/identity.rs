//! Whether the node serves the chain that the journal is of. An id is not enough: development chains share theirs.
//!
//! The journal remembers a final block. A chain keeps its final blocks, but a node does not: it may refuse old ones, or call
//! the oldest one that it has the "earliest". So only a block that is another one, or not made yet, says that the chain is
//! another one; what a node refuses says nothing, and stops nobody.

use alloy::{eips::BlockNumberOrTag, primitives::B256};
use serde::{Deserialize, Serialize};

use super::{chain::Chain, record::BlockRef};
use crate::error::Error;

/// By what a journal knows its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Mark {
    /// A block that was final when the journal was opened.
    Block(BlockRef),
    /// What was taken for the first block's hash: of journals of the first version.
    Genesis(B256),
}

/// What a process knows of its chain's final blocks.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The newest one that was seen.
    pub(super) newest: Option<BlockRef>,
    /// The number of the one by which the journal knows the chain, once there is one.
    pub(super) marked: Option<u64>,
    /// Whether the node's finalized block is behind the newest one that was seen.
    pub(super) behind: bool,
}

/// What a node shows of a journal's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Likeness {
    Same,
    /// The node refuses the block that would tell.
    Unknown,
    /// Why it is another chain.
    Other(String),
}

/// Compares the node's chain with the journal's.
///
/// # Errors
/// When the node does not answer.
pub(super) async fn compare(chain: &Chain, mark: Mark) -> Result<Likeness, Error> {
    match mark {
        Mark::Block(block) => compare_block(chain, block).await,
        Mark::Genesis(hash) => compare_genesis(chain, hash).await,
    }
}

async fn compare_block(chain: &Chain, block: BlockRef) -> Result<Likeness, Error> {
    let BlockRef { number, hash } = block;
    match chain.header(BlockNumberOrTag::Number(number)).await {
        Ok(found) if found.hash == hash => return Ok(Likeness::Same),
        Ok(found) => return Ok(Likeness::Other(format!("block {number} was {hash}, and is {} there", found.hash))),
        Err(error @ Error::Timeout { .. }) => return Err(error),
        Err(_) => {}
    }
    let newest: u64 = chain.header(BlockNumberOrTag::Latest).await?.number.to();
    Ok(if newest < number {
        Likeness::Other(format!("block {number} was final, and the newest one there is {newest}"))
    } else {
        Likeness::Unknown
    })
}

async fn compare_genesis(chain: &Chain, hash: B256) -> Result<Likeness, Error> {
    match chain.has_hash(hash).await {
        Ok(true) => return Ok(Likeness::Same),
        Err(error @ Error::Timeout { .. }) => return Err(error),
        Ok(false) | Err(_) => {}
    }
    match chain.header(BlockNumberOrTag::Number(0)).await {
        Ok(first) if first.hash == hash => Ok(Likeness::Same),
        Ok(first) => Ok(Likeness::Other(format!("the first block was {hash}, and is {} there", first.hash))),
        Err(error @ Error::Timeout { .. }) => Err(error),
        Err(_) => Ok(Likeness::Unknown),
    }
}
