//! A development chain from start to stop.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{chain::Chain, config::DevChainConfig, error::Error, evm::Rules, rpc::Rpc, server};

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
