//! How a publisher sends.

use std::{path::PathBuf, time::Duration};

/// How a [`Publisher`](crate::Publisher) sends.
#[derive(Debug, Clone)]
pub struct PublisherOptions {
    /// The chain id that the node must serve; `None` takes what it serves.
    pub chain_id: Option<u64>,
    /// The limit of one RPC call, 10 s by default.
    pub call_limit: Duration,
    /// How long a transaction's receipt is waited for, 120 s by default: ten blocks of Ethereum.
    pub receipt_limit: Duration,
    /// The folder under which jobs are kept, one folder per chain and account, so that a publisher that is stopped or
    /// killed goes on with them; `None`, the default, keeps them in memory only.
    pub journal: Option<PathBuf>,
    /// The most wei per gas that is ever offered, 300 gwei by default. While the chain wants more, jobs wait.
    pub max_fee_per_gas: u64,
    /// The least tip in wei per gas, 0.1 gwei by default.
    pub min_tip_per_gas: u64,
    /// How many blocks, and how much time, an offer stands before it is raised by an eighth: 3 and 30 s by default.
    pub bump_blocks: u64,
    /// See `bump_blocks`.
    pub bump_after: Duration,
    /// The longest pause between two looks at the chain, 2 s by default.
    pub poll: Duration,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self {
            chain_id: None,
            call_limit: Duration::from_secs(10),
            receipt_limit: Duration::from_secs(120),
            journal: None,
            max_fee_per_gas: 300_000_000_000,
            min_tip_per_gas: 100_000_000,
            bump_blocks: 3,
            bump_after: Duration::from_secs(30),
            poll: Duration::from_secs(2),
        }
    }
}
