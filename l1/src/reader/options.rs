//! How a [`ChainRegistry`](super::ChainRegistry) reads.

use std::time::Duration;

use holdfast_erasure::Digest;

/// How far finality may lie behind before it counts as a stall, or a node as one that stands still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1800);

/// How a [`ChainRegistry`](super::ChainRegistry) reads.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// The chain id that the nodes must serve; `None` takes what they serve, if it is the same.
    pub chain_id: Option<u64>,
    /// How many nodes must give the same answer: by default 2 where two or more are given, else 1. Fewer than this many
    /// may lie together, and as many as are given beyond it may be down.
    pub agree: Option<usize>,
    /// keccak256 of the code at the registry's address, for a registry of another version than this one's artifact;
    /// `None` compares with the artifact.
    pub code_hash: Option<Digest>,
    /// The limit of one RPC call, 5 s by default.
    pub call_limit: Duration,
    /// The shortest time from one look at the finalized block to the next, 2 s by default. They are as far apart as the
    /// chain's blocks, but no farther than 12 s or this, whichever is longer: so much later than its finality a revocation
    /// can take effect, and no later while nodes answer. Zero asks with every call, and keeps nothing up to date beside.
    pub refresh: Duration,
    /// How long the last known record is used while the nodes do not answer, 10 min by default.
    pub outage_limit: Duration,
    /// How old, by this machine's clock, the finalized block may be before finality counts as stalled, 30 min by default:
    /// Ethereum finalizes every 6.4 min, and what it finalizes is 13 to 19 min old. Where the newest block is as old, the
    /// nodes stand still, which is an outage; so it is on a chain that makes blocks only when there are transactions.
    pub stall_after: Duration,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self {
            chain_id: None,
            agree: None,
            code_hash: None,
            call_limit: Duration::from_secs(5),
            refresh: Duration::from_secs(2),
            outage_limit: Duration::from_secs(600),
            stall_after: PATIENCE,
        }
    }
}
