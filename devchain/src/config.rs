//! How a development chain runs, and by which rules.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// How a development chain runs.
#[derive(Clone, Debug)]
pub struct DevChainConfig {
    /// Where JSON-RPC is served: loopback only; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The chain id, 31337 by default.
    pub chain_id: u64,
    /// Time between empty blocks, 1 s by default.
    pub block_time: Duration,
    /// How many blocks `finalized` lags behind the head, 2 by default.
    pub finality_lag: u64,
    /// Where the chain is kept over restarts; `None` keeps it in memory only.
    pub state_file: Option<PathBuf>,
    /// The rules of the EVM, [`Hardfork::Osaka`] by default.
    pub hardfork: Hardfork,
}

impl Default for DevChainConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            chain_id: 31337,
            block_time: Duration::from_secs(1),
            finality_lag: 2,
            state_file: None,
            hardfork: Hardfork::default(),
        }
    }
}

/// A set of EVM rules that has EIP-2537, the BLS12-381 precompiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hardfork {
    /// The first with EIP-2537.
    Prague,
    /// Prague, and at most 2^24 gas a transaction (EIP-7825).
    #[default]
    Osaka,
}

impl Hardfork {
    /// The name that anvil and the state file use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prague => "prague",
            Self::Osaka => "osaka",
        }
    }
}
