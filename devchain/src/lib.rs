//! The embedded development chain: a real EVM behind JSON-RPC on loopback.
//!
//! The same registry bytecode, the same signed transactions and the same calls as on Ethereum, without an external
//! node: for the demo, for devnets and for tests. It differs from Ethereum where a development chain may:
//!
//! - every valid transaction gets a block of its own at once; nothing waits in a pool, so a nonce gap is refused;
//! - an empty block follows every block time, and `finalized` lags behind the head by a fixed number of blocks;
//! - headers and their hashes are Ethereum's, with real transaction and receipt roots, but the state root is zero;
//! - system contracts (EIP-2935, EIP-4788) are not deployed, and transactions of type 3 and 4 are refused;
//! - blocks made in one second share its time, so that the chain never runs ahead of the clocks of those who read it.

mod accounts;
mod answers;
mod block;
mod calls;
mod chain;
mod error;
mod evm;
mod log;
mod rpc;
mod server;
mod state;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};

pub use self::{accounts::DEV_KEYS, error::Error};
use self::{chain::Chain, evm::Rules, rpc::Rpc};

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

/// A running development chain. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct DevChain {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    miner: JoinHandle<()>,
    /// Gone once the last connection is, and with it the lock on the state file.
    chain: Weak<Mutex<Chain>>,
}

impl DevChain {
    /// Opens or replays the chain and serves it.
    ///
    /// # Errors
    /// [`Error`]: an address that is not loopback or in use, a state file that is locked, damaged or another chain's.
    pub async fn start(config: DevChainConfig) -> Result<Self, Error> {
        let DevChainConfig { listen, chain_id, block_time, finality_lag, state_file, hardfork } = config;
        if !listen.ip().is_loopback() {
            return Err(Error::NotLoopback { got: listen });
        }
        let rules = Rules { chain_id, hardfork };
        let chain = Arc::new(Mutex::new(Chain::open(rules, finality_lag, state_file.as_deref())?));
        let failed = |source| Error::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server::serve(listener, Rpc::new(Arc::clone(&chain)), stopped));
        let held = Arc::downgrade(&chain);
        let miner = tokio::spawn(mine(chain, block_time));
        tracing::info!(%address, chain_id, hardfork = hardfork.name(), "development chain started");
        Ok(Self { address, stop: Some(stop), server, miner, chain: held })
    }

    /// The URL of the JSON-RPC.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the JSON-RPC.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops making blocks, answers what was asked, and gives the address and the state file free.
    pub async fn stop(mut self) {
        self.miner.abort();
        // Idle keep-alive connections of clients must not hold a stop for ever.
        const DRAIN: Duration = Duration::from_secs(2);
        if let Some(stop) = self.stop.take() {
            // A server that has ended by itself does not listen any more.
            let _ = stop.send(());
        }
        if tokio::time::timeout(DRAIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
        let _ = (&mut self.miner).await;
        // The connections' tasks end by themselves, a little later than the server that has begun them.
        let freed = async {
            while self.chain.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(DRAIN, freed).await.is_err() {
            tracing::warn!("a connection to the development chain outlives it");
        }
    }
}

impl Drop for DevChain {
    fn drop(&mut self) {
        // The server drains by itself once `stop` is dropped.
        self.miner.abort();
    }
}

/// Adds an empty block every `block_time`; every second time only while the chain runs ahead of its clock, so that
/// the clock catches up and `finalized` still moves.
async fn mine(chain: Arc<Mutex<Chain>>, block_time: Duration) {
    let mut ticks = interval_at(Instant::now() + block_time, block_time.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut chain = chain.lock().expect("no code panics while it holds the chain");
        if let Err(error) = chain.mine_empty() {
            tracing::error!(error = error.message, "development chain stopped making blocks");
            return;
        }
    }
}
